"""The batch executor: every customer's row at a moment, from an event frame, in Narwhals expressions."""

from collections.abc import Iterable

import narwhals as nw
import numpy as np
import polars as pl

from features.aggregates import DAY, Aggregate, Selection
from features.feature import Array

_DISTINCT_COLUMNS = {"moment": "occurred_at"}
Frame = nw.DataFrame[pl.DataFrame]


def aggregate(
    events: pl.DataFrame, as_of: int, aggregates: Iterable[Aggregate]
) -> tuple[list[str], dict[Aggregate, Array]]:
    """Evaluate aggregates for every customer with an event before `as_of` (microseconds).

    `events` is `Known.events`. Returns the customers in order, and one array of their length per aggregate.
    """
    past = nw.from_native(events, eager_only=True).filter(nw.col("occurred_at") < as_of)
    past = past.with_columns(
        age=as_of - nw.col("occurred_at"),
        day=nw.col("occurred_at") // DAY,
        one=nw.lit(1),
        spend=nw.col("amount").clip(0),
    )
    base = past.select("customer").unique().sort("customer")
    wanted = list(aggregates)
    simple = [part for part in wanted if part.operation in _EXPRESSIONS]
    named = {f"a{place}": part for place, part in enumerate(simple)}
    rows = past.group_by("customer").agg(
        *(_EXPRESSIONS[part.operation](part).alias(name) for name, part in named.items())
    )
    rows = base.join(rows, on="customer", how="left")
    found = {part: _floats(rows[name]) for name, part in named.items()}
    for part in wanted:
        if part.operation in _FRAMES:
            beside = base.join(_FRAMES[part.operation](past, part), on="customer", how="left")
            found[part] = _floats(beside["value"])
    return rows["customer"].to_list(), found


def _floats(column: nw.Series[pl.Series]) -> Array:
    return column.cast(nw.Float64).fill_null(float("nan")).to_numpy().astype(np.float64)


def _selected(selection: Selection) -> nw.Expr:
    condition = nw.col("kind").is_in(selection.kinds)
    if selection.channels:
        condition = condition & nw.col("channel").is_in(selection.channels)
    if selection.product:
        condition = condition & (nw.col("product") == selection.product)
    if selection.discounted:
        condition = condition & (nw.col("discount") > 0)
    return condition


def _mask(part: Aggregate) -> nw.Expr:
    condition = _selected(part.selection)
    return condition if part.window_days is None else condition & (nw.col("age") <= part.window_days * DAY)


def _total(part: Aggregate) -> nw.Expr:
    measure = nw.col(part.column).fill_null(0)
    if part.half_life_days is not None:
        measure = measure * (nw.col("age") * (-np.log(2.0) / (part.half_life_days * DAY))).exp()
    return nw.when(_mask(part)).then(measure).otherwise(0).sum()


def _distinct(part: Aggregate) -> nw.Expr:
    column = nw.col(_DISTINCT_COLUMNS.get(part.column, part.column))
    mask = _mask(part) if part.column in ("day", "moment") else _mask(part) & (column != "")
    left_out = nw.when(mask).then(0).otherwise(1).max()
    return nw.when(mask).then(column).n_unique() - left_out


def _first(part: Aggregate) -> nw.Expr:
    return nw.when(_mask(part)).then(nw.col("occurred_at")).min()


def _last(part: Aggregate) -> nw.Expr:
    return nw.when(_mask(part)).then(nw.col("occurred_at")).max()


_EXPRESSIONS = {"total": _total, "distinct": _distinct, "first": _first, "last": _last}


def _gaps(past: Frame, part: Aggregate) -> Frame:
    days = past.filter(_mask(part)).select("customer", "day").unique().sort("customer", "day")
    return days.with_columns(gap=(nw.col("day") - nw.col("day").shift(1)).over("customer", order_by="day"))


def _squared_gaps(past: Frame, part: Aggregate) -> Frame:
    gaps = _gaps(past, part).with_columns(value=(nw.col("gap") * nw.col("gap")).fill_null(0))
    return gaps.group_by("customer").agg(nw.col("value").sum())


def _longest_gap(past: Frame, part: Aggregate) -> Frame:
    return _gaps(past, part).group_by("customer").agg(nw.col("gap").max().alias("value"))


def _level(past: Frame, part: Aggregate) -> Frame:
    newest = past.filter(_mask(part)).sort("occurred_at", "recorded_at", "quantity")
    return newest.unique("customer", keep="last", maintain_order=True).select("customer", value=nw.col("quantity"))


_FRAMES = {"squared_gaps": _squared_gaps, "longest_gap": _longest_gap, "level": _level}
