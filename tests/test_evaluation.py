import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.calibration import calibrate
from training.evaluation import CHURN_METRICS, VALUE_METRICS, interval_figures, judge
from training.groups import TENURES, by_group, tenure_bands
from training.tiers import tier_floors

RNG = np.random.default_rng(3)


def test_a_better_model_has_a_gain_surely_above_zero_and_a_worse_one_below():
    truth = (RNG.random(2000) < 0.3).astype(float)
    good, poor = 0.3 + 0.4 * (truth - 0.3), np.clip(0.3 + RNG.normal(0, 0.1, 2000), 0.01, 0.99)
    better = judge("churn", CHURN_METRICS, truth, good, {"poor": poor}, seed=1)
    worse = judge("churn", CHURN_METRICS, truth, poor, {"good": good}, seed=1)
    assert all(figure.gain_low is not None and figure.gain_low > 0 for figure in better if figure.metric != "ECE")
    assert all(figure.gain_high is not None and figure.gain_high < 0 for figure in worse if figure.metric != "ECE")


def test_the_best_of_the_baselines_stands_beside_and_each_has_its_interval():
    truth = RNG.gamma(1.0, 10.0, 500)
    rules = {"noise": RNG.random(500), "truth": truth}
    figures = judge("value", VALUE_METRICS, truth, truth * 0.9, rules, seed=1)
    assert {figure.best_baseline for figure in figures} == {"truth"}
    gini = figures[0]
    assert gini.gain_low == gini.rules["truth"].gain_low
    assert gini.rules["noise"].low <= gini.baselines["noise"] <= gini.rules["noise"].high
    assert gini.alike == pytest.approx(0.0)


def test_an_interval_is_as_wide_as_the_standard_error_says():
    truth = (RNG.random(4000) < 0.3).astype(float)
    (brier,) = judge("churn", {"Brier": CHURN_METRICS["Brier"]}, truth, np.full(4000, 0.5), {}, seed=1)
    assert (brier.low, brier.high) == pytest.approx((0.25, 0.25))
    (brier,) = judge("churn", {"Brier": CHURN_METRICS["Brier"]}, truth, np.full(4000, 0.1), {}, seed=1)
    error = float(((0.1 - truth) ** 2).std() / np.sqrt(4000))
    assert brier.high - brier.low == pytest.approx(2 * 1.96 * error, rel=0.2)
    assert (brier.best_baseline, brier.gain) == (None, None)


def test_coverage_is_told_of_the_top_fifth_apart():
    truth = np.arange(10.0)
    figures = interval_figures(truth, truth - 1, np.where(truth > 8, truth - 0.5, truth + 1), 1, expected=truth)
    told = {figure.metric: figure.ours for figure in figures}
    assert told["within the 80 % interval"] == pytest.approx(0.9)
    assert told["within the 80 % interval in the top fifth"] == pytest.approx(0.5)
    assert told["width of the interval"] == pytest.approx((9 * 2 + 0.5) / 10)


def test_a_figure_that_cannot_be_told_is_nothing_in_json():
    (area,) = judge("churn", {"AUC": CHURN_METRICS["AUC"]}, np.zeros(5), np.arange(5.0), {"rule": np.ones(5)}, seed=1)
    told = json.loads(json.dumps(area.as_dict(), allow_nan=False))
    assert told["ours"] is None
    assert told["rules"]["rule"]["gain_low"] is None


def test_groups_are_judged_apart_and_empty_ones_left_out():
    days = np.repeat([10.0, 400.0], 50)
    truth = np.tile([0.0, 1.0], 50)
    risk = np.concatenate([truth[:50], 1 - truth[50:]])
    area = {"AUC": CHURN_METRICS["AUC"]}
    rows = by_group(
        "tenure", TENURES, tenure_bands(days),
        lambda which: judge("churn", area, truth[which], risk[which], {"same": np.full(int(which.sum()), 0.5)}, 1),
    )  # fmt: skip
    assert [(row.group, row.customers, row.ours) for row in rows] == [
        ("under 90 days", 50, 1.0), ("365 days and more", 50, 0.0),
    ]  # fmt: skip
    assert (rows[0].best_rule, rows[0].its_figure) == ("same", 0.5)


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=300))
def test_a_calibration_rises_and_never_is_certain(pairs: list[tuple[float, bool]]):
    scores, happened = np.array([pair[0] for pair in pairs]), np.array([float(pair[1]) for pair in pairs])
    applied = calibrate(scores, happened).apply(np.linspace(0, 1, 50))
    assert (np.diff(applied) >= 0).all()
    assert ((applied > 0) & (applied < 1)).all()


@given(st.lists(st.floats(0, 1e6), min_size=20, max_size=200, unique=True))
def test_tiers_hold_their_shares(values: list[float]):
    expected = np.array(values)
    floors = tier_floors(expected, [0.05, 0.15, 0.3, 0.5])
    counts = [int((expected >= floor).sum()) for floor in floors]
    for count, share in zip(counts, (0.05, 0.2, 0.5), strict=True):
        assert abs(count - share * len(expected)) <= 2
