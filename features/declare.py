"""The words in which features are declared."""

from features.aggregates import Aggregate, Selection
from features.feature import Feature, Unit

PURCHASES = Selection(("purchase",))
EVER = None
_SCALED = ("currency", "units", "level")


def counted(of: Selection, window_days: int | None = EVER) -> Aggregate:
    """Count the selected events."""
    return Aggregate("total", of, "one", window_days)


def summed(of: Selection, measure: str, window_days: int | None = EVER) -> Aggregate:
    """Sum a measure of the selected events, in ten-thousandths."""
    return Aggregate("total", of, measure, window_days)


def decayed(of: Selection, measure: str, half_life_days: int) -> Aggregate:
    """Sum a measure that halves its weight with every half-life of age."""
    return Aggregate("total", of, measure, half_life_days=half_life_days)


def distinct(of: Selection, column: str, window_days: int | None = EVER) -> Aggregate:
    """Count the different values of a column."""
    return Aggregate("distinct", of, column, window_days)


def first(of: Selection) -> Aggregate:
    """Find the earliest moment."""
    return Aggregate("first", of)


def last(of: Selection) -> Aggregate:
    """Find the latest moment."""
    return Aggregate("last", of)


def plain(name: str, part: Aggregate, unit: Unit, en: str, ko: str) -> Feature:
    """Declare a feature that is one aggregate; currency, units and levels come out of ten-thousandths."""
    return Feature(name, "exact" if unit in _SCALED else "itself", (part,), unit, en, ko)


def windowed(name: str, of: Selection, windows: tuple[int, ...], en: str, ko: str) -> tuple[Feature, ...]:
    """Declare a count over several windows; `{window}` in the sentences is the number of days."""
    return tuple(
        plain(f"{name}_{days}", counted(of, days), "count", _with(en, days), _with(ko, days)) for days in windows
    )


def since(name: str, of: Selection, en: str, ko: str) -> Feature:
    """Declare the days since the latest of the selected events."""
    return Feature(name, "days_since", (last(of),), "days", en, ko)


def _with(sentence: str, days: int) -> str:
    return sentence.replace("{window}", str(days))
