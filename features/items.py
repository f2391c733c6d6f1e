"""The population's side of every item at one moment: how popular it is, and which items go with it.

An item is a product, type, category or department, as the glossary's level says. Counts are of distinct days
on which a customer bought it; a basket is what a customer bought on one day, since many sources know no finer moment.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import polars as pl
from scipy.sparse import csr_array

from features.clock import DAY, microseconds
from features.feature import Array
from features.known import LEVELS, Known

Whole = npt.NDArray[np.int64]
LINKED, STRONGEST = 2_000, 30  # items that have links, and links that each of them keeps
POPULAR, TRENDING = 40, 40  # items that are popular, and further ones that are popular lately
POPULARITY_DAYS = (28, 7, 2, 1)
ITEM_DEFINITION = (LINKED, STRONGEST, POPULAR, TRENDING, POPULARITY_DAYS)
STATISTICS = 6  # numbers of each item


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

    `statistics` has shape (items, 6): the share of the customers of the last 28, 7, 2 and 1 days who bought it,
    its days of purchase in 28 against the pace of 91, and the share of its buyers who bought it on two days or more.
    `parents` numbers the item's group on the next level above that the catalogue knows, -1 without one. `similar`
    links items by the cosine of who bought them, `together` by the share of the one's baskets that hold the other,
    both over 91 days.
    """

    level: str
    items: tuple[str, ...]
    statistics: Array
    parents: Whole
    similar: Links
    together: Links

    @cached_property
    def places(self) -> dict[str, int]:
        """Where each item stands in the table."""
        return {item: place for place, item in enumerate(self.items)}

    @cached_property
    def trending(self) -> Whole:
        """The places of the items bought by most in the last 2 days, beyond the first `POPULAR` of the table."""
        lately = self.statistics[POPULAR:, 2]
        strongest = np.argsort(-lately, kind="stable")[:TRENDING]
        return POPULAR + strongest[lately[strongest] > 0]

    def as_json(self) -> str:
        """Write the table as JSON, to the last digit."""
        links = {name: getattr(self, name) for name in ("similar", "together")}
        return json.dumps(
            {"level": self.level, "items": self.items, "statistics": self.statistics.tolist()}
            | {"parents": self.parents.tolist()}
            | {name: {"places": of.places.tolist(), "weights": of.weights.tolist()} for name, of in links.items()},
            ensure_ascii=False,
        )

    @classmethod
    def from_json(cls, text: str) -> "ItemTable":
        """Read what `as_json` wrote."""
        # By orjson: a service reads megabytes of this while it answers, and json would hold it up for twice as long.
        read = orjson.loads(text)
        statistics = np.array(read["statistics"], dtype=np.float64).reshape(-1, STATISTICS)
        parents = np.array(read["parents"], dtype=np.int64)
        similar, together = _links(read["similar"]), _links(read["together"])
        return cls(read["level"], tuple(read["items"]), statistics, parents, similar, together)


def item_table(known: Known, level: str) -> ItemTable:
    """Count the population's side of every item at the moment of what is known."""
    days = _purchase_days(known, level)
    age = microseconds(known.as_of) - pl.col("day") * DAY
    longer = age <= 91 * DAY
    table = _counts(days, age)
    statistics = table.drop("item").to_numpy().astype(np.float64).reshape(-1, STATISTICS)
    items = tuple(table["item"])
    linked = table.head(LINKED).select("item").with_row_index("place")
    baskets = days.filter(longer).join(linked, on="item", maintain_order="left")
    buyers = _counted(baskets.select("customer", "place").unique(), ["customer"], len(linked))
    together = _counted(baskets, ["customer", "day"], len(linked))
    similar, going = _strongest(_cosine(buyers)), _strongest(_given(together))
    return ItemTable(level, items, statistics, _parents(known, level, items), similar, going)


def bought(known: Known, level: str) -> pl.DataFrame:
    """List the purchase lines that name an item: `customer`, `item`, `day` (since 1970) and `amount`."""
    named = (pl.col("kind") == "purchase") & (pl.col(level) != "")
    past = pl.col("occurred_at") < microseconds(known.as_of)
    day = (pl.col("occurred_at") // DAY).alias("day")
    return known.events.filter(named & past).select("customer", pl.col(level).alias("item"), day, "amount")


def _counts(days: pl.DataFrame, age: pl.Expr) -> pl.DataFrame:
    """Count each item's statistics, most popular first."""
    within = {f"n{span}": age <= span * DAY for span in (91, *POPULARITY_DAYS)}
    active = {name: max(days.filter(inside)["customer"].n_unique(), 1) for name, inside in within.items()}
    pairs = days.group_by("item", "customer").agg(n=pl.len(), **{name: each.sum() for name, each in within.items()})
    return pairs.group_by("item").agg(
        *((pl.col(f"n{span}") > 0).sum() / active[f"n{span}"] for span in POPULARITY_DAYS),
        trend=pl.col("n28").sum() / 28 / (pl.col("n91").sum().clip(1) / 91),
        repeat=(pl.col("n") > 1).mean(),
    ).sort(["n28", "item"], descending=[True, False])  # fmt: skip


def _parents(known: Known, level: str, items: Sequence[str]) -> Whole:
    """Number each item's group; of several, the first by name."""
    above = [pl.when(pl.col(name) != "").then(name) for name in LEVELS[LEVELS.index(level) + 1 :]]
    group = pl.coalesce(*above, pl.lit(None, pl.String)).alias("group")
    groups = known.events.filter(pl.col("kind") == "purchase").group_by(pl.col(level).alias("item")).agg(group.min())
    placed = pl.DataFrame({"item": items}, schema={"item": pl.String})
    found = placed.join(groups, on="item", how="left", maintain_order="left")["group"]
    return found.rank("dense").fill_null(0).cast(pl.Int64).to_numpy() - 1


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
