"""A world on disk: an archive that `holdfast ingest` takes, and the truth beside it, part by part."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import polars as pl

from features import archive
from features.errors import InputError
from world.names import LINKS
from world.operator import IDS, catalogue
from world.part import make
from world.settings import END, MANIFEST, Settings
from world.truth import FOLDER

SIMULATED = "simulated"
Progress = Callable[[str, int, int | None], None]


@dataclass(frozen=True)
class Written:
    """What a part holds: its events, its people with a contract at the end, and its identity links."""

    events: int
    here: int
    links: pl.DataFrame


def write_world(settings: Settings, folder: Path, on_progress: Progress, workers: int = 1) -> dict[str, Any]:
    """Write a world into a new folder, with memory for a part a worker, and return its manifest.

    Of a failure nothing stays. Raises InputError when the folder holds anything.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"expected a new or an empty folder for the simulated world, found something at {folder}")
    with archive.completed(folder) as made:
        (made / archive.EVENTS).mkdir(parents=True)
        (made / FOLDER).mkdir()
        written = []
        for place, part in _parts(settings, made, workers):
            written.append((place, part))
            on_progress("Simulating parts", len(written), settings.parts)
        written.sort(key=lambda pair: pair[0])
        links = pl.concat([pl.DataFrame(schema=LINKS), *(part.links for _, part in written)])
        links.sort(*LINKS).write_parquet(made / archive.LINKS)
        catalogue().sort("product").write_parquet(made / archive.PRODUCTS)
        archive.write_manifest(made, END)
        manifest = _manifest(settings, [part for _, part in written])
        (made / MANIFEST).write_text(json.dumps(manifest, indent=2), encoding="utf-8")
    return manifest


def write_part(settings: Settings, place: int, folder: Path) -> Written:
    """Make a part and write its events and its truth."""
    part = make(settings, place)
    part.events.write_parquet(folder / archive.EVENTS / f"part-{place:05}.parquet")
    part.truth.write(folder / FOLDER / f"part-{place:04}.parquet")
    return Written(len(part.events), len(part.truth), part.links)


def _parts(settings: Settings, folder: Path, workers: int) -> Iterator[tuple[int, Written]]:
    if min(workers, settings.parts) <= 1:
        for place in range(settings.parts):
            yield place, write_part(settings, place, folder)
        return
    # A forked child of a process with threads may hang.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        waiting = {pool.submit(write_part, settings, place, folder): place for place in range(settings.parts)}
        for done in as_completed(waiting):
            yield waiting[done], done.result()


def _manifest(settings: Settings, parts: list[Written]) -> dict[str, Any]:
    return {
        SIMULATED: True, "people": settings.people, "months": settings.months, "seed": settings.seed,
        "drift": settings.drift.isoformat() if settings.drift else None, "periods": settings.periods,
        "start": settings.start.isoformat(), "as_of": END.isoformat(), "parts": len(parts),
        "events": sum(part.events for part in parts), "here": sum(part.here for part in parts), "offers": list(IDS),
    }  # fmt: skip
