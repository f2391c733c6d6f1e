"""Which way it goes: the pace of a recent window against the time before it; 1 is no change."""

from features.declare import PURCHASES, counted, distinct, summed
from features.feature import Feature

FEATURES = (
    Feature(
        "spend_trend",
        "trend",
        (summed(PURCHASES, "spend", 28), summed(PURCHASES, "spend", 119)),
        "ratio",
        "Spend of the last 28 days against the pace of the 91 before: {value}",
        "이전 91일 대비 최근 28일 구매 금액 추세: {value}배",
        (28.0, 119.0),
    ),
    Feature(
        "purchases_trend",
        "trend",
        (counted(PURCHASES, 28), counted(PURCHASES, 119)),
        "ratio",
        "Lines bought in the last 28 days against the pace of the 91 before: {value}",
        "이전 91일 대비 최근 28일 구매 건수 추세: {value}배",
        (28.0, 119.0),
    ),
    Feature(
        "purchase_days_trend",
        "trend",
        (distinct(PURCHASES, "day", 14), distinct(PURCHASES, "day", 70)),
        "ratio",
        "Purchase days of the last 14 days against the pace of the 56 before: {value}",
        "이전 56일 대비 최근 14일 구매일 추세: {value}배",
        (14.0, 70.0),
    ),
    Feature(
        "long_trend",
        "trend",
        (summed(PURCHASES, "spend", 182), summed(PURCHASES, "spend", 364)),
        "ratio",
        "Spend of the last half-year against the half-year before: {value}",
        "이전 반년 대비 최근 반년 구매 금액 추세: {value}배",
        (182.0, 364.0),
    ),
)
