"""A running service serves what the registry's alias names: a worker takes a bundle up once it has passed every check.

A thread beside the requests reads what the follower keeps on the shelf, loads a new bundle, tries it, and puts a desk
that decides by it in the place of the one before. A request keeps the desk that it began with, so none is mixed.
"""

import fcntl
import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from features.errors import ContractError, RegistryError, StoreError
from features.home import Home
from serving import heap, opening
from serving.child import Child
from serving.desk import Desk
from serving.logs import log
from serving.rehearsal import warm
from serving.repeating import repeat
from serving.shelf import Pick, Said, Shelf

EVERY_SECONDS = 1.0
_FIRST_SECONDS = 120.0
_RESTART_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class State:
    """What a worker serves and since when, which bundle it refused last and why, and what the registry said.

    Moments are seconds since 1970. `follows` is false where a version is pinned. `taken` and `refusals` count.
    """

    version: str
    hash: str
    since: float
    follows: bool
    taken: int = 0
    refused: str = ""
    reason: str = ""
    refusals: int = 0
    registry: Said = field(default_factory=Said)

    @property
    def stands(self) -> str:
        """How the worker stands to the registry: "fixed", "refused", "away" or "following"."""
        if not self.follows:
            return "fixed"
        return "refused" if self.refused else "away" if self.registry.fault else "following"


class Following:
    """The desk that answers now, and the thread that puts another in its place."""

    def __init__(self, desk: Desk, shelf: Shelf | None, now: Callable[[], float] = time.time) -> None:
        self.desk, self.shelf, self._now = desk, shelf, now
        self.state = State(desk.scorer.bundle_version, desk.scorer.bundle_hash, now(), shelf is not None)
        self._refused: tuple[Pick, int] | None = None
        self._said = ""

    def look(self) -> None:
        """Read once what the registry said; take up what it names, if that is new and fit to serve."""
        assert self.shelf is not None
        said = self.shelf.said()
        self.state = replace(self.state, registry=said)
        pick = said.champion
        if pick is None:
            return
        if (pick.version, pick.hash) == (self.state.version, self.state.hash):
            self._refused, self.state = None, replace(self.state, refused="", reason="")
            return
        if self._refused == (pick, self.shelf.stamp(pick)):
            return
        try:
            self._take(pick)
        except (StoreError, OSError) as error:
            # That is not the bundle's fault: it is tried again.
            self.say("bundle_waits", error)
        except Exception as error:
            self._refuse(pick, error)

    def _take(self, pick: Pick) -> None:
        assert self.shelf is not None
        if pick.fault:
            raise RegistryError(pick.fault)
        serving: Any = self.desk.scorer.bundle
        desk = self.desk.by(opening.fit_scorer(self.shelf, pick, serving.manifest))
        warm(desk)
        self.desk, self._refused = desk, None
        taken = self.state.taken + 1
        self.state = State(pick.version, pick.hash, self._now(), True, taken, registry=self.state.registry,
                           refusals=self.state.refusals)  # fmt: skip
        log("bundle_taken", bundle=pick.version)
        heap.settle()
        # Without room for that, the bundle serves all the same.
        with suppress(OSError):
            self.shelf.serve(pick)

    def say(self, event: str, error: Exception) -> None:
        """Log what went wrong, once for as long as it is the same."""
        what = f"{event}: {error}"
        if what != self._said:
            log(event, "warning", error)
        self._said = what

    def _refuse(self, pick: Pick, error: Exception) -> None:
        assert self.shelf is not None
        self._refused, reason = (pick, self.shelf.stamp(pick)), str(error) or repr(error)
        refusals = self.state.refusals + 1
        self.state = replace(self.state, refused=pick.version, reason=reason, refusals=refusals)
        log("bundle_refused", "warning", error, bundle=pick.version)


class Watch:
    """Sees to it that one process follows the registry for all services of a home, whichever worker started it."""

    def __init__(self, shelf: Shelf, now: Callable[[], float] = time.monotonic) -> None:
        self._shelf, self._now = shelf, now
        self._child: Child | None = None
        self._began = float("-inf")

    def look(self) -> None:
        """Start the follower if nobody has; its lock goes with it, however it ends."""
        if self._child is not None and self._child.lives():
            return
        if self._now() - self._began < _RESTART_SECONDS:
            return
        self._shelf.folder.mkdir(parents=True, exist_ok=True)
        with (self._shelf.folder / "follower.lock").open("a") as held:
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return
            self._began = self._now()
            self._child = Child("serving.follower", keeps=(held.fileno(),))


def begin(place: Home) -> Following:
    """Open the desk of a worker: with the bundle of `HOLDFAST_BUNDLE`, or else with the champion, which it follows.

    Raises PlaybookError, RegistryError, ContractError or StoreError when something isn't fit to serve.
    """
    pinned = os.environ.get("HOLDFAST_BUNDLE")
    if pinned:
        version = os.environ.get("HOLDFAST_BUNDLE_VERSION", "unregistered")
        return Following(opening.open_desk(place, Path(pinned), version), None)
    shelf = Shelf.of(place)
    watch = Watch(shelf)
    following = Following(_first(place, shelf, watch), shelf)
    repeat("following", EVERY_SECONDS, watch.look, following.look)
    return following


def _first(place: Home, shelf: Shelf, watch: Watch) -> Desk:
    """Open the desk with what served last; where nothing did, wait for what the registry says."""
    if shelf.served() is not None:
        try:
            return opening.open_last(place)
        except (RegistryError, ContractError) as error:
            log("last_unfit", "warning", error)
    pick = _awaited(shelf, watch)
    opening.fit_scorer(shelf, pick, None)
    shelf.serve(pick)
    return opening.open_last(place)


def _awaited(shelf: Shelf, watch: Watch) -> Pick:
    """Wait until the registry has said what serves, and that is on the shelf."""
    began, before = time.monotonic(), shelf.said().reached_at
    while (said := shelf.said()).reached_at == before and time.monotonic() - began < _FIRST_SECONDS:
        watch.look()
        time.sleep(EVERY_SECONDS)
    fault = said.fault or (said.champion.fault if said.champion else "none")
    if said.champion is None or fault:
        raise RegistryError(f"expected a champion in the registry, found {fault}; train one: holdfast train")
    return said.champion
