"""Writers beside each other, and what is left of them when a process or the server is killed, on either engine."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from uuid import UUID

import pytest

from benchmarks.postgres import Server
from features import engines, store
from features.decisions import HELD, Contact, Settlement, Window
from features.errors import StoreError
from features.events import Interaction
from features.history import History
from features.responses import Offered, Responses, report_id
from serving.desk import Desk
from serving.requests import Ask, Report
from tests.desks import NOW, FakeScorer, playbook, stocked
from tests.making import AS_OF, BOTH, happened

ENGINES = BOTH
A_MOMENT = 0.5
WINDOW = Window(AS_OF - timedelta(days=30), AS_OF)
GUARDED = Window(AS_OF - timedelta(days=30), AS_OF, ("top", "high"), 7)


def contact(number: int, customer: str, tier: str = "base") -> Contact:
    at = int(AS_OF.timestamp() * 1e6)
    return Contact(f"d-{number}/it", f"d-{number}", customer, "it", "", "", "us", "phone", tier, HELD, at)


def propose(history: History, number: int, customer: str, window: Window = WINDOW, most: int = 10**6) -> bool:
    """Propose something to a customer unless so much was proposed, by their ledger or, in guarded tiers, in all."""
    with history.decisions.making([customer], window) as making:
        taken = sum(making.ledger.spent.values()) if window.tiers else len(making.ledger.contacts)
        if taken < most:
            held = contact(number, customer, "high" if window.tiers else "base")
            making.write(f"d-{number}", customer, AS_OF, "{}", [held])
        return taken < most


@contextmanager
def meanwhile(work: Callable[[], object]) -> Iterator[threading.Thread]:
    """Work in a thread for as long as the block, and then to its end."""
    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield thread
    finally:
        thread.join(30)
    assert not thread.is_alive()


# -- who waits for whom


def test_whoever_decides_about_the_same_customer_waits(history: History):
    other = History(history.url)
    with history.decisions.making(["a:1", "a:2"], WINDOW) as making:
        making.write("d-1", "a:1", AS_OF, "{}", [contact(1, "a:1")])
        waiting = threading.Thread(target=propose, args=(other, 2, "a:2"))
        waiting.start()
        waiting.join(A_MOMENT)
        assert waiting.is_alive()
    waiting.join(30)
    assert history.decisions.ids() == ["d-1", "d-2"]
    other.close()


def test_on_postgresql_whoever_decides_about_another_customer_does_not_wait(postgres: Server):
    history = History(postgres.url())
    with history.decisions.making(["a:1"], WINDOW) as making:
        making.write("d-1", "a:1", AS_OF, "{}", [contact(1, "a:1")])
        with meanwhile(lambda: propose(history, 2, "a:2", GUARDED)):
            pass
        with meanwhile(lambda: history.append([happened(1)], AS_OF)):
            pass
        assert history.decisions.ids() == ["d-2"]
    assert sorted(history.decisions.ids()) == ["d-1", "d-2"]
    history.close()


@pytest.mark.parametrize("customer", ["a:1", "a:2"])
def test_an_outcome_waits_for_decisions_that_rest_on_what_it_settles(history: History, customer: str):
    """On a decision about the same customer, and on one about another whose offers count against the same budget."""
    propose(history, 1, "a:1", GUARDED)
    other = History(history.url)
    with history.decisions.making([customer], GUARDED if customer == "a:2" else WINDOW) as making:
        waiting = threading.Thread(target=other.report, args=([told_of(1, "not_presented")], AS_OF, settled("it", 1)))
        waiting.start()
        waiting.join(A_MOMENT)
        assert waiting.is_alive()
        making.write("d-2", customer, AS_OF, "{}", [])
    waiting.join(30)
    assert history.decisions.everybody(GUARDED).spent == {"us": 0}
    other.close()


def test_a_budget_that_customers_share_is_not_overshot(history: History):
    numbers, others = count(1), [History(history.url) for _ in range(4)]

    def ask(other: History) -> list[bool]:
        return [propose(other, number, f"a:{number}", GUARDED, most=9) for number in (next(numbers) for _ in range(8))]

    with ThreadPoolExecutor(4) as pool:
        answers = [one for some in pool.map(ask, others) for one in some]
    assert (len(answers), sum(answers)) == (32, 9)
    assert history.decisions.everybody(GUARDED).spent == {"us": 9}
    for other in others:
        other.close()


def test_numbers_of_rows_rise_in_the_order_in_which_they_can_be_seen(history: History):
    """Else whoever keeps what came up to a number would never see a row that a slower writer had numbered before."""
    other = History(history.url)
    with history._store.alone([store.TOLD]) as connection:
        history_row = {"decision": "d", "offer": "slow", "tried": 1, "taken": 0, "stated": 0, "recorded_at": 1}
        store.insert_new(connection, store.responses, [history_row])
        waiting = threading.Thread(target=other.report, args=([happened(1)], AS_OF, settled("quick")))
        waiting.start()
        waiting.join(A_MOMENT)
        assert waiting.is_alive()
        seen = other.decisions.responses(Responses())
    waiting.join(30)
    assert (seen.tried, other.decisions.responses(seen).tried) == ({}, {"slow": 1})
    assert other.state_of(["customer:a"]).seq == 1
    other.close()


def settled(offer: str, number: int = 0, customer: str = "") -> Settlement:
    return Settlement(f"d-{number}/it", customer, Offered(f"d-{number}", offer, 0.1), AS_OF)


def told_of(number: int, status: str, kind: str = "") -> Interaction:
    """Report a step of the offer that was proposed."""
    return happened(number, id=report_id(f"d-{number}", "it", status), kind=kind or f"offer_{status}")


def test_decisions_and_outcomes_of_the_same_people_end_well_and_leave_sums_that_are_right(history: History):
    people, others = [f"a:{number}" for number in range(3)], [History(history.url) for _ in range(6)]

    def work(caller: int) -> None:
        for turn in range(6):
            number, person = caller * 100 + turn, people[(caller + turn) % 3]
            propose(others[caller], number, person, GUARDED if turn % 2 else WINDOW)
            status, kind = (("not_presented", ""), ("presented", ""), ("presented", "void"))[turn % 3]
            others[caller].report([told_of(number, status, kind)], AS_OF, settled("it", number))

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(work, range(6))) == [None] * 6
    now = history.decisions.ledger(people, GUARDED)
    assert len(history.decisions.ids()) == 36
    assert sum(now.spent.values()) == sum(one.tier == "high" for one in now.contacts)
    assert history.decisions.ledger_then(people, GUARDED, now.seq) == now
    for other in others:
        other.close()


def test_whoever_waits_too_long_is_told(history: History, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(engines._SETTINGS, "lock_timeout", "200ms")
    monkeypatch.setitem(engines._PRAGMAS, "busy_timeout", "200")
    other = History(history.url)
    with history.decisions.making(["a:1"], WINDOW) as making:
        with pytest.raises(
            StoreError, match=r"expected the store to be written; found: (database is locked|canceling)"
        ):
            propose(other, 2, "a:1")
        making.write("d-1", "a:1", AS_OF, "{}", [])
    assert propose(other, 2, "a:1")
    other.close()


def test_on_postgresql_whoever_hangs_while_others_wait_is_put_out(postgres: Server, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(engines, "_IDLE", "300ms")
    history = History(postgres.url())
    other = History(history.url)

    def hang() -> None:
        with history.decisions.making(["a:1"], WINDOW) as making:
            assert propose(other, 2, "a:1")
            making.write("d-1", "a:1", AS_OF, "{}", [])

    with pytest.raises(StoreError, match="expected the store to be written; found: "):
        hang()
    assert other.decisions.ids() == ["d-2"]
    for one in (history, other):
        one.close()


# -- killed


@pytest.fixture
def desk(postgres: Server) -> Iterator[Desk]:
    numbers = count(1)
    history = stocked(History(postgres.url()))
    yield Desk(history, FakeScorer(), playbook(), lambda: NOW, lambda: UUID(int=next(numbers)))
    history.close()


def test_while_the_server_is_gone_nothing_is_answered_and_what_was_answered_is_there_when_it_is_back(
    desk: Desk, postgres: Server
):
    answered, stopped = [], threading.Event()

    def ask(customer: str) -> None:
        while not stopped.is_set():
            try:
                answered.append(desk.decide(Ask(customer=customer, channel="phone"))["decision_id"])
            except StoreError:
                continue

    with ThreadPoolExecutor(2) as pool:
        asking = [pool.submit(ask, name) for name in ("household:7", "household:8")]
        while len(answered) < 20:
            stopped.wait(0.01)
        postgres.kill()
        try:
            for work in (
                lambda: desk.decide(Ask(customer="household:7", channel="phone")),
                lambda: desk.outcome(Report(decision_id=answered[0], offer="stay", status="presented")),
                lambda: History(desk.history.url),
            ):
                with pytest.raises(StoreError, match="expected the store to "):
                    work()
            before = len(answered)
            stopped.wait(A_MOMENT)
            assert len(answered) == before
        finally:
            postgres.start()
        while len(answered) < before + 20:
            stopped.wait(0.01)
        stopped.set()
        assert [one.exception() for one in asking] == [None, None]
    assert set(answered) <= set(desk.history.decisions.ids())
    # What was held by a decision whose answer got lost is held: caps are kept in doubt.
    ledger = desk.history.decisions.everybody(Window(datetime(1970, 1, 1, tzinfo=UTC), NOW)).contacts
    assert {one.decision for one in ledger} <= set(desk.history.decisions.ids())


def test_connections_that_the_server_ended_are_made_anew_before_anything_is_asked_of_them(desk: Desk, postgres: Server):
    answered = desk.decide(Ask(customer="household:7", channel="phone"))["decision_id"]
    postgres.kill()
    postgres.start()
    assert desk.history.decisions.get(answered) is not None
    assert desk.decide(Ask(customer="household:7", channel="phone"))["decision_id"] != answered
