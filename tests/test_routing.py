"""Which queue a contact goes to, and before whom; nobody waits for ever for being worth little."""

import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.definitions import NAMES
from features.errors import InputError, PlaybookError
from features.events import CHANNELS
from features.history import History
from features.home import ROOT
from serving.desk import Desk
from serving.playbook import load_playbook
from serving.requests import Arrival
from serving.routing_answers import RouteAnswer
from tests.desks import DEFAULT, NOW, SCORES, FakeScorer, desk_over, playbook

ROUTING = playbook().routing


@pytest.fixture
def desk(history: History) -> Desk:
    return desk_over(history)


def routed(desk: Desk, customer: str = "household:7", **given: Any) -> dict[str, Any]:
    return desk.route(Arrival(**{"customer": customer, "channel": "phone", **given}))


def test_high_value_has_a_line_and_a_head_start(desk: Desk) -> None:
    answer = routed(desk, waiting_since=NOW - timedelta(minutes=1))
    RouteAnswer.model_validate(answer)
    assert (answer["queue"], answer["skills"]) == ("high_value_line", ["key_customers"])
    # The fake scorer's customer is in the tier high, at risk and worth keeping.
    assert [part["seconds"] for part in answer["head_starts"]] == [150.0, 120.0]
    assert (answer["head_start_seconds"], answer["priority_seconds"]) == (270.0, 330.0)
    assert answer["serve_after"] == (NOW - timedelta(seconds=330)).isoformat()
    assert answer["overtaken_until"] == (NOW + timedelta(seconds=270)).isoformat()
    assert answer["why"] == (
        "Key customers, with a head start of 270 seconds: Among the fifth of customers who are worth the most. May "
        "leave, and is worth keeping. Nobody who comes more than 600 seconds after the virtual arrival goes first."
    )


def test_what_they_want_counts_too_and_adds_its_skills(desk: Desk) -> None:
    answer = routed(desk, "nobody", intent="cancel", language="ko")
    assert (answer["queue"], answer["skills"], answer["found"]) == ("retention_line", ["retention"], False)
    assert answer["head_start_seconds"] == 180.0
    assert answer["why"].startswith("고객 유지 연결, 180초 먼저 온 것으로 봅니다: 이용 중단을 원합니다.")
    plain = routed(desk, "nobody")
    assert (plain["queue"], plain["head_start_seconds"]) == ("general_line", 0.0)
    assert plain["why"] == (
        "General, in the order of arrival. Nobody who comes more than 600 seconds later goes first."
    )
    assert routed(desk, "nobody", intent="complaint")["queue"] == "complaints_line"


def test_the_head_start_is_capped(history: History) -> None:
    shipped = playbook()
    capped = replace(shipped, routing=replace(shipped.routing, most_seconds=200.0))
    full = desk_over(history, replace(SCORES, tier="top"))
    desk = Desk(history, full.scorer, capped, full.clock)
    answer = routed(desk, intent="cancel")
    assert sum(part["seconds"] for part in answer["head_starts"]) == 540.0
    assert (answer["head_start_seconds"], answer["most_head_start_seconds"]) == (200.0, 200.0)


def test_a_default_that_stands_in_for_a_history_gives_no_head_start(history: History) -> None:
    class Generous(FakeScorer):
        default = replace(DEFAULT, tier="top", expected_value=900.0)

    shipped = desk_over(history)
    answer = routed(Desk(history, Generous(), shipped.playbook, shipped.clock), "nobody")
    assert (answer["queue"], answer["head_start_seconds"]) == ("general_line", 0.0)


def test_turns_sort_as_texts_wherever_the_wait_was_told(desk: Desk) -> None:
    seoul = timezone(timedelta(hours=9))
    first = routed(desk, waiting_since=(NOW - timedelta(minutes=2)).astimezone(seoul))
    second = routed(desk, waiting_since=NOW - timedelta(minutes=1))
    assert first["serve_after"] < second["serve_after"]
    assert routed(desk, waiting_since=NOW + timedelta(minutes=4))["waiting_since"] == NOW.isoformat()


def test_the_route_is_the_same_on_every_channel(desk: Desk) -> None:
    answers = [routed(desk, intent="buy", channel=channel) for channel in CHANNELS]
    for answer in answers:
        assert answer.pop("channel") in CHANNELS
    assert all(answer == answers[0] for answer in answers)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"intent": "cancle"},
         "expected intent to be one of complaint, cancel, buy, delivery, question; found 'cancle'; "
         "did you mean cancel?"),
        ({"channel": "fax"}, "expected channel to be one of store, web, app, phone, email, mail, chat, field, partner, "
                             "other; found 'fax'"),
        ({"waiting_since": NOW + timedelta(hours=1)},
         "expected waiting_since from 1900 on and at most 5 minutes after 2018-01-02T09:30:00+00:00, "
         "found 2018-01-02T10:30:00+00:00"),
        ({"waiting_since": datetime(1, 1, 1, tzinfo=UTC)},
         "expected waiting_since from 1900 on and at most 5 minutes after 2018-01-02T09:30:00+00:00, "
         "found 0001-01-01T00:00:00+00:00"),
    ],
)  # fmt: skip
def test_what_cannot_be_routed_is_told_why(desk: Desk, given: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as told:
        routed(desk, **given)
    assert str(told.value) == message


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ('when = "high_value"', "when = \"high_value and channel == 'phone'\"",
         "routing.toml, queue 2: expected a rule that is the same on every channel, found "
         "\"high_value and channel == 'phone'\""),
        ('id = "general_line"', 'id = "general_line"\nwhen = "active"',
         "routing.toml: expected [[queue]]s of which the last alone has no `when`, and takes whoever is left"),
        ('skills = ["general"]', 'skills = "general"',
         "routing.toml, queue 4: expected skills to be a list of texts, such as [\"retention\"]; found 'general'"),
        ('when = "high_value"', "when = \"context.channel == 'phone'\"",
         "routing.toml, queue 2: expected a rule that is the same on every channel, found "
         "\"context.channel == 'phone'\""),
        ('id = "general_line"', 'id = "high_value_line"',
         "routing.toml, queue 4: expected an id of its own, found 'high_value_line' a second time; rename one"),
        ("seconds = 150", "seconds = -1",
         "routing.toml, head_start 2: expected seconds to be a number from 0 to 600, found -1"),
        ("head_start_seconds = 180", "head_start_seconds = 601",
         "routing.toml, intent 2: expected head_start_seconds to be a number from 0 to 600, found 601"),
    ],
)  # fmt: skip
def test_what_does_not_hold_together_is_told(tmp_path: Path, before: str, after: str, message: str) -> None:
    folder = tmp_path / "playbook"
    shutil.copytree(ROOT / "playbook", folder)
    text = (folder / "routing.toml").read_text(encoding="utf-8")
    assert before in text
    (folder / "routing.toml").write_text(text.replace(before, after, 1), encoding="utf-8")
    with pytest.raises(PlaybookError) as told:
        load_playbook(folder, NAMES)
    assert str(told.value) == message


WORDS = st.fixed_dictionaries(
    {
        "value.tier": st.sampled_from(["top", "high", "middle", "base", None]),
        "worth_retaining": st.sampled_from([True, False, None]),
        "high_value": st.sampled_from([True, False, None]),
        "recently_complained": st.sampled_from([True, False, None]),
    }
)
CONTACTS = st.tuples(WORDS, st.sampled_from([None, *ROUTING.intents]), st.integers(0, 100_000))


@given(st.lists(CONTACTS, min_size=2, max_size=20), st.floats(0.0, 1_200.0))
def test_nobody_is_overtaken_by_somebody_who_came_later_than_the_bound(contacts: list[Any], most: float) -> None:
    routing = replace(ROUTING, most_seconds=most)
    waiting = []
    for known, intent, second in contacts:
        came = NOW + timedelta(seconds=second)
        waiting.append((came, routing.route(known, routing.intent(intent), came)))
    served = sorted(waiting, key=lambda one: one[1].serve_after)
    for place, (came, route) in enumerate(served):
        for earlier, _ in served[:place]:
            assert (earlier - came).total_seconds() <= most + 1e-6
            assert earlier <= route.overtaken_until + timedelta(microseconds=1)


@given(WORDS, st.sampled_from([None, *ROUTING.intents]), st.integers(0, 10_000), st.integers(1, 10_000))
def test_whoever_waits_longer_comes_no_later(known: dict[str, Any], intent: str | None, start: int, more: int) -> None:
    wanted = ROUTING.intent(intent)
    earlier, later = (ROUTING.route(known, wanted, NOW + timedelta(seconds=at)) for at in (start, start + more))
    assert earlier.serve_after < later.serve_after
    assert earlier.queue == later.queue
