"""What is left to chance: groups, arms and their probabilities, and what is served, held out or drawn."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from features.errors import PlaybookError
from features.history import History
from features.home import ROOT
from serving.decision import Decider
from serving.desk import Desk
from serving.experiment import HOLD_OUT, POLICY, RANDOM, Experiment, load_experiment
from serving.requests import Ask, Report
from tests.desks import NOW, SCORES, FakeScorer, playbook, stocked

EXPERIMENT = playbook().experiment
ASK = Ask(customer="household:7", channel="phone", offers=3)


def desk(numbers: Any, everyone: str | None = None, share: float = 0.0, history: History | None = None) -> Desk:
    """A desk whose customers are all in one group, or that explores so large a share."""
    shares = dict.fromkeys(EXPERIMENT.exploration, share)
    changed = replace(playbook(), experiment=replace(EXPERIMENT, exploration=shares))
    found = Desk(history or stocked(History("sqlite://")), FakeScorer(SCORES), changed, lambda: NOW, numbers)
    found.decider = Decider.of(changed, everyone)
    return found


def new_ids(first: int = 1) -> Any:
    numbers = iter(range(first, 10**9))
    return lambda: UUID(int=next(numbers))


def considered(asking: Desk, times: int) -> list[dict[str, Any]]:
    return [asking.consider(ASK, NOW, f"d-{number}").body for number in range(times)]


def first_of(body: dict[str, Any]) -> str | None:
    return next((one["offer"] for one in body["offers"] if not one["owed"]), None)


def grown(experiment: Experiment, **shares: float) -> Experiment:
    return replace(experiment, **shares)


def test_groups_have_their_shares_and_stay() -> None:
    experiment = grown(EXPERIMENT, hold_out=0.1, random=0.2)
    people = [f"customer:{number}" for number in range(20_000)]
    counts = Counter(experiment.group(one) for one in people)
    assert abs(counts[HOLD_OUT] - 2_000) < 200
    assert abs(counts[RANDOM] - 4_000) < 250
    more = grown(experiment, hold_out=0.15, random=0.3)
    for one in people:
        assert experiment.group(one) in (POLICY, more.group(one))


def test_another_salt_draws_other_groups() -> None:
    halves = grown(EXPERIMENT, hold_out=0.5, random=0.0), grown(EXPERIMENT, hold_out=0.5, random=0.0, salt="other")
    people = [f"customer:{number}" for number in range(2_000)]
    both = sum(all(half.group(one) == HOLD_OUT for half in halves) for one in people)
    assert 420 < both < 580


def test_the_probabilities_of_all_that_could_be_served_add_up_to_one_whatever_the_group() -> None:
    for everyone in (POLICY, RANDOM, HOLD_OUT):
        for body in considered(desk(new_ids(), everyone, share=0.3), 40):
            assert sum(arm["probability"] for arm in body["arms"]) == pytest.approx(1.0)
            served = [arm for arm in body["arms"] if arm["offer"] == first_of(body)]
            assert [arm["probability"] for arm in served] == [body["chosen_probability"]]


@pytest.mark.parametrize("everyone", [POLICY, RANDOM])
def test_each_arm_is_served_as_often_as_is_written_down(everyone: str) -> None:
    bodies, drawn, promised = considered(desk(new_ids(), everyone, share=0.5), 1_500), Counter[Any](), Counter[Any]()
    for body in bodies:
        drawn[first_of(body)] += 1
        for arm in body["arms"]:
            promised[arm["offer"]] += arm["probability"]
    assert len(drawn) > 2
    for arm, expected in promised.items():
        assert abs(drawn[arm] - expected) < 4 * max(expected, 5) ** 0.5, arm


def test_without_a_budget_the_best_is_always_served() -> None:
    bodies = considered(desk(new_ids(), POLICY), 20)
    assert {(first_of(body), body["chosen_probability"]) for body in bodies} == {("stay_voucher", 1.0)}


def test_a_budget_bounds_how_often_another_than_the_best_is_served() -> None:
    bodies = considered(desk(new_ids(), POLICY, share=0.1), 1_000)
    assert 0 < sum(first_of(body) != "stay_voucher" for body in bodies) < 130


def test_whoever_is_left_alone_gets_nothing_but_what_would_have_been_is_kept() -> None:
    told, left = considered(desk(new_ids(), POLICY), 1)[0], considered(desk(new_ids(), HOLD_OUT), 1)[0]
    assert left["offers"] == []
    assert [one["offer"] for one in left["held_out"]] == [one["offer"] for one in told["offers"]]
    assert left["silence"].startswith("No offer: this customer is one of those who are left alone")


def test_what_is_owed_is_made_in_every_group_and_is_no_arm() -> None:
    complaint = replace(ASK, context={"topic": "complaint"})
    for everyone in (POLICY, RANDOM, HOLD_OUT):
        body = desk(new_ids(), everyone).consider(complaint, NOW, "d-1").body
        assert [one["offer"] for one in body["offers"] if one["owed"]] == ["manager_call"]
        assert "manager_call" not in [arm["offer"] for arm in body["arms"]]


def test_nothing_rides_along_with_what_was_drawn_by_lot() -> None:
    assert {len(body["offers"]) for body in considered(desk(new_ids(), RANDOM), 60)} == {0, 1}


def test_only_what_rules_and_caps_allow_is_drawn() -> None:
    asking = desk(new_ids(), RANDOM)
    for hour in range(60):
        asking.clock = lambda at=NOW + timedelta(hours=hour): at  # type: ignore[misc]
        before = asking.consider(ASK, asking.clock(), "d-x").body
        stopped = {one["offer"] for one in before["withheld"] if one["layer"] != "arbitration"}
        body = asking.decide(ASK)
        assert first_of(body) not in stopped
    assert any(one["layer"] == "contact" for one in body["withheld"])


def test_the_held_out_hold_no_contact() -> None:
    asking = desk(new_ids(), HOLD_OUT)
    asking.decide(ASK)
    window = asking.decider.policy.approach.window(NOW, "high")
    assert asking.history.decisions.ledger(["household:7"], window).contacts == ()


def test_every_outcome_moves_the_share_of_takers_late_corrected_and_withdrawn_ones_too() -> None:
    asking = desk(new_ids(), POLICY)

    def propensity() -> float:
        body = asking.consider(replace(ASK, offers=20), NOW, "d-x").body
        weighed = (*body["offers"], *body["runners_up"], *body["withheld"])
        return next(one["breakdown"] for one in weighed if one["offer"] == "ground_coffee")["propensity"]

    decision, before = asking.decide(replace(ASK, offers=20)), propensity()
    report = Report(decision_id=decision["decision_id"], offer="ground_coffee", status="presented", who="agent")
    asking.outcome(report)
    presented = propensity()
    asking.outcome(replace(report, status="accepted"))
    accepted = propensity()
    assert presented < before < accepted
    asking.outcome(replace(report, status="accepted"))
    assert propensity() == accepted
    asking.outcome(replace(report, status="accepted", withdrawn=True))
    assert propensity() == presented
    asking.outcome(replace(report, withdrawn=True))
    assert propensity() == before


def test_a_decision_by_lot_is_made_again_to_the_last_letter() -> None:
    asking = desk(new_ids(), RANDOM)
    once, again = (asking.consider(ASK, NOW, "d-7").body for _ in range(2))
    assert once == again


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        (
            "hold_out = 0.02",
            "hold_out = 0.7",
            "learning.toml: expected hold_out to be a number from 0 to 0.5, found 0.7",
        ),
        ("top = 0.0", "gold = 0.0", "learning.toml, exploration: expected only top, high, middle, base; found 'gold'"),
        ('salt = "2026"', "", "learning.toml: expected salt, found nothing by that name; add it"),
    ],
)
def test_what_does_not_hold_together_is_told(before: str, after: str, message: str, tmp_path: Any) -> None:
    text = (ROOT / "playbook" / "learning.toml").read_text(encoding="utf-8")
    assert before in text
    (tmp_path / "learning.toml").write_text(text.replace(before, after), encoding="utf-8")
    with pytest.raises(PlaybookError) as found:
        load_experiment(tmp_path / "learning.toml", playbook().glossary)
    assert str(found.value) == message
