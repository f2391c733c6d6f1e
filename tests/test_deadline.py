"""Nothing is both given up and written, in whatever order whoever works and whoever waits get there."""

import asyncio
import threading
import time
from collections.abc import Callable
from itertools import permutations

import pytest

from features.deadline import Deadline
from features.errors import GivenUp
from serving.threads import Threads


@pytest.mark.parametrize("order", sorted(set(permutations("wwp" + "gd"))))
def test_an_answer_is_either_kept_or_given_up(order: tuple[str, ...]) -> None:
    """`w` claims, then keeps; `g` gives up, `d` doubts, if it may; `p` lets a third of the time pass."""
    now = [0.0]
    deadline = Deadline(2.5, lambda: now[0])
    working, kept, gone = iter((deadline.claim, deadline.keep)), [], []
    for step in order:
        now[0] += step == "p"
        try:
            if step == "w":
                kept.append(next(working, lambda: None)())
            elif step in "gd" and not any(gone):
                gone.append(deadline.give_up() if step == "g" else deadline.doubt())
        except GivenUp:
            working = iter(())
    if any(gone):
        assert True not in kept
        with pytest.raises(GivenUp):
            deadline.claim()


def test_a_deadline_tells_where_the_time_went() -> None:
    now = [0.0]
    deadline = Deadline(10.0, lambda: now[0])
    for part, seconds in (("store", 0.5), ("model", 3.0), ("store", 4.0), ("service", 0.5)):
        now[0] += seconds
        deadline.enter(part)
    now[0] += 0.25
    assert deadline.spent() == {"service": 0.75, "store": 3.5, "model": 4.0}
    assert (deadline.slowest, deadline.left()) == ("model", 1.75)
    now[0] += 2.0
    with pytest.raises(GivenUp, match="expected an answer in time"):
        deadline.claim()


def _run(threads: Threads, call: Callable[[Deadline], object], seconds: float = 0.05) -> object:
    return threads.run(call, Deadline(seconds), 0.02)


def test_stuck_threads_are_waited_for_no_longer_than_the_budget_and_are_bounded() -> None:
    gate = threading.Event()

    async def session() -> None:
        threads = Threads(2, 3)
        began = time.monotonic()
        stuck = await asyncio.gather(
            *(_run(threads, lambda _: gate.wait(20)) for _ in range(4)), return_exceptions=True
        )
        assert [type(one) for one in stuck] == [GivenUp] * 4
        assert time.monotonic() - began < 1.0
        # Two ran and hang; two waited for a thread until their budget was up.
        assert threads.stuck == 2
        assert await _run(threads, lambda _: "free", 5.0) == "free"
        await asyncio.gather(_run(threads, lambda _: gate.wait(20)), return_exceptions=True)
        assert threads.stuck == 3
        began = time.monotonic()
        with pytest.raises(GivenUp, match="expected a free thread in time"):
            await _run(threads, lambda _: "never", 5.0)
        assert time.monotonic() - began < 0.5
        gate.set()
        while threads.stuck:
            await asyncio.sleep(0.01)
        assert await _run(threads, lambda _: "free again", 5.0) == "free again"

    asyncio.run(session())


def test_what_is_being_written_is_waited_for_a_little_and_then_has_to_be_taken_back() -> None:
    told = list[bool]()

    def writes(seconds: float) -> Callable[[Deadline], str]:
        def call(deadline: Deadline) -> str:
            deadline.claim()
            time.sleep(seconds)
            told.append(deadline.keep())
            return "written"

        return call

    async def session() -> None:
        threads = Threads(2, 2)
        assert await threads.run(writes(0.1), Deadline(0.05), 5.0) == "written"
        with pytest.raises(GivenUp):
            await threads.run(writes(0.3), Deadline(0.05), 0.05)
        while threads.stuck:
            await asyncio.sleep(0.01)
        assert told == [True, False]

    asyncio.run(session())


def test_whoever_goes_away_leaves_nothing_written() -> None:
    claims = list[bool]()

    def call(deadline: Deadline) -> None:
        time.sleep(0.2)
        try:
            deadline.claim()
        except GivenUp:
            claims.append(False)
        else:
            claims.append(True)

    async def session() -> None:
        threads = Threads(1, 1)
        asking = asyncio.ensure_future(threads.run(call, Deadline(20.0), 1.0))
        await asyncio.sleep(0.05)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        while threads.stuck:
            await asyncio.sleep(0.01)

    asyncio.run(session())
    assert claims == [False]
