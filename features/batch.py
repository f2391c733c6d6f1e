"""The batch executor: the plan on Polars, a part of the customers at a time."""

from collections.abc import Iterator, Sequence

import narwhals as nw
import numpy as np
import polars as pl

from features.aggregates import Aggregate
from features.events import CHANNELS, KINDS
from features.feature import Array
from features.plan import aggregated

AT_ONCE = 3_500_000
_TEXTS = ("customer", "product")


def aggregate(events: pl.DataFrame, as_of: int, aggregates: Sequence[Aggregate]) -> tuple[list[str], Array]:
    """Evaluate aggregates for every customer with an event before `as_of` (microseconds).

    `events` is `Known.events`. Returns the customers in order, and an array of shape (customers, aggregates).
    """
    parts = [_part(part, as_of, aggregates) for part in _parts(events)]
    found = pl.concat(parts).sort("customer")
    return found["customer"].to_list(), found.drop("customer").to_numpy().astype(np.float64, copy=False)


def _part(events: pl.DataFrame, as_of: int, aggregates: Sequence[Aggregate]) -> pl.DataFrame:
    coded = events.lazy().with_columns(
        pl.col("kind").cast(pl.Enum(list(KINDS))),
        pl.col("channel").cast(pl.Enum(list(CHANNELS))),
        pl.col(*_TEXTS).cast(pl.Categorical),
        pl.col("margin").fill_null(0),
    )
    plan: pl.LazyFrame = aggregated(nw.from_native(coded), as_of, aggregates).to_native()
    return plan.with_columns(pl.col("customer").cast(pl.String)).collect()


def _parts(events: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Cut a large frame into parts that hold whole customers, so that memory stays bounded."""
    count = -(-len(events) // AT_ONCE)
    if count <= 1:
        yield events
        return
    codes = events["customer"].cast(pl.Categorical).to_physical()
    if not (codes.diff() < 0).any():
        starts = np.searchsorted(codes.to_numpy(), codes.to_numpy()[::AT_ONCE], side="left")
        for start, end in zip(starts, [*starts[1:], len(events)], strict=True):
            yield events[int(start) : int(end)]
        return
    for place in range(count):
        yield events.filter(codes % count == place)
