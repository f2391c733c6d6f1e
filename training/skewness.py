"""Intervals of a mean that hold for lopsided data, such as profits and weighted rewards."""

import math

import numpy as np
from scipy.stats import norm, t

from features.feature import Array

NORMAL = 1.959964


def bounds(estimate: float, influences: Array, z: float = NORMAL) -> tuple[float, float]:
    """Bound an estimate by its units' influences of shape (units,), whose mean is 0 and whose spread is the error's.

    Hall's transformation takes the skewness off (Hall 1992, "On the removal of skewness by transformation"), and as
    heavy tails leave the error itself unsure, it reaches as far as Student's t with the degrees of freedom that the
    kurtosis leaves (Satterthwaite 1946). `z` is how many standard errors either way an interval of normal data would
    reach.

    >>> low, high = bounds(1.0, np.array([-1.0, 1.0] * 50))
    >>> round(low, 3), round(high, 3)
    (0.803, 1.197)
    """
    count = len(influences)
    spread = float(influences.std(ddof=1)) if count > 1 else 0.0
    if spread == 0.0:
        return estimate, estimate
    away = influences - influences.mean()
    lopsided = float((away**3).mean() / away.std() ** 3) / math.sqrt(count)
    error, kurtosis = spread / math.sqrt(count), float((away**4).mean() / away.std() ** 4)
    reach = float(t.isf(norm.sf(z), max(2.0 * count / max(kurtosis - 1.0, 1e-9), 1.0)))
    return estimate - error * _untransformed(reach, lopsided), estimate - error * _untransformed(-reach, lopsided)


def _untransformed(z: float, lopsided: float) -> float:
    """Find the studentised mean whose transform is `z`; `lopsided` is the skewness over the root of the count."""
    if abs(lopsided) < 1e-9:
        return z
    return float(3.0 / lopsided * (np.cbrt(1.0 + lopsided * (z - lopsided / 6.0)) - 1.0))
