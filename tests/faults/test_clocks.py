from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from benchmarks.faults.clocks import clocks
from benchmarks.faults.served import Place
from features.clock import Steady
from features.history import History
from serving.desk import Desk
from serving.requests import Ask, Report
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
    wall = [NOW]
    other = History(history.url)
    first, second = (
        Desk(one, FakeScorer(), playbook(), Steady(one.newest, lambda: wall[0])) for one in (stocked(history), other)
    )
    ask = Ask(customer="household:7", channel="phone")
    offered = second.decide(ask)["offers"][0]["offer"]
    decided = first.decide(ask)
    first.outcome(Report(decision_id=decided["decision_id"], offer=offered, status="declined"))
    wall[0] = NOW - back
    for desk in (first, second):
        assert offered not in [one["offer"] for one in desk.decide(ask)["offers"]]
    other.close()


def test_a_clock_that_is_set_back_by_more_than_an_hour_is_taken_at_its_word() -> None:
    wall = [NOON]
    clock = Steady(lambda: NOON, lambda: wall[0])
    assert clock() == NOON
    wall[0] = NOON - timedelta(hours=2)
    assert clock() == wall[0]
    wall[0] += timedelta(minutes=1)
    assert clock() == wall[0]
