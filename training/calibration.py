"""Turning a score into a probability that comes true as often as it says."""

from dataclasses import dataclass

import numpy as np
from sklearn.isotonic import IsotonicRegression

from features.feature import Array

_MOST_POINTS = 40


@dataclass(frozen=True)
class Calibration:
    """A rising line through points; scores between them are interpolated, and beyond them held."""

    scores: tuple[float, ...]
    probabilities: tuple[float, ...]

    def apply(self, scores: Array) -> Array:
        """Read the probabilities of scores, shape (n,)."""
        return np.interp(scores, self.scores, self.probabilities)


IDENTITY = Calibration((0.0, 1.0), (0.0, 1.0))


def calibrate(scores: Array, happened: Array) -> Calibration:
    """Fit the line by isotonic regression (Zadrozny and Elkan 2002) over bins of equal count, of shape (n,) each.

    Probabilities stay within (0, 1): each bin counts one success and one failure more than it saw.
    """
    order = np.argsort(scores, kind="stable")
    bins = [part for part in np.array_split(order, min(_MOST_POINTS, max(1, len(scores) // 25))) if len(part)]
    centres = np.array([scores[part].mean() for part in bins])
    rates = np.array([(happened[part].sum() + 1) / (len(part) + 2) for part in bins])
    weights = [len(part) for part in bins]
    fitted = IsotonicRegression().fit(centres, rates, weights).predict(centres)
    return Calibration(tuple(centres.tolist()), tuple(np.asarray(fitted).tolist()))
