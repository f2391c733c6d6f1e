import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.calibration import calibrate
from training.evaluation import (
    CHURN_METRICS,
    VALUE_METRICS,
    Figure,
    decile_error,
    expected_calibration_error,
    grade,
    judge,
    lift_at_tenth,
    normalised_gini,
    ranking_parts,
    top_fifth_capture,
)
from training.value import tier_floors

RNG = np.random.default_rng(3)


def test_metrics_by_hand():
    truth = np.array([0.0, 0.0, 1.0, 1.0])
    assert expected_calibration_error(truth, np.full(4, 0.5)) == pytest.approx(0.5)
    assert normalised_gini(truth, truth) == pytest.approx(1.0)
    assert normalised_gini(truth, -truth) == pytest.approx(-1.0)
    value = np.array([10.0, 5.0, 3.0, 1.0, 1.0])
    assert top_fifth_capture(value, value) == 0.5
    assert lift_at_tenth(np.arange(10) == 9, np.arange(10.0)) == 10.0
    assert decile_error(np.full(20, 2.0), np.full(20, 3.0)) == pytest.approx(0.5)


def test_ranking_by_hand():
    customers, items = np.array(["a", "a", "a", "b"]), np.array(["x", "y", "z", "x"])
    buyers, parts = ranking_parts(customers, items, np.array([3.0, 2.0, 1.0, 1.0]), {("a", "y"), ("a", "unseen")}, at=2)
    assert buyers.tolist() == ["a"]
    assert parts["recall at 2"] == pytest.approx([0.5])
    assert parts["hit rate at 2"] == pytest.approx([1.0])
    assert parts["NDCG at 2"] == pytest.approx([(1 / np.log2(3)) / (1 + 1 / np.log2(3))])


def test_a_better_model_has_a_gain_surely_above_zero_and_a_worse_one_below():
    truth = (RNG.random(2000) < 0.3).astype(float)
    good, poor = 0.3 + 0.4 * (truth - 0.3), np.clip(0.3 + RNG.normal(0, 0.1, 2000), 0.01, 0.99)
    better = judge("churn", CHURN_METRICS, truth, good, {"poor": poor}, seed=1)
    worse = judge("churn", CHURN_METRICS, truth, poor, {"good": good}, seed=1)
    assert all(figure.gain_low is not None and figure.gain_low > 0 for figure in better if figure.metric != "ECE")
    assert all(figure.gain_high is not None and figure.gain_high < 0 for figure in worse if figure.metric != "ECE")


def test_the_best_of_the_baselines_stands_beside():
    truth = RNG.gamma(1.0, 10.0, 500)
    rules = {"noise": RNG.random(500), "truth": truth}
    figures = judge("value", VALUE_METRICS, truth, truth * 0.9, rules, seed=1)
    assert {figure.best_baseline for figure in figures} == {"truth"}


def _headline(model: str, metric: str, low: float, high: float) -> Figure:
    return Figure(model, metric, 0.5, 0.4, 0.6, {"rule": 0.5}, "rule", (low + high) / 2, low, high)


@pytest.mark.parametrize(
    ("churn", "expected"), [((0.1, 0.2), "A"), ((-0.1, 0.2), "B"), ((-0.2, -0.1), "C")]
)  # fmt: skip
def test_the_worst_headline_decides_the_grade(churn: tuple[float, float], expected: str):
    figures = [_headline("churn", "AUC", *churn), _headline("value", "normalised Gini", 0.1, 0.2)]
    assert grade(figures) == expected


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
