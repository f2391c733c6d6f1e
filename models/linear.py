"""A weighted sum over features as a part of a score."""

from dataclasses import dataclass

import numpy as np

from features.contract import CONTRACT
from features.feature import Array


@dataclass(frozen=True)
class Linear:
    """`intercept` plus `weights` times the features' signed logs, in units of their spread around their mean.

    `names` are features; `means`, `spreads` and `weights` are one number for each. An unknown feature counts as 0.
    """

    names: tuple[str, ...]
    means: tuple[float, ...]
    spreads: tuple[float, ...]
    weights: tuple[float, ...]
    intercept: float

    def scores(self, rows: Array) -> Array:
        """Score rows of shape (n, features); returns shape (n,)."""
        return np.asarray(self._parts(rows).sum(axis=1) + self.intercept)

    def contributions(self, rows: Array) -> Array:
        """Divide each score among the features: shape (n, features + 1), the last column the average row's score."""
        divided = np.zeros((len(rows), len(CONTRACT.names) + 1))
        divided[:, _places(self.names)] = self._parts(rows)
        divided[:, -1] = self.intercept
        return divided

    def _parts(self, rows: Array) -> Array:
        standard = (signed_logs(rows[:, _places(self.names)]) - np.array(self.means)) / np.array(self.spreads)
        return np.asarray(standard * np.array(self.weights))


def signed_logs(values: Array) -> Array:
    """Take sign(v)·log(1 + |v|), which tames long tails and leaves 0 at 0; NaN counts as 0.

    >>> signed_logs(np.array([0.0, np.e - 1, 1 - np.e, np.nan])).round(6).tolist()
    [0.0, 1.0, -1.0, 0.0]
    """
    known = np.nan_to_num(values, nan=0.0)
    return np.asarray(np.sign(known) * np.log1p(np.abs(known)))


def _places(names: tuple[str, ...]) -> list[int]:
    return [CONTRACT.places[name] for name in names]
