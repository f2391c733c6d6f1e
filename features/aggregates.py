"""The small algebra that every feature is made of: one pass over a customer's events, one number each.

An engine need only know these seven operations; what a feature does with them (`features.feature`) is shared.
"""

from dataclasses import dataclass
from typing import Literal

DAY = 86_400_000_000
MEASURES = ("one", "quantity", "amount", "spend", "margin", "discount")
DISTINCT = ("day", "moment", "product", "type", "category", "department", "place", "channel")

Operation = Literal["total", "distinct", "first", "last", "squared_gaps", "longest_gap", "level"]


@dataclass(frozen=True, slots=True)
class Selection:
    """Which events count: by kind, and where given by channel, by subject, and by whether they bore a discount."""

    kinds: tuple[str, ...]
    channels: tuple[str, ...] = ()
    product: str = ""
    discounted: bool = False


@dataclass(frozen=True, slots=True)
class Aggregate:
    """One number over the selected events with `as_of - window <= occurred_at < as_of`.

    - total: the sum of a measure, or with `half_life_days` the sum of measure · 2^(-age / half-life)
    - distinct: how many different values of a column, the empty one not counted
    - first, last: the earliest or latest moment, in microseconds; unknown without events
    - squared_gaps, longest_gap: over the days between neighbouring distinct days with such an event
    - level: the quantity of the newest event; unknown without events

    `one` counts; `spend` is the amount where it is positive; the others are ten-thousandths.
    """

    operation: Operation
    selection: Selection
    column: str = "one"
    window_days: int | None = None
    half_life_days: int | None = None
