"""Threads that work while an event loop waits for them, and not for longer than an answer may take."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any, TypeVar

from features.deadline import Deadline
from features.errors import GivenUp

T = TypeVar("T")
_NO_THREAD = "expected a free thread in time, found every one taken; ask again"
_TOO_LATE = "expected an answer in time, found that it took too long; ask again"


class Threads:
    """At most `live` calls run at once for whoever waits; those that were given up run on beside them.

    A thread can't be stopped: a call that was given up ends when it next looks at its deadline. Once `most_stuck` of
    them don't, nobody is kept waiting for a thread until one is back.
    """

    def __init__(self, live: int, most_stuck: int) -> None:
        self._pool = ThreadPoolExecutor(live + most_stuck, "desk")
        self._turns = asyncio.Semaphore(live)
        self._most_stuck = most_stuck
        self.stuck = 0

    async def run(self, call: Callable[[Deadline], T], deadline: Deadline, grace: float) -> T:
        """Run a call in a thread and return what it returns.

        Where it is writing when the deadline comes, it is waited for `grace` seconds longer.

        Raises GivenUp when it isn't done by then, and what the call raises.
        """
        await self._turn(deadline)
        working = asyncio.get_running_loop().run_in_executor(self._pool, copy_context().run, call, deadline)
        try:
            if await _done(working, deadline.left()) or not await _given_up(working, deadline, grace):
                return working.result()
            raise GivenUp(_TOO_LATE)
        finally:
            self._leave(working, deadline)

    async def _turn(self, deadline: Deadline) -> None:
        if self.stuck >= self._most_stuck:
            raise GivenUp(_NO_THREAD)
        if not self._turns.locked():
            await self._turns.acquire()
            return
        try:
            await asyncio.wait_for(self._turns.acquire(), deadline.left())
        except TimeoutError as error:
            raise GivenUp(_NO_THREAD) from error

    def _leave(self, working: "asyncio.Future[Any]", deadline: Deadline) -> None:
        """Let the next one in; whoever asked may have gone away themselves, and then nothing is written either."""
        self._turns.release()
        if not working.done():
            deadline.doubt()
            self.stuck += 1
            working.add_done_callback(self._back)

    def _back(self, working: "asyncio.Future[Any]") -> None:
        self.stuck -= 1
        if not working.cancelled():
            # Nobody is told what came of it; unasked, it would be logged as forgotten.
            working.exception()


async def _given_up(working: "asyncio.Future[Any]", deadline: Deadline, grace: float) -> bool:
    """Give a call up whose deadline has come; False when it was written in the last moment."""
    if deadline.give_up() or not (await _done(working, grace) or not deadline.doubt()):
        return True
    return not await _done(working, None)


async def _done(working: "asyncio.Future[Any]", seconds: float | None) -> bool:
    done, _ = await asyncio.wait((working,), timeout=seconds)
    return bool(done)
