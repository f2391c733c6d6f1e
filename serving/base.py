"""The scores of the whole base as Parquet: a row a customer, and beside each what it stands on."""

from collections.abc import Callable, Iterable
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from features.history import Known
from models.basis import Basis
from serving.scorer import Scorer
from serving.scores import COSTS

_MOMENT = pa.timestamp("us", tz="UTC")
_ITEM = pa.struct([("item", pa.string()), ("probability", pa.float64())])
_BASIS = pa.struct(
    [
        ("horizon_days", pa.int64()),
        ("active_rule", pa.string()),
        ("active_days", pa.int64()),
        ("learned_until", _MOMENT),
        ("tested_from", _MOMENT),
    ]
)
# What isn't known is null. The basis is the same in every row, which Parquet keeps once.
SCHEMA = pa.schema(
    [
        ("customer", pa.string()),
        ("as_of", _MOMENT),
        ("churn_risk", pa.float64()),
        ("churn_rank", pa.float64()),
        ("active", pa.bool_()),
        ("expected_value", pa.float64()),
        ("value_low", pa.float64()),
        ("value_high", pa.float64()),
        ("value_rank", pa.float64()),
        ("brought", pa.float64()),
        *((name, pa.float64()) for name in COSTS),
        ("tier", pa.string()),
        ("next_purchases", pa.list_(_ITEM)),
        ("new_purchases", pa.list_(_ITEM)),
        ("bundle", pa.string()),
        ("basis", _BASIS),
    ]
)


def as_table(scored: pl.DataFrame, basis: Basis) -> pa.Table:
    """Lay out what `Scorer.score_base` gives as `SCHEMA` says."""
    moments = {"learned_until": basis.learned_until, "tested_from": basis.tested_from}
    told = pl.struct([pl.lit(value).alias(name) for name, value in (basis.as_dict() | moments).items()])
    return scored.with_columns(basis=told).to_arrow().cast(SCHEMA)


def write_scores(parts: Iterable[Known], scorer: Scorer, file: Path, on_part: Callable[[int, int], None]) -> int:
    """Score every customer, part by part, and return how many there are; memory holds one part.

    `on_part` is told how many parts and customers are done.
    """
    basis, customers = scorer.bundle.basis, 0
    with pq.ParquetWriter(file, SCHEMA) as writer:
        for done, known in enumerate(parts, start=1):
            tables = [as_table(scored, basis) for scored in scorer.score_base(known)]
            if tables:
                writer.write_table(pa.concat_tables(tables))
            customers += sum(len(table) for table in tables)
            on_part(done, customers)
    return customers
