"""The laws of waiting: nobody is overtaken from beyond the bound; a turn is the same whenever and wherever asked."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.events import CHANNELS
from features.history import History
from serving.desk import Desk
from serving.requests import Arrival
from serving.routing import Route
from tests.desks import NOW, SCORES, desk_over, playbook

SKILLS = ("service", "sales", "retention")
ROUTING = playbook().routing
MOMENTS = st.integers(0, 3_600_000_000).map(lambda ago: NOW - timedelta(microseconds=ago))
SECONDS = st.one_of(st.sampled_from([0.0, 30.0, 90.0, 300.0]), st.floats(0, 400))
INTENTS = st.sampled_from([None, *ROUTING.intents])


@dataclass(frozen=True)
class Caller:
    """Somebody of whom words are known, who comes at a second, is served for some seconds, and needs one skill."""

    comes: float
    known: Mapping[str, Any]
    intent: str | None
    takes: float
    skill: str


WORDS = st.fixed_dictionaries(
    {
        "value.tier": st.sampled_from(["top", "high", "middle", "base", None]),
        **{word: st.sampled_from([True, False, None]) for word in ("worth_retaining", "high_value")},
    }
)
CALLERS = st.builds(
    Caller,
    st.one_of(st.integers(0, 40).map(lambda n: n * 30.0), st.floats(0, 1_200)),
    WORDS,
    INTENTS,
    st.floats(1, 600),
    st.sampled_from(SKILLS),
)
TEAMS = st.lists(st.sets(st.sampled_from(SKILLS), min_size=1), min_size=1, max_size=4)


@dataclass(frozen=True)
class Turn:
    """A caller's route, and since when the caller waits."""

    waiting_since: datetime
    route: Route

    @property
    def order(self) -> tuple[datetime, datetime]:
        return self.route.serve_after, self.waiting_since

    def priority(self, now: datetime) -> timedelta:
        return now - self.waiting_since + timedelta(seconds=self.route.head_start)


def turn(caller: Caller, most: float) -> Turn:
    came = NOW + timedelta(seconds=caller.comes)
    routing = replace(ROUTING, most_seconds=most)
    return Turn(came, routing.route(caller.known, routing.intent(caller.intent), came))


def taken(callers: list[Caller], team: list[set[str]], most: float) -> list[tuple[Turn, list[Turn]]]:
    """Let a team serve: each time somebody is free, whom it takes, and who of those it may serve waits on."""
    free = dict.fromkeys(range(len(team)), 0.0)
    waiting, record = list(callers), []
    while free:
        server = min(free, key=lambda one: free[one])
        mine = [one for one in waiting if one.skill in team[server]]
        here = [one for one in mine if one.comes <= free[server]]
        if not mine:
            del free[server]
        elif not here:
            free[server] = min(one.comes for one in mine)
        else:
            chosen = min(here, key=lambda one: turn(one, most).order)
            waiting.remove(chosen)
            record.append((turn(chosen, most), [turn(one, most) for one in here if one is not chosen]))
            free[server] += chosen.takes
    return record


@pytest.fixture(scope="module")
def desk():
    with TemporaryDirectory() as folder:
        history = History(f"sqlite:///{folder}/history.db")
        yield desk_over(history, replace(SCORES, tier="middle"))
        history.close()


@settings(max_examples=200)
@given(st.lists(CALLERS, min_size=2, max_size=25), TEAMS, SECONDS)
def test_nobody_is_overtaken_by_somebody_who_came_more_than_the_bound_later(callers, team, most):
    for served, left in taken(callers, team, most):
        for one in left:
            assert served.waiting_since <= one.waiting_since + timedelta(seconds=most)


@settings(max_examples=200)
@given(st.lists(CALLERS, min_size=2, max_size=25), TEAMS, SECONDS)
def test_nobody_is_overtaken_by_a_newcomer_after_the_moment_that_was_told(callers, team, most):
    for served, left in taken(callers, team, most):
        for one in left:
            assert served.waiting_since <= one.route.overtaken_until


@given(CALLERS, SECONDS)
def test_the_moment_that_is_told_lies_within_the_bound_of_coming(caller, most):
    told = turn(caller, most)
    assert told.waiting_since <= told.route.overtaken_until <= told.waiting_since + timedelta(seconds=most)


@given(st.lists(CALLERS, min_size=2, max_size=12), SECONDS, st.lists(st.floats(1_200, 1e6), min_size=2, max_size=2))
def test_the_order_of_priority_does_not_depend_on_the_moment_of_asking(callers, most, moments):
    turns = [turn(one, most) for one in callers]
    first, second = (
        sorted(turns, key=lambda one: (-one.priority(NOW + timedelta(seconds=moment)), one.waiting_since))
        for moment in moments
    )
    assert first == second == sorted(turns, key=lambda one: one.order)


@given(st.lists(MOMENTS, min_size=2, max_size=8, unique=True), INTENTS)
def test_who_waits_longer_is_never_served_later_and_the_texts_sort_as_the_moments_do(desk: Desk, moments, intent):
    asked = [Arrival(customer="7", channel="phone", intent=intent, waiting_since=moment) for moment in moments]
    answers = sorted(map(desk.route, asked), key=lambda answer: answer["serve_after"])
    for earlier, later in pairwise(answers):
        assert earlier["waiting_since"] < later["waiting_since"]
        assert earlier["priority_seconds"] > later["priority_seconds"]


@given(
    st.sampled_from(["7", "8", "nobody"]),
    INTENTS,
    MOMENTS,
    st.sampled_from(CHANNELS),
    st.sampled_from(CHANNELS),
    st.dictionaries(st.sampled_from(["topic", "urgent"]), st.sampled_from(["complaint", True, None]), max_size=2),
)
def test_a_turn_is_the_same_on_every_channel(desk: Desk, customer, intent, since, one, other, context):
    def answer(channel):
        asked = Arrival(customer=customer, channel=channel, intent=intent, waiting_since=since, context=context)
        return desk.route(asked) | {"channel": ""}

    assert answer(one) == answer(other)


@given(st.sampled_from(["7", "8", "nobody"]), INTENTS, MOMENTS)
def test_a_head_start_is_what_its_rules_add_up_to_within_the_bound(desk: Desk, customer, intent, since):
    answer = desk.route(Arrival(customer=customer, channel="web", intent=intent, waiting_since=since))
    summed = sum(one["seconds"] for one in answer["head_starts"])
    assert answer["head_start_seconds"] == min(summed, answer["most_head_start_seconds"])
    waited = (NOW - since).total_seconds()
    assert answer["priority_seconds"] == pytest.approx(waited + answer["head_start_seconds"])
