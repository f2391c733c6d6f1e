"""What offers change, measured from a log: towards the truth by many outcomes, towards the prior by few."""

import math
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from features.clock import after_history
from features.contract import CONTRACT
from features.history import History
from models.effects import Effect, Effects
from serving.decision import Decider
from serving.desk import Desk
from serving.experiment import POLICY, RANDOM
from serving.requests import Ask, Report
from tests.desks import BASIS, NOW, FakeScorer, desk_over, shopped
from training.costs import Costs
from training.decision_log import SILENCE, DecisionLog, Realised, Stated, Yardstick, decision_log, realised
from training.effects import Measured, effects_of, measure_effects, takers
from training.logged_trials import settled
from training.uplift import MATURE

VOUCHER = "stay_voucher"
AGE = CONTRACT.places["tenure_days"]
BY = Yardstick(28, "silence", "product", "amount", 0.25, Costs())


def logged(rows: Any, treated: Any, stated: float, propensity: float = 0.5) -> DecisionLog:
    count = len(rows)
    arms = {VOUCHER: propensity, SILENCE: 1.0 - propensity}
    said = {VOUCHER: Stated("", 0.55, stated, 0.3, 0.3, 6.0)}
    return DecisionLog(
        ids=tuple(f"d-{number}" for number in range(count)), customers=tuple(f"c{number}" for number in range(count)),
        as_of=np.arange(count), groups=(RANDOM,) * count, salts=("x",) * count,
        actions=tuple(VOUCHER if one else SILENCE for one in treated), alone=np.ones(count, dtype=bool),
        probabilities=np.where(treated, propensity, 1 - propensity), arms=(arms,) * count, rows=rows,
        stated=(said,) * count, risks=np.full(count, 0.4), worths=np.full(count, 90.0),
    )  # fmt: skip


def came(stayed: Any) -> Realised:
    nothing = np.zeros(len(stayed))
    return Realised(nothing == 0, nothing, nothing, nothing, nothing, stayed.astype(float), frozenset())


def pilot(count: int, effect: Any, stated: float, seed: int = 5) -> Measured:
    """Measure an offer from so many decisions, half of them with it; `effect` tells the change from the ages."""
    random = np.random.default_rng(seed)
    rows = np.full((count, len(CONTRACT.names)), np.nan)
    rows[:, AGE] = random.integers(0, 2_000, count)
    treated = random.random(count) < 0.5
    stays = 0.55 + np.where(treated, effect(rows[:, AGE]), 0.0)
    (found,) = measure_effects(logged(rows, treated, stated), came(random.random(count) < stays), 0.5, 7)
    return found


def everybody(effect: float) -> Any:
    return lambda ages: np.full(len(ages), effect)


def changes(found: Measured, stated: float, ages: list[float]) -> Any:
    assert found.effect is not None
    rows = np.full((len(ages), len(CONTRACT.names)), np.nan)
    rows[:, AGE] = ages
    return found.effect.change(rows, np.full(len(ages), stated), np.full(len(ages), 0.55))


def test_too_few_decisions_leave_the_stated_prior() -> None:
    found = pilot(90, everybody(0.0), 0.1)
    assert found.effect is None
    assert found.said["grade"] == "stated prior"
    assert found.said["why"].startswith("expected at least 50 decisions by lot with it and as many without, found")


def test_few_outcomes_stay_near_the_prior_and_many_go_to_the_truth() -> None:
    few, many = pilot(130, everybody(-0.05), 0.1), pilot(12_000, everybody(-0.05), 0.1)
    (near_prior,), (unsure,) = changes(few, 0.1, [900.0])
    (near_truth,), (surer,) = changes(many, 0.1, [900.0])
    assert abs(near_prior - 0.1) < abs(near_prior + 0.05)
    assert near_truth == pytest.approx(-0.05, abs=0.03)
    assert surer < unsure / 2


def test_a_measured_effect_is_graded_by_later_decisions_and_counts_as_mature() -> None:
    found = pilot(12_000, everybody(-0.05), 0.1)
    assert found.said["grade"] == "A"
    assert found.effect is not None
    assert found.effect.mature


def test_who_is_persuaded_and_who_is_put_off_is_found() -> None:
    found = pilot(12_000, lambda ages: np.where(ages > 1_000, 0.2, -0.1), 0.05)
    expected, _ = changes(found, 0.05, [200.0, 1_800.0])
    assert expected[0] < -0.04
    assert expected[1] > 0.14


def test_what_isnt_over_counts_for_nothing() -> None:
    rows = np.zeros((400, len(CONTRACT.names)))
    log, then = logged(rows, np.arange(400) % 2 == 0, 0.1), came(np.ones(400))
    (found,) = measure_effects(log, replace(then, complete=np.zeros(400, dtype=bool)), 0.5, 7) or [None]
    assert found is None or found.said["decisions"] == 0


def test_where_others_could_ride_along_neither_offers_nor_silences_are_a_trial() -> None:
    rows = np.zeros((400, len(CONTRACT.names)))
    log = replace(logged(rows, np.arange(400) % 2 == 0, 0.1), alone=np.arange(400) < 100)
    (found,) = measure_effects(log, came(np.ones(400)), 0.5, 7)
    assert (found.said["decisions"], found.said["treated"]) == (100, 50)


def test_a_decision_teaches_by_what_was_asked_and_never_by_what_was_drawn() -> None:
    """A silence beside which nothing rode teaches no more than the offers beside which others did."""
    asking = desk_over(History("sqlite://"))
    for group, offers, teaches in ((RANDOM, 3, True), (POLICY, 3, False), (POLICY, 1, True)):
        asking.decider = Decider.of(asking.playbook, group)
        asking.decide(Ask(customer=f"household:{7 if offers == 3 else 8}", channel="phone", offers=offers))
        assert decision_log(asking.history).alone.tolist()[-1] is teaches


def test_decisions_with_a_fair_lot_count_for_more_than_those_with_hardly_any_silence() -> None:
    random, fair = np.random.default_rng(3), np.arange(4_000) % 2 == 0
    chance = np.where(fair, 0.5, 0.98)
    treated = random.random(4_000) < chance
    log = logged(np.zeros((4_000, len(CONTRACT.names))), treated, 0.0)
    arms = tuple({VOUCHER: float(one), SILENCE: float(1 - one)} for one in chance)
    stays = np.where(fair == treated, 0.99, 0.95)
    (found,) = measure_effects(replace(log, arms=arms), came(random.random(4_000) < stays), 0.5, 7)
    # By e·(1 − e), .25 of the fair ones against .0196 of the others: .034 and not 0.
    assert found.said["average"] == pytest.approx(0.034, abs=0.012)


def test_unknown_risks_count_as_the_mean_one() -> None:
    rows = np.zeros((400, len(CONTRACT.names)))
    log = replace(logged(rows, np.arange(400) % 2 == 0, 0.1), risks=np.where(np.arange(400) < 200, np.nan, 0.3))
    kept, _ = settled(log, came(np.arange(400) % 4 > 0))
    assert kept.risks.tolist() == [0.25] * 200 + [0.3] * 200


def test_the_log_tells_what_was_served_and_what_came_of_it() -> None:
    asking = desk_over(History("sqlite://"))
    asking.decider = Decider.of(asking.playbook, RANDOM)
    answers = [asking.decide(Ask(customer=name, channel="phone")) for name in ("household:7", "household:8") * 20]
    taken = next(one for one in answers if one["offers"])
    report = Report(decision_id=taken["decision_id"], offer=taken["offers"][0]["offer"], status="accepted", who="agent")
    asking.outcome(report)
    bought = [shopped("7", 12.0, -days, product="coffee") for days in (1, 5, 40)]
    asking.history.append([*bought, shopped("7", -2.0, -6, "return", "coffee")], None)
    log = decision_log(asking.history)
    known = asking.history.known_by(after_history(asking.history.newest)())
    then = realised(log, known, BY, asking.history.decisions.tries(known.as_of))
    assert log.ids == tuple(one["decision_id"] for one in answers)
    assert log.actions == tuple(one["offers"][0]["offer"] if one["offers"] else SILENCE for one in answers)
    assert all(
        math.isclose(arms[action], p) for arms, action, p in zip(log.arms, log.actions, log.probabilities, strict=True)
    )
    mine = np.array([name == "household:7" for name in log.customers]) | np.array(["phone" in n for n in log.customers])
    assert then.complete.all()
    assert set(then.margin[mine].round(9)) == {5.5}
    assert set(then.purchases[mine]) == {2.0}
    assert set(then.stayed[~mine]) == {0.0}
    assert {item for _, item in then.bought} == {"coffee"}
    (costs,) = [then.incentives[place] for place, name in enumerate(log.ids) if name == taken["decision_id"]]
    assert costs == taken["offers"][0]["breakdown"]["incentive"]
    assert set(then.before[mine].round(9)) == {20.0}
    assert [one["made"] for one in takers(log, asking.history.decisions.tries(known.as_of))] == [1]


def test_what_came_later_than_the_horizon_does_not_count() -> None:
    asking = desk_over(History("sqlite://"))
    asking.decide(Ask(customer="household:7", channel="phone"))
    asking.history.append([shopped("7", 50.0, -29, product="tea")], None)
    log = decision_log(asking.history)
    known = asking.history.known_by(NOW + timedelta(days=60))
    then = realised(log, known, BY, {})
    assert then.margin.tolist() == [0.0]
    assert then.stayed.tolist() == [0.0]


def effect(change: float, positives: int = 500) -> Effect:
    """An effect that surely changes what is as likely as the fake scores have it by so much."""
    sure = ((1e-8, 0.0, 0.0, 0.0), (0.0, 1e-8, 0.0, 0.0), (0.0,) * 4, (0.0,) * 4)
    return Effect(
        (0.0, change / (0.45 * 0.55), 0.0, 0.0), sure, 0.0, 0.0, None, positives, 2_000, positives >= MATURE, "A"
    )


def weighed(effects: Effects) -> tuple[dict[str, Any], str]:
    asking = desk_over(History("sqlite://"))
    asking.scorer = type("Scorer", (FakeScorer,), {"bundle": SimpleNamespace(basis=BASIS, effects=effects)})()
    asking = Desk(asking.history, asking.scorer, asking.playbook, asking.clock)
    body = asking.consider(Ask(customer="household:7", channel="phone", offers=20), NOW, "d-1").body
    every = (*body["offers"], *body["runners_up"], *body["withheld"])
    return next(one for one in every if one["offer"] == VOUCHER), body["effects"]


def test_a_measured_effect_takes_the_place_of_what_was_stated() -> None:
    stated, of_stated = weighed(Effects())
    measured, of_measured = weighed(Effects({VOUCHER: effect(0.02)}))
    assert (stated["breakdown"]["effects"], of_stated) == ("stated priors", "stated priors")
    assert (measured["breakdown"]["effects"], of_measured) == ("measured", "partly measured")
    assert measured["breakdown"]["p_treated"] - measured["breakdown"]["p_untreated"] == pytest.approx(0.02, abs=1e-5)
    assert measured["breakdown"]["stated_change"] == stated["breakdown"]["stated_change"]
    assert measured["breakdown"]["change_sd"] < stated["breakdown"]["change_sd"] / 100


def test_an_effect_of_few_positives_says_that_it_is_measured_in_part() -> None:
    assert weighed(Effects({VOUCHER: effect(0.02, positives=150)}))[0]["breakdown"]["effects"] == "partly measured"


def test_an_offer_that_does_harm_is_withheld_since_it_costs_more_than_it_brings() -> None:
    one, _ = weighed(Effects({VOUCHER: effect(-0.03)}))
    assert one["reason"] == "Costs more than it brings."


def test_an_offer_of_an_item_that_wakes_a_sleeping_dog_is_not_made() -> None:
    """Selling may remind a customer to leave: what that costs counts, and is said among the reasons."""

    def coffee(effects: Effects) -> dict[str, Any]:
        asking = desk_over(History("sqlite://"))
        scorer = type("Scorer", (FakeScorer,), {"bundle": SimpleNamespace(basis=BASIS, effects=effects)})()
        asking = Desk(asking.history, scorer, asking.playbook, asking.clock)
        body = asking.consider(Ask(customer="household:7", channel="phone", offers=20), NOW, "d-1").body
        every = (*body["offers"], *body["runners_up"], *body["withheld"])
        return next(one for one in every if one["offer"] == "ground_coffee")

    plain, waking = coffee(Effects()), coffee(Effects({}, {"ground_coffee": effect(-0.01)}))
    kept = coffee(Effects({}, {"ground_coffee": effect(0.004)}))
    assert plain["breakdown"]["stay_change"] == 0.0
    assert waking["reason"] == "Costs more than it brings."
    lost = plain["breakdown"]["expected_incremental_profit"] - waking["breakdown"]["expected_incremental_profit"]
    assert lost == pytest.approx(0.01 * waking["breakdown"]["stay_value"], abs=1e-5)
    assert "staying" in [part["part"] for part in kept["reasons"]]
    assert sum(part["amount"] for part in kept["reasons"]) == pytest.approx(kept["priority"], abs=1e-5)


def test_of_an_offer_that_sells_both_the_purchase_and_staying_are_measured() -> None:
    random = np.random.default_rng(9)
    rows, treated = np.zeros((6_000, len(CONTRACT.names))), random.random(6_000) < 0.5
    log = logged(rows, treated, 0.1)
    said = {VOUCHER: replace(log.stated[0][VOUCHER], item="tea")}
    buys, stays = random.random(6_000) < 0.2 + 0.1 * treated, random.random(6_000) < 0.9 - 0.06 * treated
    then = replace(came(stays), bought=frozenset((int(place), "tea") for place in np.flatnonzero(buys)))
    wished, beside = measure_effects(replace(log, stated=(said,) * 6_000), then, 0.5, 7)
    assert [(one.said["what"], one.beside) for one in (wished, beside)] == [("bought", False), ("stayed", True)]
    kept = effects_of([wished, beside])
    assert kept.wished[VOUCHER].change(rows[:1], np.array([0.1]), np.array([0.55]))[0][0] == pytest.approx(
        0.1, abs=0.03
    )
    assert kept.staying[VOUCHER].change(rows[:1], np.zeros(1), np.array([0.6]))[0][0] == pytest.approx(-0.05, abs=0.03)
