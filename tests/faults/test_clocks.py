from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from benchmarks.faults.clocks import clocks
from benchmarks.faults.served import Place
from features.clock import Steady, unasked
from features.history import History
from serving.desk import Desk
from serving.requests import Ask, Happening, Report
from tests.desks import NOW, FakeScorer, playbook, stocked
from tests.making import BOTH

ENGINES = BOTH
NOON = datetime(2024, 1, 1, 12, tzinfo=UTC)


def test_under_a_clock_that_steps_back_nothing_fails_and_no_cap_is_overshot(place: Place, tmp_path: Path) -> None:
    found = clocks(place, tmp_path, 60)
    assert found.holds, found.note
    assert found.caused > 10


@pytest.mark.parametrize("back", [timedelta(seconds=5), timedelta(minutes=59)])
def test_a_no_that_was_told_before_the_clock_was_set_back_is_heeded_by_every_process(
    history: History, back: timedelta
) -> None:
    wall, other = [NOW], History(history.url)
    first, second = (
        Desk(one, FakeScorer(), playbook(), Steady(one.newest, lambda: wall[0])) for one in (stocked(history), other)
    )
    ask = Ask(customer="household:7", channel="phone")
    before = offered(second.consider(ask, NOW, "d-before").body)
    no = {"event_id": "1", "source": "crm", "customer": "household:7", "kind": "consent", "product": "marketing"}
    first.interactions([Happening(**no, quantity=0.0, channel="phone", occurred_at=NOW)])  # type: ignore[arg-type]
    wall[0] = NOW - back
    answers = [offered(desk.decide(ask)) for desk in (first, second)]
    other.close()
    assert "stay_voucher" in before
    assert not any("stay_voucher" in answer for answer in answers)


def test_set_back_by_a_day_an_outcome_is_taken_and_a_proposal_counts_by_itself(history: History) -> None:
    wall = [NOW]
    desk = Desk(stocked(history), FakeScorer(), playbook(), lambda: wall[0])
    ask = Ask(customer="household:7", channel="phone", offers=1)
    (before,) = desk.decide(ask)["offers"]
    assert desk.decide(ask)["offers"][0]["contact"] == before["contact"]
    wall[0] -= timedelta(days=1)
    body = desk.decide(ask)
    assert before["contact"] not in [one["contact"] for one in body["offers"]]
    decision = before["contact"].partition("/")[0]
    told = desk.outcome(Report(decision_id=decision, offer=before["offer"], status="presented"))
    assert (told["recorded"], told["contact"]) == (True, "confirmed")


def offered(body: dict[str, Any]) -> list[str]:
    return [one["offer"] for one in body["offers"]]


def test_without_the_store_a_clock_that_was_set_back_stands_at_what_it_told_last() -> None:
    def newest() -> None:
        assert wall == [NOON], "the store was asked"

    wall = [NOON]
    clock = Steady(newest, lambda: wall[0])
    assert clock() == NOON
    wall[0] = NOON - timedelta(minutes=20)
    assert unasked(clock) == NOON
    wall[0] = NOON - timedelta(hours=2)
    assert unasked(clock) == wall[0]


def test_a_clock_that_is_set_back_by_more_than_an_hour_is_taken_at_its_word() -> None:
    wall = [NOON]
    clock = Steady(lambda: NOON - timedelta(minutes=1), lambda: wall[0])
    assert clock() == NOON
    wall[0] = NOON - timedelta(hours=2)
    assert clock() == wall[0]
    wall[0] += timedelta(minutes=1)
    assert clock() == wall[0]
