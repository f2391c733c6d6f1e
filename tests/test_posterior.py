"""What is believed of effects once outcomes have come, of all arms together."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pytest

from features.feature import Array
from models.additive import Additive
from models.effects import COEFFICIENTS, Effect, columns, log_odds, movable
from models.regression import Regression
from training.posterior import _FACTORS, Arm, Believed, Question, posterior

TYPICAL = 1.0


class Told(NamedTuple):
    """Simulated decisions by lot: the place of the arm served, -1 for silence; what came, and how likely it was."""

    served: npt.NDArray[np.int64]
    outcome: Array
    anyway: Array
    lots: Array


def drawn(count: int, shifts: list[float], seed: int, lots: Array | None = None, spread: float = 1.0) -> Told:
    """Draw decisions in which each arm shifts what comes by p·(1 − p) times so much, log-odds around `TYPICAL`."""
    random = np.random.default_rng(seed)
    odds = TYPICAL + spread * random.normal(size=count)
    each = np.tile(np.full(len(shifts), 1 / (len(shifts) + 1)), (count, 1)) if lots is None else lots
    served = (random.random(count)[:, None] > np.cumsum(each, axis=1)).sum(axis=1)
    served = np.where(served == len(shifts), -1, served)
    anyway = 1 / (1 + np.exp(-odds))
    moved = anyway + movable(anyway) * np.array([*shifts, 0.0])[served]
    return Told(served, (random.random(count) < moved).astype(float), anyway, each)


def arm(told: Told, place: int, stated: float = 0.0, scale: float = 0.3, expected: Array | None = None) -> Arm:
    anyway = told.anyway if expected is None else expected
    change = stated * movable(anyway)
    sure = 0.5 if stated else 0.0
    return Arm(
        "all", told.served == place, told.lots[:, place], columns(change, anyway, TYPICAL, None), scale, (sure, 0.0)
    )


def believed(told: Told, arms: int, **given: float) -> list[Believed]:
    made = [arm(told, place, **given) for place in range(arms)]  # type: ignore[arg-type]
    return asked(told.outcome, told.anyway, made, np.arange(len(told.outcome)))


def asked(outcome: Array, anyway: Array, arms: list[Arm], clusters: npt.NDArray[np.int64]) -> list[Believed]:
    (found,) = posterior([Question(outcome, anyway, arms, clusters)])
    return found


def shift(found: Believed, stated: float = 0.0) -> tuple[float, float]:
    """The shift of the log-odds of who is typical, and its standard deviation."""
    row = np.array([stated, 1.0, 0.0, 0.0])
    return float(row @ found.mean), float(row @ found.covariance @ row) ** 0.5


@pytest.mark.parametrize(("count", "low", "high"), [(60, 0.25, 0.75), (40_000, -0.6, -0.2)])
def test_few_outcomes_leave_what_was_stated_and_many_leave_the_data(count: int, low: float, high: float):
    (found,) = believed(drawn(count, [-0.4], 4), 1, stated=0.5)
    assert low < shift(found, 0.5)[0] < high


def test_where_every_outcome_was_the_same_all_stays_as_stated():
    told = drawn(400, [0.0], 4)._replace(outcome=np.ones(400))
    (found,) = believed(told, 1, stated=0.5)
    assert found.mean.tolist() == [1.0, 0.0, 0.0, 0.0]
    assert shift(found, 0.5)[1] == pytest.approx(np.hypot(0.25, 0.3 * np.hypot(1, 0.5)))


def test_more_decisions_make_surer():
    sure = [shift(believed(drawn(count, [0.3], 6), 1)[0])[1] for count in (200, 2_000, 20_000)]
    assert sure[0] > 1.5 * sure[1] > 3 * sure[2]


def test_what_arms_of_a_kind_share_is_believed_of_one_that_hardly_anybody_got():
    count = 30_000
    lots = np.tile([0.1999, 0.2, 0.2, 0.2, 0.0001], (count, 1))
    found = believed(drawn(count, [-0.5] * 5, 8, lots), 5)
    told, unsure = shift(found[4])
    assert told == pytest.approx(-0.5, abs=0.2)
    assert unsure > 1.3 * shift(found[0])[1]


def test_an_arm_that_differs_from_its_kind_is_believed_by_its_own_outcomes():
    found = believed(drawn(60_000, [-0.4, -0.4, 0.3], 3), 3)
    assert shift(found[2])[0] > 0.15
    assert shift(found[0])[0] < -0.3


def test_lots_that_follow_what_nobody_expected_lead_nobody_astray():
    random = np.random.default_rng(11)
    odds = 1.5 * random.normal(size=40_000)
    chance = 1 / (1 + np.exp(-odds))
    treated = random.random(40_000) < 0.15 + 0.7 * chance
    outcome = (random.random(40_000) < chance).astype(float)
    told = Told(np.where(treated, 0, -1), outcome, chance, (0.15 + 0.7 * chance)[:, None])
    flat = np.full(40_000, 0.5)
    (found,) = asked(outcome, flat, [arm(told, 0, expected=flat)], np.arange(40_000))
    naive = log_odds(outcome[treated].mean()) - log_odds(outcome[~treated].mean())
    assert naive > 0.8
    assert shift(found)[0] == pytest.approx(0.0, abs=0.1)


def test_who_is_all_but_sure_moves_less_and_who_moves_more_than_that_is_found():
    random = np.random.default_rng(5)
    odds = TYPICAL + random.normal(size=60_000)
    treated = random.random(60_000) < 0.5
    chance = 1 / (1 + np.exp(-odds - np.where(treated, 0.3 * (odds - TYPICAL), 0.0)))
    outcome = (random.random(60_000) < chance).astype(float)
    told = Told(np.where(treated, 0, -1), outcome, 1 / (1 + np.exp(-odds)), np.full((60_000, 1), 0.5))
    (found,) = believed(told, 1, scale=1.0)
    assert found.mean[2] == pytest.approx(0.3, abs=0.1)


def test_clusters_that_come_together_widen_what_is_believed():
    told = drawn(6_000, [0.2], 9)
    thrice = Told(*(np.repeat(one, 3, axis=0) for one in told))
    made = arm(thrice, 0)
    (apart,) = asked(thrice.outcome, thrice.anyway, [made], np.arange(18_000))
    (together,) = asked(thrice.outcome, thrice.anyway, [made], np.repeat(np.arange(6_000), 3))
    assert shift(together)[1] > 1.4 * shift(apart)[1]


def test_truths_drawn_from_the_prior_lie_within_the_interval_as_often_as_it_says():
    inside = 0
    for seed in range(300):
        random = np.random.default_rng(1_000 + seed)
        truths = random.choice(_FACTORS) * (0.3 * random.normal() + 0.15 * random.normal(size=4))
        found = believed(drawn(4_000, truths.tolist(), seed, spread=0.3), 4)
        inside += sum(abs(shift(one)[0] - true) < 1.96 * shift(one)[1] for one, true in zip(found, truths, strict=True))
    assert 0.93 < inside / 1_200 < 0.97


def test_an_effect_says_what_it_expects_and_draws_around_it():
    rows, stated, anyway = np.random.default_rng(2).normal(size=(50, 2)), np.full(50, 0.1), np.linspace(0.1, 0.9, 50)
    learned = Additive("identity", (Regression((0,), (-9.0,), (9.0,), (0.0,), (1.0,), (0.2,)),), (1.0,))
    spread = np.random.default_rng(3).normal(size=(COEFFICIENTS, COEFFICIENTS)) * 0.1
    covariance = tuple(tuple(row) for row in (spread @ spread.T).tolist())
    effect = Effect((0.9, 0.2, -0.1, 0.8), covariance, TYPICAL, 0.01, learned, 4_000, 4_000, True, "A")
    mean, deviation = effect.change(rows, stated, anyway)
    drawn_ = effect.draws(rows, stated, anyway, np.random.default_rng(1).normal(size=(20_000, COEFFICIENTS)))
    np.testing.assert_allclose(drawn_.mean(axis=0), mean, atol=0.005)
    np.testing.assert_allclose(drawn_.std(axis=0), deviation, rtol=0.05)
    unripe = Effect(effect.mean, covariance, TYPICAL, 0.01, learned, 10, 40, False, "C")
    left = mean - unripe.change(rows, stated, anyway)[0]
    np.testing.assert_allclose(left, 0.8 * (0.2 * rows[:, 0] - 0.01), atol=1e-12)
