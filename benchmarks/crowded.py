"""A home's store, copied, with many customers more in it: what the running service is asked about."""

import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

from benchmarks.beside import NOTHING
from benchmarks.load import post
from features.clock import microseconds
from features.errors import InputError
from features.history import History
from features.home import Home
from serving.bundle import fetch

# Of so many events at most, so that the worker's cache holds all of them.
_ASKED_EVENTS, _LEAST, _MOST = 230_000, 100, 2_000


@dataclass(frozen=True)
class Crowd:
    """A home to serve, its bundle, some customers of the usual size, and how many were made beside."""

    home: Home
    bundle: Path
    version: str
    names: tuple[str, ...]
    made: int

    def decisions(self, count: int, start: int = 0) -> list[bytes]:
        """Ask for decisions about one customer after the other."""
        return [post("/v1/decisions", _asking(name)) for name in self._some(count, start)]

    def nothing(self, count: int, start: int = 0) -> list[bytes]:
        """Ask the no-op for the same."""
        return [post(NOTHING, _asking(name)) for name in self._some(count, start)]

    def many(self, count: int) -> tuple[str, ...]:
        """Name so many customers, those made among them where the others don't suffice."""
        return (*self.names, *(f"customer:made-{number}" for number in range(1, count + 1)))[:count]

    def _some(self, count: int, start: int) -> Sequence[str]:
        return list(islice(cycle(self.names), start, start + count))


def _asking(name: str) -> bytes:
    return json.dumps({"customer": name, "channel": "phone"}).encode()


def crowded(home: Home, work: Path, customers: int) -> Crowd:
    """Copy a home's store into a folder and add customers, unless it is there already."""
    work.mkdir(parents=True, exist_ok=True)
    folder, version = fetch(home)
    file = work / f"crowded-{customers}.db"
    if not file.exists():
        _copy(home, unfinished := file.with_suffix(".unfinished"), customers)
        unfinished.rename(file)
    with closing(sqlite3.connect(file)) as store:
        sizes = store.execute("SELECT reference, count(*) FROM events WHERE source <> 'made' GROUP BY 1 ORDER BY 1")
        names = _usual(sizes.fetchall())
    inside = Home(work, home.playbook, f"sqlite:///{file}", "history")
    return Crowd(inside, folder, version, names, customers)


def _copy(home: Home, file: Path, customers: int) -> None:
    if not home.database_url.startswith("sqlite:///"):
        raise InputError(f"expected a home on SQLite to copy, found {home.database_url.partition(':')[0]}")
    file.unlink(missing_ok=True)
    newest = History(home.database_url).newest()
    with (
        closing(sqlite3.connect(home.database_url.removeprefix("sqlite:///"))) as source,
        closing(sqlite3.connect(file)) as store,
    ):
        source.backup(store)
        for table in ("decisions", "contacts", "spending", "responses"):
            store.execute(f"DELETE FROM {table}")
        moment = microseconds(newest) if newest else 0
        store.execute(_REFERENCES, (customers,))
        store.execute(_EVENTS, (customers, moment, moment))
        store.commit()


_NUMBERS = "WITH RECURSIVE number(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < ?)"
_REFERENCES = (
    f"{_NUMBERS} INSERT INTO \"references\" (reference, value) SELECT 'customer:made-' || n, 'made-' || n FROM number"
)
_EVENTS = f"""{_NUMBERS}
    INSERT INTO events (id, source, reference, kind, channel, quantity, amount, discount, occurred_at, recorded_at)
    SELECT 'made-' || n, 'made', 'customer:made-' || n, 'purchase', 'store', 10000, 50000, 0, ?, ? FROM number
"""


def _usual(sizes: Sequence[tuple[str, int]]) -> tuple[str, ...]:
    names, events = list[str](), 0
    for name, size in sizes:
        if _LEAST <= size <= _MOST and events + size <= _ASKED_EVENTS:
            names.append(name)
            events += size
    return tuple(names)
