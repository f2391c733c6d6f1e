"""How widely: different products, categories, departments, places and channels."""

from features.declare import PURCHASES, distinct, plain
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

FEATURES: tuple[Feature, ...] = tuple(
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
