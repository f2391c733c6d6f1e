"""How a worker answers: within a budget of time, and without whatever isn't there.

A part that fails or takes too long three times in a row is left alone for ten seconds; until then, and while it is, the
answer is a safe default that says so, or a refusal that says when to ask again. What is kept here is touched by the
event loop alone, so that nothing needs a lock.
"""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from math import ceil
from time import monotonic
from typing import Any

from features.clock import Clock, live
from features.deadline import Deadline
from features.errors import GivenUp, InputError, StoreError
from serving import metrics
from serving.breaker import OPEN_SECONDS, Breaker, Pass
from serving.degradation import MODEL, SERVICE, STORE, Degraded
from serving.logs import log
from serving.settings import number
from serving.threads import Threads

LIVE_THREADS, MOST_STUCK, SAFE_THREADS = 8, 8, 2
BUDGET_MILLISECONDS, LEAST_BUDGET, MOST_BUDGET = 500.0, 10.0, 30_000.0
# What is being written when the budget is up is waited for this share of it longer.
_GRACE = 0.1

Body = dict[str, Any]
Work = Callable[[Deadline, Degraded | None], Body]
Safe = Callable[[Degraded], Body]


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer's body, its status, and its headers."""

    body: Body
    status: int = 200
    headers: Mapping[str, str] | None = None


class Answering:
    """What a worker knows of the parts that it needs, and the threads in which they are used.

    `breakers` by part and `threads.stuck` are there to be looked at. `elapsed` tells seconds, `clock` the moment.
    """

    def __init__(
        self, budget_seconds: float, elapsed: Callable[[], float] = monotonic, clock: Clock = live
    ) -> None:  # fmt: skip
        self.budget = budget_seconds
        self.threads = Threads(LIVE_THREADS, MOST_STUCK)
        self._safe = ThreadPoolExecutor(SAFE_THREADS, "safe")
        self.breakers = {STORE: Breaker(), MODEL: Breaker()}
        self._elapsed, self._clock = elapsed, clock

    async def answer(self, work: Work, safe: Safe | None, least_seconds: float = 0.0) -> Answer:
        """Answer by `work` within the budget, or `least_seconds` if that is longer; else by what is `safe`, or 503.

        Bad input is answered with 400, and says nothing of any part.
        """
        try:
            return await self._answered(work, safe, max(self.budget, least_seconds))
        except InputError as error:
            return Answer({"error": str(error)}, 400)

    async def _answered(self, work: Work, safe: Safe | None, seconds: float) -> Answer:
        uses = self._admitted((STORE, MODEL) if safe else (STORE,))
        if STORE not in uses:
            return await self._less(safe, STORE, "open", _LEFT_ALONE)
        away = None if MODEL in uses or not safe else self._degraded(MODEL, "open")
        deadline = Deadline(seconds, self._elapsed)
        try:
            body = await self.threads.run(lambda deadline: work(deadline, away), deadline, seconds * _GRACE)
        except StoreError as error:
            self._missed(uses, STORE)
            return await self._less(safe, STORE, "error", str(error))
        except GivenUp as error:
            self._missed(uses, deadline.slowest)
            cause = "busy" if deadline.slowest == SERVICE else "slow"
            return await self._less(safe, deadline.slowest, cause, str(error))
        else:
            self._worked(uses, body.get("degraded"))
            return Answer(body)
        finally:
            for part, by in uses.items():
                self.breakers[part].neither(by, self._elapsed())

    def _admitted(self, parts: tuple[str, ...]) -> dict[str, Pass]:
        """Ask for parts in their order, and for none after one that is left alone."""
        uses: dict[str, Pass] = {}
        for part in parts:
            by = self.breakers[part].admit(self._elapsed())
            if by is None:
                break
            uses[part] = by
        return uses

    def _worked(self, uses: Mapping[str, Pass], degraded: Mapping[str, Any] | None) -> None:
        self._passed(uses, STORE)
        if degraded is None:
            self._passed(uses, MODEL)
        else:
            metrics.degraded(MODEL, degraded["cause"])
            self._missed(uses, MODEL)

    def _passed(self, uses: Mapping[str, Pass], part: str) -> None:
        if part in uses:
            self.breakers[part].passed(uses[part])
            if uses[part] == "half-open":
                metrics.breaker(part, False)
                log("part_back", part=part)

    def _missed(self, uses: Mapping[str, Pass], part: str) -> None:
        if part in uses:
            breaker = self.breakers[part]
            before = breaker.state
            breaker.missed(uses[part], self._elapsed())
            if breaker.state == "open" != before:
                metrics.breaker(part, True)
                log("part_left_alone", "warning", part=part, seconds=OPEN_SECONDS, count=breaker.misses)

    def _degraded(self, part: str, cause: str) -> Degraded:
        breaker = self.breakers.get(part)
        since = breaker.since if breaker else None
        ago = 0.0 if since is None else self._elapsed() - since
        return Degraded(part, cause, self._clock() - timedelta(seconds=ago))

    async def _less(self, safe: Safe | None, part: str, cause: str, refusal: str) -> Answer:
        metrics.degraded(part, cause)
        if safe:
            # Off the loop: a thousand visits take a tenth of a second. Nothing here can be stuck.
            lacking = self._degraded(part, cause)
            return Answer(await asyncio.get_running_loop().run_in_executor(self._safe, safe, lacking))
        breaker = self.breakers.get(part)
        seconds = ceil(breaker.retry_after(self._elapsed())) if breaker else 0
        return Answer({"error": refusal}, 503, {"Retry-After": str(max(seconds, 1))})


_LEFT_ALONE = (
    "expected the store to answer, found that it failed three times in a row and is left alone for ten seconds; nothing"
    " was written: ask again later"
)


def budget_seconds() -> float:
    """Read how long a decision may take.

    Raises InputError when it isn't a number of milliseconds that makes sense.
    """
    return number("HOLDFAST_BUDGET_MILLISECONDS", BUDGET_MILLISECONDS, LEAST_BUDGET, MOST_BUDGET) / 1000
