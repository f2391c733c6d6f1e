"""`holdfast simulate compare`: a simulated world beside real histories, on a page of pictures."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from features.archive import Archive, completed
from features.errors import InputError
from features.history import History
from holdfast.screen import AsJson, bars, near, out, say_json, table

if TYPE_CHECKING:
    from world.realism import Measured


def compare(
    folder: Annotated[Path, typer.Argument(help="A world, as holdfast simulate world writes it.", metavar="WORLD")],
    real: Annotated[list[str], typer.Option(help="A real store, as NAME=URL; as often as there are.")],
    to: Annotated[Path, typer.Option("--out", help="The SVG page to write.")],
    as_json: AsJson = False,
) -> None:
    """Draw how the people of a simulated world buy, beside the customers of real histories.

    Example: holdfast simulate compare trial --real cdnow=sqlite:///cdnow/data/history.db --out realism.svg
    """
    from holdfast.realism_picture import page

    stores = [_named(text) for text in real]
    with bars() as tick:
        sets = [_simulated(folder)]
        for done, (name, url) in enumerate(stores, start=1):
            sets.append(_real(name, url))
            tick("Measuring real histories", done, len(stores))
        with completed(to) as made:
            made.write_text(page(sets), encoding="utf-8")
    if as_json:
        say_json([one.as_dict() for one in sets])
        return
    rows = [
        (one.name, f"{one.customers:,}", f"{one.gaps[6]:.0%}", f"{one.captured[8]:.0%}", f"{one.repeats[0]:.0%}",
         f"{one.lapses.mean():.0%}", f"{one.ends.mean():.1%}" if one.ends.any() else "–")
        for one in sets
    ]  # fmt: skip
    columns = (
        "",
        "customers",
        "gaps up to 14 days",
        "spent by the top fifth",
        "bought again",
        "bought nothing",
        "ended",
    )
    out.print(table("Simulated beside real", columns, rows))
    out.print(f"Page: {near(to)}", soft_wrap=True)


def _named(text: str) -> tuple[str, str]:
    name, equals, url = text.partition("=")
    if not name or not equals or not url:
        raise InputError(f"expected --real as NAME=URL, such as cdnow=sqlite:///cdnow/data/history.db; found {text!r}")
    return name, url


def _simulated(folder: Path) -> "Measured":
    import polars as pl

    from world.realism import measured
    from world.settings import Settings

    settings, archive = Settings.read(folder), Archive.open(folder)
    columns = ("customer", "kind", "type", "amount", "occurred_at")
    events = pl.concat([part.events.select(columns) for part in archive.parts(archive.as_of)])
    return measured(f"Simulated (seed {settings.seed})", events, typed=True)


def _real(name: str, url: str) -> "Measured":
    from world.realism import measured

    history = History(url)
    try:
        newest = history.newest()
        if newest is None:
            raise InputError(f"expected events in the real history {name}, found none at {url}")
        return measured(name, history.known_by(newest).events, typed=False)
    finally:
        history.close()
