"""The process that asks the registry, so that no worker has to: one for the services of a home, started by a worker.

It keeps on its shelf what the aliases name, and what went wrong. It ends with the worker that started it.
"""

import time
from collections.abc import Callable
from dataclasses import replace

from features.errors import RegistryError
from features.home import Home, home
from serving import bundle, logs
from serving.child import end_with_parent
from serving.cores import spread
from serving.logs import log
from serving.repeating import Outlived
from serving.shadow_writer import ShadowWriter
from serving.shelf import Pick, Said, Shelf

EVERY_SECONDS = 2.0
_AGAIN_SECONDS = 30.0


class Follower:
    """Asks the registry of a home what serves and what challenges; `now` tells the seconds since 1970."""

    def __init__(self, place: Home, now: Callable[[], float] = time.time) -> None:
        self._place, self._now = place, now
        self.shelf = Shelf.of(place)
        self._file = _identity(place)
        self._said = replace(self.shelf.said(), misses=0)
        self._full = False
        self._wrong: type[Exception] | None = None
        self._failed: dict[Pick, tuple[float, str]] = {}

    def look(self) -> Said:
        """Ask once, and write down what was said; a registry that is away changes nothing but that."""
        now = self._now()
        try:
            champion, challenger = (self._picked(alias) for alias in (bundle.CHAMPION, bundle.CHALLENGER))
        except Exception as error:
            # Whatever went wrong, the registry couldn't be asked, and workers are to know it.
            # Said again once something else is wrong.
            if type(error) is not self._wrong:
                log("registry_away", "warning", error)
            self._wrong = type(error)
            fault = str(error) if isinstance(error, RegistryError) else repr(error)
            said = replace(self._said, asked_at=now, fault=fault, misses=self._said.misses + 1)
        else:
            if self._said.fault:
                log("registry_back", "warning", count=self._said.misses)
            self._wrong = None
            said = Said(now, now, "", self._said.misses, champion, challenger)
        self._said = said
        self._write(said)
        return said

    def _write(self, said: Said) -> None:
        try:
            self.shelf.say(said)
        except OSError as error:
            if not self._full:
                log("registry_unkept", "warning", error)
            self._full = True
        else:
            self._full = False

    def outdated(self) -> bool:
        """Tell whether another file has taken the place of the registry's, whose old one would go on being read."""
        return self._file is not None and _identity(self._place) not in (None, self._file)

    def _picked(self, alias: str) -> Pick | None:
        """Find what an alias names, and have it here; what is wrong with its files is told with it."""
        found = bundle.look(self._place, alias)
        if found is None:
            return None
        pick = Pick(found.version, found.hash, found.why)
        return replace(pick, fault=self._brought(pick, found))

    def _brought(self, pick: Pick, found: bundle.Registered) -> str:
        failed_at, fault = self._failed.get(pick, (0.0, ""))
        if fault and abs(self._now() - failed_at) < _AGAIN_SECONDS:
            return fault
        try:
            if self.shelf.holds(pick):
                return ""
            self.shelf.keep(pick, lambda into: bundle.download(self._place, found, into))
        except (RegistryError, OSError) as error:
            self._failed[pick] = self._now(), str(error)
            return str(error)
        needed = (pick, self.shelf.served(), self._said.champion, self._said.challenger)
        self.shelf.tidy([one for one in needed if one is not None])
        return ""


def _identity(place: Home) -> tuple[int, int] | None:
    """Tell a file from another of its name; None where there is none, or it can't be told."""
    database = bundle.file_of(place)
    try:
        found = None if database is None else database.stat()
    except OSError:
        return None
    return found and (found.st_dev, found.st_ino)


def main() -> None:
    """Look every few seconds, for as long as the worker lives that started this process; it starts another at need."""
    end_with_parent()
    spread()
    logs.begin()
    place = home()
    follower, writer = Follower(place), ShadowWriter(Shelf.of(place), place.database_url)
    looking, writing = Outlived("follower"), Outlived("shadows")
    while not follower.outdated():
        with looking:
            writer.follow(follower.look())
        with writing:
            writer.write()
        time.sleep(EVERY_SECONDS)


if __name__ == "__main__":
    main()
