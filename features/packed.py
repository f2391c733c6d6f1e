"""One customer's history in numpy arrays, for the online executor."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from sys import intern
from typing import Any

import numpy as np
import numpy.typing as npt

from features.clock import microseconds
from features.events import CHANNELS, KINDS
from features.looks import FETCHED

Whole = npt.NDArray[np.int64]
_KIND = {kind: code for code, kind in enumerate(KINDS)}
_CHANNEL = {channel: code for code, channel in enumerate(CHANNELS)}
_PLACE = {name: place for place, name in enumerate(FETCHED)}
_TEXTS = ("product", "place", "type", "category", "department", "body")
_WHOLE = ("occurred_at", "recorded_at", "utc_offset", "quantity", "amount", "margin", "discount")


@dataclass(frozen=True)
class CustomerEvents:
    """The events of one customer that were known at a moment, in the order they occurred.

    Moments are microseconds, measures ten-thousandths (`margin` counts 0 where unknown), the offset from UTC seconds,
    `kind` and `channel` codes into `KINDS` and `CHANNELS`; texts stay texts. All have one length.
    `derived` is for an executor to keep what it has computed from these events.
    """

    whole: dict[str, Whole]
    kind: Whole
    channel: Whole
    texts: dict[str, list[str]]
    derived: dict[object, Any] = field(default_factory=dict, compare=False)

    def __len__(self) -> int:
        return len(self.kind)

    @property
    def occurred_at(self) -> Whole:
        """When each event occurred."""
        return self.whole["occurred_at"]

    @property
    def recorded_at(self) -> Whole:
        """When each event became known."""
        return self.whole["recorded_at"]

    @property
    def product(self) -> list[str]:
        """What each event was about."""
        return self.texts["product"]

    @property
    def body(self) -> list[str]:
        """What else was told of each event, as JSON."""
        return self.texts["body"]

    def before(self, as_of: int) -> "CustomerEvents":
        """Keep the events that occurred before a moment (microseconds)."""
        if not len(self) or self.occurred_at[-1] < as_of:
            return self
        return self._taken(np.arange(np.searchsorted(self.occurred_at, as_of, side="left")))

    def with_newer(self, newer: "CustomerEvents") -> "CustomerEvents":
        """Take in other events of the same customer, in their order."""
        whole = {name: np.concatenate([self.whole[name], newer.whole[name]]) for name in _WHOLE}
        both = CustomerEvents(
            whole,
            np.concatenate([self.kind, newer.kind]),
            np.concatenate([self.channel, newer.channel]),
            {name: self.texts[name] + newer.texts[name] for name in _TEXTS},
        )
        return both._taken(np.lexsort((whole["recorded_at"], whole["occurred_at"])))

    def _taken(self, places: Whole) -> "CustomerEvents":
        listed = places.tolist()
        return CustomerEvents(
            {name: column[places] for name, column in self.whole.items()},
            self.kind[places],
            self.channel[places],
            {name: [column[place] for place in listed] for name, column in self.texts.items()},
        )


def pack(rows: Sequence[tuple[Any, ...]], as_of: datetime) -> CustomerEvents:
    """Pack rows of `History.of_customer`, keeping what occurred before a moment."""
    return pack_all(rows).before(microseconds(as_of))


def pack_all(rows: Sequence[tuple[Any, ...]]) -> CustomerEvents:
    """Pack rows of `History.of_customer`."""
    columns = list(zip(*rows, strict=True)) or [()] * len(_PLACE)

    def whole(name: str) -> Whole:
        return np.array([value or 0 for value in columns[_PLACE[name]]], dtype=np.int64)

    return CustomerEvents(
        {name: whole(name) for name in _WHOLE},
        np.array([_KIND[kind] for kind in columns[_PLACE["kind"]]], dtype=np.int64),
        np.array([_CHANNEL[channel] for channel in columns[_PLACE["channel"]]], dtype=np.int64),
        # Everybody's names of products are the same few texts.
        {name: list(map(intern, columns[_PLACE[name]])) for name in _TEXTS},
    )
