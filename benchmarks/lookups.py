"""The feature engine online: one customer's row from a store, cached and cold, and beside Feast's read of it."""

import gc
import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from itertools import cycle, islice
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl

from benchmarks.made import AS_OF, END, catalogue, known, made
from benchmarks.report import Row
from benchmarks.timing import against, quantile, seconds, within
from features.cache import CustomerCache
from features.contract import CONTRACT, row_of
from features.history import History
from features.rows import write_rows

_EACH, _CUSTOMERS = 600, 48
_CALLS, _COLD_CALLS, _TOLD = 5000, 500, 20
_PATIENCE = 10.0
_LIVE = AS_OF + timedelta(days=1)


@dataclass(frozen=True)
class Customers:
    """A store with some customers of about 600 events each, and the same events as a frame."""

    history: History
    names: list[str]
    events: pl.DataFrame

    def cached(self, calls: int) -> list[float]:
        """Time calls on one customer after the other, each a little later, from a cache that knows them all."""
        cache = CustomerCache(self.history)
        for name in self.names:
            _row(cache, name, 0)
        with frozen():
            places = islice(cycle(self.names), calls)
            return [seconds(partial(_row, cache, name, call)) for call, name in enumerate(places)]

    def cold(self, calls: int) -> list[float]:
        """Time calls with a new cache each."""
        with frozen():
            places = islice(cycle(self.names), calls)
            return [seconds(partial(_row, CustomerCache(self.history), name, 0)) for name in places]


def _row(cache: CustomerCache, name: str, later: int) -> Any:
    at = _LIVE + timedelta(milliseconds=later)
    return row_of(cache.events([name], at), at)


@contextmanager
def frozen() -> Iterator[None]:
    """Keep what is on the heap from Python's garbage collector, as the service does once it is ready."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def filled(folder: Path) -> Customers:
    """Fill a store in a folder."""
    events = made(400 * _EACH, 0, seed=3, each=_EACH)
    off = (pl.col("len").cast(pl.Int64) - _EACH).abs()
    sizes = events.group_by("customer").len().sort(off, "customer")
    names = sizes["customer"].head(_CUSTOMERS).sort().to_list()
    events = events.filter(pl.col("customer").is_in(names))
    history = History(f"sqlite:///{folder}/history.db")
    history.put_products(catalogue().to_dicts())
    history.append_rows([_stored(number, row) for number, row in enumerate(events.iter_rows(named=True))], None)
    return Customers(history, names, events)


def _stored(number: int, row: dict[str, Any]) -> dict[str, Any]:
    """Put a simulated event into the shape of the store's rows."""
    names = ("reference", "kind", "channel", "product", "place", "quantity", "amount", "margin", "discount",
             "occurred_at", "recorded_at", "utc_offset")  # fmt: skip
    told = {"id": str(number), "source": "simulated", "source_reference": str(number), "body": ""}
    return told | {name: row[name] for name in names}


def online() -> list[Row]:
    """Time single rows, cached and cold, and how soon what another process writes is in them."""
    with TemporaryDirectory() as folder:
        customers = filled(Path(folder))
        cached = [1000 * taken for taken in customers.cached(_CALLS)]
        cold = [1000 * taken for taken in customers.cold(_COLD_CALLS)]
        told = seen_after(customers)
        customers.history.close()
    count = customers.events.height / len(customers.names)
    figure = f"online, a row of {count:.0f} simulated events"
    return [
        within(f"{figure}, cached, median of {_CALLS:,} calls, ms", median(cached), 0.3),
        within(f"{figure}, cached, 99th percentile, ms", quantile(cached, 0.99), 1),
        within(f"{figure}, from SQLite, median of {_COLD_CALLS:,} calls, ms", median(cold), 2.5),
        within(f"online, written by another process, slowest of {_TOLD} until in the row, s", max(told), 1),
    ]


def seen_after(customers: Customers) -> list[float]:
    """Let another process append events, and time each from just before it is written until it is in a row.

    Raises TimeoutError, or EOFError when the other process ends early.
    """
    name, cache = customers.names[0], CustomerCache(customers.history)
    here, there = get_context("spawn").Pipe()
    teller = get_context("spawn").Process(target=_tell, args=(customers.history.url, name, there))
    teller.start()
    there.close()
    try:
        return [_seen(here, cache, name) for _ in range(_TOLD)]
    finally:
        teller.kill()
        teller.join()


def _seen(teller: Connection, cache: CustomerCache, name: str) -> float:
    place = CONTRACT.names.index("purchases_28")
    before = _row(cache, name, 0).values[place]
    teller.send("go on")
    told: float = teller.recv()
    while _row(cache, name, 0).values[place] == before:
        if time.monotonic() - told > _PATIENCE:
            raise TimeoutError(f"expected an event in the row of {name} within {_PATIENCE} s, found none")
    return time.monotonic() - told


def _tell(url: str, name: str, asked: Connection) -> None:
    history = History(url)
    plain = {"reference": name, "kind": "purchase", "channel": "web", "product": "p1", "place": "", "utc_offset": 0}
    numbers = {"quantity": 10_000, "amount": 10_000, "margin": None, "discount": 0}
    for number in range(_TOLD):
        asked.recv()
        moments = {"occurred_at": END + number, "recorded_at": END + number}
        row = _stored(-1 - number, plain | numbers | moments)
        asked.send(time.monotonic())
        history.append_rows([row], None)


def feast(python: Path) -> list[Row]:
    """Time the same read beside Feast's, from its SQLite store of the rows that were computed before."""
    with TemporaryDirectory() as folder:
        customers = filled(Path(folder))
        ours = [1000 * taken for taken in customers.cached(_CALLS)]
        customers.history.close()
        rows = Path(folder) / "rows.parquet"
        write_rows([known(customers.events)], rows, lambda done: None)
        theirs = _read_by_feast(python, rows)
    figure, tail = "online, cached, beside Feast's get_online_features", 0.99
    answered, read = ([1000 * taken for taken in theirs[name]] for name in ("answered", "read"))
    return [
        against(f"{figure}, median, ms", median(ours), median(answered), 0.333),
        against(f"{figure}, 99th percentile, ms", quantile(ours, tail), quantile(answered, tail), None),
        against(f"{figure} and to_dict, median, ms", median(ours), median(read), None),
    ]


def _read_by_feast(python: Path, rows: Path) -> dict[str, list[float]]:
    script = Path(__file__).with_name("feast_peer.py")
    # Isolated, so that nothing of this folder and this environment is mistaken for Feast's.
    command = [str(python), "-I", str(script), str(rows), str(rows.parent)]
    answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return dict(json.loads(answer.splitlines()[-1]))
