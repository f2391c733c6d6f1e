"""A simulated day of contacts, and a team that serves them in a given order: a discrete-event simulation.

Whoever waits stays until served, a service is never broken off, and everybody of the team serves everybody.
"""

from collections.abc import Callable
from dataclasses import dataclass
from heapq import heapify, heappop, heappush

import numpy as np
from numpy.typing import NDArray

Whole = NDArray[np.int64]
SECOND = 1_000_000
DAY_SECONDS = 86_400


@dataclass(frozen=True)
class Served:
    """What became of each contact: when its service began, in microseconds, and as the how-manieth it was taken."""

    began: Whole
    place: Whole


def poisson(rate: Callable[[NDArray[np.float64]], NDArray[np.float64]], most: float, rng: np.random.Generator) -> Whole:
    """Draw a day's arrivals, in microseconds from its start, from a rate a second that is `most` at most.

    By thinning (P. A. W. Lewis and G. S. Shedler, Naval Research Logistics Quarterly 26, 1979, 403-413).
    """
    moments = np.sort(rng.uniform(0, DAY_SECONDS, rng.poisson(most * DAY_SECONDS)))
    kept = moments[rng.uniform(0, most, len(moments)) < rate(moments)]
    return np.round(kept * SECOND).astype(np.int64)


def lognormal(count: int, mean: float, variation: float, rng: np.random.Generator) -> Whole:
    """Draw times of service, in microseconds, with a mean in seconds and a coefficient of variation."""
    spread = np.log1p(variation**2)
    return np.round(SECOND * rng.lognormal(np.log(mean) - spread / 2, np.sqrt(spread), count)).astype(np.int64)


def serve(arrived: Whole, takes: Whole, first: Whole, team: int) -> Served:
    """Serve a day's contacts: whoever is free takes, of those who wait, the one with the smallest of `first`.

    `arrived` is ascending; `first` is a place in an order, different for all.
    """
    comes, lasts, orders = arrived.tolist(), takes.tolist(), first.tolist()
    free, waiting, coming = [0] * team, list[tuple[int, int]](), 0
    began, place = np.zeros_like(arrived), np.zeros_like(arrived)
    heapify(free)
    for number in range(len(comes)):
        now = heappop(free)
        if not waiting:
            now = max(now, comes[coming])
        while coming < len(comes) and comes[coming] <= now:
            heappush(waiting, (orders[coming], coming))
            coming += 1
        chosen = heappop(waiting)[1]
        began[chosen], place[chosen] = now, number
        heappush(free, now + lasts[chosen])
    return Served(began, place)


def overtaking(arrived: Whole, until: Whole, served: Served) -> int:
    """Count the contacts taken before somebody who was there, and whose moment `until` had passed when they came."""
    order = np.argsort(until, kind="stable")
    latest = np.maximum.accumulate(served.place[order])
    passed = np.searchsorted(until[order], arrived, side="left")
    there = passed > 0
    return int((latest[passed[there] - 1] > served.place[there]).sum())
