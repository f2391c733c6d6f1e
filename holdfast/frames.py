"""Reading a table that somebody else made."""

from pathlib import Path

import polars as pl

from features.errors import InputError

_UNKNOWN = ["", "NA", "NaN", "nan", "null", "NULL"]


def frame_of(file: Path) -> pl.DataFrame:
    """Read a CSV or Parquet file.

    Raises InputError when it isn't there, or isn't one.
    """
    try:
        if file.suffix == ".parquet":
            return pl.read_parquet(file)
        return pl.read_csv(file, infer_schema_length=None, null_values=_UNKNOWN)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise InputError(f"expected a CSV or Parquet file at {file}, found: {error}") from error
