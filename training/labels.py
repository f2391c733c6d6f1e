"""What happened next: the only module that may look past a cutoff."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt
import polars as pl

from features.clock import microseconds
from features.events import SCALE, scaled
from features.feature import Array
from features.known import Known

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def lapsed(known: Known, customers: tuple[str, ...], cutoff: datetime, horizon: timedelta) -> Array:
    """Tell who bought nothing in `[cutoff, cutoff + horizon)`: 1.0 lapsed, 0.0 came back."""
    came_back = set(_following(known, cutoff, horizon, ("purchase",))["customer"].unique())
    return np.array([customer not in came_back for customer in customers], dtype=np.float64)


def ended(known: Known, customers: tuple[str, ...], cutoff: datetime, horizon: timedelta) -> Array:
    """Tell who ended a contract in `[cutoff, cutoff + horizon)`: 1.0 ended it, 0.0 did not."""
    gone = set(_following(known, cutoff, horizon, ("end",))["customer"].unique())
    return np.array([customer in gone for customer in customers], dtype=np.float64)


def left(known: Known, kind: str, customers: tuple[str, ...], cutoff: datetime, horizon: timedelta) -> Array:
    """Tell who left, by the kind of churn: a "silence", or the end of a "contract"."""
    told = ended if kind == "contract" else lapsed
    return told(known, customers, cutoff, horizon)


def value(known: Known, customers: tuple[str, ...], cutoff: datetime, horizon: timedelta, measure: str) -> Array:
    """Sum each customer's `measure` ("amount" or "margin") over purchases less returns, in currency."""
    return _summed(_following(known, cutoff, horizon, ("purchase", "return")), pl.col(measure), customers)


def cost(
    known: Known, customers: tuple[str, ...], cutoff: datetime, horizon: timedelta,
    kinds: tuple[str, ...], standard: Mapping[str, float],
) -> Array:  # fmt: skip
    """Sum what each customer cost by events of some kinds, in currency; what was won back beyond that counts as zero.

    `standard` costs, by kind, stand in for the events that don't tell theirs.
    """
    following = _following(known, cutoff, horizon, kinds)
    stated = {kind: scaled(standard.get(kind, 0.0)) for kind in kinds}
    each = (-pl.col("margin")).fill_null(pl.col("kind").replace_strict(stated, return_dtype=pl.Int64))
    return np.asarray(np.maximum(_summed(following, each, customers), 0.0))


def purchases(known: Known, customers: tuple[str, ...], cutoff: datetime, horizon: timedelta) -> Array:
    """Count each customer's lines of purchases in `[cutoff, cutoff + horizon)`."""
    counts = dict(_following(known, cutoff, horizon, ("purchase",)).group_by("customer").len().iter_rows())
    return np.array([counts.get(customer, 0) for customer in customers], dtype=np.float64)


def bought(known: Known, cutoff: datetime, horizon: timedelta, level: str) -> set[tuple[str, str]]:
    """List the (customer, item) pairs bought in `[cutoff, cutoff + horizon)`."""
    following = _following(known, cutoff, horizon, ("purchase",)).filter(pl.col(level) != "")
    return set(following.select("customer", level).unique().iter_rows())


def aligned(known: Known, customers: tuple[str, ...], cutoffs: npt.NDArray[np.int64]) -> Known:
    """Shift what followed each cutoff as if all were `EPOCH`, and name each customer by its number, from 0.

    So the other labels speak of moments that differ by customer, and of a customer at several moments.
    `cutoffs` are in microseconds, of shape (customers,).
    """
    columns = {"customer": customers, "cutoff": cutoffs}
    asked = pl.DataFrame(columns, schema_overrides={"customer": pl.String}).with_row_index("number")
    followed = known.events.filter(pl.col("occurred_at") >= min(cutoffs, default=0)).join(asked, on="customer")
    age = pl.col("occurred_at") - pl.col("cutoff")
    records = followed.with_columns(occurred_at=age, customer=pl.col("number").cast(pl.String))
    return replace(known, records=records.drop("cutoff", "number"), links=())


def _summed(following: pl.DataFrame, what: pl.Expr, customers: tuple[str, ...]) -> Array:
    totals = following.group_by("customer").agg(total=what.sum())
    found = dict(zip(totals["customer"], totals["total"], strict=True))
    return np.array([found.get(customer, 0) / SCALE for customer in customers], dtype=np.float64)


def _following(known: Known, cutoff: datetime, horizon: timedelta, kinds: tuple[str, ...]) -> pl.DataFrame:
    start, end = microseconds(cutoff), microseconds(cutoff + horizon)
    happened = (pl.col("occurred_at") >= start) & (pl.col("occurred_at") < end)
    return known.events.filter(happened & pl.col("kind").is_in(kinds))
