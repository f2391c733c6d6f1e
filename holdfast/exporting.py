"""`holdfast export` and `holdfast features`: the history and the feature rows as Parquet, for whatever reads it."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from features.archive import completed, write_archive
from holdfast.parts import Engine, archived, check_engine, check_target, on_spark, parted
from holdfast.places import moment_or_now, opened
from holdfast.screen import AsJson, bars, near, out, say_json


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
    check_engine(engine)
    check_target(to, engine)
    write = _with_polars if engine is Engine.polars else _with_spark
    at, customers = write(to, events, as_of)
    answer = {"file": str(to), "as_of": at.isoformat(), "customers": customers, "engine": engine.value}
    if as_json:
        say_json(answer)
    else:
        out.print(f"{customers:,} customers as known at {answer['as_of']}: {near(to)}", soft_wrap=True)


def _with_polars(to: Path, events: Path | None, as_of: str | None) -> tuple[datetime, int]:
    from features.rows import write_rows

    with bars() as tick, completed(to) as made, parted(events, as_of, tick) as (parts, count, at):
        return at, write_rows(parts, made, lambda done: tick("Computing parts", done, count))


def _with_spark(to: Path, events: Path | None, as_of: str | None) -> tuple[datetime, int]:
    from features.spark import write_rows

    with bars() as tick, completed(to) as made, archived(events, as_of, tick) as (archive, at):
        return at, on_spark("Computing", tick, lambda spark: write_rows(spark, archive, at, made))
