"""The rhythm: the days between purchase days, their spread, and whether the next one is overdue."""

from features.aggregates import Aggregate
from features.declare import PURCHASES, difference, distinct, first, gap_quantile, last, plain, ratio, streak
from features.feature import Feature

_SPAN = (first(PURCHASES, "day"), last(PURCHASES, "day"), distinct(PURCHASES, "day"))

FEATURES = (
    Feature(
        "gap_mean_days",
        "gap_mean",
        _SPAN,
        "days",
        "Usual days between purchases: {value}",
        "평균 구매 간격(일): {value}",
    ),
    Feature(
        "gap_spread_days",
        "gap_spread",
        (*_SPAN, Aggregate("squared_gaps", PURCHASES, "day")),
        "days",
        "Spread of the days between purchases: {value}",
        "구매 간격의 표준편차(일): {value}",
    ),
    ratio(
        "gap_variation",
        "gap_spread_days",
        "gap_mean_days",
        "ratio",
        "Spread of the days between purchases, against the usual: {value}",
        "평균 구매 간격 대비 변동: {value}",
    ),
    plain(
        "gap_median_days",
        gap_quantile(PURCHASES, 50),
        "days",
        "Half of the times between purchases are at most this many days: {value}",
        "구매 간격의 중앙값(일): {value}",
    ),
    plain(
        "gap_long_days",
        gap_quantile(PURCHASES, 90),
        "days",
        "Nine in ten times between purchases are at most this many days: {value}",
        "구매 간격의 90% 분위수(일): {value}",
    ),
    plain(
        "gap_longest_days",
        Aggregate("longest_gap", PURCHASES, "day"),
        "days",
        "Longest time between purchases, in days: {value}",
        "가장 길었던 구매 간격(일): {value}",
    ),
    ratio(
        "overdue",
        "days_since_purchase",
        "gap_mean_days",
        "ratio",
        "Time since the last purchase, in usual gaps: {value}",
        "평균 구매 간격 대비 마지막 구매 후 경과: {value}배",
    ),
    ratio(
        "overdue_long",
        "days_since_purchase",
        "gap_long_days",
        "ratio",
        "Time since the last purchase, against a long gap: {value}",
        "긴 구매 간격 대비 마지막 구매 후 경과: {value}배",
    ),
    difference(
        "days_beyond_long_gap",
        "days_since_purchase",
        "gap_long_days",
        "days",
        "Days since the last purchase, beyond a long gap: {value}",
        "긴 구매 간격을 넘어선 일수: {value}",
    ),
    plain(
        "purchase_weeks_running",
        streak(PURCHASES, 7),
        "count",
        "Weeks in a row with a purchase, up to now: {value}",
        "현재까지 연속으로 구매한 주의 수: {value}",
    ),
    plain(
        "purchase_months_running",
        streak(PURCHASES, 28),
        "count",
        "Periods of 28 days in a row with a purchase, up to now: {value}",
        "현재까지 28일 단위로 연속 구매한 기간의 수: {value}",
    ),
)
