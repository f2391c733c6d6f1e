"""What is measured of an order by uplift, and of uplifts themselves, on rows that a learner hasn't seen.

The gains curve says what treating a share of the rows, from the top, brings a row of all: the share times the
difference between the arms' mean outcomes there, each row counting by the inverse of the chance of its arm (Hájek).
With equal propensities it is Radcliffe's Qini curve (2007, "Using control groups to target on predicted lift") over the
number treated. The Qini coefficient is the area between the curve and the straight line of no order, in the outcome's
unit a row; 0 is what any constant uplift has. Rows of equal score make one step. Clusters are drawn again whole.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import chi2

from features.feature import Array
from training.skewness import NORMAL
from training.uplift import FittedUplift, Progress
from training.uplift_learners import Flags
from training.uplift_moments import mean_effect

DRAWS = 300
_LEVELS = (0.025, 0.975)
_GROUPS = 10
_OFF = 0.01


@dataclass(frozen=True)
class Measured:
    """A figure and its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Decile:
    """A tenth of the rows by uplift, the highest first: what was said on average, and what came, with its interval."""

    rows: int
    predicted: float
    came: float
    low: float
    high: float

    @property
    def within(self) -> bool:
        """Whether what was said lies within the interval of what came."""
        return self.low <= self.predicted <= self.high


class GainsCurve:
    """The gains of an order; all arguments have shape (n,), `propensity` is the chance of having been treated."""

    def __init__(self, scores: Array, treated: Flags, outcome: Array, propensity: Array) -> None:
        order = np.argsort(-scores, kind="stable")
        ordered = scores[order]
        self._order = order
        self._starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
        self._outcome = (outcome - outcome.mean())[order]
        self._treated = np.where(treated, 1 / propensity, 0.0)[order]
        self._control = np.where(treated, 0.0, 1 / (1 - propensity))[order]

    def points(self, counts: Array | None = None) -> tuple[Array, Array]:
        """Give the shares treated and the gains a row, from (0, 0) on; each row counts `counts` times, shape (n,)."""
        mine = np.ones(len(self._order)) if counts is None else counts[self._order]
        rows = self._steps(mine)
        share = rows / rows[-1]
        return share, share * (self._mean(mine * self._treated) - self._mean(mine * self._control))

    def areas(self, counts: Array | None = None) -> tuple[float, float]:
        """Measure the area between the curve and the line of no order, which is the Qini, and the whole area under it.

        The latter is the gain a row, averaged over all shares.
        """
        share, gain = self.points(counts)
        whole = float(np.trapezoid(gain, share))
        return whole - float(gain[-1]) / 2, whole

    def qini(self, counts: Array | None = None) -> float:
        """Measure the area between the curve and the line of no order."""
        return self.areas(counts)[0]

    def _mean(self, weights: Array) -> Array:
        total = self._steps(weights)
        return np.asarray(self._steps(weights * self._outcome) / np.where(total > 0, total, 1.0))

    def _steps(self, values: Array) -> Array:
        return np.concatenate([[0.0], np.cumsum(np.add.reduceat(values, self._starts))])


def redrawn(clusters: npt.NDArray[np.int64], seed: int, draws: int = DRAWS) -> Iterator[Array]:
    """Count how often each row is drawn when clusters, numbered from 0, are drawn again: `draws` times shape (n,)."""
    number = int(clusters.max()) + 1
    rng = np.random.default_rng(seed)
    for _ in range(draws):
        drawn = rng.integers(0, number, number)
        yield np.bincount(drawn, minlength=number).astype(np.float64)[clusters]


def measured(value: float, drawn: Array) -> Measured:
    """Put the bootstrap's 95 % interval around a figure."""
    low, high = np.nanquantile(drawn, _LEVELS)
    return Measured(value, float(low), float(high))


def tenths(scores: Array, folds: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Cut rows into tenths of their fold, 0 with the highest scores; shape (n,).

    Equal scores are never parted, so that there may be fewer. Over all folds together a fold's high outcomes raise the
    other folds' scores above its own, so that the highest tenth would seem to miss.
    """
    cut = np.zeros(len(folds), dtype=np.int64)
    for fold in np.unique(folds):
        here = folds == fold
        cut[here] = _cut(scores[here])
    return np.asarray(np.unique(cut, return_inverse=True)[1], dtype=np.int64).reshape(-1)


def _cut(scores: Array) -> npt.NDArray[np.int64]:
    below = np.searchsorted(np.sort(-scores), -scores, side="left")
    return np.asarray(below * _GROUPS // max(len(scores), 1), dtype=np.int64)


def deciles(fitted: FittedUplift) -> tuple[Decile, ...]:
    """Set each tenth's mean held-out uplift beside its mean pseudo-outcome, with a cluster-robust 95 % interval."""
    groups = tenths(fitted.held_out, fitted.folds)
    return tuple(_decile(fitted, groups == number) for number in range(int(groups.max()) + 1))


def _decile(fitted: FittedUplift, here: Flags) -> Decile:
    clusters = np.unique(fitted.clusters[here], return_inverse=True)[1].reshape(-1).astype(np.int64)
    came, low, high = mean_effect(fitted.pseudo[here], clusters)
    return Decile(int(here.sum()), float(fitted.held_out[here].mean()), came, low, high)


@dataclass(frozen=True)
class Figures:
    """What is measured of an uplift beside its tenths.

    `calibration_error` is the average |said − came| over tenths, on pseudo-outcomes, in the outcome's unit. Noise alone
    makes it larger than 0; `off` tells whether it is more than noise.
    """

    qini: Measured
    area: Measured
    calibration_error: Measured


def figures(fitted: FittedUplift, curve: GainsCurve, seed: int, on_progress: Progress) -> Figures:
    """Measure an uplift and the order by it, `curve`, each with the interval of clusters drawn again."""
    groups = tenths(fitted.held_out, fitted.folds)
    missed = fitted.held_out - fitted.pseudo

    def of(counts: Array) -> tuple[float, float, float]:
        error = float(np.abs(np.bincount(groups, counts * missed)).sum() / counts.sum())
        return *curve.areas(counts), error

    drawn = np.empty((DRAWS, 3))
    for place, counts in enumerate(redrawn(fitted.clusters, seed)):
        drawn[place] = of(counts)
        on_progress("Intervals", place + 1, DRAWS)
    return Figures(*(measured(*one) for one in zip(of(np.ones(len(missed))), drawn.T, strict=True)))


def off(told: tuple[Decile, ...]) -> bool:
    """Say whether tenths together miss by more than noise would once in a hundred times (chi-squared)."""
    errors = np.array([(one.high - one.low) / 2 / NORMAL for one in told])
    missed = np.array([one.predicted - one.came for one in told])
    some = errors > 0
    return bool((missed[some] ** 2 / errors[some] ** 2).sum() > chi2.ppf(1 - _OFF, max(int(some.sum()), 1)))
