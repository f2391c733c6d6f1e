"""What a stated prior effect is worth once outcomes have come: few leave the prior, many leave the data."""

from dataclasses import dataclass

import numpy as np

from features.feature import Array
from training.skewness import NORMAL
from training.uplift import FittedUplift
from training.uplift_moments import mean_effect


@dataclass(frozen=True)
class Posterior:
    """Coefficients of [prior effect, 1, learned uplift − `centre`]: `mean` (3,) and `covariance` (3, 3)."""

    mean: Array
    covariance: Array
    centre: float


def posterior(fitted: FittedUplift, prior_effect: Array, prior_sd: float) -> Posterior:
    """Regress pseudo-outcomes on prior effect, shift and learned uplift, from the prior that the stated effect holds.

    `prior_effect`, shape (n,), and `prior_sd` are on the outcome's scale; `prior_sd` is how far the mean effect may be
    from what is stated, one standard deviation. The coefficients start as N([1, 0, 0], ·), each with the deviation that
    moves effects by `prior_sd`; the third stays 0 unless `fitted` is mature. Bayesian linear regression (Bishop 2006,
    3.3), its noise that of the pseudo-outcomes times what clusters add.
    """
    scales = _scales(fitted, prior_effect, prior_sd)
    start = np.array([1.0, 0.0, 0.0])
    columns = np.column_stack([prior_effect, np.ones(len(prior_effect)), fitted.centred])
    noise = _noise(fitted)
    used = scales > 0
    if not np.isfinite(noise) or not used.any():
        return Posterior(start, np.diag(scales**2), float(fitted.held_out.mean()))
    weighed = columns[:, used] * (fitted.precision / fitted.precision.mean() / noise)[:, None]
    covariance = np.zeros((3, 3))
    covariance[np.ix_(used, used)] = np.linalg.inv(np.diag(scales[used] ** -2) + weighed.T @ columns[:, used])
    moved = np.zeros(3)
    moved[used] = weighed.T @ (fitted.pseudo - columns @ start)
    return Posterior(start + covariance @ moved, covariance, float(fitted.held_out.mean()))


def _scales(fitted: FittedUplift, prior_effect: Array, prior_sd: float) -> Array:
    """The coefficients' prior deviations; 0 for one that nothing can be learned of, or that mustn't count yet."""
    size = float(np.sqrt(np.mean(prior_effect**2)))
    spread = float(fitted.centred.std()) if fitted.mature else 0.0
    tiny = 1e-12 * (1 + size)
    # The learned uplift is believed as it is said, give or take as much: its scale is its own.
    return np.array([prior_sd / size if size > tiny else 0.0, prior_sd, 1.0 if spread > tiny else 0.0])


def _noise(fitted: FittedUplift) -> float:
    """The variance of a pseudo-outcome, times what clusters add; infinite where every outcome was the same.

    One more outcome of the largest size is imagined, so that too few to tell the variance don't pass for certainty.
    """
    if fitted.positives == 0:
        return float("inf")
    count, weight = len(fitted.pseudo), fitted.precision / fitted.precision.mean()
    error = (mean_effect(fitted.pseudo, fitted.clusters)[2] - fitted.pseudo.mean()) / NORMAL
    plain = float(fitted.pseudo.var()) / count
    added = max(1.0, float(error**2) / plain) if plain > 0 else 1.0
    varied = float(np.mean(weight * (fitted.pseudo - fitted.pseudo.mean()) ** 2))
    imagined = fitted.largest**2 / float(fitted.precision.mean()) / count
    return added * varied + imagined
