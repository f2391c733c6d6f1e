"""How much: spend, margin, and the size of a basket."""

from features.declare import (
    PURCHASES,
    decayed,
    distinct,
    largest,
    last_total,
    plain,
    ratio,
    smallest,
    summed,
)
from features.feature import Feature

_SPEND = tuple(
    plain(
        f"spend_{days}",
        summed(PURCHASES, "amount", days),
        "currency",
        f"Spent in the last {days} days: {{value}}",
        f"최근 {days}일간 구매 금액: {{value}}",
    )
    for days in (14, 28, 56, 91, 182, 364)
)
_MARGIN = tuple(
    plain(
        f"margin_{days}",
        summed(PURCHASES, "margin", days),
        "currency",
        f"Margin earned in the last {days} days: {{value}}",
        f"최근 {days}일간 마진: {{value}}",
    )
    for days in (91, 364)
)
_DECAYED = tuple(
    plain(
        f"spend_decayed_{days}",
        decayed(PURCHASES, "spend", days),
        "currency",
        f"Spend, halved in weight every {days} days: {{value}}",
        f"{days}일마다 가중치가 반감되는 구매 금액: {{value}}",
    )
    for days in (28, 91)
)
FEATURES: tuple[Feature, ...] = (
    *_SPEND,
    plain("spend", summed(PURCHASES, "amount"), "currency", "Spent so far: {value}", "지금까지 구매 금액: {value}"),
    *_MARGIN,
    *_DECAYED,
    Feature(
        "spend_per_basket_91",
        "exact_ratio",
        (summed(PURCHASES, "amount", 91), distinct(PURCHASES, "moment", 91)),
        "currency",
        "Spend per basket in the last 91 days: {value}",
        "최근 91일간 장바구니당 금액: {value}",
    ),
    plain(
        "units_91",
        summed(PURCHASES, "quantity", 91),
        "units",
        "Units bought in the last 91 days: {value}",
        "최근 91일간 구매 수량: {value}",
    ),
    plain(
        "spend_last_basket",
        last_total(PURCHASES, "amount"),
        "currency",
        "Spent on the last basket: {value}",
        "마지막 장바구니 금액: {value}",
    ),
    ratio(
        "last_basket_against_usual",
        "spend_last_basket",
        "spend_per_basket_91",
        "ratio",
        "Last basket against the usual one of 91 days: {value}",
        "최근 91일 평균 대비 마지막 장바구니 금액: {value}배",
    ),
    plain(
        "spend_largest_line_364",
        largest(PURCHASES, "amount", 364),
        "currency",
        "Dearest line bought in the last 364 days: {value}",
        "최근 364일간 가장 비싼 구매 건: {value}",
    ),
    plain(
        "spend_smallest_line_364",
        smallest(PURCHASES, "amount", 364),
        "currency",
        "Cheapest line bought in the last 364 days: {value}",
        "최근 364일간 가장 싼 구매 건: {value}",
    ),
    ratio(
        "margin_share_364",
        "margin_364",
        "spend_364",
        "share",
        "Margin as a share of what was spent in the last 364 days: {value}",
        "최근 364일간 구매 금액 대비 마진 비율: {value}",
    ),
    Feature(
        "spend_56_before",
        "exact_difference",
        (summed(PURCHASES, "amount", 56), summed(PURCHASES, "amount", 28)),
        "currency",
        "Spent in the 28 days before the last 28: {value}",
        "직전 28일 이전 28일간 구매 금액: {value}",
    ),
    ratio(
        "spend_per_purchase_day_364",
        "spend_364",
        "purchase_days_364",
        "currency",
        "Spent on a purchase day in the last 364 days: {value}",
        "최근 364일간 구매일당 금액: {value}",
    ),
)
