"""Real breakage under load: everybody is answered in time, nothing is held that nobody was told of, and it recovers."""

import asyncio
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from typing import Any
from uuid import uuid4

import pytest

from benchmarks.postgres import Server
from features.clock import unasked
from features.deadline import Deadline
from features.decisions import Window
from features.errors import StoreError
from features.history import History
from serving import answers, breaker, degraded
from serving.answering import Answer, Answering
from serving.degradation import Degraded
from serving.desk import Desk
from serving.requests import Ask, Happening, Report
from tests.counted import counted
from tests.desks import NOW, FakeScorer, playbook, stocked
from tests.making import BOTH

ENGINES = BOTH
BUDGET = 0.5
# What a busy machine may take to wake somebody whose time is up.
SLACK = 1.0
PEOPLE = ("household:7", "household:8", "a:1", "a:2", "a:3")
ALWAYS = Window(datetime(1970, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))


@dataclass
class Caller:
    """Asks one worker, and keeps what it was answered, and how long it took."""

    desk: Desk
    answering: Answering
    taken: list[tuple[float, Answer]] = field(default_factory=list)

    async def ask(self, customer: str) -> Answer:
        ask, began = Ask(customer=customer, channel="phone", offers=2), time.monotonic()

        def work(deadline: Deadline, away: Degraded | None) -> dict[str, Any]:
            return self.desk.decide(ask, deadline, away)

        def safe(why: Degraded) -> dict[str, Any]:
            return degraded.decision(self.desk, ask, unasked(self.desk.clock), why, uuid4())

        answer = await self.answering.answer(work, safe)
        self.taken.append((time.monotonic() - began, answer))
        return answer

    async def keep_asking(self, until: Callable[[], bool], customers: tuple[str, ...] = PEOPLE) -> None:
        async def one(customer: str) -> None:
            while not until():
                await self.ask(customer)
                # A caller of its own would leave the loop a moment, too.
                await asyncio.sleep(0.005)

        await asyncio.gather(*map(one, customers))

    async def settled(self) -> None:
        """Wait until no thread works for nobody any more."""
        while self.answering.threads.stuck:
            await asyncio.sleep(0.01)

    @property
    def bodies(self) -> list[dict[str, Any]]:
        return [answer.body for _, answer in self.taken]

    @property
    def decided(self) -> list[dict[str, Any]]:
        return [body for body in self.bodies if not body["decision_id"].startswith("degraded-")]

    def lacking(self) -> set[tuple[str, str]]:
        return {(body["degraded"]["parts"][0], body["degraded"]["cause"]) for body in self.bodies if body["degraded"]}

    def check(self) -> None:
        """Check that everybody was answered in time, and that what is held is what was told."""
        assert {answer.status for _, answer in self.taken} == {200}
        assert max(took for took, _ in self.taken) < BUDGET * 1.1 + SLACK
        for body in self.bodies[:: max(len(self.taken) // 20, 1)]:
            answers.DecisionAnswer.model_validate(body)
        decisions = self.desk.history.decisions
        held = {one.contact for one in decisions.everybody(ALWAYS).contacts}
        assert held == {one["contact"] for body in self.bodies for one in body["offers"]} - {None}
        assert set(decisions.ids()) == {body["decision_id"] for body in self.decided}
        assert len(self.decided) == len({body["decision_id"] for body in self.decided})


def caller(history: History, scorer: Any = None, budget: float = BUDGET) -> Caller:
    """A caller of a desk whose clock goes on ten minutes a look, so that proposals are new ones."""
    numbers, shipped = count(), playbook()
    careful = replace(shipped.contact, caps=(), suppressions=(), attention=None, hold_minutes=15.0)
    clock = lambda: NOW + timedelta(minutes=10 * next(numbers))  # noqa: E731
    desk = Desk(stocked(history), scorer or FakeScorer(), replace(shipped, contact=careful), clock)
    return Caller(desk, Answering(budget))


class Model(FakeScorer):
    """A scorer that does something first."""

    def __init__(self, first: Callable[[], object]) -> None:
        super().__init__()
        self.first = first

    def score(self, *how: Any) -> Any:
        self.first()
        return super().score(*how)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A breaker that tries again after a second."""
    monkeypatch.setattr(breaker, "OPEN_SECONDS", 1.0)


@pytest.mark.usefixtures("quick")
def test_while_postgresql_is_gone_under_load_answers_are_safe_and_in_time_and_it_recovers(postgres: Server) -> None:
    asking = caller(History(postgres.url()))
    back = list[float]()

    async def session() -> None:
        recovered = lambda: bool(back) and not asking.bodies[-1]["degraded"] and time.monotonic() > back[0] + 1.5  # noqa: E731
        load = asyncio.ensure_future(asking.keep_asking(lambda: recovered() or time.monotonic() > began + 30))
        while len(asking.decided) < 10:
            await asyncio.sleep(0.01)
        await asyncio.to_thread(postgres.kill)
        await asyncio.sleep(1.2)
        await asyncio.to_thread(postgres.start)
        back.append(time.monotonic())
        await load
        await asking.settled()
        # What was in doubt when the server went is settled by whoever decides next.
        await asking.ask("a:9")

    began = time.monotonic()
    try:
        asyncio.run(session())
        assert time.monotonic() < began + 30
        assert {("store", "error"), ("store", "open")} <= asking.lacking()
        assert asking.answering.breakers["store"].state == "closed"
        asking.check()
    finally:
        asking.desk.history.close()


LOCK = """
import sqlite3, sys
held = sqlite3.connect(sys.argv[1], isolation_level=None)
held.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
sys.stdin.read()
"""


@contextmanager
def locked(history: History) -> Iterator[None]:
    """Let another process hold an SQLite file for as long as the block."""
    command = [sys.executable, "-c", LOCK, history.url.removeprefix("sqlite:///")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout
        assert holder.stdin
        assert holder.stdout.readline() == b"locked\n"
        yield
        holder.stdin.close()


@pytest.mark.usefixtures("quick")
def test_while_another_process_locks_the_sqlite_file_answers_are_safe_and_in_time(tmp_path: Any) -> None:
    asking = caller(History(f"sqlite:///{tmp_path / 'history.db'}"))

    async def session() -> None:
        await asking.keep_asking(lambda: len(asking.decided) >= 10)
        with locked(asking.desk.history):
            began = time.monotonic()
            await asking.keep_asking(lambda: time.monotonic() > began + 1.5)
        await asking.settled()
        until = time.monotonic() + 10
        await asking.keep_asking(lambda: not asking.bodies[-1]["degraded"] or time.monotonic() > until, PEOPLE[:1])

    asyncio.run(session())
    assert {("store", "slow"), ("store", "open")} <= asking.lacking()
    assert not asking.bodies[-1]["degraded"]
    asking.check()
    asking.desk.history.close()


@pytest.mark.usefixtures("quick")
def test_a_model_that_fails_is_left_alone_and_asked_again_later(history: History) -> None:
    broken = [True]

    def first() -> None:
        if broken[0]:
            raise ArithmeticError("no trees")

    asking = caller(history, Model(first))

    async def session() -> None:
        for _ in range(5):
            await asking.ask("household:7")
        broken[0] = False
        await asking.ask("household:7")
        await asyncio.sleep(1.1)
        await asking.ask("household:7")

    with counted("holdfast_answers_degraded") as counts:
        asyncio.run(session())
    causes = [body["degraded"] and (*body["degraded"]["parts"], body["degraded"]["cause"]) for body in asking.bodies]
    failed, alone = ("model", "error"), ("model", "open")
    assert causes == [failed] * 3 + [alone] * 3 + [None]
    assert counts == {failed: 3, alone: 3}
    # While only a model is lacking, what is decided is a decision.
    assert len(asking.decided) == 7
    asking.check()


@pytest.mark.usefixtures("quick")
def test_a_model_that_hangs_is_waited_for_no_longer_than_the_budget_and_then_decided_without(history: History) -> None:
    gate = threading.Event()
    asking = caller(history, Model(lambda: gate.wait(20)), 0.3)
    model = asking.answering.breakers["model"]

    async def session() -> None:
        while model.state != "open":
            await asking.ask("household:7")
        hung, asking.answering.budget = len(asking.taken), 20.0
        await asking.ask("household:7")
        gate.set()
        await asking.settled()
        await asyncio.sleep(1.1)
        await asking.ask("household:7")
        assert hung < 10
        # The first three were given up, and hold nothing.
        assert not asking.bodies[0]["decision_id"].startswith("d-")

    asyncio.run(session())
    causes = [body["degraded"] and (*body["degraded"]["parts"], body["degraded"]["cause"]) for body in asking.bodies]
    assert causes[-3:] == [("model", "slow"), ("model", "open"), None]
    asking.check()


def test_what_is_held_is_what_was_told_however_work_and_deadlines_fall(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Work and commits take as long as the budget, more or less, and some commits are never heard of again."""
    chance, plain = random.Random(7), caller(history)
    began = time.monotonic()
    for customer in PEOPLE:
        plain.desk.decide(Ask(customer=customer, channel="phone", offers=2))
    # However busy the machine is, some make it and some don't.
    budget = min(2.0 * (time.monotonic() - began), 0.25)
    asking = caller(history, Model(lambda: time.sleep(chance.uniform(0.0, budget))), budget)
    asking.taken += [(0.0, Answer(history.decisions.get(one) or {})) for one in history.decisions.ids()]
    # Else breakers would end the races.
    monkeypatch.setattr(breaker, "MISSES", 10_000)

    dialect = history._store._engine.dialect
    commit, lost = dialect.do_commit, list[int]()

    def odd_commit(connection: Any) -> None:
        if chance.random() < 0.3:
            time.sleep(chance.uniform(0.0, budget))
        commit(connection)
        if chance.random() < 0.1:
            lost.append(1)
            raise dialect.loaded_dbapi.OperationalError("nothing was heard")

    monkeypatch.setattr(dialect, "do_commit", odd_commit)

    async def session() -> None:
        rounds = 0
        while rounds < 20 or (rounds < 80 and not lost):
            await asyncio.gather(*map(asking.ask, PEOPLE))
            rounds += 1
        await asking.settled()

    asyncio.run(session())
    monkeypatch.undo()
    # What is in doubt is settled by whoever decides next.
    asking.taken.append((0.0, Answer(asking.desk.decide(Ask(customer="a:9", channel="phone", offers=2)))))
    assert lost
    assert len(asking.decided) > len(PEOPLE) + 5
    assert {"store", "model"} <= {part for part, _ in asking.lacking()}
    asking.check()


@pytest.mark.usefixtures("quick")
def test_whatever_has_no_safe_answer_is_refused_and_says_when_to_ask_again(history: History) -> None:
    asking = caller(history)
    away = [True]

    def fails(_deadline: Deadline, _away: Degraded | None) -> dict[str, Any]:
        if away[0]:
            raise StoreError("expected the store to be read; found: no disk")
        return {"told": True}

    async def session() -> list[Answer]:
        refused = [await asking.answering.answer(fails, None, 5.0) for _ in range(4)]
        away[0] = False
        await asyncio.sleep(1.1)
        return [*refused, await asking.answering.answer(fails, None, 5.0)]

    with counted("holdfast_answers_degraded") as counts:
        *refused, told = asyncio.run(session())
    assert [answer.status for answer in refused] == [503] * 4
    assert [answer.body["error"][:45] for answer in refused] == (
        ["expected the store to be read; found: no disk"] * 3 + ["expected the store to answer, found that it f"]
    )
    assert {(answer.headers or {})["Retry-After"] for answer in refused} == {"1"}
    assert (told.status, told.body) == (200, {"told": True})
    assert counts == {("store", "error"): 3, ("store", "open"): 1}


def test_what_was_told_too_late_is_refused_and_not_written(history: History) -> None:
    asking = caller(history)
    decided = asking.desk.decide(Ask(customer="household:7", channel="phone"))
    report = Report(decision_id=decided["decision_id"], offer=decided["offers"][0]["offer"], status="accepted")
    happened = Happening(event_id="1", customer="7", kind="inquiry", occurred_at=NOW, source="crm")
    before = history.counts()
    late = Deadline(0.01)
    time.sleep(0.02)
    for tell in (partial(asking.desk.outcome, report), partial(asking.desk.interactions, [happened])):
        with pytest.raises(Exception, match="nothing was written: ask again"):
            tell(deadline=late)
        assert history.counts() == before
        tell(deadline=Deadline(20.0))
        before = history.counts()


def test_what_is_taken_back_is_released_unless_somebody_else_was_told_of_it(history: History) -> None:
    desk, ask = caller(history).desk, Ask(customer="household:7", channel="phone", offers=2)
    held = lambda: {one.contact for one in history.decisions.everybody(ALWAYS).contacts}  # noqa: E731
    spent = lambda: sum(history.decisions.everybody(replace(ALWAYS, now=NOW, tiers=("high",), days=9)).spent.values())  # noqa: E731
    alone = desk.decide(ask)
    assert (len(held()), spent()) == (2, 2)
    assert history.decisions.take_back(alone["decision_id"], ["household:7", "phone:+12024561111"], NOW)
    assert (held(), spent(), history.decisions.ids()) == (set(), 0, [])
    assert not history.decisions.take_back(alone["decision_id"], ["household:7"], NOW)
    first = desk.decide(ask)
    desk.clock = lambda: datetime.fromisoformat(first["as_of"]) + timedelta(minutes=1)
    second = desk.decide(replace(ask, offers=1))
    shared = {one["contact"] for one in second["offers"]}
    assert shared < {one["contact"] for one in first["offers"]}
    assert history.decisions.take_back(first["decision_id"], ["household:7", "phone:+12024561111"], NOW)
    assert (held(), history.decisions.ids()) == (shared, [second["decision_id"]])
