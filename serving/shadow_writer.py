"""The follower's side of a challenger: its process is started and ended here, and what it tells is written down."""

import queue
import threading
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

import orjson

from features.errors import StoreError
from features.shadows import Shadow, Shadows
from features.store import Store
from serving.child import Child
from serving.logs import log
from serving.repeating import Outlived
from serving.shelf import Pick, Said, Shelf

_AGAIN_SECONDS = 30.0
_MOST_WAITING = 20


class ShadowWriter:
    """Keeps a challenger's process while there is one, and writes what it tells, dropping what can't be written."""

    def __init__(self, shelf: Shelf, database_url: str, now: Callable[[], float] = time.monotonic) -> None:
        self._shelf, self._url, self._now = shelf, database_url, now
        self._pick: Pick | None = None
        self._child: Child | None = None
        self._began = 0.0
        self._told: queue.Queue[dict[str, Any]] = queue.Queue(_MOST_WAITING)
        self._store: Store | None = None
        self._dropped = 0
        self._full = False

    def follow(self, said: Said) -> None:
        """Start the process, end it, or put another in its place; one that failed is tried again."""
        wanted = said.challenger
        if wanted is not None and (wanted.fault or (said.champion and said.champion.hash == wanted.hash)):
            wanted = None
        lives = wanted is None or (self._child is not None and self._child.lives())
        if wanted == self._pick and (lives or self._now() - self._began <= _AGAIN_SECONDS):
            return
        self._end()
        self._pick, self._child, self._began, self._dropped = wanted, None, self._now(), 0
        if wanted is not None:
            self._child = Child("serving.shadowing", wanted.version, wanted.hash, tells=True)
            self.listener = threading.Thread(target=self._listen, args=(self._child,), daemon=True, name="shadows")
            self.listener.start()

    def write(self) -> None:
        """Write down what was told since the last time."""
        while self._pick is not None and not self._told.empty():
            told = self._told.get()
            made = [Shadow(**{**one, "made_at": datetime.fromisoformat(one["made_at"])}) for one in told["shadows"]]
            try:
                Shadows(self._opened()).write(made)
            except StoreError as error:
                self._drop(len(made), error)
            self._count(self._pick, told["counts"] | {"dropped": self._dropped})

    def _count(self, pick: Pick, counts: dict[str, int]) -> None:
        try:
            self._shelf.count(pick, counts)
        except OSError as error:
            if not self._full:
                log("shadows_uncounted", "warning", error)
            self._full = True
        else:
            self._full = False

    def _listen(self, child: Child) -> None:
        # A process whose words nobody takes waits for good.
        heard = Outlived("shadows")
        for line in child.told():
            with heard:
                self._hear(orjson.loads(line))

    def _hear(self, told: dict[str, Any]) -> None:
        try:
            self._told.put_nowait(told)
        except queue.Full:
            self._drop(len(told["shadows"]))

    def _drop(self, shadows: int, why: Exception | None = None) -> None:
        if shadows and not self._dropped:
            log("shadows_dropped", "warning", why)
        self._dropped += shadows

    def _opened(self) -> Store:
        if self._store is None:
            self._store = Store(self._url)
        return self._store

    def _end(self) -> None:
        if self._child is not None:
            self._child.end()
        if self._store is not None:
            self._store.close()
            self._store = None
