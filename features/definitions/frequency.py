"""How often: purchase days, visits to the till, and lines bought."""

from features.declare import PURCHASES, decayed, distinct, plain, ratio, windowed
from features.feature import Feature

_DAYS = tuple(
    plain(
        f"purchase_days_{days}",
        distinct(PURCHASES, "day", days),
        "count",
        f"Purchase days in the last {days} days: {{value}}",
        f"최근 {days}일간 구매한 날의 수: {{value}}",
    )
    for days in (7, 14, 28, 56, 91, 182, 364)
)
_BASKETS = tuple(
    plain(
        f"baskets_{days}",
        distinct(PURCHASES, "moment", days),
        "count",
        f"Baskets in the last {days} days: {{value}}",
        f"최근 {days}일간 장바구니 수: {{value}}",
    )
    for days in (28, 91)
)
_DECAYED = tuple(
    plain(
        f"purchases_decayed_{days}",
        decayed(PURCHASES, "one", days),
        "ratio",
        f"Lines bought, halved in weight every {days} days: {{value}}",
        f"{days}일마다 가중치가 반감되는 구매 건수: {{value}}",
    )
    for days in (14, 56, 182)
)
FEATURES: tuple[Feature, ...] = (
    *_DAYS,
    plain(
        "purchase_days",
        distinct(PURCHASES, "day"),
        "count",
        "Purchase days so far: {value}",
        "지금까지 구매한 날의 수: {value}",
    ),
    *_BASKETS,
    *windowed(
        "purchases",
        PURCHASES,
        (28, 91, 364),
        "Lines bought in the last {window} days: {value}",
        "최근 {window}일간 구매 건수: {value}",
    ),
    *_DECAYED,
    ratio(
        "lines_per_basket_91",
        "purchases_91",
        "baskets_91",
        "ratio",
        "Lines in a basket in the last 91 days: {value}",
        "최근 91일간 장바구니당 품목 수: {value}",
    ),
)
