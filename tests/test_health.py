"""The checks of health: what is off is found and named, and a small sample or mere chance never cries wolf."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from features.clock import microseconds
from features.contract import CONTRACT, FeatureMatrix
from features.definitions import NAMES
from features.errors import PlaybookError
from features.glossary import load_glossary
from features.history import History
from features.home import ROOT
from tests.making import AS_OF, CATALOGUE, happened
from training.checks import Check, Interval, commands, worst
from training.promises import Came, Promised, came_of, of_decisions
from training.reliability import calibration_of, fifths_of, order_of, rate_of, ratio_of
from training.served import check_acceptance, check_effects, check_exploration, check_groups, check_sizes
from training.shifting import check_drift, earlier_moments, shifts
from training.since import Since
from training.standing import check_age, check_contract, check_glossary
from training.thresholds import Thresholds, load_thresholds

LIMITS = Thresholds()
DAY = timedelta(days=1)
FEATURES = len(CONTRACT.names)


def population(seed: int, customers: int, treated: bool = False) -> tuple[Promised, Came]:
    """Customers who do exactly as was said of them, by chance: risks, values with many zeros and a long tail, hits."""
    rng = np.random.default_rng(seed)
    risk, expected = rng.beta(1.2, 4.0, customers), rng.lognormal(3.0, 1.0, customers)
    net = np.where(rng.random(customers) < 0.7, expected / 0.7 * rng.gamma(0.8, 1 / 0.8, customers), 0.0)
    high = expected * 2.38  # one in ten brings more, and none less than nothing
    inside = np.where(rng.random(customers) < 0.1, -1.0, net)
    names, moments = tuple(map(str, range(customers))), np.zeros(customers, dtype=np.int64)
    promised = Promised("base", names, moments, risk, expected, 0 * high, high, ((),) * customers, treated)
    left = (rng.random(customers) < risk).astype(np.float64)
    return promised, Came(left, net, inside, (rng.random(customers) < 0.85).astype(np.float64))


def manifest() -> dict[str, Any]:
    promised, came = population(99, 100_000)
    area = order_of(came.left, promised.risk, 0.95)
    figures = [("churn", "AUC", area), ("next_purchase", "hit rate at 10", Interval(0.85, 0.83, 0.87))]
    told = [{"model": model, "metric": name, "ours": one.of, "low": one.low, "high": one.high}
            for model, name, one in figures]  # fmt: skip
    return {"figures": told}


MANIFEST = manifest()


def checked(promised: Promised, came: Came) -> dict[str, Check]:
    return {check.name: check for check in Since.of(promised, came, MANIFEST, LIMITS).checks()}


@pytest.mark.parametrize("customers", [60, 300, 2000])
def test_a_model_that_is_right_is_hardly_ever_acted_on_whatever_the_sample(customers: int):
    """The whole page over 200 populations: at most one in twenty has any alarm."""
    alarms = [worst(tuple(checked(*population(seed, customers)).values())) == "act" for seed in range(200)]
    assert np.mean(alarms) <= 0.05


def test_risks_that_are_doubled_are_found_in_their_rate_and_their_fifths():
    for seed in range(20):
        promised, came = population(seed, 1000)
        found = checked(replace(promised, risk=np.minimum(2 * promised.risk, 0.99)), came)
        assert found["churn rate (base)"].verdict == "act"
        assert found["churn rate (base)"].do == "holdfast train"
        assert found["churn by fifth (base)"].verdict == "act"
        assert found["churn order (base)"].verdict == "well"


def test_risks_that_say_too_much_of_each_are_found_by_the_slope_alone():
    promised, came = population(1, 5000)
    odds = np.log(promised.risk / (1 - promised.risk))
    centre = odds.mean()
    found = checked(replace(promised, risk=1 / (1 + np.exp(-centre - 2.5 * (odds - centre)))), came)
    assert found["churn calibration (base)"].verdict == "act"
    assert found["churn calibration (base)"].figures["slope"]["of"] == pytest.approx(0.4, abs=0.05)


def test_an_order_that_is_lost_values_that_double_and_items_that_miss_are_each_acted_on():
    promised, came = population(2, 2000)
    shuffled = np.random.default_rng(3).permutation(promised.risk)
    assert checked(replace(promised, risk=shuffled), came)["churn order (base)"].verdict == "act"
    doubled = checked(promised, replace(came, net=2 * came.net))
    assert doubled["value total (base)"].verdict == doubled["value by fifth (base)"].verdict == "act"
    narrow = checked(replace(promised, high=promised.high / 3), came)
    assert narrow["value interval (base)"].verdict == "act"
    missed = np.where(np.random.default_rng(4).random(2000) < 0.5, 0.0, came.hit)
    assert checked(promised, replace(came, hit=missed))["next purchase (base)"].verdict == "act"


def test_a_few_customers_are_too_early_and_say_how_many_are_needed():
    found = checked(*population(5, 49))
    assert {check.verdict for check in found.values()} == {"too early"}
    assert found["churn (base)"].found == "49 customers with a risk can be judged so far."
    assert found["churn (base)"].threshold == "50 customers"


def test_fewer_leaving_where_offers_were_made_is_what_they_are_for_and_more_is_not():
    promised, came = population(6, 2000, treated=True)
    kept = checked(replace(promised, risk=np.minimum(2 * promised.risk, 0.99)), came)
    assert kept["churn rate (base)"].verdict == kept["churn by fifth (base)"].verdict == "watch"
    assert checked(replace(promised, risk=promised.risk / 2), came)["churn rate (base)"].verdict == "act"


def test_the_calibration_line_is_the_one_that_it_was_drawn_by():
    rng = np.random.default_rng(7)
    odds = rng.normal(-1.0, 1.0, 50_000)
    happened_so = (rng.random(len(odds)) < 1 / (1 + np.exp(-(0.3 + 0.8 * odds)))).astype(np.float64)
    found = calibration_of(happened_so, 1 / (1 + np.exp(-odds)), 0.99)
    assert found is not None
    assert found.slope.within(0.7, 0.9)
    assert found.slope.low < 0.8 < found.slope.high
    assert found.intercept.low < 0.3 < found.intercept.high


def test_a_line_that_cannot_be_told_is_none():
    risk = np.array([0.1, 0.2, 0.8, 0.9])
    assert calibration_of(np.zeros(4), risk, 0.99) is None
    assert calibration_of(np.array([0.0, 1.0, 0.0, 1.0]), np.full(4, 0.3), 0.99) is None
    assert calibration_of(np.array([0.0, 0.0, 1.0, 1.0]), risk, 0.99) is None


def test_ratios_hold_the_truth_as_often_as_they_say():
    held = []
    for seed in range(400):
        promised, came = population(seed, 500)
        ratio = ratio_of(came.net, promised.expected, 0.95)
        held.append(ratio.low <= 1.0 <= ratio.high)
    assert 0.9 <= np.mean(held) <= 0.98


def test_fifths_go_from_the_least_said_and_hold_everybody():
    said = np.arange(52.0)
    groups = fifths_of(said, said, 0.99, rates=False)
    assert sum(group.customers for group in groups) == 52
    assert [group.said for group in groups] == sorted(group.said for group in groups)
    assert rate_of(np.zeros(30), 0.99).low == 0.0


def rows(seed: int, customers: int = 500, moved: str | None = None, by: float = 1.0) -> FeatureMatrix:
    values = np.random.default_rng(seed).normal(size=(customers, FEATURES))
    if moved is not None:
        values[:, CONTRACT.places[moved]] += by
    return FeatureMatrix(AS_OF, tuple(map(str, range(customers))), values)


def drift(before: FeatureMatrix, after: FeatureMatrix, *earlier: FeatureMatrix) -> Check:
    return check_drift(shifts(before, after, earlier, LIMITS), AS_OF, len(earlier), LIMITS)


@pytest.mark.parametrize("customers", [60, 500])
def test_features_that_have_not_moved_are_hardly_ever_said_to_have(customers: int):
    found = [drift(*(rows(3 * seed + at, customers) for at in range(3))).verdict for seed in range(40)]
    assert found.count("act") <= 2


def test_a_feature_that_is_shifted_is_found_and_named_with_its_sentence():
    for seed in range(10):
        found = drift(rows(seed), rows(seed + 100, moved="spend_91"), rows(seed + 200))
        assert found.verdict == "act"
        assert found.do == "holdfast quality --from 2024-03-01"
        assert found.found.startswith("1 of")
        assert "features drifted since 2024-03-01: spend_91 (" in found.found
        assert [one["feature"] for one in found.figures["features"] if one["beyond"]] == ["spend_91"]


def test_a_feature_that_moves_as_much_every_time_has_not_drifted():
    first, second, third = rows(1), rows(2, moved="spend_91"), rows(3, moved="spend_91", by=2.0)
    assert drift(first, second).verdict == "watch"
    assert drift(second, third, first).verdict == "well"


def test_what_was_the_same_for_everybody_when_it_was_learned_is_only_watched():
    before, after = rows(1), rows(2)
    before.values[:, CONTRACT.places["offers_declined_91"]] = 0.0
    found = drift(before, after, before)
    assert found.verdict == "watch"
    assert "offers_declined_91" in found.found
    assert found.found.endswith("new since it learned.")


def test_without_an_earlier_span_a_drift_is_only_watched():
    found = drift(rows(1), rows(2, moved="spend_91", by=5.0))
    assert (found.verdict, found.do) == ("watch", "holdfast quality --from 2024-03-01")
    assert "no earlier span as long" in found.threshold


def test_earlier_moments_are_at_most_three_and_none_lies_at_the_very_beginning():
    moments = earlier_moments(AS_OF, AS_OF + 10 * DAY, AS_OF - 365 * DAY)
    assert [AS_OF - moment for moment in moments] == [10 * DAY, 20 * DAY, 30 * DAY]
    assert earlier_moments(AS_OF, AS_OF + 10 * DAY, AS_OF - 19 * DAY) == ()


def decided(number: int, customer: str, as_of: datetime = AS_OF, **given: Any) -> dict[str, Any]:
    """A decision's body, as far as checks read it."""
    scores = {"churn_risk": 0.2, "expected_value": 10.0, "value_low": 0.0, "value_high": 30.0}
    plain: dict[str, Any] = {
        "decision_id": f"d-{number}", "customer": f"customer:{customer}", "as_of": as_of.isoformat(), "scores": scores,
        "next_purchases": [{"item": "t1"}], "tier": "high", "offers": [], "runners_up": [], "held_out": [],
        "withheld": [], "experiment": {"group": "policy", "salt": "s"}, "arms": [{"offer": None, "probability": 1.0}],
    }  # fmt: skip
    return plain | given


def offer(name: str, profit: float = 1.0, owed: bool = False, effects: str = "stated priors") -> dict[str, Any]:
    breakdown = {"propensity": 0.4, "expected_incremental_profit": profit, "priority": profit, "effects": effects}
    return {"offer": name, "owed": owed, "breakdown": breakdown}


def test_each_decision_is_held_against_what_came_after_its_own_moment(history: History):
    history.put_products(CATALOGUE)
    bought = [(1, "a", -1, "p1"), (2, "a", 20, "p2"), (3, "b", 3, "p1"), (4, "b", 40, "p2"), (5, "c", 29, "p1")]
    history.append(
        [
            happened(number, reference=type(happened(0).reference)("customer", who), occurred_at=AS_OF + days * DAY,
                     product=product, amount=10.0 * number)
            for number, who, days, product in bought
        ], None,
    )  # fmt: skip
    bodies = [
        decided(1, "a", AS_OF), decided(2, "a", AS_OF + 10 * DAY), decided(3, "b", AS_OF + 10 * DAY),
        decided(4, "c", AS_OF + 2 * DAY), decided(5, "z", AS_OF + 60 * DAY),
    ]  # fmt: skip
    promised = of_decisions(bodies, AS_OF + 50 * DAY)
    assert promised.customers == ("customer:a", "customer:b", "customer:c")
    told = {
        "horizon": {"days": 28}, "active": {"kind": "silence"}, "value_measure": "revenue", "level": "type",
        "value": {"told": {}, "assumed": {}},
    }  # fmt: skip
    came = came_of(history.known_by(AS_OF + 100 * DAY), promised, told)
    # b bought before the decision and more than a horizon after it, so left in between.
    assert came.left.tolist() == [0.0, 1.0, 0.0]
    assert came.net.tolist() == [20.0, 0.0, 50.0]
    np.testing.assert_array_equal(came.hit, [0.0, np.nan, 1.0])


def test_offers_that_are_taken_far_less_often_than_said_are_named_and_those_as_said_are_not():
    bodies = [decided(n, str(n), offers=[offer("dear"), offer("fair")]) for n in range(300)]
    outcomes = {(f"d-{n}", "dear"): int(n % 20 == 0) for n in range(300)}
    outcomes |= {(f"d-{n}", "fair"): int(n % 5 < 2) for n in range(300)}
    found = check_acceptance(bodies, outcomes, LIMITS)
    assert (found.verdict, found.do) == ("act", "holdfast playbook check")
    assert found.found.startswith("dear: made 300 times, taken 0.13 (")
    assert "fair" not in found.found
    again = [decided(n, "same", offers=[offer("dear")]) for n in range(300)]
    assert check_acceptance(again, outcomes, LIMITS).verdict == "too early"


def test_exploration_beyond_its_budget_is_surely_so_before_it_is_acted_on_and_says_what_it_cost():
    arms = [{"offer": "good", "probability": 0.9}, {"offer": "new", "probability": 0.1}]
    best = {"offers": [offer("good", 3.0)], "runners_up": [offer("new", 1.0)], "arms": arms}
    other = {"offers": [offer("owed", 9.0, owed=True), offer("new", 1.0)], "runners_up": [offer("good", 3.0)],
             "arms": arms}  # fmt: skip
    bodies = [decided(n, str(n), **(other if n % 5 == 0 else best)) for n in range(200)]
    (found,) = check_exploration(bodies, {"high": 0.1}, LIMITS)
    assert (found.name, found.verdict) == ("exploration (high)", "act")
    assert found.figures["given_up"] == pytest.approx(80.0)
    assert found.figures["share"]["of"] == pytest.approx(0.2)
    (within,) = check_exploration(bodies, {"high": 0.2}, LIMITS)
    (few,) = check_exploration(bodies[:10], {"high": 0.1}, LIMITS)
    assert within.verdict == few.verdict == "well"


def test_whoever_is_left_alone_gives_up_what_would_have_been_offered():
    alone = {"experiment": {"group": "hold_out", "salt": "s"}, "held_out": [offer("good", 2.5)]}
    found = check_groups([decided(1, "a", **alone), decided(2, "b")], {"hold_out": 0.02})
    assert found.threshold == "planned, of people: hold_out 2.0%"
    assert found.found == "hold_out 1 (50.0%), gave up 2.50; policy 1 (50.0%), gave up 0.00."
    assert check_groups([], {}).verdict == "too early"


def test_effects_that_became_measured_since_are_named():
    counted = "stated priors, takers counted"
    bodies = [
        decided(1, "a", offers=[offer("one"), offer("two")]),
        decided(2, "b", offers=[offer("one", effects="measured"), offer("two", effects=counted)]),
    ]
    assert check_effects(bodies).found == "1 of 2 offers that were made rest on stated priors; measured since: one."
    assert check_effects([]).verdict == "too early"


def bundle_of(**changed: Any) -> dict[str, Any]:
    glossary = load_glossary(ROOT / "playbook" / "glossary.toml", NAMES)
    tiers = [{"name": name, "share": share, "floor": 0.0} for name, share in glossary.tiers.items()]
    return {
        "as_of": AS_OF.isoformat(), "horizon": {"days": 28, "active_days": 56}, "active": {"kind": "silence"},
        "contract": CONTRACT.as_dict(), "glossary": glossary.hash, "tiers": tiers, "tier_band": glossary.tier_band,
        "currency": glossary.currency, "value": {"assumed": {}},
    } | changed  # fmt: skip


@pytest.mark.parametrize(("days", "verdict"), [(0, "well"), (168, "well"), (169, "watch"), (365, "act")])
def test_a_bundle_ages_by_its_own_horizon(days: int, verdict: str):
    assert check_age(bundle_of(), AS_OF + days * DAY, LIMITS).verdict == verdict


def test_other_features_or_words_than_at_training_are_acted_on_and_mere_text_is_not():
    glossary = load_glossary(ROOT / "playbook" / "glossary.toml", NAMES)
    assert check_contract(bundle_of()).verdict == "well"
    assert check_contract(bundle_of(contract={"definitions": "another"})).do == "holdfast train"
    assert check_glossary(bundle_of(), glossary).verdict == "well"
    reworded = check_glossary(bundle_of(glossary="another"), glossary)
    assert (reworded.verdict, "in nothing that training takes" in reworded.found) == ("well", True)
    changed = check_glossary(bundle_of(tier_band=0.2), replace(glossary, horizon_days=14))
    assert changed.found == "Training took other words: horizon.days was 28, is 14; tier_band was 0.2, is 0.1."
    assert changed.verdict == "act"


def test_both_playbooks_state_the_thresholds_that_hold_without_a_file(tmp_path: Path):
    for place in ("playbook", "playbook/telecom"):
        assert load_thresholds(ROOT / place / "health.toml") == Thresholds()
    assert load_thresholds(tmp_path / "health.toml") == Thresholds()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "[predictions]\nratio = 0.5",
            "health.toml, predictions: expected ratio to be a number from 1 to 10, found 0.5",
        ),
        (
            "[drift]\nindx = 1",
            "health.toml, drift: expected only index, beyond_usual; found 'indx'; did you mean index?",
        ),
        (
            "[age]\nwatch_horizons = 20",
            "health.toml, age: expected watch_horizons of at most act_horizons (13), found 20",
        ),
    ],
)
def test_a_threshold_that_cannot_be_meant_is_refused_with_its_place(tmp_path: Path, text: str, said: str):
    path = tmp_path / "health.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(PlaybookError) as refused:
        load_thresholds(path)
    assert str(refused.value) == said


def test_the_worst_check_gives_the_verdict_and_training_comes_after_what_it_learns_from():
    lines = [Check("a", "", "", "too early"), Check("b", "", "", "watch", "holdfast evaluate")]
    assert (worst(lines), commands(lines), worst([])) == ("watch", (), "too early")
    lines += [Check("c", "", "", "act", "holdfast train"), Check("d", "", "", "act", "holdfast quality")]
    assert (worst(lines), commands(lines)) == ("act", ("holdfast quality", "holdfast train"))


def test_microseconds_of_decisions_are_those_of_their_moments():
    promised = of_decisions([decided(1, "a", datetime(2024, 1, 1, tzinfo=UTC))], AS_OF)
    assert promised.moments.tolist() == [microseconds(datetime(2024, 1, 1, tzinfo=UTC))]


def test_a_group_that_loses_people_is_acted_on() -> None:
    def bodies(held_out: int) -> list[dict[str, Any]]:
        groups = ["hold_out"] * held_out + ["policy"] * (4_000 - held_out)
        return [
            {"customer": f"c{number}", "experiment": {"group": group, "salt": "x"}}
            for number, group in enumerate(groups)
        ]

    plan = {"hold_out": 0.05, "random": 0.0, "policy": 0.95}
    assert check_sizes([], "x", plan).verdict == "too early"
    assert check_sizes(bodies(60), "another", plan).verdict == "too early"
    assert check_sizes(bodies(205), "x", plan).verdict == "well"
    lost = check_sizes(bodies(90), "x", plan)
    assert (lost.verdict, lost.do) == ("act", "holdfast lift")
