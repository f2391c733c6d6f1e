"""One customer's history in numpy arrays, for the online executor."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from features.clock import microseconds
from features.events import CHANNELS, KINDS
from features.history import COLUMNS, LEVELS

Whole = npt.NDArray[np.int64]
_KIND = {kind: code for code, kind in enumerate(KINDS)}
_CHANNEL = {channel: code for code, channel in enumerate(CHANNELS)}
_PLACE = {name: place for place, name in enumerate((*COLUMNS, *LEVELS[1:], "body"))}
_TEXTS = ("product", "place", "type", "category", "department")


@dataclass(frozen=True, slots=True)
class CustomerEvents:
    """The events of one customer that were known at a moment, in the order they occurred.

    Moments are microseconds, measures ten-thousandths (`margin` counts 0 where unknown), `kind` and `channel` codes
    into `KINDS` and `CHANNELS`; texts stay texts. All have one length.
    """

    occurred_at: Whole
    recorded_at: Whole
    kind: Whole
    channel: Whole
    measures: dict[str, Whole]
    texts: dict[str, list[str]]
    body: list[str]

    def __len__(self) -> int:
        return len(self.occurred_at)

    @property
    def product(self) -> list[str]:
        """What each event was about."""
        return self.texts["product"]

    def before(self, as_of: int) -> "CustomerEvents":
        """Keep the events that occurred before a moment (microseconds)."""
        end = int(np.searchsorted(self.occurred_at, as_of, side="left"))
        if end == len(self):
            return self
        return CustomerEvents(
            self.occurred_at[:end],
            self.recorded_at[:end],
            self.kind[:end],
            self.channel[:end],
            {name: column[:end] for name, column in self.measures.items()},
            {name: column[:end] for name, column in self.texts.items()},
            self.body[:end],
        )


def pack(rows: Sequence[tuple[Any, ...]], as_of: datetime) -> CustomerEvents:
    """Pack rows of `History.of_customer`, keeping what was recorded by a moment and occurred before it."""
    cut = microseconds(as_of)
    recorded = _PLACE["recorded_at"]
    columns = list(zip(*(row for row in rows if row[recorded] <= cut), strict=True)) or [()] * len(_PLACE)

    def whole(name: str) -> Whole:
        return np.array([value or 0 for value in columns[_PLACE[name]]], dtype=np.int64)

    measures = {name: whole(name) for name in ("quantity", "amount", "margin", "discount")}
    measures["one"] = np.ones(len(columns[0]), dtype=np.int64)
    measures["spend"] = np.maximum(measures["amount"], 0)
    packed = CustomerEvents(
        whole("occurred_at"),
        whole("recorded_at"),
        np.array([_KIND[kind] for kind in columns[_PLACE["kind"]]], dtype=np.int64),
        np.array([_CHANNEL[channel] for channel in columns[_PLACE["channel"]]], dtype=np.int64),
        measures,
        {name: list(columns[_PLACE[name]]) for name in _TEXTS},
        list(columns[_PLACE["body"]]),
    )
    return packed.before(cut)
