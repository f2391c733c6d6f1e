"""Large writes beside a service: in parts, with a pause after each, so that whoever decides meanwhile gets in."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from time import perf_counter, sleep
from typing import TypeVar

from features.versions import Written

ROWS_AT_ONCE = 5_000
# SQLite lets whoever waits in only by luck, so the pause is a quarter of the time that the part before it took.
_PAUSE = 0.25
One = TypeVar("One")


def paced(rows: Iterable[One], write: Callable[[Sequence[One]], Written]) -> Iterator[tuple[int, Written]]:
    """Write rows part by part, each in a transaction of its own; tells of each part its rows, and what became of them.

    Parts stay where a later one breaks off, so rows have to be such that telling them again changes nothing.
    """
    left = iter(rows)
    while part := list(islice(left, ROWS_AT_ONCE)):
        began = perf_counter()
        written = write(part)
        took = perf_counter() - began
        yield len(part), written
        sleep(_PAUSE * took)
