"""The feature engine in batch: beside Polars and pandas by hand, its memory, its growth, and beside Spark."""

import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.by_pandas import by_pandas
from benchmarks.by_polars import plain
from benchmarks.by_polars_fast import clever
from benchmarks.made import AS_OF, END, archive, frame_file, known, made
from benchmarks.report import Row
from benchmarks.timing import against, alone, beside, interleaved, peak, resident, seconds
from features.archive import Archive
from features.contract import CONTRACT, FeatureMatrix, rows_of
from features.rows import write_rows

_CUT = 100_000
_REPEATS = 3
_GIGA = 1e9


def by_hand_in_polars(work: Path, events: int) -> list[Row]:
    """Time the whole catalogue beside Polars by hand, plain and clever; the peer is the faster of the two."""
    cut = made(_CUT, 0, seed=2)
    ours, theirs = rows_of(known(cut)), {"plain": plain(cut, END), "clever": clever(cut, END)}
    for name, found in theirs.items():
        agree(name, ours, found)
    frame = pl.read_parquet(frame_file(work, events))
    mine, one, other = interleaved(
        lambda: rows_of(known(frame)), lambda: plain(frame, END), lambda: clever(frame, END), repeats=_REPEATS
    )
    figure = f"batch, {len(CONTRACT.names)} features of {events:,} simulated events, s, by hand in"
    ways = {"plain Polars": one, "clever Polars that needs their order": other}
    both = [beside(f"{figure} {way}", mine, taken, None) for way, taken in ways.items()]
    faster = max(both, key=lambda row: row.ratio)
    return [row if row is not faster else against(row.figure, row.ours, row.peer, 1.5, row.ratio) for row in both]


def by_hand_in_pandas(work: Path, events: int) -> list[Row]:
    """Time the whole catalogue beside pandas by hand, once, as that takes minutes."""
    cut = made(_CUT, 0, seed=2)
    agree("pandas", rows_of(known(cut)), pl.from_pandas(by_pandas(cut.to_pandas(), END)))
    file = frame_file(work, events)
    mine, theirs = alone(_engine, file), alone(_pandas, file)
    figure = f"batch, {len(CONTRACT.names)} features of {events:,} simulated events, s, by hand in pandas"
    return [beside(figure, [mine], [theirs], 0.05)]


def _engine(file: Path) -> float:
    frame = pl.read_parquet(file)
    return seconds(lambda: rows_of(known(frame)))


def _pandas(file: Path) -> float:
    frame = pl.read_parquet(file).drop("reference", "superseded_at").to_pandas()
    return seconds(lambda: by_pandas(frame, END))


def agree(name: str, ours: FeatureMatrix, theirs: pl.DataFrame) -> None:
    """Check that a way by hand gives our numbers, each to 1e-9.

    Raises AssertionError.
    """
    np.testing.assert_array_equal(theirs["customer"].to_list(), ours.customers, f"customers of {name}")
    for feature in CONTRACT.names:
        np.testing.assert_allclose(theirs[feature], ours.column(feature), rtol=1e-9, err_msg=f"{feature} of {name}")


def memory(work: Path, events: int) -> list[Row]:
    """Measure the peak of a batch in a process of its own, against what its input takes there."""
    before, loaded, most = alone(_footprint, frame_file(work, events))
    figure = f"memory, the peak of a batch of {events:,} simulated events against its input, GB"
    return [against(figure, (most - before) / _GIGA, (loaded - before) / _GIGA, 2)]


def _footprint(file: Path) -> tuple[int, int, int]:
    before = resident()
    frame = pl.read_parquet(file)
    loaded = resident()
    rows_of(known(frame))
    return before, loaded, peak()


def growth(work: Path, events: int, large: int) -> list[Row]:
    """Time a million events of a large archive against those of a small one, Parquet in and out."""
    small_folder, large_folder = (archive(work, count).folder for count in (events, large))
    runs = [alone(_written, folder) for folder in (small_folder, large_folder, small_folder)]
    paces = [taken / count * 1e6 for (taken, _), count in zip(runs, (events, large, events), strict=True)]
    peaks = f"peaks of {runs[1][1] / _GIGA:.2g} and {runs[0][1] / _GIGA:.2g} GB"
    figure = f"growth, {large:,} simulated events against {events:,}, s a million, {peaks}"
    return [beside(figure, [paces[1]] * 2, [paces[0], paces[2]], 1.2)]


def _written(folder: Path) -> tuple[float, int]:
    parts = Archive.open(folder).parts(AS_OF)
    with tempfile.TemporaryDirectory(dir=folder.parent) as place:
        taken = seconds(lambda: write_rows(parts, Path(place) / "rows.parquet", _quiet))
    return taken, peak()


def _quiet(done: int) -> None:
    """Tell nobody."""


def spark(work: Path, events: int) -> list[Row]:
    """Time Spark on two local cores beside ours, over one archive; Spark's start is told apart."""
    folder = archive(work, events).folder
    start, theirs = alone(_with_spark, folder)
    ours, _ = alone(_written, folder)
    figure = f"Spark on two cores, {events:,} simulated events, s (and {start:.2g} s to start it)"
    return [beside(figure, [ours], [theirs], None)]


def _with_spark(folder: Path) -> tuple[float, float]:
    from features.spark import open_spark
    from features.spark import write_rows as write_rows_on

    with tempfile.TemporaryDirectory(dir=folder.parent) as place:
        begun = time.perf_counter()
        session = open_spark("local[2]", Path(place) / "spark")
        started = time.perf_counter()
        write_rows_on(session, Archive.open(folder), AS_OF, Path(place) / "rows")
        done = time.perf_counter()
        session.stop()
    return started - begun, done - started
