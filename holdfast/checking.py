"""`holdfast consistency` and `quality`: whether rows are what was decided on, and what they are made of."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from features.clock import moment
from features.consistency import Cause, Consistency, Difference, check
from features.errors import InputError
from features.quality import assess
from holdfast.places import moment_or_now, opened
from holdfast.screen import AsJson, bars, near, out, say_json, spinner, table

# Altair takes a second to import: `quality` does so when it runs.

_MEANINGS: dict[Cause, str] = {
    "executors": "Batch and online disagree on the same events: a defect, to be mended before a model is trusted.",
    "history": "Batch and online agree on what is known of those moments today, but something else was decided on: a"
    " later ingest may have back-dated events, links or products. If none did, online read less than the store held.",
}


def consistency(
    sample: Annotated[int, typer.Option(min=1, help="How many decisions to recompute.")] = 200,
    seed: Annotated[int, typer.Option(help="The seed by which they are drawn.")] = 7,
    since: Annotated[str | None, typer.Option(help="Only decisions made at this moment or later.")] = None,
    as_json: AsJson = False,
) -> None:
    """Recompute in batch the rows that logged decisions rested on, and report every difference; there must be none.

    Counts must be equal and all else within 1e-9. The status is 1 when a row differs.

    Example: holdfast consistency --sample 500 --since 2018-01-01
    """
    earliest = None if since is None else moment(since)
    with opened() as (_, history, _), bars() as tick:
        found = check(history, sample, seed, earliest, lambda done, total: tick("Recomputing rows", done, total))
    if as_json:
        say_json(_as_dict(found))
    else:
        _show(found, since)
    if found.differing:
        raise typer.Exit(1)


def _as_dict(found: Consistency) -> dict[str, Any]:
    counts = {name: getattr(found, name) for name in ("logged", "compared", "other_contract")}
    causes = {
        cause: {
            "decisions": [one.decision for one in found.differing if one.cause == cause],
            "features": [asdict(difference) for difference in found.differences(cause)],
            "meaning": meaning,
        }
        for cause, meaning in _MEANINGS.items()
    }
    return {**counts, "differing": len(found.differing), "causes": causes}


def _show(found: Consistency, since: str | None) -> None:
    if not found.logged:
        out.print(
            "No decision has been made yet: ask for some, with holdfast decide CUSTOMER or through holdfast serve."
        )
        return
    if not found.compared + found.other_contract:
        out.print(f"None of the {found.logged:,} logged decisions was made at {since} or later.")
        return
    out.print(f"Recomputed in batch: {found.compared:,} of {found.logged:,} logged decisions.")
    if found.other_contract:
        out.print(f"Made under another feature contract, so that they can't be compared: {found.other_contract:,}.")
    for cause, meaning in _MEANINGS.items():
        if decisions := [one.decision for one in found.differing if one.cause == cause]:
            rows = [_line(difference) for difference in found.differences(cause)]
            columns = ("feature", "differs in", "by at most", "unknown on one side")
            out.print(table(f"Rows that differ: {len(decisions):,}", columns, rows))
            out.print(f"For example {', '.join(decisions[:3])}", soft_wrap=True)
            out.print(f"[red]{meaning}[/]")
    if found.compared and not found.differing:
        out.print("[green]No feature of any of them differs.[/]")


def _line(difference: Difference) -> tuple[str, ...]:
    largest = "–" if difference.largest is None else f"{difference.largest:.1e}"
    return difference.feature, f"{difference.decisions:,}", largest, f"{difference.one_sided:,}"


def quality(
    start: Annotated[str | None, typer.Option("--from", help="Report on what was recorded after this moment.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="Report on what was known by this moment.")] = None,
    folder: Annotated[Path | None, typer.Option("--out", help="Where to write; data/quality by default.")] = None,
    as_json: AsJson = False,
) -> None:
    """Report how good the history's data is: what drifted between two moments, came late, lacks or repeats something.

    Without --from it is the last quarter, or half of the history where that is younger. Beside what it prints it
    writes a picture (SVG), a page (Markdown) and the numbers (JSON).

    Example: holdfast quality --from 2017-07-01 --to 2017-12-31
    """
    from holdfast.reporting import as_dict, picture, tables, write

    with opened() as (place, history, clock), spinner("Reading and measuring"):
        target = folder or place.data / "quality"
        if target.exists() and not target.is_dir():
            raise InputError(f"expected --out as a folder, found the file {target}")
        known = history.known_by(moment_or_now(end, clock))
        found = assess(known, None if start is None else moment(start))
    with spinner("Drawing"):
        files = write(found, picture(found), target)
    if as_json:
        say_json(as_dict(found) | {"files": [str(file) for file in files]})
        return
    for title, columns, rows in tables(found):
        out.print(table(title, columns, rows))
    out.print(f"Written to {', '.join(near(file) for file in files)}", soft_wrap=True)
