"""How much: spend, margin, and the size of a basket."""

from features.declare import PURCHASES, decayed, distinct, plain, summed
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
)
