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


def smallest(of: Selection, measure: str, window_days: int | None = EVER) -> Aggregate:
    """Find the smallest of a measure."""
    return Aggregate("smallest", of, measure, window_days)


def largest(of: Selection, measure: str, window_days: int | None = EVER) -> Aggregate:
    """Find the largest of a measure."""
    return Aggregate("largest", of, measure, window_days)


def distinct(of: Selection, column: str, window_days: int | None = EVER) -> Aggregate:
    """Count the different values of a column."""
    return Aggregate("distinct", of, column, window_days)


def first(of: Selection, column: str = "moment") -> Aggregate:
    """Find the earliest moment, or day."""
    return Aggregate("first", of, column)


def last(of: Selection, column: str = "moment") -> Aggregate:
    """Find the latest moment, or day."""
    return Aggregate("last", of, column)


def last_total(of: Selection, measure: str) -> Aggregate:
    """Sum a measure over the events of the latest moment."""
    return Aggregate("last_total", of, measure)


def gap_quantile(of: Selection, percent: int) -> Aggregate:
    """Find the gap between neighbouring days at a quantile."""
    return Aggregate("gap_quantile", of, "day", parameter=percent)


def streak(of: Selection, period_days: int) -> Aggregate:
    """Count the unbroken periods with an event, back from the moment."""
    return Aggregate("streak", of, parameter=period_days)


def plain(name: str, part: Aggregate, unit: Unit, en: str, ko: str) -> Feature:
    """Declare a feature that is one aggregate; currency, units and levels come out of ten-thousandths."""
    return Feature(name, "exact" if unit in _SCALED else "itself", (part,), unit, en, ko)


def ratio(name: str, above: Aggregate | str, below: Aggregate | str, unit: Unit, en: str, ko: str) -> Feature:
    """Declare one aggregate or feature against another; unknown where the second isn't above zero."""
    return Feature(name, "ratio", (above, below), unit, en, ko)


def difference(name: str, of: str, less: str, unit: Unit, en: str, ko: str) -> Feature:
    """Declare one feature less another."""
    return Feature(name, "difference", (of, less), unit, en, ko)


def windowed(name: str, of: Selection, windows: tuple[int, ...], en: str, ko: str) -> tuple[Feature, ...]:
    """Declare a count over several windows; `{window}` in the sentences is the number of days."""
    return tuple(
        plain(f"{name}_{days}", counted(of, days), "count", _with(en, days), _with(ko, days)) for days in windows
    )


def since(name: str, of: Selection, en: str, ko: str) -> Feature:
    """Declare the days since the latest of the selected events."""
    return Feature(name, "days_since", (last(of),), "days", en, ko)


def usual_hour(name: str, of: Selection, window_days: int, en: str, ko: str) -> Feature:
    """Declare the mean local hour of the selected events, on a circle of 24."""
    parts = (summed(of, "hour_cosine", window_days), summed(of, "hour_sine", window_days))
    return Feature(name, "usual_hour", parts, "hour", en, ko)


def _with(sentence: str, days: int) -> str:
    return sentence.replace("{window}", str(days))
