"""An order of customers without probabilities or amounts: a rule that needs no labels, and where the base stands."""

from dataclasses import dataclass

import numpy as np

from features.feature import Array
from models.additive import Additive
from models.linear import Linear
from models.value import ValueModel

_STEPS = 1_000
_DIGITS = 9


@dataclass(frozen=True)
class Ranks:
    """A score that orders customers, and which share of a base has less of it.

    `shares` are those of the base that lie below each of `knots`, which are scores of the base in rising order; between
    them they are interpolated, and beyond them held.
    """

    order: Linear
    knots: tuple[float, ...]
    shares: tuple[float, ...]

    def rank(self, rows: Array) -> Array:
        """Tell the share of the base with a lower score, for rows of shape (n, features); shape (n,)."""
        return np.interp(self.order.scores(rows), self.knots, self.shares)

    def contributions(self, rows: Array) -> Array:
        """Divide each score among the features: shape (n, features + 1), on the order's own scale."""
        return self.order.contributions(rows)


def ranks_among(order: Linear, base: Array) -> Ranks:
    """Take where a base of shape (n, features), not empty, stands, to a thousandth of its customers."""
    # Who looks alike has one score, however its sums were added up.
    knots, below = np.unique(np.round(np.sort(order.scores(base)), _DIGITS), return_index=True)
    shares = below / len(base)
    steps = np.searchsorted(shares, np.linspace(0, 1, _STEPS + 1), side="right") - 1
    # With the knot after each, so that no tie is interpolated over.
    kept = np.unique(np.minimum([steps, steps + 1], len(knots) - 1))
    return Ranks(order, tuple(knots[kept].tolist()), tuple(shares[kept].tolist()))


def risks(model: Additive | Ranks, rows: Array) -> tuple[Array, Array]:
    """Tell the probability of leaving and the rank by it, shape (n,) each; NaN for what the model doesn't say."""
    unsaid = np.full(len(rows), np.nan)
    return (unsaid, model.rank(rows)) if isinstance(model, Ranks) else (model.predict(rows), unsaid)


def worths(model: ValueModel | Ranks, rows: Array, ends: bool = True) -> tuple[Array, Array, Array, Array]:
    """Tell the expected value, its low and high, and the rank by it, shape (n,) each; NaN for what isn't said.

    Without `ends`, low and high aren't said.
    """
    unsaid = np.full(len(rows), np.nan)
    if isinstance(model, Ranks):
        return unsaid, unsaid, unsaid, model.rank(rows)
    return (*model.predict(rows), unsaid) if ends else (model.expect(rows), unsaid, unsaid, unsaid)


def costs(model: ValueModel | Ranks, rows: Array) -> dict[str, Array]:
    """Tell each cost that is held, by name, in currency, of shape (n,); none where value is only ranked."""
    return {} if isinstance(model, Ranks) else model.costs(rows)
