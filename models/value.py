"""What a customer is expected to bring within the horizon, and the interval around it."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

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
        knots, below, above = self._curves
        low = start[0] + np.interp(place, knots, below) * scale
        high = start[1] + np.interp(place, knots, above) * scale
        return np.minimum(np.maximum(low, 0.0), expected), np.maximum(high, expected)

    @cached_property
    def _curves(self) -> tuple[Array, Array, Array]:
        return np.array(self.knots), np.array(self.below), np.array(self.above)


@dataclass(frozen=True)
class Expense:
    """What a customer is expected to cost, by name a sum on the log's scale each, and the interval around all of it.

    Little brought and much spent seldom meet: a `share` of the costs' upper bound is taken from the lower bound of what
    is brought. The upper bound of the value is that of what is brought, as a customer may cost nothing.
    """

    models: Mapping[str, Additive]
    interval: Interval
    share: float

    def predict(self, rows: Array) -> dict[str, Array]:
        """Predict each cost for rows of shape (n, features), in currency, of shape (n,)."""
        return {name: model.predict(rows) for name, model in self.models.items()}

    def total(self, rows: Array) -> Array:
        """Predict all costs together, of shape (n,)."""
        return np.asarray(sum(self.predict(rows).values(), np.zeros(len(rows))))

    def less(self, brought: Array, low: Array, high: Array, rows: Array) -> tuple[Array, Array, Array]:
        """Take the costs from what is brought and from its bounds, each of shape (n,): value, low and high."""
        cost = self.total(rows)
        value, (_, most) = brought - cost, self.interval.around(cost, rows)
        return value, np.minimum(low - self.share * most, value), np.maximum(high, value)


@dataclass(frozen=True)
class ValueModel:
    """What is brought, as a sum on the log's scale, its interval, and the costs to take from it, where any are held."""

    expected: Additive
    interval: Interval
    expense: Expense | None = None

    def expect(self, rows: Array) -> Array:
        """Predict value alone for rows of shape (n, features), in currency, of shape (n,)."""
        brought = self.expected.predict(rows)
        return brought - self.expense.total(rows) if self.expense else brought

    def predict(self, rows: Array) -> tuple[Array, Array, Array]:
        """Predict value, low and high for rows of shape (n, features), in currency, each of shape (n,)."""
        brought = self.expected.predict(rows)
        low, high = self.interval.around(brought, rows)
        return self.expense.less(brought, low, high, rows) if self.expense else (brought, low, high)

    def costs(self, rows: Array) -> dict[str, Array]:
        """Predict each cost that is held, by name, in currency, of shape (n,)."""
        return self.expense.predict(rows) if self.expense else {}
