"""Whether a worker can do its work: looked at every two seconds by a thread of its own, so that no probe ever waits."""

import itertools
import shutil
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]

from features.decisions import Window
from features.errors import StoreError
from serving import metrics
from serving.desk import Desk
from serving.following import Following, State
from serving.repeating import Outlived, repeat

EVERY_SECONDS = 2.0
# As long as the store may stay silent before the worker says that it isn't ready.
PATIENCE_SECONDS = 5.0
_COUNT_EVERY = 5
# What stops a worker from doing anything at all; without the others it still gives safe answers.
VITAL = ("rehearsed", "staying")


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that has to be so, and what was found; it names no secret, and no person."""

    holds: bool
    found: str


class Watch:
    """What a worker knows of its own state."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.rehearsed = False
        self.leaving = False
        self._clock = clock
        self._following: Following | None = None
        self._data = Path()
        self._answered: float | None = None
        self._writable = True
        self._bundle = self.registry = ""
        self._served = ("", "")
        self._looks: dict[str, int] = {}
        self._end = threading.Event()
        self._outlived = {part: Outlived(part) for part in ("store", "spending", "bundle", "memory", "disk")}

    def begin(self, following: Following, data: Path) -> None:
        """Look at the desk that answers, and at the disk of a folder, now and from now on."""
        self._following, self._data, self._served = following, data, ("", "")
        self._end = threading.Event()
        self._looks = {}
        metrics.WORKERS.set(1)
        self.look(0)
        turns = itertools.count(1)
        repeat("watch", EVERY_SECONDS, lambda: self.look(next(turns)), ended=self._end)

    def end(self) -> None:
        """Look no more."""
        self._end.set()

    def started(self) -> None:
        """Say that one of every kind was answered."""
        self.rehearsed = True
        metrics.READY.set(self.ready())

    def leave(self) -> None:
        """Say that the worker was told to stop."""
        self.leaving = True
        metrics.READY.set(0)

    def look(self, turn: int) -> None:
        """Look once at the store, the disk and the bundle; what is dearer to count, only in some turns."""
        if self._following is None:
            return
        desk, state = self._following.desk, self._following.state
        self._look_at_store(desk, count=turn % _COUNT_EVERY == 0)
        self._look_at_bundle(desk, state)
        self._look_at_memory(desk)
        metrics.READY.set(self.ready())

    def checks(self) -> dict[str, Check]:
        """Tell what has to be so for a worker to be ready, by the last look."""
        silent = None if self._answered is None else self._clock() - self._answered
        reads = silent is not None and silent <= PATIENCE_SECONDS
        return {
            "rehearsed": Check(self.rehearsed, "one of every kind was answered" if self.rehearsed else "not yet"),
            "staying": Check(not self.leaving, "stopping" if self.leaving else "not stopping"),
            "bundle": Check(bool(self._bundle), self._bundle or "none"),
            "store": Check(reads, "never read" if silent is None else f"read {max(silent, 0):.1f} s ago"),
            "room": Check(self._writable, "it can be written" if self._writable else "no room, or reading only"),
        }

    def ready(self, degraded: bool = False) -> bool:
        """Tell whether the worker should be asked; `degraded`: even for nothing but safe answers."""
        return all(check.holds for name, check in self.checks().items() if not degraded or name in VITAL)

    def _look_at_store(self, desk: Desk, count: bool) -> None:
        began, up = time.perf_counter(), False
        with self._outlived["store"], suppress(StoreError):
            self._writable = desk.history.decisions.writable()
            self._answered, up = self._clock(), True
            metrics.STORE_SECONDS.set(time.perf_counter() - began)
            metrics.WRITABLE.set(self._writable)
        metrics.STORE_UP.set(up)
        if up and count:
            with self._outlived["spending"]:
                _count_spending(desk)

    def _look_at_bundle(self, desk: Desk, state: State) -> None:
        self.registry, self._bundle = state.stands, state.hash
        with self._outlived["bundle"]:
            metrics.following(state.stands)
            if (state.version, state.hash) != self._served:
                metrics.serving(state.version, state.hash, desk.scorer.bundle.grade, state.since)
                self._served = (state.version, state.hash)

    def _look_at_memory(self, desk: Desk) -> None:
        with self._outlived["memory"]:
            self._count_cache(desk)
            metrics.MEMORY.set(psutil.Process().memory_info().rss)
        with self._outlived["disk"]:
            there = next(place for place in (self._data, *self._data.parents) if place.exists())
            metrics.FREE.set(shutil.disk_usage(there).free)

    def _count_cache(self, desk: Desk) -> None:
        customers, events = desk.cache.size
        metrics.CACHED.set(customers)
        metrics.CACHED_EVENTS.set(events)
        for result, count in desk.cache.looks.items():
            metrics.CACHE_LOOKS.labels(result).inc(max(count - self._looks.get(result, 0), 0))
            self._looks[result] = count


def _count_spending(desk: Desk) -> None:
    attention = desk.playbook.contact.attention
    if attention is None:
        return
    now = desk.clock()
    spent = desk.history.decisions.spending(Window(now, now, attention.tiers, attention.days))
    for owner, most in attention.budgets.items():
        metrics.BUDGET.labels(owner).set(most)
        for tier in attention.tiers:
            metrics.SPENT.labels(owner, tier).set(spent.get((owner, tier), 0))


def as_body(watch: Watch, degraded: bool) -> dict[str, Any]:
    """Say in JSON what the checks found."""
    checks = {name: {"ok": check.holds, "found": check.found} for name, check in watch.checks().items()}
    return {"ready": watch.ready(degraded), "degraded": not watch.ready(), "registry": watch.registry, "checks": checks}
