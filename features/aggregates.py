"""The small algebra that every feature is made of: one pass over a customer's events, one number each.

An engine need only know these operations; what a feature does with them (`features.formulas`) is shared.
"""

from dataclasses import dataclass
from typing import Literal

from features.clock import DAY
from features.errors import ContractError
from features.events import CHANNELS, KINDS

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

    def __post_init__(self) -> None:
        for name, told, known in (("kinds", self.kinds, KINDS), ("channels", self.channels, CHANNELS)):
            unknown = [word for word in told if word not in known]
            _expect(not unknown, f"{name} among {', '.join(known)}", told)
        _expect(len(self.kinds) > 0 and "void" not in self.kinds, "kinds that stand", self.kinds)
        _expect(self.hours is None or 0 <= self.hours[0] < self.hours[1] <= 24, "hours from 0 to 24", self.hours)
        _expect(all(0 <= day <= 6 for day in self.weekdays), "weekdays from 0 to 6", self.weekdays)


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

    Sums are exact up to 2^63 ten-thousandths. `one` counts; `spend` is the amount where it is positive; `hour_cosine`
    and `hour_sine` are the middle of the local hour on a circle, in thousand-millionths; the others are
    ten-thousandths. A day is a day of the event's local calendar; it lies in a window when its newest event does.

    Raises ContractError when a part of it doesn't fit the operation.
    """

    operation: Operation
    selection: Selection
    column: str = "one"
    window_days: int | None = None
    half_life_days: int | None = None
    parameter: int = 0

    def __post_init__(self) -> None:
        _expect(self.operation in _COLUMNS, f"an operation among {', '.join(_COLUMNS)}", self.operation)
        columns = _COLUMNS[self.operation]
        _expect(self.column in columns, f"a column of {self.operation} among {', '.join(columns)}", self.column)
        if self.window_days is not None:
            _expect(self.operation in WINDOWED, f"a window with {', '.join(WINDOWED)} only", self.operation)
            _expect(self.window_days > 0, "a window of a day or more", self.window_days)
        if self.half_life_days is not None:
            plain = self.operation == "total" and self.window_days is None
            _expect(plain, "a half-life with a total without a window only", self)
            _expect(self.half_life_days > 0, "a half-life of a day or more", self.half_life_days)
        least, most = _PARAMETERS.get(self.operation, (0, 0))
        _expect(least <= self.parameter <= most, f"a parameter from {least} to {most}", self.parameter)


_COLUMNS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("total", "smallest", "largest", "last_total"), MEASURES),
    "distinct": DISTINCT,
    **dict.fromkeys(("first", "last"), ("moment", "day")),
    "level": ("quantity",),
    **dict.fromkeys(("squared_gaps", "longest_gap", "gap_quantile"), ("day",)),
    "streak": ("one",),
}
_PARAMETERS = {"gap_quantile": (1, 99), "streak": (1, 3_660)}


def _expect(holds: bool, expected: str, found: object) -> None:
    if not holds:
        raise ContractError(f"expected {expected}; found {found!r}")
