"""What we know of a customer and an item together, for ranking next purchases; batch and online from one definition.

An item is a product, type, category or department, as the glossary's level says. Counts are of distinct days
on which the customer bought it. Popularity is the population's, taken from an `ItemTable` made at one moment.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from features.aggregates import DAY
from features.clock import microseconds
from features.events import KINDS
from features.feature import Array
from features.history import Known
from features.packed import CustomerEvents

PAIR_FEATURES = (
    "item_days_28", "item_days_91", "item_days", "item_decayed", "item_days_since", "item_gap_mean", "item_overdue",
    "item_share_91", "item_popularity", "item_popularity_trend", "item_repeat_rate", "own_days_28", "own_days_91",
)  # fmt: skip
OWN, POPULAR = 60, 40
PAIR_DEFINITION = (1, PAIR_FEATURES, OWN, POPULAR)  # the first number counts changes of what the features mean
_HALF_LIFE = 28 * DAY
_PURCHASE = list(KINDS).index("purchase")
_PRIMITIVES = ("n28", "n91", "n", "decayed", "first", "last")


@dataclass(frozen=True)
class ItemTable:
    """The population's side of every item, most popular first.

    `statistics` has shape (items, 3): the share of active customers who bought it in the last 28 days, that share
    against the pace of the 91 days, and the share of its buyers who bought it on two days or more.
    """

    level: str
    items: tuple[str, ...]
    statistics: Array

    def __post_init__(self) -> None:
        object.__setattr__(self, "places", {item: place for place, item in enumerate(self.items)})

    places: dict[str, int] = None  # type: ignore[assignment]  # derived from items


def item_table(known: Known, level: str) -> ItemTable:
    """Count the population's side of every item at the moment of what is known."""
    days = _purchase_days(known, level)
    as_of = microseconds(known.as_of)
    age = as_of - pl.col("at")
    recent, longer = age <= 28 * DAY, age <= 91 * DAY
    active = max(days.filter(recent)["customer"].n_unique(), 1)
    pairs = days.group_by("item", "customer").agg(n28=recent.sum(), n91=longer.sum(), n=pl.len())
    table = pairs.group_by("item").agg(
        popularity=(pl.col("n28") > 0).sum() / active,
        trend=pl.col("n28").sum() / 28 / (pl.col("n91").sum().clip(1) / 91),
        repeat=(pl.col("n") > 1).mean(),
    ).sort(["popularity", "item"], descending=[True, False])  # fmt: skip
    statistics = table.select("popularity", "trend", "repeat").to_numpy().astype(np.float64).reshape(-1, 3)
    return ItemTable(level, tuple(table["item"]), statistics)


@dataclass(frozen=True)
class Pairs:
    """Candidate items of many customers at one moment; `values` has shape (pairs, `PAIR_FEATURES`)."""

    customers: npt.NDArray[np.str_]
    items: npt.NDArray[np.str_]
    values: Array


def pairs_of(known: Known, table: ItemTable, customers: Sequence[str] | None = None) -> Pairs:
    """List and measure candidates in batch, of everyone or of some: what they bought most, and what is popular."""
    as_of = microseconds(known.as_of)
    days = _purchase_days(known, table.level, customers)
    age = as_of - pl.col("at")
    own = days.group_by("customer", "item").agg(
        n28=(age <= 28 * DAY).sum(),
        n91=(age <= 91 * DAY).sum(),
        n=pl.len(),
        decayed=(age * (-np.log(2.0) / _HALF_LIFE)).exp().sum(),
        first=pl.col("at").min(),
        last=pl.col("at").max(),
    )
    order = ["customer", "n91", "n", "last", "item"]
    own = own.sort(order, descending=[False, True, True, True, False])
    top = own.group_by("customer", maintain_order=True).head(OWN).select("customer", "item")
    popular = own.select("customer").unique().join(pl.DataFrame({"item": table.items[:POPULAR]}), how="cross")
    chosen = pl.concat([top, popular]).unique().join(own, on=["customer", "item"], how="left").sort("customer", "item")
    visits = days.unique(["customer", "day"]).group_by("customer").agg(
        own28=(age <= 28 * DAY).sum(), own91=(age <= 91 * DAY).sum()
    )  # fmt: skip
    chosen = chosen.join(visits, on="customer", how="left", maintain_order="left")
    places = chosen["item"].replace_strict(table.places, default=-1, return_dtype=pl.Int64).to_numpy()
    primitives = {name: _float(chosen[name]) for name in (*_PRIMITIVES, "own28", "own91")}
    return Pairs(chosen["customer"].to_numpy(), chosen["item"].to_numpy(), _values(as_of, primitives, table, places))


def pairs_of_customer(events: CustomerEvents, table: ItemTable, as_of: int) -> tuple[list[str], Array]:
    """List and measure one customer's candidates, online; the same items and numbers as in batch."""
    bought = np.flatnonzero(events.kind == _PURCHASE)
    texts = events.texts[table.level]
    bought = np.array([place for place in bought if texts[place]], dtype=np.int64)
    names, codes = np.unique(
        np.array([texts[place] for place in bought], dtype=object).astype(str), return_inverse=True
    )
    day = events.occurred_at[bought] // DAY
    pairs = np.unique(np.column_stack([codes, day]), axis=0) if len(bought) else np.empty((0, 2), dtype=np.int64)
    code, at = pairs[:, 0], pairs[:, 1] * DAY
    age = as_of - at

    def count(weights: npt.NDArray[Any]) -> Array:
        return np.bincount(code, weights=weights, minlength=len(names)).astype(np.float64)

    first, last = np.full(len(names), np.iinfo(np.int64).max), np.zeros(len(names), dtype=np.int64)
    last[:] = np.iinfo(np.int64).min
    np.minimum.at(first, code, at)
    np.maximum.at(last, code, at)
    found = {
        "n28": count(age <= 28 * DAY),
        "n91": count(age <= 91 * DAY),
        "n": count(np.ones(len(age))),
        "decayed": count(np.exp(age * (-np.log(2.0) / _HALF_LIFE))),
        "first": first.astype(np.float64),
        "last": last.astype(np.float64),
    }
    top = np.lexsort((names, -last, -found["n"], -found["n91"]))[:OWN]
    items = sorted({*names[top].tolist(), *table.items[:POPULAR]})
    where = {name: place for place, name in enumerate(names.tolist())}
    own = np.array([where.get(item, -1) for item in items], dtype=np.int64)
    visits = as_of - np.unique(day) * DAY
    primitives = {name: np.where(own >= 0, np.append(column, np.nan)[own], np.nan) for name, column in found.items()}
    primitives["own28"] = np.full(len(items), float((visits <= 28 * DAY).sum()))
    primitives["own91"] = np.full(len(items), float((visits <= 91 * DAY).sum()))
    places = np.array([table.places.get(item, -1) for item in items], dtype=np.int64)
    return items, _values(as_of, primitives, table, places)


def _values(as_of: int, found: dict[str, Array], table: ItemTable, places: npt.NDArray[np.int64]) -> Array:
    unknown = np.append(table.statistics, [[np.nan] * 3], axis=0)
    popularity, trend, repeat = unknown[places].T
    since = (as_of - found["last"]) / DAY
    with np.errstate(invalid="ignore", divide="ignore"):
        gap = np.where(found["n"] > 1, (found["last"] - found["first"]) / DAY / (found["n"] - 1), np.nan)
        share = np.where(found["own91"] > 0, np.nan_to_num(found["n91"]) / found["own91"], np.nan)
        overdue = since / gap
    counts = [np.nan_to_num(found[name]) for name in ("n28", "n91", "n", "decayed")]
    own = [found["own28"], found["own91"]]
    return np.column_stack([*counts, since, gap, overdue, share, popularity, trend, repeat, *own])


def _purchase_days(known: Known, level: str, customers: Sequence[str] | None = None) -> pl.DataFrame:
    bought = (pl.col("kind") == "purchase") & (pl.col(level) != "")
    past = pl.col("occurred_at") < microseconds(known.as_of)
    day = (pl.col("occurred_at") // DAY).alias("day")
    mine = pl.lit(True) if customers is None else pl.col("customer").is_in(list(customers))
    days = known.events.filter(mine & bought & past).select("customer", pl.col(level).alias("item"), day).unique()
    return days.with_columns(at=pl.col("day") * DAY)


def _float(column: pl.Series) -> Array:
    return column.cast(pl.Float64).fill_null(float("nan")).to_numpy()
