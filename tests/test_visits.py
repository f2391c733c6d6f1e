"""Which service visit comes first: safety, what was promised, what waiting costs; and who goes when."""

import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.definitions import NAMES
from features.errors import InputError, PlaybookError
from features.history import History
from features.home import ROOT
from serving import routes
from serving.desk import Desk
from serving.playbook import load_playbook
from serving.requests import Shift, Visit
from serving.visit_answers import VisitsAnswer
from serving.visits import Valued, in_order, scheduled, value
from tests.desks import NOW, SCORES, desk_over, playbook

POLICY, ASSUMPTIONS = playbook().visits, playbook().glossary.assumptions


@pytest.fixture
def desk(history: History) -> Desk:
    return desk_over(history)


def visit(number: int | str, customer: str = "household:7", **given: Any) -> Visit:
    return Visit(**{"visit_id": str(number), "customer": customer, **given})


def placed(answer: dict[str, Any]) -> list[str]:
    VisitsAnswer.model_validate(answer)
    assert [one["place"] for one in answer["visits"]] == list(range(1, len(answer["visits"]) + 1))
    return [one["visit_id"] for one in answer["visits"]]


def test_safety_comes_first_then_promises_then_what_waiting_costs(desk: Desk) -> None:
    answer = desk.prioritise(
        [
            visit("poor", "nobody"), visit("rich", "household:8"), visit("plain"),
            visit("safe", "nobody", service_class="safety"), visit("promised", "nobody", service_class="standard"),
            visit("urgent", "nobody", service_class="urgent"),
        ]
    )  # fmt: skip
    assert placed(answer) == ["safe", "urgent", "promised", "rich", "plain", "poor"]
    assert (answer["effects"], answer["playbook"]) == ("stated priors", desk.playbook.hash)


def test_what_an_hour_of_waiting_costs_is_the_growing_risk_of_losing_what_a_customer_is_worth(desk: Desk) -> None:
    (one,) = desk.prioritise([visit("a", "household:8", kind="repair")])["visits"]
    # 270.00 of revenue over a horizon: a quarter is margin, over six horizons 405.00; at risk are 45 % of it.
    assert one["value_at_risk"] == pytest.approx(182.25)
    # Over a day the odds .45/.55 are multiplied by 1.2: the risk grows by 0.0454.
    odds = 0.45 / 0.55 * 1.2
    assert one["cost_of_delay_per_hour"] == pytest.approx(405.0 * (odds / (1 + odds) - 0.45) / 24)
    assert one["minutes"] == 75.0
    assert one["why"] == (
        "No promise. An hour more of waiting is expected to cost 0.77 USD. Predicted value 270.00 USD over 28 days; "
        "risk of leaving 45%."
    )


def test_a_broken_promise_costs_its_penalty_and_says_so(desk: Desk) -> None:
    long_ago, now = NOW - timedelta(hours=30), NOW - timedelta(hours=1)
    late, fresh = (
        next(iter(desk.prioritise([visit("a", "nobody", service_class="urgent", requested_at=since)])["visits"]))
        for since in (long_ago, now)
    )
    assert (late["cost_of_delay_per_hour"], late["overdue"]) == (15.0, True)
    # Due in 23 hours, it breaks for the last of the 24 that are looked ahead.
    assert (fresh["cost_of_delay_per_hour"], fresh["overdue"]) == (15.0 / 24, False)
    assert late["due_at"] == (NOW - timedelta(hours=6)).isoformat()
    assert "The promised time has passed." in late["why"]
    korean = desk.prioritise([visit("a", "nobody", service_class="urgent", requested_at=long_ago)], language="ko")
    assert "약속한 시간이 지났습니다." in korean["visits"][0]["why"]


def test_who_waits_longer_comes_first_of_equals_then_the_id(desk: Desk) -> None:
    waits = NOW - timedelta(days=1)
    answer = desk.prioritise([visit("c"), visit("b"), visit("a", "(202) 456-1111", requested_at=waits)])
    assert placed(answer) == ["a", "b", "c"]


def test_a_short_visit_comes_before_a_long_one_that_is_as_urgent(desk: Desk) -> None:
    assert placed(desk.prioritise([visit("long", minutes=90.0), visit("short", minutes=30.0)])) == ["short", "long"]


def test_a_start_gives_each_visit_to_whoever_is_free_first(desk: Desk) -> None:
    shift = Shift(start_at=NOW + timedelta(hours=1), engineers=2)
    visits = [visit(number, minutes=30.0 + 30 * number) for number in range(4)]
    planned = desk.prioritise(visits, shift)["visits"]
    begins = [(one["visit_id"], one["engineer"], one["begins_at"][11:16]) for one in planned]
    assert begins == [("0", 1, "10:30"), ("1", 2, "10:30"), ("2", 1, "11:00"), ("3", 2, "11:30")]


TRAVEL = [[0.0, 10.0, 60.0, 10.0], [10.0, 0.0, 60.0, 5.0], [60.0, 60.0, 0.0, 60.0], [10.0, 5.0, 60.0, 0.0]]


def test_routes_reach_what_is_worth_it_today_and_leave_the_rest_for_tomorrow(desk: Desk) -> None:
    shift = Shift(start_at=NOW, engineers=1, minutes_available=180.0, travel_minutes=TRAVEL)
    visits = [visit("near", minutes=60.0), visit("far", minutes=60.0), visit("beside", minutes=60.0)]
    answer = desk.prioritise(visits, shift)
    assert placed(answer)[-1] == "far"
    assert [one["engineer"] for one in answer["visits"]] == [1, 1, None]
    assert answer["visits"][-1]["begins_at"] is None
    assert desk.prioritise(visits, shift) == answer


def test_safety_is_never_left_behind_or_made_later_for_a_shorter_route(desk: Desk) -> None:
    shift = Shift(start_at=NOW, engineers=1, minutes_available=300.0, travel_minutes=TRAVEL)
    far = visit("far", "nobody", minutes=60.0, service_class="safety")
    visits = [visit("near", "household:8", minutes=60.0), far, visit("beside", "household:8", minutes=60.0)]
    answer = desk.prioritise(visits, shift)
    assert placed(answer)[0] == "far"
    assert answer["visits"][0]["begins_at"] == (NOW + timedelta(minutes=60)).isoformat()


def test_without_the_solver_travel_is_refused_with_what_to_do(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr(routes.importlib, "import_module", gone)
    shift = Shift(start_at=NOW, travel_minutes=[[0.0, 1.0], [1.0, 0.0]])
    with pytest.raises(InputError, match="expected PyVRP to plan routes by travel_minutes, found that it"):
        desk.prioritise([visit("a")], shift)
    assert placed(desk.prioritise([visit("a")], Shift(start_at=NOW))) == ["a"]


@pytest.mark.parametrize(
    ("visits", "shift", "message"),
    [
        ([visit("a"), visit("a", "household:8")], None,
         "expected a visit_id of its own for every visit, found that visits[0] and visits[1] both have 'a'"),
        ([visit("a"), visit("b", "phone:x")], None,
         "visits[1]: expected a phone number with its country code, such as +8223123456; found 'x'"),
        ([visit("a", service_class="safty")], None,
         "visits[0]: expected service_class to be one of safety, urgent, standard, none; found 'safty'; "
         "did you mean safety?"),
        ([visit("a")], Shift(travel_minutes=[[0.0, 1.0], [1.0, 15.0]]),
         "expected 0 minutes from a place to itself, found 15 in travel_minutes[1]"),
        ([visit("a")], Shift(travel_minutes=[[0.0, 1.0]]),
         "expected travel_minutes with 2 rows of 2, the depot first and then each visit; found 1 rows of 2"),
        ([visit("a")], Shift(start_at=datetime.max.replace(tzinfo=UTC)),
         "expected start_at from 1900 to 2019-01-02T09:30:00+00:00, found 9999-12-31T23:59:59.999999+00:00"),
        ([visit(number) for number in range(1_001)], None, "expected 1 to 1,000 visits, found 1,001"),
    ],
)  # fmt: skip
def test_visits_are_refused_as_a_whole(desk: Desk, visits: list[Visit], shift: Shift | None, message: str) -> None:
    with pytest.raises(InputError) as told:
        desk.prioritise(visits, shift)
    assert str(told.value) == message


def test_a_visit_that_was_asked_for_tomorrow_is_refused(desk: Desk) -> None:
    with pytest.raises(InputError, match=r"^visits\[0\]: expected requested_at at most 5 minutes after"):
        desk.prioritise([visit("a", requested_at=NOW + timedelta(days=1))])


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("churn_odds_per_day = 1.20", "churn_odds_per_day = 0.9",
         "visits.toml, kind 1: expected churn_odds_per_day to be a number from 1 to 10, found 0.9"),
        ('id = "none"', 'id = "none"\nhours = 3',
         "visits.toml: expected the last class, taken where none is told, to promise no hours; found that 'none' does"),
    ],
)  # fmt: skip
def test_what_does_not_hold_together_is_told(tmp_path: Path, before: str, after: str, message: str) -> None:
    folder = tmp_path / "playbook"
    shutil.copytree(ROOT / "playbook", folder)
    text = (folder / "visits.toml").read_text(encoding="utf-8")
    (folder / "visits.toml").write_text(text.replace(before, after, 1), encoding="utf-8")
    with pytest.raises(PlaybookError) as told:
        load_playbook(folder, NAMES)
    assert str(told.value) == message


# -- laws

VALUED = st.builds(
    lambda number, risk, worth, name, kind, minutes: value(
        Visit(visit_id=str(number), customer="x", service_class=name, kind=kind, minutes=minutes), "x", True,
        replace(SCORES, churn_risk=risk, expected_value=worth), POLICY, ASSUMPTIONS, NOW,
    ),
    st.integers(0, 10**6), st.one_of(st.none(), st.floats(0.0, 1.0)), st.floats(-50.0, 5_000.0),
    st.sampled_from(["safety", "urgent", "standard", "none"]), st.sampled_from(["repair", "other"]),
    st.sampled_from([None, 15.0, 60.0, 240.0]),
)  # fmt: skip
MANY = st.lists(VALUED, min_size=1, max_size=6, unique_by=lambda one: one.visit.visit_id)


def waiting_cost(ordered: list[Valued]) -> float:
    planned = scheduled(ordered, NOW, 1)
    hours = [(one.begins_at - NOW).total_seconds() / 3600 for one in planned if one.begins_at]
    return sum(wait * one.cost_per_hour for wait, one in zip(hours, ordered, strict=True))


@given(MANY, st.randoms(use_true_random=False))
def test_the_order_in_which_visits_are_told_does_not_matter(made: list[Valued], random: Any) -> None:
    mixed = list(made)
    random.shuffle(mixed)
    assert in_order(mixed, NOW) == in_order(made, NOW)


@given(MANY)
def test_no_visit_of_a_lower_class_comes_before_one_of_a_higher(made: list[Valued]) -> None:
    places = [one.service_class.place for one in in_order(made, NOW)]
    assert places == sorted(places)


@given(MANY)
def test_for_one_engineer_no_order_of_a_class_costs_less(made: list[Valued]) -> None:
    plain = [one for one in made if one.service_class.id == "none"]
    best = min((waiting_cost(list(order)) for order in permutations(plain)), default=0.0)
    assert waiting_cost(in_order(plain, NOW)) <= best + 1e-9


@given(VALUED)
def test_waiting_never_pays(one: Valued) -> None:
    assert one.cost_per_hour >= 0.0
    assert one.value_at_risk is None or one.value_at_risk >= 0.0
