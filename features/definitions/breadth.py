"""How widely: different products, categories, departments, places and channels."""

from features.declare import PURCHASES, distinct, plain, ratio
from features.feature import Feature

_WORDS = {
    "products": ("product", "Different products", "서로 다른 상품 수"),
    "types": ("type", "Different product types", "서로 다른 상품 유형 수"),
    "categories": ("category", "Different categories", "서로 다른 카테고리 수"),
    "departments": ("department", "Different departments", "서로 다른 부문 수"),
    "places": ("place", "Different stores", "서로 다른 매장 수"),
    "channels": ("channel", "Different channels", "서로 다른 채널 수"),
}
_WINDOWS = {"products": (91,), "types": (91,), "categories": (28, 91), "departments": (28, 91)}

_COUNTS = tuple(
    plain(
        f"{name}_{days}",
        distinct(PURCHASES, column, days),
        "count",
        f"{en} in the purchases of the last {days} days: {{value}}",
        f"최근 {days}일간 구매의 {ko}: {{value}}",
    )
    for name, (column, en, ko) in _WORDS.items()
    for days in _WINDOWS.get(name, (91,))
)
FEATURES: tuple[Feature, ...] = (
    *_COUNTS,
    plain(
        "products",
        distinct(PURCHASES, "product"),
        "count",
        "Different products ever bought: {value}",
        "지금까지 구매한 서로 다른 상품 수: {value}",
    ),
    ratio(
        "variety_91",
        "products_91",
        "purchases_91",
        "ratio",
        "Different products for a line bought in the last 91 days: {value}",
        "최근 91일간 구매 건당 서로 다른 상품 수: {value}",
    ),
)
