"""The online executor: one customer's row at a moment, from packed arrays, in numpy."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from features.aggregates import DAY, Aggregate, Selection
from features.events import CHANNELS, KINDS
from features.feature import Array
from features.packed import CustomerEvents

Mask = npt.NDArray[np.bool_]


class OnlineAggregates:
    """A plan for a fixed list of aggregates, made once and run for one customer at a time.

    All totals are one matrix product: (selected measures x events) · (events x windows).
    """

    def __init__(self, aggregates: Sequence[Aggregate]) -> None:
        self._aggregates = tuple(aggregates)
        self._selections = list(dict.fromkeys(part.selection for part in aggregates))
        self._table = np.stack([_kind_table(selection) for selection in self._selections])
        totals = [part for part in aggregates if part.operation == "total"]
        self._measured = list(dict.fromkeys((part.selection, part.column) for part in totals))
        self._weights = list(dict.fromkeys((part.window_days, part.half_life_days) for part in totals))
        self._rows = [self._selections.index(selection) for selection, _ in self._measured]
        self._columns = [column for _, column in self._measured]
        self._places = {
            part: (
                self._measured.index((part.selection, part.column)),
                self._weights.index((part.window_days, part.half_life_days)),
            )
            for part in totals
        }

    def evaluate(self, events: CustomerEvents, as_of: int) -> dict[Aggregate, Array]:
        """Evaluate every aggregate at `as_of` (microseconds); each array has length one."""
        events = events.before(as_of)
        masks = dict(zip(self._selections, self._masks(events), strict=True))
        totals = self._totals(events, as_of, masks)
        found: dict[Aggregate, Array] = {}
        for part in self._aggregates:
            if part.operation == "total":
                value = totals[self._places[part]]
            else:
                value = _OPERATIONS[part.operation](events, part, _within(events, part, masks[part.selection], as_of))
            found[part] = np.array([value], dtype=np.float64)
        return found

    def _masks(self, events: CustomerEvents) -> Mask:
        masks: Mask = self._table[:, events.kind, events.channel]
        for place, selection in enumerate(self._selections):
            if selection.discounted:
                masks[place] &= events.measures["discount"] > 0
            if selection.product:
                masks[place] &= np.array([product == selection.product for product in events.product], dtype=bool)
        return masks

    def _totals(self, events: CustomerEvents, as_of: int, masks: dict[Selection, Mask]) -> Array:
        age = as_of - events.occurred_at
        weights = np.column_stack([_weight(age, window, half_life) for window, half_life in self._weights])
        stacked = np.stack([masks[self._selections[row]] for row in self._rows]).astype(np.float64)
        stacked *= np.stack([events.measures[column] for column in self._columns])
        product: Array = stacked @ weights
        return product


def _kind_table(selection: Selection) -> Mask:
    kinds = np.array([kind in selection.kinds for kind in KINDS])
    channels = np.array([not selection.channels or channel in selection.channels for channel in CHANNELS])
    both: Mask = kinds[:, None] & channels[None, :]
    return both


def _weight(age: npt.NDArray[np.int64], window_days: int | None, half_life_days: int | None) -> Array:
    weight = np.ones(len(age)) if window_days is None else (age <= window_days * DAY).astype(np.float64)
    return weight if half_life_days is None else weight * np.exp(age * (-np.log(2.0) / (half_life_days * DAY)))


def _within(events: CustomerEvents, part: Aggregate, mask: Mask, as_of: int) -> Mask:
    if part.window_days is None:
        return mask
    within: Mask = mask & (events.occurred_at >= as_of - part.window_days * DAY)
    return within


def _distinct(events: CustomerEvents, part: Aggregate, mask: Mask) -> float:
    if part.column in ("day", "moment"):
        moments = events.occurred_at[mask]
        return float(len(np.unique(moments // DAY if part.column == "day" else moments)))
    if part.column == "channel":
        return float(len(np.unique(events.channel[mask])))
    texts = events.texts[part.column]
    return float(len({texts[place] for place in np.flatnonzero(mask)} - {""}))


def _first(events: CustomerEvents, part: Aggregate, mask: Mask) -> float:
    return float(events.occurred_at[mask][0]) if mask.any() else float("nan")


def _last(events: CustomerEvents, part: Aggregate, mask: Mask) -> float:
    return float(events.occurred_at[mask][-1]) if mask.any() else float("nan")


def _day_gaps(events: CustomerEvents, mask: Mask) -> npt.NDArray[np.int64]:
    days = np.unique(events.occurred_at[mask] // DAY)
    return days[1:] - days[:-1]


def _squared_gaps(events: CustomerEvents, part: Aggregate, mask: Mask) -> float:
    return float((_day_gaps(events, mask) ** 2).sum()) if mask.any() else float("nan")


def _longest_gap(events: CustomerEvents, part: Aggregate, mask: Mask) -> float:
    gaps = _day_gaps(events, mask)
    return float(gaps.max()) if len(gaps) else float("nan")


def _level(events: CustomerEvents, part: Aggregate, mask: Mask) -> float:
    places = np.flatnonzero(mask)
    if not len(places):
        return float("nan")
    columns = (events.occurred_at[places], events.recorded_at[places], events.measures["quantity"][places])
    return float(columns[2][np.lexsort(columns[::-1])[-1]])


_OPERATIONS = {
    "distinct": _distinct,
    "first": _first,
    "last": _last,
    "squared_gaps": _squared_gaps,
    "longest_gap": _longest_gap,
    "level": _level,
}
