"""The population's side of every item at one moment: how popular it is, and which items go with it.

An item is a product, type, category or department, as the glossary's level says. Counts are of distinct days
on which a customer bought it; a basket is what a customer bought on one day, since many sources know no finer moment.
"""

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.sparse import csr_array

from features.aggregates import DAY
from features.clock import microseconds
from features.feature import Array
from features.history import Known

Whole = npt.NDArray[np.int64]
LINKED, STRONGEST = 1_000, 20  # items that have links, and links that each of them keeps
TRENDING, TRENDING_SHARE = 10, 0.01  # items in the trend, and the share of active customers that they need
ITEM_DEFINITION = (LINKED, STRONGEST, TRENDING, TRENDING_SHARE)


@dataclass(frozen=True)
class Links:
    """What goes with each of the first items of a table, strongest first; both have shape (linked items, links).

    `places` are places in the table; where an item has fewer links, places of weight 0 fill up.
    """

    places: Whole
    weights: Array


@dataclass(frozen=True)
class ItemTable:
    """The population's side of every item, most popular first.

    `statistics` has shape (items, 3): the share of active customers who bought it in the last 28 days, that share
    against the pace of the 91 days, and the share of its buyers who bought it on two days or more. `similar` links
    items by the cosine of who bought them, `together` by the share of the one's baskets that hold the other,
    both over 91 days.
    """

    level: str
    items: tuple[str, ...]
    statistics: Array
    similar: Links
    together: Links

    @cached_property
    def places(self) -> dict[str, int]:
        """Where each item stands in the table."""
        return {item: place for place, item in enumerate(self.items)}

    @cached_property
    def trending(self) -> Whole:
        """The places of the items whose trend is strongest among those that enough customers buy."""
        popularity, trend, _ = self.statistics.T
        enough = np.flatnonzero(popularity >= TRENDING_SHARE)
        return enough[np.argsort(-trend[enough], kind="stable")[:TRENDING]]

    def as_json(self) -> str:
        """Write the table as JSON, to the last digit."""
        links = {name: getattr(self, name) for name in ("similar", "together")}
        return json.dumps(
            {"level": self.level, "items": self.items, "statistics": self.statistics.tolist()}
            | {name: {"places": of.places.tolist(), "weights": of.weights.tolist()} for name, of in links.items()},
            ensure_ascii=False,
        )

    @classmethod
    def from_json(cls, text: str) -> "ItemTable":
        """Read what `as_json` wrote."""
        read = json.loads(text)
        statistics = np.array(read["statistics"], dtype=np.float64).reshape(-1, 3)
        return cls(read["level"], tuple(read["items"]), statistics, _links(read["similar"]), _links(read["together"]))


def item_table(known: Known, level: str) -> ItemTable:
    """Count the population's side of every item at the moment of what is known."""
    days = _purchase_days(known, level)
    age = microseconds(known.as_of) - pl.col("day") * DAY
    recent, longer = age <= 28 * DAY, age <= 91 * DAY
    active = max(days.filter(recent)["customer"].n_unique(), 1)
    pairs = days.group_by("item", "customer").agg(n28=recent.sum(), n91=longer.sum(), n=pl.len())
    table = pairs.group_by("item").agg(
        popularity=(pl.col("n28") > 0).sum() / active,
        trend=pl.col("n28").sum() / 28 / (pl.col("n91").sum().clip(1) / 91),
        repeat=(pl.col("n") > 1).mean(),
    ).sort(["popularity", "item"], descending=[True, False])  # fmt: skip
    statistics = table.select("popularity", "trend", "repeat").to_numpy().astype(np.float64).reshape(-1, 3)
    linked = table.head(LINKED).select("item").with_row_index("place")
    baskets = days.filter(longer).join(linked, on="item", maintain_order="left")
    buyers = _counted(baskets.select("customer", "place").unique(), ["customer"], len(linked))
    together = _counted(baskets, ["customer", "day"], len(linked))
    return ItemTable(level, tuple(table["item"]), statistics, _strongest(_cosine(buyers)), _strongest(_given(together)))


def bought(known: Known, level: str) -> pl.DataFrame:
    """List the purchase lines that name an item: `customer`, `item`, `day` (since 1970) and `amount`."""
    named = (pl.col("kind") == "purchase") & (pl.col(level) != "")
    past = pl.col("occurred_at") < microseconds(known.as_of)
    day = (pl.col("occurred_at") // DAY).alias("day")
    return known.events.filter(named & past).select("customer", pl.col(level).alias("item"), day, "amount")


def _purchase_days(known: Known, level: str) -> pl.DataFrame:
    return bought(known, level).select("customer", "item", "day").unique()


def _counted(rows: pl.DataFrame, holder: list[str], size: int) -> Array:
    """Count the holders (customers, or baskets) of each two items; shape (items, items), of one on the diagonal."""
    numbered = rows.select(pl.struct(holder).rank("dense"), "place").cast(pl.Int64).to_numpy()
    shape = (int(numbered[:, 0].max(initial=0)) + 1, size)
    held = csr_array((np.ones(len(rows)), numbered.T), shape=shape)
    return np.asarray((held.T @ held).toarray())


def _cosine(counts: Array) -> Array:
    alone = counts.diagonal()
    return counts / np.sqrt(np.maximum(np.outer(alone, alone), 1.0))


def _given(counts: Array) -> Array:
    return counts / np.maximum(counts.diagonal(), 1.0)[:, None]


def _strongest(weights: Array) -> Links:
    np.fill_diagonal(weights, 0.0)
    # Of equal weights the more popular item comes first, then the one whose name does: the table's order.
    places = np.argsort(-weights, axis=1, kind="stable")[:, :STRONGEST]
    return Links(places, np.take_along_axis(weights, places, axis=1))


def _links(read: dict[str, Any]) -> Links:
    shape = (len(read["places"]), min(len(read["places"]), STRONGEST))
    places, weights = np.array(read["places"], dtype=np.int64), np.array(read["weights"], dtype=np.float64)
    return Links(places.reshape(shape), weights.reshape(shape))
