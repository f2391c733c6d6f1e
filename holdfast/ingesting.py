"""`holdfast ingest`: files of any source into the history."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from features.archive import Archive
from features.clock import chosen, live
from features.history import History
from features.home import Home
from features.restoring import restore
from features.sources.ingest import IngestReport
from features.sources.ingest import ingest as take_in
from features.sources.source import find_source
from holdfast.places import opened
from holdfast.screen import Tick, bars, near, out, say_json, table

_COUNTS = ("rows", "new", "corrected", "known", "quarantined")
_ERASED = "told of customers who were erased: not taken."


def ingest(
    paths: Annotated[
        list[Path], typer.Argument(help="CSV or Parquet files, or folders of them; or an archive.", metavar="PATH…")
    ],
    source: Annotated[str | None, typer.Option(help="A mapping in playbook/sources; an archive needs none.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Take a source's files into the history; what is known already changes nothing.

    Rows that can't be taken go to data/quarantine with their number and the reason. When more of them are bad
    than the source allows, nothing is taken and the command fails.

    Without --source, each path is an archive, as holdfast export and holdfast simulate world write it.

    Example: holdfast ingest exports/ --source complete_journey
    """
    if source is None:
        _restore(paths, as_json)
        return
    with opened() as (place, history, _), bars() as tick:
        reports = take(place, history, paths, source, tick)
    if as_json:
        say_json([as_dict(report) for report in reports])
    else:
        show(reports)


def take(place: Home, history: History, paths: Sequence[Path], source: str, tick: Tick) -> list[IngestReport]:
    """Ingest under one bar a file for checking and one for appending."""

    def on_progress(file: str, done: int, total: int | None) -> None:
        tick(f"Checking {file}" if total is None else f"Taking {file}", done, total)

    mapping = find_source(place.playbook / "sources", source)
    # In a home that lives in its history, a correction mustn't carry the clock to the present.
    corrections_from = chosen(place.clock, history.newest)()
    return take_in(history, mapping, paths, place.data / "quarantine", live(), on_progress, corrections_from)


def _restore(paths: Sequence[Path], as_json: bool) -> None:
    """Take archives in, once all of them have been found whole."""
    archives = [Archive.open(path) for path in paths]
    with opened() as (_, history, _), bars() as tick:
        found = [restore(history, archive, tick) for archive in archives]
    if as_json:
        say_json([{"folder": str(path)} | asdict(written) for path, written in zip(paths, found, strict=True)])
        return
    rows = [
        (near(path), *(f"{count:,}" for count in (written.new, written.corrected, written.known)))
        for path, written in zip(paths, found, strict=True)
    ]
    out.print(table("Ingested", ("archive", "new", "corrected", "known"), rows))
    if erased := sum(written.erased for written in found):
        out.print(f"{erased:,} {_ERASED}", soft_wrap=True)


def show(reports: Sequence[IngestReport]) -> None:
    """Print what became of each file."""
    rows = [
        (report.file.name, *(f"{getattr(report, name):,}" for name in _COUNTS), f"{report.seconds:.1f}")
        for report in reports
    ]
    names = ("file", "rows", "new", "corrected", "known", "refused", "seconds")
    out.print(table("Ingested", names, rows))
    for report in reports:
        if report.corrected:
            out.print(
                f"{report.corrected:,} of {report.file.name} said something else than before under the same key, and"
                " count from now on; what was known at earlier moments stays.", soft_wrap=True,
            )  # fmt: skip
        if report.erased:
            out.print(f"{report.erased:,} of {report.file.name} {_ERASED}", soft_wrap=True)
        if report.quarantine:
            out.print(
                f"Rows of {report.file.name} that couldn't be taken, and why: {near(report.quarantine)}", soft_wrap=True
            )


def as_dict(report: IngestReport) -> dict[str, Any]:
    """The report for JSON."""
    return {name: getattr(report, name) for name in ("table", *_COUNTS, "erased", "seconds")} | {
        "file": str(report.file),
        "quarantine": str(report.quarantine) if report.quarantine else None,
    }
