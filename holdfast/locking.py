"""One training at a time in a home, so that two from cron don't wait for each other's memory and swap champions."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from features.errors import RegistryError
from features.home import Home


@contextmanager
def alone(place: Home) -> Iterator[None]:
    """Hold the home's training lock; the system lets go of it when the process ends, however it ends.

    Raises RegistryError when another training holds it.
    """
    place.data.mkdir(parents=True, exist_ok=True)
    with (place.data / "training.lock").open("a+", encoding="utf-8") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            held.seek(0)
            raise RegistryError(
                f"expected no other training in {place.folder}, found process {held.read() or 'unknown'} at it; wait"
                " until it has ended"
            ) from error
        held.truncate(0)
        held.write(str(os.getpid()))
        held.flush()
        yield
