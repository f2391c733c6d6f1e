"""How learners of uplift are added up: as believed beforehand, unless their held-out scores surely say better."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import lsq_linear

from features.feature import Array
from training.uplift_moments import Line, line

_SCALE, _UNSURE = 0.4, 0.5  # what of a believed sum comes true on simulated trials, a few without anything to find
_SEARCHED = 4.0  # what the best of all sums gains by chance over the one believed beforehand, in units of noise
_LEAST = 0.1  # an order is as good at any scale, so that no scale is drawn to exactly nothing
_MOST = 3.0  # a learner is stretched no further, as what it said of these rows may be next to nothing by accident


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


def stack(told: Told, believed: Array) -> Array:
    """Weigh learners by how well they foretell, from `believed`, their weights beforehand, both of shape (learners,).

    The believed sum is stretched by what these rows say, as far as that is surer than what is known of others. It gives
    way to the best sum with weights that aren't negative (Breiman 1996, "Stacked regressions") by how much of what
    that gains over it couldn't be noise: few rows weigh learners worse than none at all do.
    """
    spreads = told.scores.std(axis=0)
    if not (spreads > 1e-12).any():
        return np.zeros(len(spreads))
    root = np.sqrt(told.precision / told.precision.mean())
    columns = root[:, None] * (told.scores - np.average(told.scores, axis=0, weights=told.precision))
    target = root * (told.pseudo - np.average(told.pseudo, weights=told.precision))
    first = believed * _scale(_along(columns @ believed, target, told.clusters))
    best = _best(columns, target, np.where(spreads > 1e-12, spreads, 1.0))
    further = _sure(_along(columns @ (best - first), target - columns @ first, told.clusters))
    return np.asarray((1 - further) * first + further * best)


def _scale(found: Line | None) -> float:
    """Say what of the believed sum comes true: the posterior mean of a normal slope with a normal prior."""
    if found is None or not found.covariance[0, 0]:
        return _SCALE
    here, before = 1 / float(found.covariance[0, 0]), _UNSURE**-2
    return max(_LEAST, (float(found.coefficients[0]) * here + _SCALE * before) / (here + before))


def _best(columns: Array, target: Array, spreads: Array) -> Array:
    # A whiff of ridge, so that learners which say the same share their weight.
    ridge = 1e-3 * np.sqrt(len(target)) * np.eye(len(spreads))
    rows, aims = np.vstack([columns / spreads, ridge]), np.append(target, np.zeros(len(spreads)))
    return np.asarray(lsq_linear(rows, aims, (0.0, _MOST * spreads), method="bvls").x / spreads)


def _along(direction: Array, target: Array, clusters: npt.NDArray[np.int64]) -> Line | None:
    """Regress the target on a direction; None where there is none."""
    if float(direction @ direction) <= 1e-18 * float(target @ target):
        return None
    return line(direction[:, None], target, clusters)


def _sure(found: Line | None) -> float:
    """The share of what a direction gains, the square of its cluster-robust z, that chance wouldn't bring."""
    if found is None or not found.covariance[0, 0]:
        return 0.0
    gain = float(found.coefficients[0] ** 2 / found.covariance[0, 0])
    return max(0.0, 1.0 - _SEARCHED / gain) if gain else 0.0
