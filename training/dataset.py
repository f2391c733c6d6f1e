"""Rows and labels at every cutoff, stacked."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt
import polars as pl

from features.affinity import ItemTable, Pairs, item_table, pairs_of
from features.aggregates import DAY
from features.clock import microseconds
from features.contract import FeatureMatrix, rows_of
from features.feature import Array
from features.history import Known
from training import labels
from training.cutoffs import Cutoffs
from training.horizon import Horizon

Progress = Callable[[str, int, int], None]
_MOST_CUSTOMERS = 3_000


@dataclass(frozen=True)
class Window:
    """One cutoff: everybody's row, who is active, and what happened next."""

    cutoff: datetime
    rows: FeatureMatrix
    active: npt.NDArray[np.bool_]
    lapsed: Array
    value: Array


@dataclass(frozen=True)
class PairWindow:
    """One cutoff: everybody's candidates, whether each was bought next, and all that was bought next."""

    cutoff: datetime
    table: ItemTable
    pairs: Pairs
    taken: Array
    bought: set[tuple[str, str]]


def value_measure(known: Known) -> str:
    """Choose "margin" when the sources hold it for nine purchases in ten, else "revenue"."""
    purchases = known.events.filter(known.events["kind"] == "purchase")
    return "margin" if purchases["margin"].null_count() <= 0.1 * len(purchases) else "revenue"


def window(known: Known, cutoff: datetime, horizon: Horizon, measure: str) -> Window:
    """Compute one cutoff's rows as they were known then, and their labels as they are known now."""
    span = timedelta(days=horizon.days)
    rows = rows_of(known.at(cutoff))
    rows = rows.keep(~np.isnan(rows.column("days_since_purchase")))
    column = "margin" if measure == "margin" else "amount"
    return Window(
        cutoff,
        rows,
        rows.column("days_since_purchase") <= horizon.active_days,
        labels.lapsed(known, rows.customers, cutoff, span),
        labels.value(known, rows.customers, cutoff, span, column),
    )


def pair_window(known: Known, cutoff: datetime, horizon: Horizon, level: str) -> PairWindow:
    """Compute one cutoff's candidates as they were known then, and which were bought next."""
    then = known.at(cutoff)
    table = item_table(then, level)
    sample = _sample(then, horizon, cutoff)
    pairs = pairs_of(then, table, sample)
    kept = set(sample)
    following = labels.bought(known, cutoff, timedelta(days=horizon.days), level)
    bought = {pair for pair in following if pair[0] in kept}
    taken = np.array([pair in bought for pair in zip(pairs.customers, pairs.items, strict=True)], dtype=np.float64)
    return PairWindow(cutoff, table, pairs, taken, bought)


def _sample(then: Known, horizon: Horizon, cutoff: datetime) -> list[str]:
    at, bought = microseconds(cutoff), pl.col("kind") == "purchase"
    recent = pl.col("occurred_at").is_between(at - horizon.active_days * DAY, at, closed="left")
    active = then.events.filter(bought & recent)["customer"].unique().sort()
    # By hash, so that a customer is in every cutoff's sample or in none.
    return active.to_frame().sort(pl.col("customer").hash(seed=7)).head(_MOST_CUSTOMERS)["customer"].to_list()


def halved(window: PairWindow, odd: bool) -> PairWindow:
    """Keep the half of a window's customers whose hash is odd, or even."""
    mine = {customer for customer in window.pairs.customers.tolist() if is_odd(customer) == odd}
    which = np.array([customer in mine for customer in window.pairs.customers.tolist()], dtype=bool)
    pairs = Pairs(window.pairs.customers[which], window.pairs.items[which], window.pairs.values[which])
    bought = {pair for pair in window.bought if pair[0] in mine}
    return PairWindow(window.cutoff, window.table, pairs, window.taken[which], bought)


def is_odd(customer: str) -> bool:
    """Tell the half that a customer belongs to, the same at every cutoff."""
    return bool(hashlib.blake2b(customer.encode(), digest_size=1).digest()[0] & 1)


def windows(known: Known, cutoffs: Cutoffs, horizon: Horizon, measure: str, progress: Progress) -> list[Window]:
    """Compute the window of every cutoff, the test's last."""
    moments = (*cutoffs.learn, cutoffs.test)
    made = []
    for place, moment in enumerate(moments):
        made.append(window(known, moment, horizon, measure))
        progress("Features at past cutoffs", place + 1, len(moments))
    return made
