"""Peers for the next basket: nearest neighbours over decayed baskets, and personal frequency.

TIFUKNN is re-implemented from Hu et al., Modeling Personalized Item Frequency Information for Next-basket
Recommendation, SIGIR 2020; its time-aware variant from Romanov et al., Time-Aware Item Weighting for the Next Basket
Recommendations, RecSys 2023. A customer's vector is the mean of groups of baskets, each the mean of its baskets; the
score mixes it with the mean vector of the nearest customers by cosine, the customer being one of them.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy.sparse import csr_array

from features.feature import Array
from features.items import Whole

# Of each customer the best items, and the best of those not bought before.
Best = dict[str, tuple[list[str], list[str]]]
_CUSTOMERS_AT_ONCE = 400  # bounds the memory of customers by all items


@dataclass(frozen=True)
class Past:
    """Baskets of many customers: `baskets` has `customer`, `day` and `item`, in order, each once."""

    baskets: pl.DataFrame
    customers: list[str]
    items: list[str]
    owner: Whole
    item: Whole

    @classmethod
    def of(cls, baskets: pl.DataFrame) -> "Past":
        """Number the customers and items."""
        names, items = (baskets[name].unique().sort() for name in ("customer", "item"))
        owner, item = (
            values.search_sorted(baskets[name]).to_numpy().astype(np.int64)
            for name, values in (("customer", names), ("item", items))
        )
        return cls(baskets, names.to_list(), items.to_list(), owner, item)

    def vectors(self, weights: Array) -> csr_array:
        """Add up the weights of each customer's items; shape (customers, items)."""
        return csr_array((weights, (self.owner, self.item)), shape=(len(self.customers), len(self.items)))


@dataclass(frozen=True)
class ByCount:
    """TIFUKNN: a customer's baskets make up to `groups` groups of equal size, the newest last."""

    groups: int
    within_decay: float
    group_decay: float
    neighbours: int
    alpha: float

    def weights(self, past: Past) -> Array:
        """Weigh every row of the past."""
        position, count, row = _positions(past)
        size = np.maximum(count // self.groups, 1)
        groups = np.minimum(count, self.groups)
        # The newest groups hold one basket more, where the baskets don't part evenly.
        larger = count - groups * size
        early = (groups - larger) * size
        group = np.where(position < early, position // size, groups - larger + (position - early) // (size + 1))
        held = np.where(position < early, size, size + 1)
        back = np.where(position < early, size - 1 - position % size, size - (position - early) % (size + 1))
        weight = self.within_decay**back * self.group_decay ** (groups - 1 - group) / (held * groups)
        return np.asarray(weight[row], dtype=np.float64)


@dataclass(frozen=True)
class ByTime:
    """TIFUKNN-TA: groups span `group_days`, counted back from the customer's last basket."""

    group_days: int
    within_decay: float
    group_decay: float
    neighbours: int
    alpha: float

    def weights(self, past: Past) -> Array:
        """Weigh every row of the past."""
        keys = past.baskets.select("customer", "day")
        visits = keys.unique(maintain_order=True).with_columns(ago=pl.col("day").max().over("customer") - pl.col("day"))
        visits = visits.with_columns(group=pl.col("ago") // self.group_days).with_columns(
            held=pl.len().over("customer", "group"), groups=pl.col("group").n_unique().over("customer")
        )
        rows = keys.join(visits, on=["customer", "day"], how="left", maintain_order="left")
        ago, group, held, groups = (rows[name].to_numpy() for name in ("ago", "group", "held", "groups"))
        decays = self.within_decay ** (ago - group * self.group_days) * self.group_decay**group
        return np.asarray(decays / (held * groups), dtype=np.float64)


def _positions(past: Past) -> tuple[Whole, Whole, Whole]:
    """Number each customer's baskets from the oldest, and tell each row's basket."""
    visits = past.baskets.select("customer", "day").unique(maintain_order=True)
    placed = visits.with_columns(
        position=pl.int_range(pl.len()).over("customer"), count=pl.len().over("customer").cast(pl.Int64)
    ).with_row_index("basket")
    rows = past.baskets.join(placed, on=["customer", "day"], how="left", maintain_order="left")
    return placed["position"].to_numpy(), placed["count"].to_numpy(), rows["basket"].to_numpy()


def neighbours_best(past: Past, rule: ByCount | ByTime, most: int) -> Best:
    """List every customer's best items by a rule, best first, and the best of those not bought before."""
    vectors = past.vectors(rule.weights(past))
    lengths = np.sqrt(np.asarray(vectors.multiply(vectors).sum(axis=1)).ravel())
    unit = csr_array(vectors.multiply(1 / np.maximum(lengths, 1e-12)[:, None]))
    return _best(past, _mixed(vectors, unit, rule), most)


def _mixed(vectors: csr_array, unit: csr_array, rule: ByCount | ByTime) -> Iterator[Array]:
    for start in range(0, vectors.shape[0], _CUSTOMERS_AT_ONCE):
        part = slice(start, start + _CUSTOMERS_AT_ONCE)
        likeness = (unit[part] @ unit.T).toarray()
        count = min(rule.neighbours, likeness.shape[1])
        nearest = np.argpartition(-likeness, count - 1, axis=1)[:, :count]
        rows = np.repeat(np.arange(len(nearest)), count)
        chosen = csr_array((np.full(len(rows), 1 / count), (rows, nearest.ravel())), shape=likeness.shape)
        yield rule.alpha * vectors[part].toarray() + (1 - rule.alpha) * (chosen @ vectors).toarray()


def frequency_best(past: Past, popular: bool, most: int) -> Best:
    """List what every customer bought on most days (P-TopFreq), filled up with what all did (GP-TopFreq)."""
    vectors = past.vectors(np.ones(len(past.owner)))
    everyone = np.asarray(vectors.sum(axis=0)).ravel()
    fill = everyone / (everyone.max() + 1) if popular else np.zeros(len(everyone))
    parts = (
        vectors[start : start + _CUSTOMERS_AT_ONCE].toarray() + fill
        for start in range(0, len(past.customers), _CUSTOMERS_AT_ONCE)
    )
    return _best(past, parts, most)


def _best(past: Past, parts: Iterator[Array], most: int) -> Best:
    owned = past.vectors(np.ones(len(past.owner)))
    best: Best = {}
    owner = 0
    for scores in parts:
        bought = owned[owner : owner + len(scores)].toarray() > 0
        lists = zip(_tops(past, scores, most), _tops(past, np.where(bought, 0.0, scores), most), strict=True)
        best |= dict(zip(past.customers[owner : owner + len(scores)], lists, strict=True))
        owner += len(scores)
    return best


def _tops(past: Past, scores: Array, most: int) -> Iterator[list[str]]:
    for row, places in zip(scores, np.argsort(-scores, axis=1, kind="stable")[:, :most], strict=True):
        yield [past.items[place] for place in places.tolist() if row[place] > 0]
