"""What we were told: the newest level of each dated attribute that is ordered; the source's mapping says the order."""

from features.aggregates import Aggregate, Selection
from features.declare import plain

_WORDS = {
    "age": ("Age band", "연령대"),
    "income": ("Income band", "소득 구간"),
    "household_size": ("Household size", "가구원 수"),
    "kids_count": ("Children", "자녀 수"),
    "home_ownership": ("Home ownership", "주택 소유"),
    "marital_status": ("Marital status", "혼인 상태"),
}

FEATURES = tuple(
    plain(
        f"attribute_{name}",
        Aggregate("level", Selection(("attribute",), product=name), "quantity"),
        "level",
        f"{en}, as a level: {{value}}",
        f"{ko} 등급: {{value}}",
    )
    for name, (en, ko) in _WORDS.items()
)
