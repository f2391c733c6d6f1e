"""A bundle that was written is the bundle that is loaded, and MLflow's own flavour can read its trees."""

import importlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from features.affinity import PAIR_FEATURES, item_table
from features.contract import CONTRACT
from features.errors import ContractError, RegistryError
from features.history import History
from features.segments import Segments
from models.additive import Additive
from models.bundle import Models, load, write
from models.calibration import Calibration
from models.effects import Effect, Effects
from models.next_purchase import VISIT_COLUMNS, VISIT_FEATURES, NextPurchaseModel
from models.proof import Proof
from models.ranks import risks
from models.regression import Regression
from models.simulation import Simulation
from models.trees import Together, Trees
from models.value import Expense, Interval, QuantileTrees, ValueModel
from tests.making import AS_OF, filled, happened
from tests.properties.test_model_laws import TRUE, booster, contrast, parts, rows_at_random
from training.boosting import Fit, boost

MANIFEST = {"contract": CONTRACT.as_dict(), "as_of": AS_OF.isoformat()}
ROWS = rows_at_random(11, 80)
EVERY = Additive("logit", tuple(parts().values()), tuple(1 / 7 + place / 70 for place in range(len(parts()))), 0.1)
LOGS = Additive("log", (parts()["spend"], parts()["hurdle"]), (0.7, 0.3), 1 / 3)
SHARES = ((1 / 3, 2.0, 5.0), (-1 / 7, -0.3, -0.2), (0.1, 0.9, 4.0))


STARTS: dict[str, QuantileTrees | Simulation | None] = {
    "shares": None,
    "trees": QuantileTrees(booster("gamma"), booster("gamma", seed=2)),
    "simulation": Simulation(TRUE, 28.0, (0.1, 0.9)),
}


def value(start: str) -> ValueModel:
    return ValueModel(LOGS, Interval(12.3, *SHARES, STARTS[start]))


@pytest.fixture
def ranker(history: History) -> NextPurchaseModel:
    bought = [happened(place, product=f"p{place % 3}") for place in range(12)]
    table = item_table(filled(history, bought).known_by(AS_OF), "product")
    pairs = np.random.default_rng(3).normal(0, 1, (300, len(PAIR_FEATURES)))
    fitted = boost({"objective": "binary"}, pairs, (pairs[:, 0] > 0).astype(np.float64), PAIR_FEATURES, Fit(trees=5))
    segments = Segments((("age", 20_000),), np.array([[0.3, 0.1, 1 / 7]]), table.statistics[:, 0])
    days = pairs[:, VISIT_COLUMNS]
    visits = boost({"objective": "binary"}, days, days[:, 0] > 0, VISIT_FEATURES, Fit(trees=5))
    return NextPurchaseModel(fitted, visits, Calibration((-1.0, 0.1, 1.0), (0.1, 1 / 3, 0.9)), table, segments)


def renamed(trees: Trees, names: tuple[str, ...]) -> Trees:
    text = trees.booster.model_to_string().replace(
        "feature_names=" + " ".join(trees.booster.feature_name()), "feature_names=" + " ".join(names)
    )
    return Trees(importlib.import_module("lightgbm").Booster(model_str=text))


@pytest.mark.parametrize("start", list(STARTS))
def test_what_is_loaded_predicts_what_was_written_bit_by_bit(tmp_path: Path, start: str):
    written = Models(EVERY, value(start), None)
    digest = write(tmp_path, written, MANIFEST)
    bundle = load(tmp_path, "3")
    assert (bundle.hash, bundle.version, bundle.as_of) == (digest, "3", AS_OF)
    assert bundle.models.next_purchase is None
    assert np.array_equal(bundle.models.churn.predict(ROWS), EVERY.predict(ROWS))
    for loaded, before in zip(bundle.models.value.predict(ROWS), written.value.predict(ROWS), strict=True):
        assert np.array_equal(loaded, before)
    assert [type(part) for part in bundle.models.churn.parts] == [type(part) for part in EVERY.parts]
    assert type(bundle.models.value.interval.start) is type(STARTS[start])


def test_costs_come_back_and_a_bundle_without_them_holds_none(tmp_path: Path):
    models = {
        "cost_to_serve": Additive("log", (booster("gamma"),), (1.0,)),
        "credit_loss": Additive("log", (), (), -1.0),
    }
    costly = replace(value("trees"), expense=Expense(models, Interval(2.0, *SHARES, None), 0.4))
    write(tmp_path / "costly", Models(EVERY, costly, None), MANIFEST)
    loaded = load(tmp_path / "costly").models.value
    for one, before in zip(loaded.predict(ROWS), costly.predict(ROWS), strict=True):
        assert np.array_equal(one, before)
    for name, cost in costly.costs(ROWS).items():
        assert np.array_equal(loaded.costs(ROWS)[name], cost)
    write(tmp_path / "plain", Models(EVERY, value("trees"), None), MANIFEST)
    plain = load(tmp_path / "plain")
    assert plain.models.value.expense is None
    assert plain.models.value.costs(ROWS) == {}
    assert not [name for name in plain.manifest["files"] if "cost" in name]


def test_a_value_is_what_is_brought_less_every_cost_and_lies_within_its_bounds():
    models = {name: Additive("log", (), (), float(np.log(cost))) for name, cost in (("a", 3.0), ("b", 4.0))}
    brought, low, _ = value("shares").predict(ROWS)
    costly = replace(value("shares"), expense=Expense(models, Interval(2.0, *SHARES, None), 0.4))
    net, net_low, net_high = costly.predict(ROWS)
    np.testing.assert_allclose(net, brought - 7)
    assert (net_low <= net).all()
    assert (net <= net_high).all()
    assert (net_low <= low).all()


@pytest.mark.parametrize("kind", list(parts()))
def test_every_kind_of_part_comes_back_with_its_scores_and_its_shares(tmp_path: Path, kind: str):
    alone = Additive("logit", (parts()[kind],), (1.0,))
    write(tmp_path, Models(alone, value("shares"), None), MANIFEST)
    loaded = load(tmp_path).models.churn
    assert np.array_equal(loaded.scores(ROWS), alone.scores(ROWS))
    # A booster's text holds what a split expects to fewer digits than its leaves; the sum is exact all the same.
    np.testing.assert_allclose(loaded.contributions(ROWS), alone.contributions(ROWS), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(loaded.contributions(ROWS).sum(axis=1), loaded.scores(ROWS), rtol=1e-9, atol=1e-9)


def test_a_ranker_comes_back_with_its_calibration_and_its_items(tmp_path: Path, ranker: NextPurchaseModel):
    write(tmp_path, Models(EVERY, value("shares"), ranker), MANIFEST)
    loaded = load(tmp_path).models.next_purchase
    assert loaded is not None
    pairs = np.random.default_rng(4).normal(0, 1, (50, len(PAIR_FEATURES)))
    assert np.array_equal(loaded.rank(pairs), ranker.rank(pairs))
    assert loaded.calibration == ranker.calibration
    scores = ranker.rank(pairs)
    assert np.array_equal(loaded.probabilities(pairs, scores), ranker.probabilities(pairs, scores))
    assert loaded.table.as_json() == ranker.table.as_json()
    assert loaded.segments.as_json() == ranker.segments.as_json()


def test_writing_the_same_models_again_gives_the_same_hash(tmp_path: Path):
    models = Models(EVERY, value("trees"), None)
    assert write(tmp_path / "one", models, MANIFEST) == write(tmp_path / "two", models, MANIFEST)
    other = Models(EVERY.adjusted(1.0, 1e-12), value("trees"), None)
    assert write(tmp_path / "three", other, MANIFEST) != write(tmp_path / "four", models, MANIFEST)


@pytest.mark.parametrize("place", ["churn", "value", "bounds", "next purchase"])
def test_a_booster_of_other_columns_is_refused(tmp_path: Path, ranker: NextPurchaseModel, place: str):
    odd = renamed(booster("binary"), CONTRACT.names[::-1])
    churn, expected, bounds = EVERY, LOGS, None
    if place == "churn":
        churn = Additive("logit", (odd,), (1.0,))
    if place == "value":
        expected = Additive("log", (odd,), (1.0,))
    if place == "bounds":
        bounds = QuantileTrees(booster("gamma"), odd)
    if place == "next purchase":
        ranker = replace(ranker, trees=renamed(ranker.trees, PAIR_FEATURES[::-1]))
    write(tmp_path, Models(churn, ValueModel(expected, Interval(1.0, *SHARES, bounds)), ranker), MANIFEST)
    with pytest.raises(ContractError) as refused:
        load(tmp_path)
    assert str(refused.value) == (
        "expected the models' columns in the contract's order, found another; train again: holdfast train"
    )


def test_every_file_of_a_bundle_is_checked(tmp_path: Path, ranker: NextPurchaseModel):
    folder = tmp_path / "bundle"
    write(folder, Models(EVERY, value("trees"), ranker), MANIFEST)
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != "manifest.json"]
    assert {path.relative_to(folder).parts[0] for path in files} == {
        "churn.json", "value.json", "next_purchase.json", "items.json", "segments.json", "proof.json", "trees",
    }  # fmt: skip
    for path in files:
        whole = path.read_text(encoding="utf-8")
        path.write_text(whole + " ", encoding="utf-8")
        with pytest.raises(RegistryError, match=f"expected {path.relative_to(folder)} of the bundle with hash"):
            load(folder)
        path.write_text(whole, encoding="utf-8")
    load(folder)


def test_a_bundle_that_says_something_else_than_it_did_is_refused(
    tmp_path: Path, ranker: NextPurchaseModel, monkeypatch: pytest.MonkeyPatch
):
    write(tmp_path, Models(EVERY, value("trees"), ranker), MANIFEST)
    load(tmp_path)
    proof = json.loads((tmp_path / "proof.json").read_text(encoding="utf-8"))
    assert set(proof["answers"]) == {
        "risk", "risk_rank", "value", "value_low", "value_high", "value_rank", "next_purchase",
    }  # fmt: skip
    assert len({tuple(row) for row in proof["rows"]}) == 6

    def off_by(much: float) -> None:
        monkeypatch.setattr("models.proof.risks", lambda *asked: tuple(told + much for told in risks(*asked)))

    off_by(1e-6)
    with pytest.raises(RegistryError, match=r"expected of the bundle's made-up customers risk \[.*\]; found \["):
        load(tmp_path)
    off_by(1e-12)
    load(tmp_path)


def test_a_bundle_that_says_something_else_of_one_customer_than_of_all_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    write(tmp_path, Models(EVERY, value("trees"), None), MANIFEST)
    scores = Together.scores
    monkeypatch.setattr(Together, "scores", lambda *asked: scores(*asked) + 1e-6)
    with pytest.raises(RegistryError, match=r"expected of the bundle's made-up customers risk \[.*\]; found \["):
        load(tmp_path)


def test_a_bundle_that_lacks_an_answer_is_refused(tmp_path: Path, ranker: NextPurchaseModel):
    told = Proof.of(EVERY, value("trees"), ranker, Effects())
    with pytest.raises(RegistryError, match=r"expected of the bundle's made-up customers answers of .*next_purchase"):
        told.check(EVERY, value("trees"), None, Effects())


def test_a_ranker_that_the_manifest_does_not_know_is_not_served(tmp_path: Path, ranker: NextPurchaseModel):
    write(tmp_path / "with", Models(EVERY, value("shares"), ranker), MANIFEST)
    write(tmp_path / "without", Models(EVERY, value("shares"), None), MANIFEST)
    for path in (tmp_path / "with").rglob("*"):
        laid = tmp_path / "without" / path.relative_to(tmp_path / "with")
        if path.is_file() and not laid.exists():
            laid.parent.mkdir(parents=True, exist_ok=True)
            laid.write_bytes(path.read_bytes())
    assert load(tmp_path / "without").models.next_purchase is None


def test_a_bundle_of_an_older_format_is_refused_with_the_way_out(tmp_path: Path):
    write(tmp_path, Models(EVERY, value("shares"), None), MANIFEST)
    told: dict[str, Any] = json.loads((tmp_path / "manifest.json").read_text(encoding="utf-8"))
    (tmp_path / "manifest.json").write_text(json.dumps(told | {"format": 1}), encoding="utf-8")
    with pytest.raises(RegistryError, match=r"expected a bundle of format \d, found 1; train again: holdfast train"):
        load(tmp_path)


def test_mlflows_lightgbm_flavour_loads_every_booster_and_predicts_the_same(
    tmp_path: Path, ranker: NextPurchaseModel
):  # fmt: skip
    mlflow_lightgbm = importlib.import_module("mlflow.lightgbm")
    write(tmp_path, Models(EVERY, value("trees"), ranker), MANIFEST)
    pairs = np.random.default_rng(4).normal(0, 1, (50, len(PAIR_FEATURES)))
    binary, gamma, leaf = booster("binary"), booster("gamma"), booster("binary", leaves=1)
    ours = {
        "churn-1": binary, "churn-2": leaf, "churn-6-comes": binary, "churn-6-amount": gamma, "churn-7-comes": leaf,
        "churn-7-amount": booster("gamma", leaves=1),
        **{f"churn-{place}": contrast(link).trees for place, link in enumerate(("identity", "logit", "log"), 8)},
        "value-2-comes": binary, "value-2-amount": gamma, "value-low": gamma, "value-high": booster("gamma", seed=2),
        "next-purchase-trees": ranker.trees, "next-purchase-visits": ranker.visits,
    }  # fmt: skip
    folders = {path.name: path for path in (tmp_path / "trees").iterdir()}
    assert set(folders) == set(ours)
    for name, folder in folders.items():
        treated = np.column_stack([ROWS, np.ones(len(ROWS))])
        read = {"next-purchase-trees": pairs, "next-purchase-visits": pairs[:, VISIT_COLUMNS]}
        read |= dict.fromkeys(("churn-8", "churn-9", "churn-10"), treated)
        rows = read.get(name, ROWS)
        loaded = mlflow_lightgbm.load_model(str(folder))
        assert np.array_equal(loaded.predict(rows, raw_score=True, num_threads=1), ours[name].scores(rows)), name


def test_effects_are_kept_with_what_was_learned(tmp_path: Path) -> None:
    covariance = ((0.1, 0.02, 0.0, 0.0), (0.02, 1 / 3, 0.0, 0.0), (0.0, 0.0, 0.5, 0.0), (0.0, 0.0, 0.0, 0.7))
    learned = Additive("identity", (parts()["trees"], regression(), contrast()), (0.7, -1 / 7, 0.4), 0.01)
    mature = Effect((0.9, -1 / 3, 0.5, 0.8), covariance, 1 / 7, 0.05, learned, 900, 4_000, True, "A")
    poor = Effect((1.0, 0.0, 0.0, 0.0), covariance, 0.5, 0.0, None, 20, 300, False, "B")
    write(tmp_path, Models(EVERY, value("shares"), None, Effects({"voucher": mature}, {"call": poor})), MANIFEST)
    loaded = load(tmp_path).effects
    stated, normals = np.full(len(ROWS), 0.1), np.random.default_rng(2).normal(size=(4, 4))
    anyway = np.linspace(0.0, 1.0, len(ROWS))
    for kept, one in ((loaded.wished["voucher"], mature), (loaded.staying["call"], poor)):
        for told, then in zip(kept.change(ROWS, stated, anyway), one.change(ROWS, stated, anyway), strict=True):
            np.testing.assert_array_equal(told, then)
        drawn = (of.draws(ROWS, stated, anyway, normals) for of in (kept, one))
        np.testing.assert_array_equal(*drawn)


def regression() -> Regression:
    return Regression((0, 3), (0.0, -1.0), (9.0, 1 / 3), (1.5, 0.0), (2.0, 1 / 7), (0.4, -0.3))


def test_what_was_found_of_a_row_goes_with_it(tmp_path: Path):
    write(tmp_path, Models(EVERY, value("trees"), None), MANIFEST)
    trees = next(part for part in load(tmp_path).models.churn.parts if isinstance(part, Trees))
    row = np.zeros((1, len(CONTRACT.names)))
    trees.contributions(row)
    assert trees.together is not None
    assert trees.together._kept.leaves is not None
    del row
    assert trees.together._kept.__dict__ == {}
