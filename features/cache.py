"""The packed histories of the customers asked for most recently, each brought up to date before it is handed out.

The store is the truth: every time, one look asks it whether anything was written for the customer, or the catalogue
changed, by whatever process; only newer rows are then fetched. What is kept here can be thrown away at any time.
"""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from threading import Lock

from features.clock import microseconds
from features.history import History, State
from features.packed import CustomerEvents, pack, pack_all

MOST_EVENTS = 270_000
# What a customer takes beside their events, in events: 7 KB of sums kept for windows, and what is left free between.
BESIDE = 40


@dataclass(frozen=True, slots=True)
class _Kept:
    state: State
    known_from: int  # the newest moment at which anything of this became known, in microseconds
    events: CustomerEvents


class CustomerCache:
    """Packed histories by their references, the longest unused given up first.

    At most `most_events` are kept in all, where a customer counts as `BESIDE` more than they have.
    """

    def __init__(self, history: History, most_events: int = MOST_EVENTS) -> None:
        self._history = history
        self._most = most_events
        self._kept: OrderedDict[tuple[str, ...], _Kept] = OrderedDict()
        self._events = self._erasures = 0
        self._lock = Lock()
        # How often what was asked for was there, was there but for newer rows, and wasn't; threads may miscount a few.
        self.looks = {"hit": 0, "newer": 0, "miss": 0}

    @property
    def size(self) -> tuple[int, int]:
        """How many customers are kept, and how many events of theirs."""
        return len(self._kept), self._events - BESIDE * len(self._kept)

    def events(self, references: Iterable[str], as_of: datetime) -> CustomerEvents:
        """Get a customer's events as known at a moment, and that occurred before it."""
        return self.record(references, as_of)[0]

    def record(self, references: Iterable[str], as_of: datetime) -> tuple[CustomerEvents, State]:
        """Get a customer's events as `events` does, and how far the record goes that they are of."""
        key = tuple(sorted(references))
        return self._record(key, self._history.state_of(key), as_of)

    def many(self, customers: Sequence[Iterable[str]], as_of: datetime) -> list[CustomerEvents]:
        """Get many customers' events as `events` does, each given by their references."""
        keys = [tuple(sorted(references)) for references in customers]
        states = self._history.states_of(keys)
        return [self._record(key, state, as_of)[0] for key, state in zip(keys, states, strict=True)]

    def _record(self, key: tuple[str, ...], state: State, as_of: datetime) -> tuple[CustomerEvents, State]:
        cut = microseconds(as_of)
        with self._lock:
            self._follow(state.erasures)
            kept = self._kept.get(key)
            if kept is not None:
                self._kept.move_to_end(key)
        self.looks["miss" if kept is None else "hit" if kept.state == state else "newer"] += 1
        if kept is None or kept.state != state:
            kept = self._fetched(key, state, kept)
            self._keep(key, kept)
        # What became known after the moment asked for is not for that moment: it is fetched apart, and not kept.
        if kept.known_from > cut:
            return pack(self._history.of_customer(key, as_of, kept.state.seq), as_of), kept.state
        return kept.events.before(cut), kept.state

    def _follow(self, erasures: int) -> None:
        """Forget everybody once rows were taken out of the store: whose they were isn't told."""
        if erasures > self._erasures:
            self._kept.clear()
            self._events, self._erasures = 0, erasures

    def _fetched(self, key: tuple[str, ...], state: State, kept: _Kept | None) -> _Kept:
        if kept is not None and kept.state.catalogue == state.catalogue:
            newer = self._history.added_since(key, kept.state.seq)
            if not newer.corrects:
                events = kept.events.with_newer(pack_all(newer.rows)) if newer.rows else kept.events
                return _Kept(newer.state(state), max(kept.known_from, newer.known_from), events)
        whole = self._history.added_since(key, 0)
        return _Kept(whole.state(state), whole.known_from, pack_all(whole.rows))

    def _keep(self, key: tuple[str, ...], kept: _Kept) -> None:
        with self._lock:
            self._forget(key)
            if kept.state.erasures < self._erasures:
                return
            self._kept[key] = kept
            self._events += len(kept.events) + BESIDE
            while self._events > self._most and len(self._kept) > 1:
                self._forget(next(iter(self._kept)))

    def _forget(self, key: tuple[str, ...]) -> None:
        gone = self._kept.pop(key, None)
        if gone is not None:
            self._events -= len(gone.events) + BESIDE
