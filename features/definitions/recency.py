"""How long ago: since the last purchase, and since the first."""

from features.declare import PURCHASES, first, last, since
from features.feature import Feature

FEATURES = (
    since(
        "days_since_purchase", PURCHASES, "Days since the last purchase: {value}", "마지막 구매 후 지난 일수: {value}"
    ),
    Feature(
        "tenure_days",
        "days_since",
        (first(PURCHASES),),
        "days",
        "Days since the first purchase: {value}",
        "첫 구매 후 지난 일수: {value}",
    ),
    Feature(
        "recency_share",
        "recency_share",
        (first(PURCHASES), last(PURCHASES)),
        "share",
        "Last purchase, as a share of the time as a customer: {value}",
        "거래 기간 중 마지막 구매의 위치: {value}",
    ),
    Feature(
        "buying_days",
        "days_between",
        (first(PURCHASES), last(PURCHASES)),
        "days",
        "Days from the first purchase to the last: {value}",
        "첫 구매부터 마지막 구매까지의 일수: {value}",
    ),
)
