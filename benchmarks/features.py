"""The feature engine beside plain ways to the same numbers: `python -m benchmarks.features [--json]`.

Batch: the whole catalogue over Complete Journey, beside twelve of its columns written by hand in pandas and in Polars;
times are for each column. Online: one row of a household with 600 events, beside the same row taken from a batch.
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd
import polars as pl

from benchmarks.report import Row, options, say
from features.aggregates import DAY
from features.clock import after_history, live, microseconds
from features.contract import CONTRACT, row_of, rows_of
from features.history import History, Known
from features.home import ROOT
from features.packed import pack
from features.sources.ingest import ingest
from features.sources.source import find_source
from holdfast.sample import SOURCE, wheel

_WINDOWS = (28, 91, 182, 364)
_REPEATS = 5


def main() -> None:
    """Fill a store of its own, time both ways in turn, and print the ratios."""
    told = options(__doc__ or "").parse_args()
    with tempfile.TemporaryDirectory() as folder:
        history = History(f"sqlite:///{folder}/history.db")
        source = find_source(ROOT / "playbook" / "sources", SOURCE)
        ingest(history, source, [wheel()], Path(folder) / "quarantine", live())
        as_of = after_history(history.newest)()
        known = history.known_by(as_of)
        rows = [*batch(known), online(history, known)]
        history.close()
    say("Feature engine; seconds, lower is better", rows, told.json)


def batch(known: Known) -> list[Row]:
    """Time the catalogue and the hand-written columns in turn, and check first that they agree."""
    frame = known.events.to_pandas()
    ours = rows_of(known)
    for by_hand in (by_polars(known), by_pandas(frame, known)):
        for name, column in by_hand.items():
            np.testing.assert_allclose(ours.column(name), column, rtol=1e-9)
    times = interleaved(lambda: rows_of(known), lambda: by_polars(known), lambda: by_pandas(frame, known))
    each = [taken / len(CONTRACT.names) for taken in times[0]]
    columns = 3 * len(_WINDOWS)
    return [
        beside(f"batch, a column, by hand in {name}", each, [taken / columns for taken in peer])
        for name, peer in (("Polars", times[1]), ("pandas", times[2]))
    ]


def beside(figure: str, ours: list[float], peer: list[float]) -> Row:
    """Set medians side by side, with the range of the ratio over the repeats."""
    ratios = [mine / other for mine, other in zip(ours, peer, strict=True)]
    spread = f"{figure} (ratio {min(ratios):.2g} to {max(ratios):.2g})"
    return Row(spread, median(ours), median(peer), median(ratios), "none yet", None)


def by_polars(known: Known) -> dict[str, np.ndarray]:
    """Write twelve columns by hand in Polars."""
    at = microseconds(known.as_of)
    age, bought = at - pl.col("occurred_at"), pl.col("kind") == "purchase"
    past = known.events.lazy().filter(pl.col("occurred_at") < at)
    wanted = []
    for days in _WINDOWS:
        inside = bought & (age <= days * DAY)
        wanted += [
            inside.sum().alias(f"purchases_{days}"),
            pl.when(inside).then(pl.col("amount")).sum().alias(f"spend_{days}") / 1e4,
            pl.when(inside).then(pl.col("occurred_at") // DAY).drop_nulls().n_unique().alias(f"purchase_days_{days}"),
        ]
    found = past.group_by("customer").agg(wanted).sort("customer").collect()
    return {name: found[name].to_numpy() for name in found.columns if name in CONTRACT.names}


def by_pandas(frame: pd.DataFrame, known: Known) -> dict[str, np.ndarray]:
    """Write the same columns by hand in pandas."""
    at = microseconds(known.as_of)
    past = frame[frame["occurred_at"] < at]
    everyone = np.sort(past["customer"].unique())
    found = {}
    for days in _WINDOWS:
        inside = past[(past["kind"] == "purchase") & (past["occurred_at"] >= at - days * DAY)]
        groups = inside.assign(day=inside["occurred_at"] // DAY).groupby("customer")
        columns = {
            "purchases": groups.size(),
            "spend": groups["amount"].sum() / 1e4,
            "purchase_days": groups["day"].nunique(),
        }
        for name, column in columns.items():
            found[f"{name}_{days}"] = column.reindex(everyone, fill_value=0).to_numpy(dtype=np.float64)
    return {name: column for name, column in found.items() if name in CONTRACT.names}


def online(history: History, known: Known) -> Row:
    """Time one online row, packed already, beside a batch over that customer's events alone."""
    counts = known.events.group_by("customer").len().with_columns(off=(pl.col("len").cast(pl.Int64) - 600).abs())
    customer = counts.sort("off", "customer")["customer"][0]
    packed = pack(history.of_customer([customer], known.as_of), known.as_of)
    alone = Known(known.as_of, known.events.filter(pl.col("customer") == customer), known.links, known.products)
    ours, peer = interleaved(lambda: row_of(packed, known.as_of), lambda: rows_of(alone), repeats=50)
    return beside(f"online, a row of {len(packed)} events, by a batch of one", ours, peer)


def interleaved(*ways: Callable[[], object], repeats: int = _REPEATS) -> list[list[float]]:
    """Time several ways in turn, so that a busy moment hits all, and return each one's seconds."""
    taken: list[list[float]] = [[] for _ in ways]
    for _ in range(repeats):
        for place, way in enumerate(ways):
            start = time.perf_counter()
            way()
            taken[place].append(time.perf_counter() - start)
    return taken


if __name__ == "__main__":
    main()
