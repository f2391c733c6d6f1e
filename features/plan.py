"""The batch plan: every customer's aggregates from an event frame, in Narwhals expressions.

Windows are nested, so each event is first put into the smallest window that holds it, its bucket; what has been added
up by bucket, on far fewer rows, is then added up by window. A distinct value counts where its newest event lies.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import reduce
from typing import Any

import narwhals as nw
import numpy as np

from features.aggregates import HOUR, Aggregate, Selection
from features.clock import DAY, MONDAY, SECOND

Frame = nw.LazyFrame[Any]
Parts = dict[Aggregate, str]
Buckets = dict[int | None, int]
_FOLDED = ("total", "smallest", "largest", "first", "last")
_GAPS = ("squared_gaps", "longest_gap", "gap_quantile")
_COLUMNS = {"moment": "occurred_at"}
# Of the middle of each hour on a circle of 24, in thousand-millionths: whole numbers, so that sums are exact.
COSINES = tuple(round(1e9 * float(np.cos((hour + 0.5) * np.pi / 12))) for hour in range(24))
SINES = tuple(round(1e9 * float(np.sin((hour + 0.5) * np.pi / 12))) for hour in range(24))


def windows_of(aggregates: Iterable[Aggregate]) -> tuple[int, ...]:
    """List the windows that aggregates look through, in days, the shortest first."""
    return tuple(sorted({part.window_days for part in aggregates if part.window_days is not None}))


def aggregated(events: Frame, as_of: int, aggregates: Sequence[Aggregate]) -> Frame:
    """Plan one row for every customer with an event before `as_of` (microseconds).

    The result holds `customer`, then `a0`, `a1` and so on, in the order of the aggregates. `events` holds the columns
    of `Known.events`; nothing is computed before the result is collected.
    """
    places = {part: place for place, part in enumerate(aggregates)}
    past = _prepared(events, as_of, windows_of(aggregates), aggregates)
    found = past.select("customer").unique()
    for table in _tables(past, places):
        found = found.join(table, on="customer", how="left")
    return found.select("customer", *(_filled(part, f"a{place}") for part, place in places.items()))


def _filled(part: Aggregate, name: str) -> nw.Expr:
    column = nw.col(name).cast(nw.Float64)
    return column.fill_null(0.0) if part.operation in ("total", "distinct", "streak") else column


def _prepared(events: Frame, as_of: int, windows: Sequence[int], aggregates: Sequence[Aggregate]) -> Frame:
    past = events.filter(nw.col("occurred_at") < as_of)
    age, local = as_of - nw.col("occurred_at"), nw.col("occurred_at") + nw.col("utc_offset") * SECOND
    past = past.with_columns(age=age, day=local // DAY, one=nw.lit(1, nw.Int8))
    buckets = ((nw.col("age") > days * DAY).cast(nw.Int8) for days in windows)
    past = past.with_columns(bucket=reduce(lambda one, other: one + other, buckets, nw.lit(0, nw.Int8)))
    if any(_tells_time(part) for part in aggregates):
        hour = local // HOUR - nw.col("day") * 24
        past = past.with_columns(hour=hour, weekday=(nw.col("day") + MONDAY) % 7)
    return past


def _tells_time(part: Aggregate) -> bool:
    return part.column.startswith("hour") or part.selection.hours is not None or bool(part.selection.weekdays)


def _tables(past: Frame, places: dict[Aggregate, int]) -> Iterable[Frame]:
    """Plan the tables that the row is joined from, each with one row a customer.

    The kinds that most aggregates look at are taken apart from all others: there, masks then cost nothing.
    """
    windows = windows_of(places)
    buckets: Buckets = {days: place for place, days in enumerate(windows)} | {None: len(windows)}
    kinds = [part.selection.kinds for part in places]
    most = max(kinds, key=kinds.count)
    for mine in (True, False):
        parts = {part: f"a{place}" for part, place in places.items() if (part.selection.kinds == most) == mine}
        if parts:
            found = tuple(sorted({kind for part in parts for kind in part.selection.kinds}))
            yield from _tables_of(past.filter(nw.col("kind").is_in(found)), found, parts, buckets)


def _tables_of(past: Frame, kinds: tuple[str, ...], parts: Parts, buckets: Buckets) -> Iterable[Frame]:
    folds = {part: name for part, name in parts.items() if part.operation in _FOLDED}
    if folds:
        yield _fold(past, kinds, folds, buckets)
    for (selection, column), group in _grouped(parts).items():
        yield from _distincts(_chosen(past, selection, kinds), column, group, buckets)
    for part, name in parts.items():
        if part.operation == "level":
            yield _level(_chosen(past, part.selection, kinds), name)


def _grouped(parts: Parts) -> dict[tuple[Selection, str], Parts]:
    """Group aggregates by the distinct values that they rest on: of a column, or of the moments."""
    grouped: dict[tuple[Selection, str], Parts] = {}
    for part, name in parts.items():
        if part.operation in ("distinct", "last_total", "streak", *_GAPS):
            column = "moment" if part.operation in ("last_total", "streak") else part.column
            grouped.setdefault((part.selection, column), {})[part] = name
    return grouped


def _chosen(past: Frame, selection: Selection, kinds: tuple[str, ...]) -> Frame:
    mask = _mask(selection, kinds)
    return past if mask is None else past.filter(mask)


# -- folds: what can be added up by bucket first


def _fold(past: Frame, kinds: tuple[str, ...], parts: Parts, buckets: Buckets) -> Frame:
    names = {fold: f"f{place}" for place, fold in enumerate(dict.fromkeys(map(_unwindowed, parts)))}
    first = (_once(fold, kinds).alias(name) for fold, name in names.items())
    by_bucket = past.group_by("customer", "bucket").agg(*first)
    second = (_again(part, names[_unwindowed(part)], buckets).alias(name) for part, name in parts.items())
    return by_bucket.group_by("customer").agg(*second)


def _unwindowed(part: Aggregate) -> Aggregate:
    return replace(part, window_days=None)


def _once(part: Aggregate, kinds: tuple[str, ...]) -> nw.Expr:
    value, mask = _measure(part.column), _mask(part.selection, kinds)
    if part.half_life_days is not None:
        value = value * (nw.col("age") * (-np.log(2.0) / (part.half_life_days * DAY))).exp()
    if part.operation == "total":
        return (value if mask is None else nw.when(mask).then(value).otherwise(0)).sum()
    return _extreme(part, value if mask is None else nw.when(mask).then(value))


def _again(part: Aggregate, name: str, buckets: Buckets) -> nw.Expr:
    value = nw.col(name)
    if part.window_days is not None:
        value = nw.when(nw.col("bucket") <= buckets[part.window_days]).then(value)
    if part.operation == "total":
        return value.sum()
    return _extreme(part, value)


def _extreme(part: Aggregate, value: nw.Expr) -> nw.Expr:
    return value.min() if part.operation in ("smallest", "first") else value.max()


def _measure(column: str) -> nw.Expr:
    if column == "spend":
        return nw.when(nw.col("amount") > 0).then(nw.col("amount")).otherwise(0)
    if column in ("hour_cosine", "hour_sine"):
        return _of_hour(COSINES if column == "hour_cosine" else SINES)
    return nw.col(_COLUMNS.get(column, column))


def _of_hour(values: Sequence[int]) -> nw.Expr:
    parts = (
        nw.when(nw.col("hour") == hour).then(nw.lit(value, nw.Int64)).otherwise(nw.lit(0, nw.Int64))
        for hour, value in enumerate(values)
    )
    return nw.sum_horizontal(*parts)


def _mask(selection: Selection, kinds: tuple[str, ...]) -> nw.Expr | None:
    """Tell which events count, among those of some kinds (sorted); None when all do."""
    conditions = []
    if tuple(sorted(selection.kinds)) != kinds:
        conditions.append(nw.col("kind").is_in(selection.kinds))
    if selection.channels:
        conditions.append(nw.col("channel").is_in(selection.channels))
    if selection.product:
        conditions.append(nw.col("product") == selection.product)
    if selection.discounted:
        conditions.append(nw.col("discount") > 0)
    if selection.hours is not None:
        conditions.append((nw.col("hour") >= selection.hours[0]) & (nw.col("hour") < selection.hours[1]))
    if selection.weekdays:
        conditions.append(nw.col("weekday").is_in(selection.weekdays))
    return reduce(lambda one, other: one & other, conditions) if conditions else None


# -- distinct values, and what rests on them


def _distincts(rows: Frame, column: str, parts: Parts, buckets: Buckets) -> Iterable[Frame]:
    key = _COLUMNS.get(column, column)
    if column not in ("moment", "day"):
        rows = rows.filter(nw.col(key) != "")
    if all(part.window_days for part in parts):
        rows = rows.filter(nw.col("bucket") <= max(buckets[part.window_days] for part in parts))
    measures = sorted({part.column for part in parts if part.operation == "last_total"})
    sums = (_measure(measure).sum().alias(f"sum_{measure}") for measure in measures)
    values = rows.group_by("customer", key).agg(nw.col("bucket").min(), nw.col("age").min(), *sums)
    if counts := {part: name for part, name in parts.items() if part.operation == "distinct"}:
        yield values.group_by("customer").agg(
            *((nw.col("bucket") <= buckets[part.window_days]).sum().alias(name) for part, name in counts.items())
        )
    if gaps := {part: name for part, name in parts.items() if part.operation in _GAPS}:
        yield _gaps(values, gaps)
    for part, name in parts.items():
        if part.operation == "last_total":
            yield _last_total(values, part, name)
        elif part.operation == "streak":
            yield _streak(values, part, name)


def _gaps(days: Frame, parts: Parts) -> Frame:
    """Fold the gaps between neighbouring days."""
    gaps = days.with_columns(gap=nw.col("day") - nw.col("day").shift(1).over("customer", order_by="day"))
    ranked = gaps.with_columns(rank=nw.col("gap").cum_count().over("customer", order_by="gap"))
    ranked = ranked.with_columns(gaps=nw.col("gap").count().over("customer"))
    return ranked.group_by("customer").agg(*(_GAP[part.operation](part).alias(name) for part, name in parts.items()))


def _squared(part: Aggregate) -> nw.Expr:
    return (nw.col("gap") * nw.col("gap")).sum()


def _longest(part: Aggregate) -> nw.Expr:
    return nw.col("gap").max()


def _quantile(part: Aggregate) -> nw.Expr:
    place = (part.parameter * nw.col("gaps") + 99) // 100
    return nw.when(nw.col("rank") == place).then(nw.col("gap")).max()


_GAP: dict[str, Callable[[Aggregate], nw.Expr]] = {
    "squared_gaps": _squared,
    "longest_gap": _longest,
    "gap_quantile": _quantile,
}


def _last_total(moments: Frame, part: Aggregate, name: str) -> Frame:
    newest = moments.filter(nw.col("occurred_at") == nw.col("occurred_at").max().over("customer"))
    return newest.select("customer", nw.col(f"sum_{part.column}").alias(name))


def _streak(moments: Frame, part: Aggregate, name: str) -> Frame:
    periods = moments.select("customer", period=(nw.col("age") - 1) // (part.parameter * DAY)).unique()
    ranked = periods.with_columns(rank=nw.col("period").cum_count().over("customer", order_by="period"))
    return ranked.group_by("customer").agg((nw.col("period") == nw.col("rank") - 1).sum().alias(name))


def _level(rows: Frame, name: str) -> Frame:
    rows = rows.select("customer", "occurred_at", "recorded_at", "quantity")
    for clock in ("occurred_at", "recorded_at"):
        rows = rows.filter(nw.col(clock) == nw.col(clock).max().over("customer"))
    return rows.group_by("customer").agg(nw.col("quantity").max().alias(name))
