"""A small shop whose files the ingest tests write, and readers of what became of them."""

import csv
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from features.history import History
from features.sources.ingest import IngestReport, Progress, ingest
from features.sources.source import Source, read_source

NOW = datetime(2020, 1, 1, tzinfo=UTC)
SALES = """
[[table]]
name = "sales"
files = ["sales*.csv"]
constants = { kind = "purchase" }
columns = { reference = "customer", occurred_at = "at", amount = "paid", quantity = "pieces" }
"""
KEYED = SALES + 'key = ["line"]\n'
HEADER = "line,customer,at,paid,pieces"


def shop(folder: Path, tables: str = KEYED, top: str = "") -> Source:
    """Write the shop's source with these tables, and read it."""
    path = folder / "shop.toml"
    path.write_text(f'name = "shop"\nreference = "household"\n{top}\n{tables}', encoding="utf-8")
    return read_source(path)


def written(path: Path, *lines: str) -> Path:
    """Write a file of lines."""
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def lines(count: int, start: int = 1) -> list[str]:
    """Make sales that differ in their line's number and in what they tell."""
    numbers = range(start, start + count)
    return [f"{n},{n % 7},2017-01-{n % 28 + 1:02},{n}.25,{n % 3 + 1}" for n in numbers]


def taken(
    history: History,
    source: Source,
    *paths: Path,
    now: datetime = NOW,
    on_progress: Progress | None = None,
    corrections_from: datetime | None = None,
) -> list[IngestReport]:
    """Ingest, with the quarantine beside the first file."""
    told = {"on_progress": on_progress} if on_progress else {}
    quarantine = folder_of(paths[0]) / "quarantine"
    return ingest(history, source, paths, quarantine, now, corrections_from=corrections_from, **told)


def folder_of(path: Path) -> Path:
    return path if path.is_dir() else path.parent


def rows(history: History, table: str = "events", *names: str) -> list[tuple[Any, ...]]:
    """Read a table of the store, or some columns of it, in an order of its own values."""
    engine = sa.create_engine(history.url)
    chosen = ", ".join(f'"{name}"' for name in names) or "*"
    with engine.connect() as connection:
        found = [tuple(row) for row in connection.execute(sa.text(f"SELECT {chosen} FROM {table}"))]
    engine.dispose()
    return sorted(found, key=repr)


def without_numbers(history: History) -> list[tuple[Any, ...]]:
    """Read the events without the numbers that the store gave them."""
    return sorted((row[1:] for row in rows(history)), key=repr)


def quarantined(path: Path | None) -> list[Sequence[str]]:
    """Read a quarantine file."""
    assert path is not None
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.reader(stream))
