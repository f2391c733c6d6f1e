"""What is measured of churn risks and of expected values, over customers of whom each may count several times.

A resampled customer is one with a weight, so a bootstrap needs no second sort. Customers with equal scores make one
step of a curve, cut in proportion where a share ends within it: no figure depends on the order in which rows came.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from features.feature import Array

COVERAGE = 0.8
_CLIP = 1e-6
_GROUPS = np.linspace(0.0, 1.0, 11)


@dataclass(frozen=True, eq=False)
class Ranked:
    """What happened and what was said of customers, the highest score first; all of shape (customers,).

    `order` are their places as they came, `starts` the places at which a lower score begins.
    """

    truth: Array
    scores: Array
    order: npt.NDArray[np.int64]
    starts: npt.NDArray[np.int64]

    @classmethod
    def of(cls, truth: Array, scores: Array) -> "Ranked":
        """Rank customers by their scores."""
        order = np.argsort(-scores, kind="stable")
        ordered = np.asarray(scores, dtype=np.float64)[order]
        starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
        return cls(np.asarray(truth, dtype=np.float64)[order], ordered, order, starts)

    @cached_property
    def perfect(self) -> "Ranked":
        """The same customers by what happened."""
        truth = np.empty_like(self.truth)
        truth[self.order] = self.truth
        return Ranked.of(truth, truth)

    def under(self, weights: Array) -> "Curve":
        """Count each customer as often as its weight says; `weights` are in the order in which customers came."""
        mine = weights[self.order]
        sums = (mine, mine * self.truth, mine * self.scores)
        steps = (np.concatenate([[0.0], np.cumsum(np.add.reduceat(one, self.starts))]) for one in sums)
        return Curve(self, weights, mine, *steps)


@dataclass(frozen=True, eq=False)
class Curve:
    """Sums from the highest score down, one for each step and 0 before the first: customers, truth, and scores."""

    ranked: Ranked
    weights: Array
    ordered_weights: Array
    customers: Array
    truth: Array
    scores: Array

    def mean(self, of: Array) -> float:
        """Average what each customer has, of shape (customers,), highest score first."""
        return float(self.ordered_weights @ of / self.customers[-1])

    def captured(self, shares: Array) -> Array:
        """Sum the truth of shares of the customers, from the top; equal scores share evenly."""
        return np.asarray(np.interp(shares * self.customers[-1], self.customers, self.truth))

    def groups(self) -> tuple[Array, Array, Array]:
        """Cut customers into ten groups of equal count, from the top: how many, their truth, their scores, summed."""
        edges = _GROUPS * self.customers[-1]
        truth, scores = (np.diff(np.interp(edges, self.customers, sums)) for sums in (self.truth, self.scores))
        return np.diff(edges), truth, scores


@dataclass(frozen=True)
class Metric:
    """A figure of one curve; called with truth and scores of shape (customers,), each customer counts once."""

    of: Callable[[Curve], float]

    def __call__(self, truth: Array, scores: Array) -> float:
        """Measure scores against what happened."""
        return self.of(Ranked.of(truth, scores).under(np.ones(len(truth))))


@dataclass(frozen=True)
class Campaign:
    """What one contact costs, what a customer who stays for it brings, and how often it works on one who would leave.

    The defaults are assumptions, in units of one contact's cost: a customer kept is worth fifty contacts, and one
    contact in ten keeps a customer. It pays to contact whoever is at a risk above a fifth.

    >>> Campaign().pays(np.array([0.19, 0.21])).tolist()
    [False, True]
    """

    cost: float = 1.0
    benefit: float = 50.0
    success: float = 0.1

    def pays(self, risk: Array) -> npt.NDArray[np.bool_]:
        """Tell whom to contact by the predicted risk alone; the mean of this is the best share to contact."""
        return np.asarray(self.success * self.benefit * risk > self.cost)

    def profit(self, lapsed: Array) -> Array:
        """Expect the profit of contacting each customer, given who would have lapsed; shape as `lapsed`."""
        return np.asarray(self.success * self.benefit * lapsed - self.cost)


def area_under_curve(curve: Curve) -> float:
    """Chance that one who lapsed has a higher score than one who didn't, equal scores counting half (Hanley 1982)."""
    stayed = curve.customers - curve.truth
    return _ratio(float(np.trapezoid(curve.truth, stayed)), float(curve.truth[-1] * stayed[-1]))


def average_precision(curve: Curve) -> float:
    """Average the precision at every score, weighted by the recall that is gained there."""
    gained = np.diff(curve.truth) * curve.truth[1:] / np.maximum(curve.customers[1:], 1e-12)
    return _ratio(float(gained.sum()), float(curve.truth[-1]))


def log_loss(curve: Curve) -> float:
    """Average the log loss, with probabilities held within one in a million of certainty."""
    safe, truth = np.clip(curve.ranked.scores, _CLIP, 1 - _CLIP), curve.ranked.truth
    return -curve.mean(truth * np.log(safe) + (1 - truth) * np.log1p(-safe))


def brier(curve: Curve) -> float:
    """Average the squared distance between probability and what happened (Brier 1950)."""
    return curve.mean((curve.ranked.scores - curve.ranked.truth) ** 2)


def calibration_error(curve: Curve) -> float:
    """Average |predicted − happened| over ten bins of equal count (Naeini, Cooper and Hauskrecht 2015)."""
    customers, truth, scores = curve.groups()
    return float(np.abs(scores - truth).sum() / customers.sum())


def lift(share: float) -> Metric:
    """Divide the rate among the share with the highest scores by the rate overall."""
    return Metric(lambda curve: _captured(curve, share) / share)


def capture(share: float) -> Metric:
    """Tell which share of the true total the share with the highest scores brought."""
    return Metric(lambda curve: _captured(curve, share))


def profit(campaign: Campaign) -> Metric:
    """Average over all customers the profit of contacting those for whom the predicted risk says that it pays."""

    def of(curve: Curve) -> float:
        return curve.mean(campaign.pays(curve.ranked.scores) * campaign.profit(curve.ranked.truth))

    return Metric(of)


def gini(curve: Curve) -> float:
    """Compare the Lorenz curve under our order with that under the true order; 1 is a perfect order, 0 is chance.

    It stands in place of Spearman's correlation: where most customers bring nothing, that one is ruled by how ties at
    zero fall, and moving a customer from rank 900 to 800 counts as much as from 101 to 1.
    """
    return _ratio(_area(curve), _area(curve.ranked.perfect.under(curve.weights)))


def decile_error(curve: Curve) -> float:
    """Average over ten groups by prediction how far the group's predicted sum is from its true one, as a share of it.

    Groups in which nothing came are left out; NaN when nothing came at all.
    """
    _, truth, scores = curve.groups()
    some = truth > 1e-9
    return float(np.abs(scores[some] / truth[some] - 1).mean()) if some.any() else float("nan")


def total_bias(curve: Curve) -> float:
    """Measure how far the predicted total is from the true one, as a share of it, whichever way."""
    return _ratio(float(abs(curve.scores[-1] - curve.truth[-1])), float(curve.truth[-1]))


def _captured(curve: Curve, share: float) -> float:
    return _ratio(float(curve.captured(np.array([share]))[0]), float(curve.truth[-1]))


def _area(curve: Curve) -> float:
    """The area between the Lorenz curve, from the highest score down, and that of no order."""
    area = np.trapezoid(curve.truth, curve.customers)
    return _ratio(float(area), float(curve.truth[-1] * curve.customers[-1])) - 0.5


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole > 0 else float("nan")


CHURN_METRICS: dict[str, tuple[Metric, int]] = {
    "AUC": (Metric(area_under_curve), +1),
    "log loss": (Metric(log_loss), -1),
    "Brier": (Metric(brier), -1),
    "ECE": (Metric(calibration_error), -1),
    "average precision": (Metric(average_precision), +1),
    "lift of the top twentieth": (lift(0.05), +1),
    "lift of the top tenth": (lift(0.1), +1),
    "lift of the top fifth": (lift(0.2), +1),
    "profit at best share": (profit(Campaign()), +1),
}
VALUE_METRICS: dict[str, tuple[Metric, int]] = {
    "normalised Gini": (Metric(gini), +1),
    "value in the top twentieth": (capture(0.05), +1),
    "value in the top fifth": (capture(0.2), +1),
    "decile MAPE": (Metric(decile_error), -1),
    "bias of the total": (Metric(total_bias), -1),
}
