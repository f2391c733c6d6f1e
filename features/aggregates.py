"""The small algebra that every feature is made of: one pass over a customer's events, one number each.

An engine need only know these operations; what a feature does with them (`features.feature`) is shared.
"""

from dataclasses import dataclass
from typing import Literal

from features.errors import ContractError

DAY = 86_400_000_000
HOUR = DAY // 24
MEASURES = ("one", "quantity", "amount", "spend", "margin", "discount", "hour_cosine", "hour_sine")
WINDOWED = ("total", "smallest", "largest", "distinct")
DISTINCT = ("day", "moment", "product", "type", "category", "department", "place", "channel")

Operation = Literal[
    "total", "smallest", "largest", "distinct", "first", "last", "last_total", "level",
    "squared_gaps", "longest_gap", "gap_quantile", "streak",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Selection:
    """Which events count: by kind, and where given by channel, by subject, by discount, and by the local clock.

    `hours` is a half-open range of the local hour, 0 to 24; `weekdays` counts from Monday, 0. The local clock is that
    of the place and moment of the event, daylight saving included.
    """

    kinds: tuple[str, ...]
    channels: tuple[str, ...] = ()
    product: str = ""
    discounted: bool = False
    hours: tuple[int, int] | None = None
    weekdays: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Aggregate:
    """One number over the selected events with `as_of - window <= occurred_at < as_of`.

    - total: the sum of a measure, or with `half_life_days` and no window the sum of measure · 2^(-age / half-life)
    - smallest, largest: of a measure; unknown without events
    - distinct: how many different values of a column, the empty one not counted
    - first, last: the earliest or latest moment, in microseconds, or day; unknown without events
    - last_total: the sum of a measure over the events of the latest moment; unknown without events
    - level: the quantity of the newest event; unknown without events
    - squared_gaps, longest_gap, gap_quantile: over the days between neighbouring distinct days with such an event;
      the quantile is the smallest gap that `parameter` in a hundred of the gaps are at most
    - streak: how many periods of `parameter` days, counted back from `as_of`, hold an event without a break

    `one` counts; `spend` is the amount where it is positive; `hour_cosine` and `hour_sine` are the local hour on a
    circle, in thousand-millionths; the others are ten-thousandths. A day is a day of the event's local calendar; it
    lies in a window when its newest event does.
    """

    operation: Operation
    selection: Selection
    column: str = "one"
    window_days: int | None = None
    half_life_days: int | None = None
    parameter: int = 0

    def __post_init__(self) -> None:
        if self.window_days is not None and self.operation not in WINDOWED:
            raise ContractError(f"expected a window with {', '.join(WINDOWED)} only, found one with {self.operation}")
        if self.half_life_days is not None and (self.operation != "total" or self.window_days is not None):
            raise ContractError(f"expected a half-life with a total without a window only, found {self}")
