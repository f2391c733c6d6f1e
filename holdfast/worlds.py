"""`holdfast simulate world`: an operator's history whose truth is known."""

from pathlib import Path
from time import perf_counter
from typing import Annotated, Any

import typer

from features.clock import moment
from features.errors import InputError
from holdfast.screen import AsJson, bars, near, out, say_json, table


def world(
    folder: Annotated[Path, typer.Argument(help="The new folder to write.", metavar="OUT")],
    people: Annotated[int | None, typer.Option(min=1, help="How many people.")] = None,
    events: Annotated[int | None, typer.Option(min=1, help="Or about how many events.")] = None,
    months: Annotated[int, typer.Option(min=6, help="How many months of history.")] = 24,
    seed: Annotated[int, typer.Option(min=0, help="The seed; the same one makes the same bytes.")] = 7,
    drift: Annotated[str | None, typer.Option(metavar="DATE", help="Leaving and tastes change from here on.")] = None,
    workers: Annotated[int, typer.Option(min=1, help="How many processes.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Write a simulated telecom operator's history as an archive, and each person's truth beside it.

    The truth is each person's hazard of leaving and value in the next 28 days, their tastes, and for every offer of
    playbook/telecom how likely it is accepted and what it changes. Everything in it is simulated.

    Example: holdfast simulate world trial --people 3000 && holdfast ingest trial
    """
    from world.settings import Settings, people_for
    from world.writing import write_world

    if (people is None) == (events is None):
        raise InputError("expected one of --people and --events, found " + ("neither" if people is None else "both"))
    size = people if people is not None else people_for(events or 0, months)
    settings = Settings(size, months, seed, moment(drift) if drift else None)
    began = perf_counter()
    with bars() as tick:
        manifest = write_world(settings, folder, tick, workers)
    if as_json:
        say_json(manifest)
        return
    show(manifest, perf_counter() - began)
    out.print(f"Simulated, all of it: {near(folder)}. Take it in: holdfast ingest {near(folder)}", soft_wrap=True)


def show(manifest: dict[str, Any], seconds: float) -> None:
    """Print what a world holds."""
    rows = [
        ("people", f"{manifest['people']:,}"), ("with a contract at the end", f"{manifest['here']:,}"),
        ("events", f"{manifest['events']:,}"), ("from", manifest["start"][:10]), ("until", manifest["as_of"][:10]),
        ("drift from", (manifest["drift"] or "none")[:10]), ("seed", str(manifest["seed"])),
        ("events a second", f"{manifest['events'] / max(seconds, 1e-9):,.0f}"),
    ]  # fmt: skip
    out.print(table("Simulated", ("", ""), rows))
