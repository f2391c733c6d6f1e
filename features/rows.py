"""Feature rows as Parquet: the customer, the moment, then the features in the contract's order."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from features.contract import CONTRACT, rows_of
from features.feature import Array
from features.known import Known

CONTRACT_KEY = "holdfast.contract"
# What isn't known is null: other engines take a NaN for a number.
SCHEMA = pa.schema(
    [
        ("customer", pa.string()),
        ("as_of", pa.timestamp("us", tz="UTC")),
        *((name, pa.float64()) for name in CONTRACT.names),
    ],
    metadata={CONTRACT_KEY: CONTRACT.definitions},
)


def as_batch(customers: Sequence[str] | pa.Array, as_of: datetime, values: Array) -> pa.RecordBatch:
    """Lay rows out as `SCHEMA` says; `values` has shape (customers, features), NaN where unknown."""
    moments = pa.repeat(pa.scalar(as_of, SCHEMA.field("as_of").type), len(customers))
    features = (pa.array(column, from_pandas=True) for column in values.T)
    return pa.record_batch([pa.array(customers, pa.string()), moments, *features], schema=SCHEMA)


def write_rows(parts: Iterable[Known], file: Path, on_part: Callable[[int], None]) -> int:
    """Write the rows of every customer, part by part, and return how many customers there are.

    The contract's hash is in the file's metadata. `on_part` is told how many parts are done.
    """
    customers = 0
    with pq.ParquetWriter(file, SCHEMA) as writer:
        for done, known in enumerate(parts, start=1):
            rows = rows_of(known)
            writer.write_batch(as_batch(rows.customers, rows.as_of, rows.values))
            customers += len(rows.customers)
            on_part(done)
    return customers
