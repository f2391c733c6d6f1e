"""What is popular among people alike, for customers of whom attributes are known and no purchase yet.

A segment is one attribute at one level, such as the age band 25–34.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl

from features.clock import DAY, microseconds
from features.events import KINDS
from features.feature import Array
from features.items import ItemTable, bought
from features.known import Known
from features.packed import CustomerEvents

FEWEST, POPULAR_ITEMS = 30, 200  # active customers of a segment, and the items that it tells of
_PRIOR = 50.0  # customers' worth of everyone's share in that of a segment
_DAYS = 28
_ATTRIBUTE = list(KINDS).index("attribute")


@dataclass(frozen=True)
class Segments:
    """The share of each segment's active customers who bought each of a table's first items in 28 days.

    `names` are attributes with their levels in ten-thousandths; `shares`, of shape (segments, items), are drawn
    towards `everyone`'s, of shape (items,), as if fifty customers more were like everyone.
    """

    names: tuple[tuple[str, int], ...]
    shares: Array
    everyone: Array

    @cached_property
    def places(self) -> dict[tuple[str, int], int]:
        """Where each segment stands."""
        return {name: place for place, name in enumerate(self.names)}

    def popular(self, attributes: Mapping[str, int]) -> Array:
        """Average the shares of the segments that somebody belongs to; everyone's where there is none. Shape (items,).

        >>> segments = Segments((("age", 20_000),), np.array([[0.5, 0.1]]), np.array([0.2, 0.3]))
        >>> segments.popular({"age": 20_000}).tolist(), segments.popular({"age": 30_000}).tolist()
        ([0.5, 0.1], [0.2, 0.3])
        """
        mine = [self.places[name] for name in attributes.items() if name in self.places]
        return np.asarray(self.shares[mine].mean(axis=0)) if mine else self.everyone

    def as_json(self) -> str:
        """Write the segments as JSON, to the last digit."""
        return json.dumps(
            {"names": self.names, "shares": self.shares.tolist(), "everyone": self.everyone.tolist()},
            ensure_ascii=False,
        )

    @classmethod
    def from_json(cls, text: str) -> "Segments":
        """Read what `as_json` wrote."""
        read = json.loads(text)
        everyone = np.array(read["everyone"], dtype=np.float64)
        shares = np.array(read["shares"], dtype=np.float64).reshape(-1, len(everyone))
        return cls(tuple((name, level) for name, level in read["names"]), shares, everyone)


def segments_of(known: Known, table: ItemTable) -> Segments:
    """Count what the segments of at least `FEWEST` active customers bought in the last 28 days."""
    everyone = table.statistics[:POPULAR_ITEMS, 0]
    day = pl.col("day") * DAY
    recent = bought(known, table.level).filter(microseconds(known.as_of) - day <= _DAYS * DAY)
    told = _newest(known).join(recent.select("customer").unique(), on="customer", how="semi")
    sizes = told.group_by("name", "level").len().filter(pl.col("len") >= FEWEST).sort("name", "level")
    listed = sizes.with_row_index("segment").drop("len")
    items = pl.DataFrame({"item": table.items[:POPULAR_ITEMS]}, schema={"item": pl.String}).with_row_index("place")
    pairs = recent.select("customer", "item").unique().join(items, on="item")
    counted = pairs.join(told.join(listed, on=["name", "level"]), on="customer").group_by("segment", "place").len()
    counts = np.zeros((len(listed), len(everyone)))
    counts[counted["segment"].to_numpy(), counted["place"].to_numpy()] = counted["len"].to_numpy()
    total = sizes["len"].to_numpy()[:, None].astype(np.float64)
    names = tuple(listed.select("name", "level").iter_rows())
    return Segments(names, (counts + _PRIOR * everyone) / (total + _PRIOR), everyone)


def attributes_of(known: Known) -> dict[str, dict[str, int]]:
    """List the newest level of each attribute of every customer, in ten-thousandths."""
    found: dict[str, dict[str, int]] = {}
    for customer, name, level in _newest(known).iter_rows():
        found.setdefault(customer, {})[name] = level
    return found


def attributes_of_customer(events: CustomerEvents) -> dict[str, int]:
    """List the newest level of each attribute of one customer, online; the same as in batch."""
    told = np.flatnonzero(events.kind == _ATTRIBUTE)
    keys = (events.whole["quantity"][told], events.recorded_at[told], events.occurred_at[told])
    levels = events.whole["quantity"]
    return {events.product[place]: int(levels[place]) for place in told[np.lexsort(keys)].tolist()}


def _newest(known: Known) -> pl.DataFrame:
    """List `customer`, `name` and `level` of every attribute as it was told last."""
    told = (pl.col("kind") == "attribute") & (pl.col("occurred_at") < microseconds(known.as_of))
    ordered = known.events.filter(told).sort("occurred_at", "recorded_at", "quantity")
    named = ordered.group_by("customer", pl.col("product").alias("name"), maintain_order=True)
    return named.agg(level=pl.col("quantity").last()).sort("customer", "name")
