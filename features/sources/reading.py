"""Files of any size, read in batches of rows with their numbers: CSV as text, Parquet in its own types."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl
import pyarrow as pa
from pyarrow import parquet as arrow_parquet

from features.errors import SourceError
from features.sources import delimited
from features.sources.cells import ROW, as_text
from features.sources.mapping import Join, Table
from features.sources.quarantine import Refused
from features.sources.shape import nearest
from features.sources.source import Source

CHUNK = 50_000


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of a file with their numbers and the joined columns, and the rows that couldn't be split into cells."""

    frame: pl.DataFrame
    names: Sequence[str]
    refused: Sequence[Refused]


def columns(path: Path, table: Table) -> list[str]:
    """Name a file's columns.

    Raises SourceError when the file can't be read, or has a column twice.
    """
    with _reported(path):
        names = arrow_parquet.read_schema(path).names if _is_parquet(path, table) else delimited.header(path, table)
    twice = [name for name in dict.fromkeys(names) if names.count(name) > 1]
    if twice:
        raise SourceError(f"{path.name}: expected each column once; found {', '.join(twice)} twice. Rename one of them")
    return list(names)


def check_columns(path: Path, table: Table, source: Source) -> None:
    """Check that a file, with what is joined to it, has every column that the mapping needs.

    Raises SourceError naming those expected, those found, and the nearest name to each that is missing.
    """
    found = columns(path, table)
    if table.join:
        beside = path.parent / table.join.file
        joined = columns(beside, _by_suffix(table))
        for each, names in ((beside, joined), (path, found)):
            _check(each, names, table.join.on, table, source)
        found += joined
    _check(path, list(dict.fromkeys(found)), table.needed(), table, source)


def _check(path: Path, found: Sequence[str], needed: Sequence[str], table: Table, source: Source) -> None:
    missing = [f"{name}{nearest(name, found)}" for name in needed if name not in found]
    if missing:
        raise SourceError(
            f"{path.name}: expected the columns {', '.join(needed)} (table {table.name} of source {source.name}); "
            f"found {', '.join(found)}; missing {', '.join(missing)}. "
            f"Correct the file, or the table's columns in {source.name}.toml"
        )


def batches(path: Path, table: Table) -> Iterator[Batch]:
    """Read a file in batches of at most `CHUNK` rows.

    Raises SourceError when the file can't be read to its end.
    """
    beside = _lookup(path.parent / table.join.file, table, table.join) if table.join else None
    with _reported(path):
        for frame, refused in _rows(path, table):
            joined = frame if beside is None or not table.join else _joined(frame, beside, table.join)
            yield Batch(joined, [name for name in frame.columns if name != ROW], refused)


@contextmanager
def _reported(path: Path) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError, UnicodeError) as error:
        hint = " (is a quote opened and never closed?)" if "straddling" in str(error) else ""
        raise SourceError(f"expected {path} to read to its end; found: {error}{hint}") from error


def _is_parquet(path: Path, table: Table) -> bool:
    return table.format == "parquet" or (not table.format and path.suffix.lower() in (".parquet", ".pq"))


def _by_suffix(table: Table) -> Table:
    """Read a joined file as its own suffix says, whatever the table's format."""
    return replace(table, format="")


def _rows(path: Path, table: Table) -> Iterator[tuple[pl.DataFrame, list[Refused]]]:
    for frame, refused in _parquet(path) if _is_parquet(path, table) else delimited.rows(path, table):
        yield frame[:CHUNK], refused
        for start in range(CHUNK, frame.height, CHUNK):
            yield frame[start : start + CHUNK], []


def _parquet(path: Path) -> Iterator[tuple[pl.DataFrame, list[Refused]]]:
    done = 0
    with arrow_parquet.ParquetFile(path) as file:
        for part in file.iter_batches(batch_size=CHUNK):
            frame = pl.DataFrame(pl.from_arrow(part))
            yield frame.select(pl.int_range(done + 1, done + 1 + frame.height).alias(ROW), pl.all()), []
            done += frame.height


def _lookup(path: Path, table: Table, join: Join) -> pl.DataFrame:
    """Read the small file beside the table's own, by the text of the columns that they share."""
    with _reported(path):
        parts = list(_rows(path, _by_suffix(table)))
    frame = pl.concat([part for part, _ in parts]).drop(ROW) if parts else pl.DataFrame()
    keyed = frame.with_columns(_shared(frame, join)).drop(join.on)
    refused = sum(len(refused) for _, refused in parts)
    if refused or keyed.select(_names(join)).is_duplicated().any():
        raise SourceError(f"{path.name}: expected one row for each {', '.join(join.on)}; found several, or broken rows")
    return keyed


def _names(join: Join) -> list[str]:
    return [f"shared {name}" for name in join.on]


def _shared(frame: pl.DataFrame, join: Join) -> list[pl.Series]:
    return [as_text(frame[name]).alias(f"shared {name}") for name in join.on]


def _joined(frame: pl.DataFrame, beside: pl.DataFrame, join: Join) -> pl.DataFrame:
    """Add the columns that the file lacks itself."""
    more = beside.select(name for name in beside.columns if name not in frame.columns)
    keyed = frame.with_columns(_shared(frame, join))
    return keyed.join(more, on=_names(join), how="left", maintain_order="left").drop(_names(join))
