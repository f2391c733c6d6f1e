"""The online executor: one customer's row at a moment, in numpy.

What doesn't depend on the moment is worked out once for a customer's events and kept beside them: running sums,
running extremes, and what the newest events say. A row is then a few look-ups at the windows' edges.
"""

from array import array
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from features.aggregates import HOUR, Aggregate, Selection
from features.clock import DAY, MONDAY, SECOND
from features.events import CHANNELS, KINDS
from features.feature import Array
from features.packed import CustomerEvents, Whole
from features.plan import COSINES, SINES

Mask = npt.NDArray[np.bool_]
_EVER = 2**62  # microseconds: longer than any history


@dataclass(frozen=True, slots=True)
class _Derived:
    """What is worked out once for a customer's events.

    `moments` are those at which anything occurred, once each. `sums` (rows, moments + 1) runs up to each of them,
    `extremes` (rows, moments + 1) from each on; the last column is that of all events, which `totals` has for each
    summed aggregate. `fixed` (aggregates,) is what doesn't depend on the moment; `decayed` stands at the newest event;
    `streaks` are the moments of each streak.
    """

    moments: Whole
    sums: Whole
    totals: Whole
    extremes: Array
    fixed: Array
    decayed: Array
    streaks: "tuple[array[int], ...]"


class OnlineAggregates:
    """A plan for a fixed list of aggregates, made once and run for one customer at a time."""

    def __init__(self, aggregates: Sequence[Aggregate]) -> None:
        self._count = len(aggregates)
        self._selections = list(dict.fromkeys(part.selection for part in aggregates))
        self._table = np.stack([_kind_table(selection) for selection in self._selections])
        self._which = {id(part): self._selections.index(part.selection) for part in aggregates}
        places = {part: place for place, part in enumerate(aggregates)}
        windows = list(dict.fromkeys(part.window_days for part in aggregates))
        self._spans = np.array([_EVER if days is None else days * DAY for days in windows], dtype=np.int64)
        summed = _only(places, lambda part: part.operation in _SUMMED and part.half_life_days is None)
        extreme = _only(places, lambda part: part.operation in ("smallest", "largest"))
        decayed = _only(places, lambda part: part.half_life_days is not None)
        self._sums, self._summed = _rows(summed, windows)
        self._extremes, self._extreme = _rows(extreme, windows)
        self._decayed = list(decayed)
        self._decayed_at = np.array([*decayed.values()], dtype=np.int64)
        self._rates = np.array([-np.log(2.0) / ((part.half_life_days or 1) * DAY) for part in decayed])
        self._streaks = [(part, place) for part, place in places.items() if part.operation == "streak"]
        self._fixed = [(part, place) for part, place in places.items() if part.operation in _FIXED]

    def evaluate(self, events: CustomerEvents, as_of: int) -> Array:
        """Evaluate every aggregate at `as_of` (microseconds), shape (aggregates,)."""
        events = events.before(as_of)
        derived: _Derived = events.derived.get(self) or events.derived.setdefault(self, self._derive(events))
        found = derived.fixed.copy()
        starts = derived.moments.searchsorted(as_of - self._spans)
        rows, windows, places = self._summed
        found[places] = derived.totals - derived.sums[rows, starts[windows]]
        rows, windows, places = self._extreme
        found[places] = derived.extremes[rows, starts[windows]]
        if len(events):
            passed = as_of - int(events.occurred_at[-1])
            found[self._decayed_at] = derived.decayed * np.exp(passed * self._rates)
        for (part, place), moments in zip(self._streaks, derived.streaks, strict=True):
            found[place] = _streak(moments, as_of, part.parameter * DAY)
        return found

    # -- worked out once for a customer's events

    def _derive(self, events: CustomerEvents) -> _Derived:
        clock = _Clock(events)
        masks = list(self._masks(events, clock))
        moments, firsts = np.unique(events.occurred_at, return_index=True)
        # No window begins between what occurred at one moment: the lines of a basket share a column.
        columns = np.append(firsts, len(events))
        sums = self._running_sums(clock, masks)[:, columns]
        return _Derived(
            moments,
            sums,
            sums[self._summed[0], -1],
            self._running_extremes(clock, masks)[:, columns],
            self._fixed_values(clock, masks),
            self._decayed_values(clock, masks),
            tuple(array("q", events.occurred_at[masks[self._which[id(part)]]].tobytes()) for part, _ in self._streaks),
        )

    def _masks(self, events: CustomerEvents, clock: "_Clock") -> Mask:
        masks: Mask = self._table[:, events.kind, events.channel]
        for mask, selection in zip(masks, self._selections, strict=True):
            _narrow(mask, selection, events, clock)
        return masks

    def _running_sums(self, clock: "_Clock", masks: list[Mask]) -> Whole:
        sums = np.zeros((len(self._sums), len(clock.events) + 1), dtype=np.int64)
        for row, part in zip(sums, self._sums, strict=True):
            row[1:] = _SUMMED[part.operation](clock, part, masks[self._which[id(part)]])
        return np.cumsum(sums, axis=1, out=sums)

    def _running_extremes(self, clock: "_Clock", masks: list[Mask]) -> Array:
        extremes = np.full((len(self._extremes), len(clock.events) + 1), np.nan)
        for row, part in zip(extremes, self._extremes, strict=True):
            row[:-1] = np.where(masks[self._which[id(part)]], clock.measure(part.column), np.nan)
            further = np.fmin if part.operation == "smallest" else np.fmax
            row[:] = further.accumulate(row[::-1])[::-1]
        return extremes

    def _fixed_values(self, clock: "_Clock", masks: list[Mask]) -> Array:
        fixed = np.zeros(self._count)
        for part, place in self._fixed:
            mask = masks[self._which[id(part)]]
            found = len(clock.places(mask)) > 0
            fixed[place] = _FIXED[part.operation](clock, part, mask) if found else np.nan
        return fixed

    def _decayed_values(self, clock: "_Clock", masks: list[Mask]) -> Array:
        if not len(clock.events):
            return np.zeros(len(self._decayed))
        age = clock.events.occurred_at[-1] - clock.events.occurred_at
        weights = {rate: np.exp(age * rate) for rate in dict.fromkeys(self._rates.tolist())}
        return np.array(
            [
                float((masks[self._which[id(part)]] * clock.measure(part.column) * weights[rate]).sum())
                for part, rate in zip(self._decayed, self._rates.tolist(), strict=True)
            ]
        )


class _Clock:
    """The local calendar of a customer's events, their measures, and where each different value is newest."""

    def __init__(self, events: CustomerEvents) -> None:
        self.events = events
        local = events.occurred_at + events.whole["utc_offset"] * SECOND
        self.day = local // DAY
        self.hour = local // HOUR - self.day * 24
        self.weekday = (self.day + MONDAY) % 7
        self._one = np.ones(len(events), dtype=np.int64)
        # By mask: there is one a selection, and it lives as long as this.
        self._places: dict[int, Whole] = {}
        self._newest: dict[tuple[str, int], dict[object, int]] = {}
        self._gaps: dict[int, Whole] = {}

    def measure(self, column: str) -> Whole:
        """One measure of every event."""
        if column == "one":
            return self._one
        if column == "spend":
            return np.maximum(self.events.whole["amount"], 0)
        if column in _CIRCLE:
            return _CIRCLE[column][self.hour]
        return self.events.whole[column]

    def _values(self, column: str, places: Whole) -> list[object]:
        """A column of some events, to tell its values apart."""
        if column in ("day", "moment"):
            return list((self.day if column == "day" else self.events.occurred_at)[places].tolist())
        if column == "channel":
            return list(self.events.channel[places].tolist())
        texts = self.events.texts[column]
        return [texts[place] for place in places.tolist()]

    def places(self, mask: Mask) -> Whole:
        """Where the selected events are."""
        if id(mask) not in self._places:
            self._places[id(mask)] = np.flatnonzero(mask)
        return self._places[id(mask)]

    def newest(self, column: str, mask: Mask) -> dict[object, int]:
        """The place of the newest selected event of each different value; the empty text is none."""
        key = (column, id(mask))
        if key not in self._newest:
            places = self.places(mask)
            self._newest[key] = dict(zip(self._values(column, places), places.tolist(), strict=True))
            self._newest[key].pop("", None)
        return self._newest[key]

    def gaps(self, mask: Mask) -> Whole:
        """The gaps between neighbouring days with a selected event."""
        if id(mask) not in self._gaps:
            days = np.unique(self.day[self.places(mask)])
            self._gaps[id(mask)] = days[1:] - days[:-1]
        return self._gaps[id(mask)]


_CIRCLE = {"hour_cosine": np.array(COSINES, dtype=np.int64), "hour_sine": np.array(SINES, dtype=np.int64)}


def _kind_table(selection: Selection) -> Mask:
    kinds = np.array([kind in selection.kinds for kind in KINDS])
    channels = np.array([not selection.channels or channel in selection.channels for channel in CHANNELS])
    both: Mask = kinds[:, None] & channels[None, :]
    return both


def _narrow(mask: Mask, selection: Selection, events: CustomerEvents, clock: _Clock) -> None:
    if selection.discounted:
        np.logical_and(mask, events.whole["discount"] > 0, out=mask)
    if selection.product:
        among = np.flatnonzero(mask)
        mask[among] = [events.product[place] == selection.product for place in among.tolist()]
    if selection.hours is not None:
        np.logical_and(mask, (clock.hour >= selection.hours[0]) & (clock.hour < selection.hours[1]), out=mask)
    if selection.weekdays:
        np.logical_and(mask, np.isin(clock.weekday, selection.weekdays), out=mask)


def _only(places: dict[Aggregate, int], which: Callable[[Aggregate], bool]) -> dict[Aggregate, int]:
    return {part: place for part, place in places.items() if which(part)}


def _rows(
    parts: dict[Aggregate, int], windows: Sequence[int | None]
) -> tuple[list[Aggregate], tuple[Whole, Whole, Whole]]:
    """Lay aggregates that differ only in their window on one row; returns the rows, and each one's place among them."""
    rows: dict[tuple[object, ...], Aggregate] = {}
    for part in parts:
        rows.setdefault((part.operation, part.selection, part.column), part)
    order = {key: place for place, key in enumerate(rows)}
    laid = [
        (order[part.operation, part.selection, part.column], windows.index(part.window_days), place)
        for part, place in parts.items()
    ]
    row, window, place = np.array(laid, dtype=np.int64).reshape(-1, 3).T
    return list(rows.values()), (row, window, place)


def _streak(moments: "array[int]", as_of: int, span: int) -> float:
    """Count the periods back from `as_of` that hold one of the moments, up to the first that doesn't."""
    periods, left = 0, len(moments)
    while left and moments[left - 1] >= as_of - (periods + 1) * span:
        periods += 1
        left = bisect_left(moments, as_of - periods * span, 0, left)
    return float(periods)


def _total(clock: _Clock, part: Aggregate, mask: Mask) -> Whole:
    return mask * clock.measure(part.column)


def _newest(clock: _Clock, part: Aggregate, mask: Mask) -> Whole:
    flags = np.zeros(len(mask), dtype=np.int64)
    flags[list(clock.newest(part.column, mask).values())] = 1
    return flags


_SUMMED: dict[str, Callable[[_Clock, Aggregate, Mask], Whole]] = {
    "total": _total,
    "distinct": _newest,
}


def _edge(clock: _Clock, part: Aggregate, mask: Mask) -> float:
    places = clock.places(mask)
    if part.column == "moment":
        return float(clock.events.occurred_at[places[0 if part.operation == "first" else -1]])
    days = clock.day[places]
    return float(days.min() if part.operation == "first" else days.max())


def _last_total(clock: _Clock, part: Aggregate, mask: Mask) -> float:
    last = clock.events.occurred_at[clock.places(mask)[-1]]
    return float(clock.measure(part.column)[mask & (clock.events.occurred_at == last)].sum())


def _squared_gaps(clock: _Clock, part: Aggregate, mask: Mask) -> float:
    return float((clock.gaps(mask) ** 2).sum())


def _longest_gap(clock: _Clock, part: Aggregate, mask: Mask) -> float:
    gaps = clock.gaps(mask)
    return float(gaps.max()) if len(gaps) else float("nan")


def _gap_quantile(clock: _Clock, part: Aggregate, mask: Mask) -> float:
    gaps = clock.gaps(mask)
    return float(np.sort(gaps)[(part.parameter * len(gaps) + 99) // 100 - 1]) if len(gaps) else float("nan")


def _level(clock: _Clock, part: Aggregate, mask: Mask) -> float:
    whole = clock.events.whole
    places = clock.places(mask)
    columns = (whole["quantity"][places], whole["recorded_at"][places], whole["occurred_at"][places])
    return float(columns[0][np.lexsort(columns)[-1]])


_FIXED: dict[str, Callable[[_Clock, Aggregate, Mask], float]] = {
    "first": _edge,
    "last": _edge,
    "last_total": _last_total,
    "squared_gaps": _squared_gaps,
    "longest_gap": _longest_gap,
    "gap_quantile": _gap_quantile,
    "level": _level,
}
