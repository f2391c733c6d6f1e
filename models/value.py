"""What a customer is expected to bring within the horizon, and the interval around it."""

from dataclasses import dataclass

import numpy as np

from features.feature import Array
from models.additive import Additive
from models.simulation import Simulation
from models.trees import Trees


@dataclass(frozen=True)
class QuantileTrees:
    """Boosters for the two quantiles of what comes."""

    low: Trees
    high: Trees

    def ends(self, rows: Array) -> tuple[Array, Array]:
        """Give the two quantiles for rows of shape (n, features), in currency, shape (n,) each."""
        return self.low.scores(rows), self.high.scores(rows)


@dataclass(frozen=True)
class Interval:
    """The bounds between which what comes lies with 80 % probability.

    A bound is what `start` says, or 0 without it, plus a share of the expectation and `typical`. The shares
    depend on the expectation: they are given at `knots` (logs of 1 + currency) and interpolated, as groups of
    like customers are each to be covered (conformal prediction by group: Romano, Patterson and Candès 2019;
    Vovk 2012).
    """

    typical: float
    knots: tuple[float, ...]
    below: tuple[float, ...]
    above: tuple[float, ...]
    start: QuantileTrees | Simulation | None

    def around(self, expected: Array, rows: Array) -> tuple[Array, Array]:
        """Bound expectations of shape (n,), of rows of shape (n, features); each bound has shape (n,)."""
        start = self.start.ends(rows) if self.start else [np.zeros(len(rows))] * 2
        place, scale = np.log1p(expected), expected + self.typical
        low = start[0] + np.interp(place, self.knots, self.below) * scale
        high = start[1] + np.interp(place, self.knots, self.above) * scale
        return np.clip(low, 0.0, expected), np.maximum(high, expected)


@dataclass(frozen=True)
class ValueModel:
    """The expectation, as a sum on the log's scale, and its interval."""

    expected: Additive
    interval: Interval

    def predict(self, rows: Array) -> tuple[Array, Array, Array]:
        """Predict expectation, low and high for rows of shape (n, features), in currency, each of shape (n,)."""
        expected = self.expected.predict(rows)
        return expected, *self.interval.around(expected, rows)
