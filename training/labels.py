"""What happened next: the only module that may look past a cutoff."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt
import polars as pl

from features.clock import microseconds
from features.events import SCALE, SERVICE, scaled
from features.feature import Array
from features.history import Known

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


def bought(known: Known, cutoff: datetime, horizon: timedelta, level: str) -> set[tuple[str, str]]:
    """List the (customer, item) pairs bought in `[cutoff, cutoff + horizon)`."""
    following = _following(known, cutoff, horizon, ("purchase",)).filter(pl.col(level) != "")
    return set(following.select("customer", level).unique().iter_rows())


def aligned(known: Known, customers: tuple[str, ...], cutoffs: npt.NDArray[np.int64]) -> Known:
    """Shift what followed each cutoff as if all were `EPOCH`, and name each customer by its number, from 0.

    So the other labels speak of moments that differ by customer, and of a customer at several moments.
    `cutoffs` are in microseconds, of shape (customers,).
    """
    asked = pl.DataFrame({"customer": customers, "cutoff": cutoffs}).with_row_index("number")
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


@dataclass(frozen=True)
class After:
    """What came in a span after each of some moments; arrays of shape (moments,), money in currency.

    `purchases` counts lines, `ended` tells whether a contract ended; `bought` holds pairs of a moment's place and an
    item.
    """

    brought: Array
    cost: Array
    purchases: Array
    ended: npt.NDArray[np.bool_]
    bought: frozenset[tuple[int, str]]


def after_each(
    known: Known, customers: tuple[str, ...], moments: npt.NDArray[np.int64], span: timedelta, measure: str,
    level: str, standard: Mapping[str, float],
) -> After:  # fmt: skip
    """Sum what each customer brought and cost in `[moment, moment + span)`, a moment of its own for each.

    A customer may come several times; whoever has been joined to another since brings what both do. What was won back
    beyond a customer's costs counts as zero. `standard` costs, by kind, stand in for events that don't tell theirs.
    """
    stated = {kind: scaled(standard.get(kind, 0.0)) for kind in SERVICE}
    columns = {"place": np.arange(len(moments)), "reference": customers, "start": moments}
    each = pl.DataFrame(columns, schema_overrides={"reference": pl.String})
    whose = known.events.select("reference", "customer").unique()
    happened = (
        each.join(whose, on="reference")
        .join(known.events.drop("reference"), on="customer")
        .filter(pl.col("occurred_at") >= pl.col("start"))
        .filter(pl.col("occurred_at") < pl.col("start") + span // timedelta(microseconds=1))
    )
    kind, came = pl.col("kind"), pl.col(measure)
    cost = (-pl.col("margin")).fill_null(kind.replace_strict(stated, default=0, return_dtype=pl.Int64))
    sums = happened.group_by("place").agg(
        brought=came.filter(kind.is_in(("purchase", "return"))).sum(),
        cost=cost.filter(kind.is_in((*SERVICE, "write_off"))).sum(),
        purchases=(kind == "purchase").sum(),
        ended=(kind == "end").any(),
    )
    whole = each.select("place").join(sums, on="place", how="left", maintain_order="left").fill_null(0)
    bought = happened.filter((kind == "purchase") & (pl.col(level) != "")).select("place", level).unique()
    return After(
        whole["brought"].to_numpy() / SCALE, np.maximum(whole["cost"].to_numpy(), 0) / SCALE,
        whole["purchases"].to_numpy().astype(np.float64), whole["ended"].fill_null(False).to_numpy(),
        frozenset(bought.iter_rows()),
    )  # fmt: skip
