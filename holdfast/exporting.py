"""`holdfast export` and `holdfast features`: the history and the feature rows as Parquet, for whatever reads it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from features.archive import Archive, completed, write_archive
from features.clock import moment
from features.errors import InputError
from features.history import Known
from features.home import home
from holdfast.places import moment_or_now, opened
from holdfast.screen import AsJson, Tick, bars, near, out, say_json

# Up to here the store is read at once.
AT_ONCE = 20_000_000


class Engine(StrEnum):
    """What computes the rows."""

    polars = "polars"
    spark = "spark"


def export(
    to: Annotated[Path, typer.Option("--out", help="The folder to write; an archive that is there is replaced.")],
    as_of: Annotated[str | None, typer.Option(help="Export what was known by this moment.")] = None,
    as_json: AsJson = False,
) -> None:
    """Write the history as Parquet: every version of every event, the links and the products.

    Example: holdfast export --out archive
    """
    with opened() as (_, history, clock), bars() as tick:
        archive = write_archive(history, to, moment_or_now(as_of, clock), tick)
    answer = {
        "folder": str(to), "as_of": archive.as_of.isoformat(), "events": archive.count(), "parts": len(archive.events),
    }  # fmt: skip
    if as_json:
        say_json(answer)
    else:
        out.print(
            f"{archive.count():,} events as known at {answer['as_of']}, in {answer['parts']:,} parts: {near(to)}",
            soft_wrap=True,
        )


def features(
    to: Annotated[Path, typer.Option("--out", help="The Parquet file to write; a folder of files with spark.")],
    events: Annotated[Path | None, typer.Option(help="Read this archive, as holdfast export writes it.")] = None,
    as_of: Annotated[str | None, typer.Option(help="Compute the rows of this moment.")] = None,
    engine: Annotated[Engine, typer.Option(help="polars, or spark once make spark has added it.")] = Engine.polars,
    as_json: AsJson = False,
) -> None:
    """Write every customer's features at a moment as Parquet; what isn't known is null.

    From an archive the rows are computed part by part, so that it may be larger than memory.

    Example: holdfast features --out rows.parquet --events archive
    """
    _check_target(to, engine)
    write = _with_polars if engine is Engine.polars else _with_spark
    at, customers = write(to, events, as_of)
    answer = {"file": str(to), "as_of": at.isoformat(), "customers": customers, "engine": engine.value}
    if as_json:
        say_json(answer)
    else:
        out.print(f"{customers:,} customers as known at {answer['as_of']}: {near(to)}", soft_wrap=True)


def _check_target(to: Path, engine: Engine) -> None:
    if engine is Engine.polars and to.is_dir():
        raise InputError(f"expected --out as a file, found the folder {to}")
    if engine is Engine.spark and to.exists() and not (to / "_SUCCESS").exists():
        raise InputError(f"expected --out as a new folder or one that Spark wrote, found something else at {to}")


def _with_polars(to: Path, events: Path | None, as_of: str | None) -> tuple[datetime, int]:
    from features.rows import write_rows

    with bars() as tick, completed(to) as made, _parts(events, as_of, tick) as (parts, count, at):
        return at, write_rows(parts, made, lambda done: tick("Computing parts", done, count))


def _with_spark(to: Path, events: Path | None, as_of: str | None) -> tuple[datetime, int]:
    try:
        from features.spark import open_spark, write_rows
    except ModuleNotFoundError as error:
        raise InputError(
            f"expected PySpark and a Java beside Holdfast, found: {error}. Add them: make spark"
        ) from error

    master = os.environ.get("HOLDFAST_SPARK_MASTER") or "local[*]"
    with bars() as tick, completed(to) as made, _archived(events, as_of, tick) as (archive, at):
        tick("Starting Spark", 0, 1)
        spark = open_spark(master, home().data / "tools" / "spark")
        tick("Starting Spark", 1, 1)
        tick("Computing", 0, 1)
        customers = write_rows(spark, archive, at, made)
        tick("Computing", 1, 1)
        return at, customers


@contextmanager
def _parts(events: Path | None, as_of: str | None, tick: Tick) -> Iterator[tuple[Iterator[Known], int, datetime]]:
    """Open what is known part by part, with the number of parts and the moment; a small store is one part."""
    if events is None:
        with opened() as (_, history, clock):
            if sum(history.counts().values()) <= AT_ONCE:
                at = moment_or_now(as_of, clock)
                yield iter([history.known_by(at)]), 1, at
                return
    with _archived(events, as_of, tick) as (archive, at):
        yield archive.parts(at), len(archive.events), at


@contextmanager
def _archived(events: Path | None, as_of: str | None, tick: Tick) -> Iterator[tuple[Archive, datetime]]:
    """Open an archive, with the moment asked for; the store's where none is named, for as long as it is needed."""
    if events is not None:
        archive = Archive.open(events)
        yield archive, archive.as_of if as_of is None else moment(as_of)
        return
    with opened() as (place, history, clock), TemporaryDirectory(dir=place.data, prefix="archive-") as folder:
        at = moment_or_now(as_of, clock)
        yield write_archive(history, Path(folder), at, tick), at
