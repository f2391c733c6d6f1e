"""How learners of uplift are added up: as believed beforehand, unless their held-out scores surely say better."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import lsq_linear

from features.feature import Array
from training.uplift_moments import line

_CHANCE = 1.0  # what one direction gains where there is nothing to gain, in units of noise
_SEARCHED = 4.0  # what the best of all sums gains by chance over the one believed beforehand, likewise
_LEAST = 0.1  # an order is as good at any scale, so that no scale is drawn to exactly nothing
_MOST = 3.0  # a learner is stretched no further, as what it said of these rows may be next to nothing by accident


@dataclass(frozen=True)
class Stack:
    """Learners' weights, and the effect around which their sum is drawn: that of the average row."""

    weights: Array
    centres: Array
    level: float

    def apply(self, scores: Array) -> Array:
        """Stack scores of shape (n, learners); shape (n,)."""
        return np.asarray(self.level + (scores - self.centres) @ self.weights)


@dataclass(frozen=True)
class Told:
    """Held-out scores (n, learners) with the pseudo-outcomes that they foretell, precisions and clusters: (n,)."""

    scores: Array
    pseudo: Array
    precision: Array
    clusters: npt.NDArray[np.int64]

    def take(self, which: npt.NDArray[np.bool_]) -> "Told":
        """Keep some rows."""
        return Told(self.scores[which], self.pseudo[which], self.precision[which], self.clusters[which])


def stack(told: Told, believed: Array, level: float) -> Stack:
    """Weigh learners by how well they foretell, from `believed`, their weights beforehand, of shape (learners,).

    The believed sum is drawn towards none, but never to nothing, by how much of what it gains could be noise. It gives
    way to the best sum with weights that aren't negative (Breiman 1996, "Stacked regressions") by how much of what
    that gains over it couldn't be: few rows weigh learners worse than none at all do.
    """
    centres = told.scores.mean(axis=0)
    spreads = told.scores.std(axis=0)
    if not (spreads > 1e-12).any():
        return Stack(np.zeros(len(spreads)), centres, level)
    root = np.sqrt(told.precision / told.precision.mean())
    columns = root[:, None] * (told.scores - np.average(told.scores, axis=0, weights=told.precision))
    target = root * (told.pseudo - np.average(told.pseudo, weights=told.precision))
    first = _scaled(believed, columns, target, told.clusters)
    best = _best(columns, target, np.where(spreads > 1e-12, spreads, 1.0))
    further = _sure(_gain(columns @ (best - first), target - columns @ first, told.clusters), _SEARCHED)
    return Stack((1 - further) * first + further * best, centres, level)


def _scaled(believed: Array, columns: Array, target: Array, clusters: npt.NDArray[np.int64]) -> Array:
    """Stretch the believed weights as far as they foretell, less what noise gains (James and Stein 1961)."""
    summed = columns @ believed
    if not (size := float(summed @ summed)):
        return np.zeros(len(believed))
    slope = float(summed @ target) / size
    return np.asarray(believed * max(_LEAST, slope * _sure(_gain(summed, target, clusters), _CHANCE)))


def _best(columns: Array, target: Array, spreads: Array) -> Array:
    # A whiff of ridge, so that learners which say the same share their weight.
    ridge = 1e-3 * np.sqrt(len(target)) * np.eye(len(spreads))
    rows, aims = np.vstack([columns / spreads, ridge]), np.append(target, np.zeros(len(spreads)))
    return np.asarray(lsq_linear(rows, aims, (0.0, _MOST * spreads), method="bvls").x / spreads)


def _gain(direction: Array, target: Array, clusters: npt.NDArray[np.int64]) -> float:
    """How far a direction foretells the target, in units of noise: the square of its cluster-robust z."""
    if float(direction @ direction) <= 1e-18 * float(target @ target):
        return 0.0
    found = line(direction[:, None], target, clusters)
    return float(found.coefficients[0] ** 2 / found.covariance[0, 0]) if found.covariance[0, 0] > 0 else 0.0


def _sure(gain: float, chance: float) -> float:
    """The share of a gain that chance wouldn't bring."""
    return max(0.0, 1.0 - chance / gain) if gain > 0 else 0.0
