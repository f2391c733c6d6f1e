"""One training at a time in a home, and one erasure.

Two trainings from cron would wait for each other's memory and swap champions; an erasure would take another that is
under way for one that broke off.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from features.errors import HoldfastError, RegistryError
from features.home import Home


@contextmanager
def alone(place: Home, what: str = "training", refusal: type[HoldfastError] = RegistryError) -> Iterator[None]:
    """Hold the home's lock of one sort of work; the system lets go of it when the process ends, however it ends.

    Raises what it is told to when another process holds it.
    """
    place.data.mkdir(parents=True, exist_ok=True)
    with (place.data / f"{what}.lock").open("a+", encoding="utf-8") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            held.seek(0)
            raise refusal(
                f"expected no other {what} in {place.folder}, found process {held.read() or 'unknown'} at it; wait"
                " until it has ended"
            ) from error
        held.truncate(0)
        held.write(str(os.getpid()))
        held.flush()
        yield
