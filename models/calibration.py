"""Turning a score into a probability that comes true as often as it says."""

import importlib
from dataclasses import dataclass

import numpy as np

from features.feature import Array

_MOST_POINTS = 40
_FEWEST = 25


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
    """Fit the line by isotonic regression (Zadrozny and Elkan 2002) over bins of scores, of shape (n,) each.

    Bins hold a fortieth of all, and fewer towards both ends, where a score means most. Probabilities stay within
    (0, 1): each bin counts one success and one failure more than it saw.
    """
    order = np.argsort(scores, kind="stable")
    bins = np.split(order, _edges(len(order)))
    centres = np.array([scores[part].mean() for part in bins])
    rates = np.array([(happened[part].sum() + 1) / (len(part) + 2) for part in bins])
    weights = [len(part) for part in bins]
    # Who only reads a calibration, as the service does, doesn't wait for scikit-learn.
    isotonic = importlib.import_module("sklearn.isotonic")
    fitted = isotonic.IsotonicRegression().fit(centres, rates, weights).predict(centres)
    return Calibration(tuple(centres.tolist()), tuple(np.asarray(fitted).tolist()))


def _edges(count: int) -> list[int]:
    """Cut `count` places into bins that double in size from each end up to a fortieth of all."""
    widest = max(_FEWEST, count // _MOST_POINTS)
    sizes: list[int] = []
    size = _FEWEST
    while size < widest and 2 * (sum(sizes) + size) < count:
        sizes.append(size)
        size *= 2
    low = np.cumsum(sizes).tolist()
    high = [count - edge for edge in low]
    first, last = (low[-1], high[-1]) if low else (0, count)
    inner = np.linspace(first, last, max(1, (last - first) // widest) + 1).astype(int)[1:-1]
    return sorted({*low, *inner.tolist(), *high})
