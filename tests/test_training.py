import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from features.affinity import pairs_of
from features.clock import microseconds
from features.contract import CONTRACT, rows_of
from features.errors import ContractError, RegistryError
from features.history import History
from features.home import Home
from features.identity import Reference
from features.known import Known
from models.bundle import Bundle, load
from models.population import Active
from serving.bundle import fetch
from serving.scorer import Scorer
from tests.making import AS_OF, filled, happened
from training import labels, registry
from training.baselines import churn_baselines, value_baselines
from training.boosting import Fit
from training.choosing import LEVELS
from training.cutoffs import plan_cutoffs
from training.dataset import Window, Windows, is_odd, value_measure
from training.horizon import STEPS, Horizon, choose_horizon
from training.ladder import ChurnLadder, ValueLadder
from training.metrics import CHURN_METRICS
from training.outcome import judge_since
from training.pipeline import usable_level

Trained = tuple[Home, History, dict[str, Any]]
FORTNIGHT = timedelta(days=14)


@pytest.fixture(scope="module")
def bundle(trained: Trained) -> Bundle:
    return load(*fetch(trained[0]))


def _windows(known: Known, horizon: Horizon) -> Windows:
    return Windows(known, Active("silence", horizon.active_days), "revenue")


def test_labels_are_half_open_and_returns_count_against(history: History):
    filled(
        history,
        [
            happened(1, reference=Reference("customer", "on"), amount=5.0, occurred_at=AS_OF),
            happened(2, reference=Reference("customer", "on"), kind="return", amount=-2.0, occurred_at=AS_OF),
            happened(3, reference=Reference("customer", "late"), amount=5.0, occurred_at=AS_OF + FORTNIGHT),
        ],
    )
    known = history.known_by(AS_OF + 2 * FORTNIGHT)
    customers = ("customer:on", "customer:late")
    assert labels.lapsed(known, customers, AS_OF, FORTNIGHT).tolist() == [0.0, 1.0]
    assert labels.value(known, customers, AS_OF, FORTNIGHT, "amount").tolist() == [3.0, 0.0]
    assert labels.bought(known, AS_OF, FORTNIGHT, "product") == set()


def test_margin_is_the_measure_when_the_source_holds_it(history: History, new_history):
    assert value_measure(filled(history, [happened(1, margin=2.0)]).known_by(AS_OF)) == "margin"
    other = filled(new_history(), [happened(1, margin=2.0), happened(2)])
    assert value_measure(other.known_by(AS_OF)) == "revenue"


def test_a_level_that_the_catalogue_lacks_gives_way_to_products_or_to_none(history: History, new_history):
    assert usable_level(filled(history, [happened(1, product="p1")]).known_by(AS_OF), "type") == "type"
    assert usable_level(filled(new_history(), [happened(1, product="odd")]).known_by(AS_OF), "type") == "product"
    assert usable_level(filled(new_history(), [happened(1)]).known_by(AS_OF), "type") == ""


def test_a_future_dealt_out_anew_among_customers_cannot_be_foreseen(trained: Trained):
    """A model sees who will lapse only if the past tells; with a peek of one horizon it would see it all the same."""
    _, history, _ = trained
    known = history.known_by(history.newest() or AS_OF)
    horizon = choose_horizon(known)
    cutoff = plan_cutoffs(horizon).test
    rng = np.random.default_rng(5)
    blind, peeking = [], []
    for _ in range(8):
        dealt = _dealt_anew(known, cutoff, rng)
        blind.append(_foreseen(dealt, cutoff, cutoff, horizon))
        peeking.append(_foreseen(dealt, cutoff, cutoff + timedelta(days=horizon.days), horizon))
    assert abs(float(np.mean(blind)) - 0.5) < 0.08
    assert float(np.mean(peeking)) > 0.8


def _dealt_anew(known: Known, cutoff: datetime, rng: np.random.Generator) -> Known:
    customers = known.events["customer"].unique().sort()
    other = dict(zip(customers, rng.permutation(customers.to_numpy()), strict=True))
    future = pl.col("occurred_at") >= microseconds(cutoff)
    swapped = pl.when(future).then(pl.col("customer").replace_strict(other)).otherwise(pl.col("customer"))
    return replace(known, records=known.events.with_columns(customer=swapped, reference=swapped))


def _foreseen(known: Known, cutoff: datetime, seen_until: datetime, horizon: Horizon) -> float:
    """Fit on half of the customers, with features as of `seen_until`, and judge on the others."""
    whole = _windows(known, horizon).at(cutoff, horizon.days)
    seen = rows_of(known.at(seen_until))
    places = [seen.customers.index(customer) for customer in whole.rows.customers]
    whole = replace(whole, rows=replace(whole.rows, values=seen.values[places]))
    odd = np.array([is_odd(customer) for customer in whole.rows.customers])
    fitted, judged = (whole.keep(half & whole.active) for half in (odd, ~odd))
    model = ChurnLadder([fitted], judged.rows, judged.process, horizon.days, Fit()).lightgbm
    return CHURN_METRICS["AUC"][0](judged.lapsed, model.predict(judged.rows.values))


def test_the_rules_are_judged_on_the_same_customers(trained: Trained):
    _, history, _ = trained
    known = history.known_by(history.newest() or AS_OF)
    horizon = choose_horizon(known)
    plan = plan_cutoffs(horizon)
    windows = _windows(known, horizon)
    learn, test = (windows.at(moment, horizon.days) for moment in (plan.learn[-1], plan.test))
    rules = churn_baselines([learn], test)
    assert set(rules) == {"recency", "decayed count", "RFM logistic"}
    assert {len(risk) for risk in rules.values()} == {int(test.active.sum())}
    assert set(value_baselines([learn], test)) == {"decayed spend", "recent spend", "spend so far"}


def test_what_is_known_later_changes_no_label_of_a_window_that_was_complete(trained: Trained):
    """Labels of a rehearsal's earlier windows are complete by the moment that is judged."""
    _, history, _ = trained
    known = history.known_by(history.newest() or AS_OF)
    horizon = choose_horizon(known)
    rehearsal = plan_cutoffs(horizon).rehearsal
    assert rehearsal is not None
    moment, earlier = rehearsal.rounds[-1]
    then, now = _windows(known.at(moment), horizon), _windows(known, horizon)
    for one in (earlier[0], earlier[-1]):
        before, after = then.at(one, rehearsal.days), now.at(one, rehearsal.days)
        assert before.rows.customers == after.rows.customers
        assert before.lapsed.tolist() == after.lapsed.tolist()
        assert before.value.tolist() == after.value.tolist()
    assert then.at(moment, rehearsal.days).lapsed.all()


def test_a_window_holds_the_rows_of_who_had_bought_and_the_active_among_them(trained: Trained):
    _, history, _ = trained
    known = history.known_by(history.newest() or AS_OF)
    horizon = choose_horizon(known)
    cutoff = plan_cutoffs(horizon).test
    windows = _windows(known, horizon)
    window: Window = windows.at(cutoff, horizon.days)
    recency = window.rows.column("days_since_purchase")
    assert (window.active == (recency <= horizon.active_days)).all()
    assert window.of_active.active.all()
    assert window.of_active.rows.customers == tuple(np.array(window.rows.customers)[window.active])
    # A shorter horizon can only add lapses; the rows are the same ones.
    shorter = windows.at(cutoff, STEPS[0] // 2)
    assert shorter.rows is window.rows
    assert (shorter.lapsed >= window.lapsed).all()
    assert shorter.lapsed.sum() > window.lapsed.sum()


def test_the_bundle_says_what_it_is(trained: Trained):
    _, _, made = trained
    assert made["contract"]["definitions"] == CONTRACT.definitions
    assert made["grade"] in "ABC"
    assert made["value_measure"] == "revenue"
    assert made["level"] == "type"
    assert [tier["name"] for tier in made["tiers"]] == ["top", "high", "middle", "base"]
    assert {figure["model"] for figure in made["figures"]} == {"churn", "value", "next_purchase"}
    alone = {figure["metric"] for figure in made["figures"] if not figure["best_baseline"]}
    covered = "within the 80 % interval"
    assert alone == {covered, f"{covered} in the top fifth", "width of the interval", "ECE of the probabilities"}


def test_the_manifest_says_what_was_chosen_from_what_and_why(trained: Trained):
    _, _, made = trained
    for name, ladder in (("churn", ChurnLadder), ("value", ValueLadder)):
        chosen = made["chosen"][name]
        compared = [rung["candidate"] for rung in chosen["ladder"]]
        assert chosen["candidate"] in compared
        assert compared == [one for one in ladder.needs if one in compared]
        assert chosen["level"] in LEVELS
        assert chosen["adjustment"]["said"].startswith(("recalibration changes", "no recalibration"))
    assert made["chosen"]["value"]["interval"].startswith("pinball loss ")
    assert "quantile trees" not in made["chosen"]["value"]["interval"]
    # 120 households are too few for trees, and the cut of two years is long enough for totals.
    assert {rung["candidate"] for rung in made["chosen"]["churn"]["ladder"]} == {
        "decayed count", "RFM logistic", "logistic",
    }  # fmt: skip
    assert any("active customers: found 1" in said and "LightGBM needs 1,000" in said for said in made["minimum"])
    assert any(said.startswith("BG/NBD needs churn by silence, 200 repeat buyers") for said in made["minimum"])
    assert made["totals_claimed"] is not any(said.startswith("totals are not claimed") for said in made["minimum"])


def test_the_manifest_says_from_when_it_learned_chose_and_tested(trained: Trained):
    _, _, made = trained
    told, days = made["cutoffs"], timedelta(days=made["horizon"]["days"])
    learn, choose = ([datetime.fromisoformat(one) for one in told[name]] for name in ("learn", "choose"))
    test = datetime.fromisoformat(told["test"])
    assert max(learn) + days <= test
    assert len(choose) == 2
    assert max(choose) + timedelta(days=told["choose_days"]) <= test
    assert test + days <= datetime.fromisoformat(made["as_of"]).astimezone(UTC) + timedelta(days=1)


def test_the_whole_base_is_scored_as_each_customer_is(trained: Trained, bundle: Bundle):
    _, history, _ = trained
    scorer = Scorer(bundle)
    as_of = history.newest() or AS_OF
    base = pl.concat(scorer.score_base(history.known_by(as_of)))
    from features.packed import pack

    for row in base.sample(25, seed=1).iter_rows(named=True):
        events = pack(history.of_customer(history.references_of(row["customer"], as_of), as_of), as_of)
        scores, _ = scorer.score(events, as_of)
        assert (scores.churn_risk is None) == (row["churn_risk"] is None)
        assert (scores.churn_risk or 0.0) == pytest.approx(row["churn_risk"] or 0.0, rel=1e-9)
        assert scores.expected_value == pytest.approx(row["expected_value"], rel=1e-9)
        assert scores.tier == row["tier"]
        ranked = [(one.item, pytest.approx(one.probability, rel=1e-9)) for one in scores.next_purchases]
        assert [(one["item"], one["probability"]) for one in row["next_purchases"]] == ranked
        new = [(one.item, pytest.approx(one.probability, rel=1e-9)) for one in scores.new_purchases]
        assert [(one["item"], one["probability"]) for one in row["new_purchases"]] == new
        assert not any(one.bought_before for one in scores.new_purchases)
        assert scores.value_low <= scores.expected_value <= scores.value_high


def test_reasons_are_parts_that_add_up_to_the_served_score(trained: Trained, bundle: Bundle):
    _, history, _ = trained
    rows = rows_of(history.known_by(history.newest() or AS_OF)).values[:50]
    odds = bundle.models.churn.contributions(rows).sum(axis=1)
    np.testing.assert_allclose(1 / (1 + np.exp(-odds)), bundle.models.churn.predict(rows), rtol=1e-9)
    logs = bundle.models.value.expected.contributions(rows).sum(axis=1)
    np.testing.assert_allclose(np.exp(logs), bundle.models.value.predict(rows)[0], rtol=1e-9)


def test_every_candidate_of_the_base_has_a_probability(trained: Trained, bundle: Bundle):
    _, history, _ = trained
    ranker = bundle.models.next_purchase
    assert ranker is not None
    pairs = pairs_of(history.known_by(history.newest() or AS_OF), ranker.table)
    chances = ranker.probabilities(pairs.values, ranker.rank(pairs.values))
    assert ((chances > 0) & (chances < 1)).all()
    assert len(np.unique(chances)) > 10


def test_a_bundle_that_was_tampered_with_is_refused(trained: Trained, tmp_path):
    import shutil

    place, _, _ = trained
    folder = tmp_path / "bundle"
    shutil.copytree(fetch(place)[0], folder)
    model = folder / "churn.json"
    model.write_text(model.read_text()[:-10])
    with pytest.raises(RegistryError, match=r"expected churn\.json of the bundle with hash"):
        load(folder)
    model.unlink()
    with pytest.raises(RegistryError, match="found no file; train again: holdfast train"):
        load(folder)
    with pytest.raises(RegistryError, match="expected a bundle with a manifest"):
        load(tmp_path)


def test_another_contract_is_refused_with_the_difference():
    from features.contract import FeatureContract

    first, second, third, *more = CONTRACT.names
    spend = CONTRACT.names.index("spend_28")
    changed = tuple("0" * 32 if place == spend else one for place, one in enumerate(CONTRACT.hashes))
    others = {
        "it needs spend_of_old, which are no longer defined; it doesn't know days_since_purchase": replace(
            CONTRACT, names=("spend_of_old", second, third, *more)
        ),
        "it measured spend_28 differently": replace(CONTRACT, hashes=changed),
        "it measured items differently": replace(CONTRACT, items="0"),
        "it has the features in another order": FeatureContract(
            (second, first, third, *more),
            (CONTRACT.units[1], CONTRACT.units[0], *CONTRACT.units[2:]),
            (CONTRACT.hashes[1], CONTRACT.hashes[0], *CONTRACT.hashes[2:]),
            CONTRACT.items,
        ),
    }
    for difference, other in others.items():
        with pytest.raises(ContractError) as refusal:
            CONTRACT.check(FeatureContract.from_dict(json.loads(json.dumps(other.as_dict()))))
        assert str(refusal.value) == (
            f"expected a bundle trained under feature contract {CONTRACT.definitions[:12]}, found "
            f"{other.definitions[:12]}: {difference}. Train again: holdfast train"
        )
    CONTRACT.check(FeatureContract.from_dict(json.loads(json.dumps(CONTRACT.as_dict()))))


def test_a_worse_grade_is_promoted_only_for_a_reason(tmp_path):
    place = Home(tmp_path, tmp_path, "", "live")
    contract = CONTRACT.definitions
    for grade, trained_on in (("B", contract), ("C", contract), ("A", "other features"), ("C", contract)):
        registry.register_version(place, "file:nowhere", None, {"grade": grade, "contract": trained_on})
    assert registry.promote(place, "1") is None
    with pytest.raises(RegistryError) as refused:
        registry.promote(place, "2")
    assert str(refused.value) == (
        "expected a grade of B or better, as the champion (version 1) has; found C. To promote it all the same:"
        " holdfast promote 2 --why REASON"
    )
    assert registry.champion(place).version == 1
    assert registry.promote(place, "2", why="a trial") == "1"
    assert registry.promote(place, "3") == "2"
    # What was trained on other features can't serve, so it gives way to any grade.
    assert registry.promote(place, "4") == "3"
    with pytest.raises(RegistryError, match="expected a registered version, found '99'; there are: 4, 3, 2, 1"):
        registry.promote(place, "99")


def test_a_home_without_a_registry_says_so(tmp_path):
    place = Home(tmp_path, tmp_path, "", "live")
    with pytest.raises(RegistryError, match="found none; train one: holdfast train"):
        fetch(place)


def test_predictions_are_judged_by_what_came_of_them(trained: Trained, bundle: Bundle):
    _, history, made = trained
    known = history.known_by(history.newest() or AS_OF)
    then = known.as_of - timedelta(days=made["horizon"]["days"])
    figures = judge_since(
        known, Scorer(bundle).score_base(known.at(then)), bundle.manifest | {"as_of": then.isoformat()}
    )
    found = {(figure.model, figure.metric): figure for figure in figures}
    assert found["churn", "AUC"].ours > 0.6
    assert found["value", "normalised Gini"].gain_low is not None
    assert 0.6 < found["value", "within the 80 % interval"].ours <= 1.0


def test_evaluate_says_from_when_on_predictions_can_be_judged(trained: Trained, monkeypatch: pytest.MonkeyPatch):
    from typer.testing import CliRunner

    from holdfast.app import app

    place, _, made = trained
    monkeypatch.setenv("HOLDFAST_HOME", str(place.folder))
    monkeypatch.setenv("HOLDFAST_CLOCK", "history")
    done = CliRunner().invoke(app, ["evaluate", "--json"])
    assert done.exit_code == 0, done.output
    answer = json.loads(done.stdout)
    assert answer["version"] == made["version"]
    assert answer["since"]["missing"].startswith("what it predicted can be judged from 2018-01-1")


def test_training_needs_no_git(monkeypatch: pytest.MonkeyPatch, tmp_path):
    from training import pipeline

    assert len(pipeline._commit()) in (40, 64) or pipeline._commit() == "unknown"
    monkeypatch.setenv("PATH", str(tmp_path))
    assert pipeline._commit() == "unknown"
