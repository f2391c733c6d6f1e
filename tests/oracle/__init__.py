"""Every feature once more, in plain SQL that shares nothing with the engine: a file a subject, a column a feature."""

from collections.abc import Sequence
from pathlib import Path

import duckdb
import polars as pl

_FOLDER = Path(__file__).parent
SUBJECTS = tuple(sorted({file.stem for file in _FOLDER.glob("*.sql")} - {"past"}))


def asked(events: pl.DataFrame, as_of: int, subjects: Sequence[str] = SUBJECTS) -> pl.DataFrame:
    """Ask for some subjects' features at a moment (microseconds) from a frame like `Known.events`.

    Returns `customer`, then a column a feature, null where unknown; a row a customer with an event before the moment.
    """
    parts = ", ".join(f"{name} AS (\n{_written(name)})" for name in ("past", *subjects))
    joined = " JOIN ".join([subjects[0], *(f"{name} USING (customer)" for name in subjects[1:])])
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.register("events", events.to_arrow())
        return connection.sql(f"WITH {parts} SELECT * FROM {joined}", params={"as_of": as_of}).pl()


def _written(name: str) -> str:
    return (_FOLDER / f"{name}.sql").read_text(encoding="utf-8")
