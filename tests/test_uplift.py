"""Uplift is found where it is, isn't where there is none, and leaves what was stated only as outcomes come."""

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.additive import inverse
from training.uplift import FOLDS, FittedUplift, deal, fit_uplift
from training.uplift_grading import grade, judge
from training.uplift_learners import Trial
from training.uplift_metrics import Decile, GainsCurve, Measured, deciles, off, tenths
from training.uplift_regression import interactions

NAMES = tuple(f"column_{place}" for place in range(6))


Shape = Callable[[np.ndarray], np.ndarray]
SHAPES: dict[str, Shape] = {"a step": np.sign, "a ramp": lambda column: column}


def trial(
    rows: int, seed: int, spread: float = 0.0, chance: float = 0.5, mean: float = 0.3, shape: Shape = np.sign
) -> tuple[Trial, np.ndarray]:
    """Simulate amounts that treatment raises by `mean`, and by `spread` more or less as the first column is."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(rows, len(NAMES)))
    propensity = np.clip(chance + 0.1 * np.sign(values[:, 1]), 0.05, 0.95)
    treated = rng.random(rows) < propensity
    uplift = mean + spread * shape(values[:, 0])
    outcome = values[:, 1] + rng.normal(size=rows) + np.where(treated, uplift, 0.0)
    values[rng.random(values.shape) < 0.05] = np.nan
    return Trial(values, NAMES, treated, outcome, propensity), uplift


def fitted(told: Trial, **options) -> FittedUplift:
    return fit_uplift(told.rows, told.names, told.treated, told.outcome, told.propensity, **options)


@cache
def heterogeneous(shape: str = "a step") -> tuple[Trial, np.ndarray, FittedUplift]:
    told, uplift = trial(4_000, 1, spread=0.5, chance=0.8, shape=SHAPES[shape])
    return told, uplift, fitted(told)


def test_the_average_effect_lies_within_its_interval_as_often_as_it_says():
    low_high = [fitted(trial(200, seed)[0]).average[1:] for seed in range(24)]
    assert sum(low <= 0.3 <= high for low, high in low_high) >= 20


@pytest.mark.parametrize("shape", list(SHAPES))
def test_who_is_changed_is_found_and_calibrated(shape: str):
    told, uplift, found = heterogeneous(shape)
    slope, error = found.calibration.coefficients[1], found.calibration.covariance[1, 1] ** 0.5
    assert np.corrcoef(found.held_out, uplift)[0, 1] > 0.8
    assert np.corrcoef(found.model.predict(told.rows), uplift)[0, 1] > 0.8
    assert abs(slope - 1) < 3 * error
    judged = judge(found, told.treated, told.outcome, told.propensity)
    assert judged.verdict.grade == "A"
    assert judged.figures.qini.low > 0
    assert sum(one.within for one in judged.deciles) >= 8


def test_without_heterogeneity_the_mean_effect_is_left_and_nothing_sure_is_said():
    grades, spreads = [], []
    for seed in range(5):
        told, _ = trial(800, seed)
        found = fitted(told)
        spreads.append(found.held_out.std())
        grades.append(judge(found, told.treated, told.outcome, told.propensity).verdict.grade)
    assert np.median(spreads) < 0.05
    assert grades.count("B") >= 4


def chances(rows: int, link: str, seed: int = 2) -> tuple[Trial, np.ndarray]:
    """Simulate yes and no, or money, whose odds or mean treatment changes, by the second column more or less."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(rows, 4))
    treated = rng.random(rows) < 0.7
    base, change = -1.5 + 0.8 * values[:, 0], 0.3 + 0.5 * values[:, 1]
    with_it, without = inverse(link, base + change), inverse(link, base)
    mean = np.where(treated, with_it, without)
    if link == "logit":
        outcome = (rng.random(rows) < mean).astype(np.float64)
    else:
        outcome = np.where(rng.random(rows) < 0.5, rng.gamma(2.0, mean), 0.0)
    return Trial(values, NAMES[:4], treated, outcome, np.full(rows, 0.7)), with_it - without


@pytest.mark.parametrize("link", ["logit", "log"])
def test_a_regression_finds_what_a_treatment_does_to_odds_and_to_money(link: str):
    told, uplift = chances(12_000, link)
    assert told.link == link
    outcome, unit = told.scaled
    found = interactions(told.rows, told.treated.astype(np.float64), outcome, link).adjusted(unit, 0.0)
    scores = found.scores(told.rows)
    assert np.corrcoef(scores, uplift)[0, 1] > 0.95
    assert np.polyfit(scores, uplift, 1)[0] == pytest.approx(1, abs=0.2)
    assert scores.mean() == pytest.approx(uplift.mean(), abs=0.03)


def test_a_regression_without_interactions_to_find_moves_everybodys_odds_alike():
    told, _ = chances(3_000, "logit")
    shuffled = np.random.default_rng(3).permutation(told.treated).astype(np.float64)
    found = interactions(told.rows, shuffled, told.outcome, "logit")
    assert found.scores(told.rows).std() < 0.04


def test_the_scale_of_an_outcome_is_told_from_what_came():
    rows, flags = np.zeros((4, 1)), np.array([True, False] * 2)
    links = [Trial(rows, NAMES[:1], flags, np.array(came), np.full(4, 0.5)).link for came in (
        [0.0, 25, 25, 0], [-5.0, -5, 10, 30], [1.0, 1, 1, 1],
    )]  # fmt: skip
    assert links == ["logit", "log", "identity"]
    assert Trial(np.zeros((40, 1)), NAMES[:1], flags, np.arange(40.0), np.full(40, 0.5)).link == "identity"


def test_clusters_are_never_split_and_widen_the_interval():
    told, _ = trial(500, 3)
    many = Trial(*(np.repeat(one, 4, axis=0) for one in (told.rows,)), NAMES,
                 *(np.repeat(one, 4) for one in (told.treated, told.outcome, told.propensity)))  # fmt: skip
    people = np.repeat([f"person {place}" for place in range(500)], 4)
    together, apart = fitted(many, clusters=people), fitted(many)
    assert all(len(set(together.folds[people == one])) == 1 for one in set(people))
    assert np.ptp(together.average[1:]) > 1.7 * np.ptp(apart.average[1:])


def test_folds_are_of_about_equal_size():
    assert set(np.bincount(deal(np.arange(503), 7)).tolist()) == {100, 101}
    assert len(np.bincount(deal(np.arange(503), 7))) == FOLDS


def test_more_rows_narrow_the_average():
    widths = []
    for rows in (200, 800, 2_400):
        told, _ = trial(rows, 6)
        widths.append(np.ptp(fitted(told).average[1:]))
    assert widths[0] > 1.5 * widths[1] > 1.5 * 1.4 * widths[2]


@settings(max_examples=2, deadline=None)
@given(st.floats(-50, 50), st.integers(0, 1_000))
def test_a_constant_more_changes_no_uplift_and_swapped_arms_turn_its_sign(constant: float, seed: int):
    told, _ = trial(600, seed, spread=0.5)
    plain = fitted(told)
    more = fitted(Trial(told.rows, NAMES, told.treated, told.outcome + constant, told.propensity))
    swapped = fitted(Trial(told.rows, NAMES, ~told.treated, told.outcome, 1 - told.propensity))
    spread = told.outcome.std()
    np.testing.assert_allclose(more.average, plain.average, atol=0.02 * spread)
    assert np.abs(more.held_out - plain.held_out).mean() < 0.02 * spread
    assert swapped.average[0] == pytest.approx(-plain.average[0], abs=1e-6)
    np.testing.assert_allclose(swapped.held_out, -plain.held_out, atol=1e-6)


def test_the_qini_of_an_order_by_hand():
    # Treated 1 and control 0 at the top, treated 0 and control 1 below: gains 0, 1/2, 0 and a line at 0.
    curve = GainsCurve(np.array([2.0, 2, 1, 1]), np.array([True, False, True, False]), np.array([1.0, 0, 0, 1]),
                       np.full(4, 0.5))  # fmt: skip
    share, gain = curve.points()
    assert share.tolist() == [0, 0.5, 1]
    assert gain.tolist() == [0, 0.5, 0]
    assert curve.qini() == 0.25
    assert curve.qini(np.array([2.0, 2, 0, 0])) == 0.0


def test_equal_scores_are_one_step_and_one_tenth():
    told, _, _ = heterogeneous()
    assert GainsCurve(np.ones(4_000), told.treated, told.outcome, told.propensity).qini() == pytest.approx(0, abs=1e-12)
    folds = np.arange(100) % 2
    assert set(tenths(np.ones(100), folds).tolist()) == {0}
    assert np.bincount(tenths(np.arange(100.0), folds)).tolist() == [10] * 10


def test_a_learner_whose_uplifts_miss_or_order_backwards_is_refused():
    _, _, found = heterogeneous()
    told = deciles(found)
    assert not off(told)
    wrong = tuple(Decile(one.rows, one.predicted * 3, one.came, one.low, one.high) for one in told)
    assert grade(found, Measured(0.1, 0.05, 0.2), wrong, None).grade == "refused"
    assert grade(found, Measured(-0.1, -0.2, -0.05), told, None).grade == "refused"
    assert grade(found, Measured(0.1, -0.05, 0.2), told, None).grade == "B"
    assert grade(found, Measured(0.1, 0.05, 0.2), told, "Uplift is too good to be true.").grade == "C"
    few = fitted(trial(150, 1)[0])
    assert grade(few, Measured(0.1, 0.05, 0.2), told, None).grade == "C"
