"""The rhythm: the days between purchase days, their spread, and whether the next one is overdue."""

from features.aggregates import Aggregate
from features.declare import PURCHASES, distinct, first, last, plain
from features.feature import Feature

_SPAN = (first(PURCHASES), last(PURCHASES), distinct(PURCHASES, "day"))

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
        (*_SPAN, Aggregate("squared_gaps", PURCHASES)),
        "days",
        "Spread of the days between purchases: {value}",
        "구매 간격의 표준편차(일): {value}",
    ),
    plain(
        "gap_longest_days",
        Aggregate("longest_gap", PURCHASES),
        "days",
        "Longest time between purchases, in days: {value}",
        "가장 길었던 구매 간격(일): {value}",
    ),
    Feature(
        "overdue",
        "overdue",
        _SPAN,
        "ratio",
        "Time since the last purchase, in usual gaps: {value}",
        "평균 구매 간격 대비 마지막 구매 후 경과: {value}배",
    ),
)
