"""What goes on beside the requests, again and again: an error that nobody foresaw is logged and ends none of it.

Python ends a thread at its first error, and nothing begins it anew: a worker would go on without what it watched over.
"""

import threading
import traceback
from collections.abc import Callable
from types import TracebackType

from serving.logs import log


class Outlived:
    """A block of work that is gone on from whatever goes wrong in it, logged once for as long as that is the same."""

    def __init__(self, part: str) -> None:
        self._part = part
        self._failed: object = None

    def __enter__(self) -> None:
        """Begin the block."""

    def __exit__(self, kind: object, error: BaseException | None, trace: TracebackType | None) -> bool:
        """Log an error, unless it is one that ends the process, which goes on up."""
        if error is None:
            self._failed = None
            return False
        if not isinstance(error, Exception):
            return False
        failed = type(error), [(one.filename, one.lineno) for one in traceback.extract_tb(trace)]
        if failed != self._failed:
            log("step_failed", "error", error, part=self._part)
        self._failed = failed
        return True


def repeat(
    name: str, seconds: float, *steps: Callable[[], object], ended: threading.Event | None = None
) -> threading.Thread:
    """Begin a thread that takes steps every so many seconds, each whatever became of the others, until `ended`."""
    thread = threading.Thread(
        target=_ever, args=(name, seconds, steps, ended or threading.Event()), daemon=True, name=name
    )
    thread.start()
    return thread


def _ever(name: str, seconds: float, steps: tuple[Callable[[], object], ...], ended: threading.Event) -> None:
    tried = [(Outlived(name), step) for step in steps]
    while not ended.wait(seconds):
        for outlived, step in tried:
            with outlived:
                step()
