"""The field's own models of how customers buy and leave: three of purchases, one of spend, each by maximum likelihood.

Each is fitted on what it says in its paper and on nothing else: repeat purchase days x, the days from the first to the
last of them t_x and to now T, and the mean spend of a purchase day.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.optimize import minimize
from scipy.special import betaln, gammaln, hyp2f1

from features.feature import Array

_BOUND = 12.0  # of the logarithms of parameters, around where the search starts
_HOLE = 1e-3
_PAST_REPEATS = 1e-9


@dataclass(frozen=True)
class Histories:
    """What the models know of customers: `repeats` x, `last` t_x and `age` T in days; shape (customers,) each."""

    repeats: Array
    last: Array
    age: Array

    def alike(self) -> tuple["Histories", Array]:
        """Keep one of those who look alike, with how many there are of each."""
        found, counts = np.unique(np.column_stack([self.repeats, self.last, self.age]), axis=0, return_counts=True)
        return Histories(*found.T), counts.astype(np.float64)


class PurchaseModel(Protocol):
    """A fitted model of purchases; all answers have shape (customers,)."""

    def lapses(self, of: Histories, days: float) -> Array:
        """Probability of no purchase day within `days`."""

    def purchases(self, of: Histories, days: float) -> Array:
        """Expected purchase days within `days`."""


@dataclass(frozen=True)
class BetaGeometric:
    """BG/NBD, and with `early` MBG/NBD, in which a customer may leave right after the first purchase too.

    Purchases come at a rate Gamma(r, alpha), and after each the customer leaves with chance Beta(a, b); the likelihood:

        Γ(r+x) α^r / Γ(r) · { B(a, b+k) / B(a, b) (α+T)^−(r+x) + B(a+1, b+k−1) / B(a, b) (α+t_x)^−(r+x) }

    with k = x and the second term only where x > 0 (Fader, Hardie and Lee 2005, "Counting your customers the easy
    way"), or k = x+1 (Batislam, Denizel and Filiztekin 2007, "Empirical validation and comparison of models for
    customer base analysis").
    """

    r: float
    alpha: float
    a: float
    b: float
    early: bool

    @classmethod
    def fit(cls, of: Histories, early: bool) -> "BetaGeometric":
        """Fit by maximum likelihood."""
        few, counts = of.alike()
        start = [0.0, np.log(max(float(np.median(of.age)), 1.0)), 0.0, 0.0]

        def at(logs: Array) -> "BetaGeometric":
            r, alpha, a, b = np.exp(logs)
            return cls(r, alpha, a, b, early)

        return at(_highest(lambda logs: float(at(logs).likelihood(few) @ counts), start))

    def likelihood(self, of: Histories) -> Array:
        """Log-likelihood of each customer."""
        trials, power = self._trials(of), self.r + of.repeats
        stayed = betaln(self.a, self.b + trials) - power * np.log(self.alpha + of.age)
        chance = betaln(self.a + 1, self.b + np.maximum(trials, 1) - 1)
        left = np.where(trials > 0, chance - power * np.log(self.alpha + of.last), -np.inf)
        known = gammaln(power) - gammaln(self.r) + self.r * np.log(self.alpha) - betaln(self.a, self.b)
        return np.asarray(known + np.logaddexp(stayed, left))

    def alive(self, of: Histories) -> Array:
        """Probability of not having left."""
        trials = self._trials(of)
        tried = np.maximum(trials, 1)
        waited = np.log((self.alpha + of.age) / (self.alpha + of.last))
        odds = np.log(self.a / (self.b + tried - 1)) + (self.r + of.repeats) * waited
        return np.where(trials > 0, 1 / (1 + np.exp(np.minimum(odds, 700))), 1.0)

    def lapses(self, of: Histories, days: float) -> Array:
        """Probability of no purchase day within `days`."""
        return 1 - self.alive(of) * (1 - self._silent(of, days))

    def purchases(self, of: Histories, days: float) -> Array:
        """Expected purchase days within `days`; the formula has a hole at a = 1, which is stepped over."""
        leaving = self.a if abs(self.a - 1) > _HOLE else 1 + _HOLE
        trials = self._trials(of)
        among = leaving + self.b + trials - 1
        share = hyp2f1(self.r + of.repeats, self.b + trials, among, days / (self.alpha + of.age + days))
        return np.asarray(self.alive(of) * among / (leaving - 1) * (1 - self._silent(of, days) * share))

    def _trials(self, of: Histories) -> Array:
        return of.repeats + self.early

    def _silent(self, of: Histories, days: float) -> Array:
        return np.asarray(((self.alpha + of.age) / (self.alpha + of.age + days)) ** (self.r + of.repeats))


@dataclass(frozen=True)
class ParetoNBD:
    """Pareto/NBD: purchases come at a rate Gamma(r, alpha), and the customer leaves at a rate Gamma(s, beta).

    The likelihood is, with the integral over the moment of leaving,

        Γ(r+x) α^r β^s / Γ(r) · { (α+T)^−(r+x) (β+T)^−s + s ∫ (α+u)^−(r+x) (β+u)^−(s+1) du from t_x to T }

    (Schmittlein, Morrison and Colombo 1987, "Counting your customers: who are they and what will they do next?"; in
    this form Fader and Hardie 2005, "A note on deriving the Pareto/NBD model").
    """

    r: float
    alpha: float
    s: float
    beta: float

    @classmethod
    def fit(cls, of: Histories) -> "ParetoNBD":
        """Fit by maximum likelihood."""
        few, counts = of.alike()
        middle = np.log(max(float(np.median(of.age)), 1.0))
        start = [0.0, middle, 0.0, middle]
        return cls(*np.exp(_highest(lambda logs: float(cls(*np.exp(logs)).likelihood(few) @ counts), start)))

    def likelihood(self, of: Histories) -> Array:
        """Log-likelihood of each customer."""
        stayed, left = self._ways(of)
        known = (
            gammaln(self.r + of.repeats) - gammaln(self.r) + self.r * np.log(self.alpha) + self.s * np.log(self.beta)
        )
        return np.asarray(known + np.logaddexp(stayed, left))

    def alive(self, of: Histories) -> Array:
        """Probability of not having left."""
        stayed, left = self._ways(of)
        return np.asarray(1 / (1 + np.exp(np.minimum(left - stayed, 700))))

    def lapses(self, of: Histories, days: float) -> Array:
        """Probability of no purchase day within `days`: left already, or silent from now, or until leaving in it."""
        power, alpha, beta = self.r + of.repeats, self.alpha + of.age, self.beta + of.age
        silent = power * np.log(alpha / (alpha + days)) + self.s * np.log(beta / (beta + days))
        leaving = np.log(self.s) + power * np.log(alpha) + self.s * np.log(beta)
        leaving = leaving + log_integral(power, self.s, alpha, beta, np.zeros_like(alpha), np.full_like(alpha, days))
        return np.asarray(1 - self.alive(of) * (1 - np.exp(np.logaddexp(silent, leaving))))

    def purchases(self, of: Histories, days: float) -> Array:
        """Expected purchase days within `days`; the formula has a hole at s = 1, which is stepped over."""
        slower = (self.s if abs(self.s - 1) > _HOLE else 1 + _HOLE) - 1
        beta = self.beta + of.age
        stays = beta / slower * -np.expm1(slower * np.log(beta / (beta + days)))
        return np.asarray(self.alive(of) * (self.r + of.repeats) / (self.alpha + of.age) * stays)

    def _ways(self, of: Histories) -> tuple[Array, Array]:
        """The two terms of the likelihood, as logarithms: still there, and left before now."""
        power = self.r + of.repeats
        stayed = -power * np.log(self.alpha + of.age) - self.s * np.log(self.beta + of.age)
        alpha, beta = np.full_like(of.age, self.alpha), np.full_like(of.age, self.beta)
        return stayed, np.log(self.s) + log_integral(power, self.s, alpha, beta, of.last, of.age)


def log_integral(power: Array, s: float, alpha: Array, beta: Array, start: Array, end: Array) -> Array:
    """Logarithm of ∫ (α+u)^−power (β+u)^−(s+1) du from `start` to `end`; minus infinity where they are the same.

    To infinity it is Gauss's hypergeometric function; Euler's transformation brings that to a series of falling
    positive terms, F(1, ·; power+s+1; z), at most (power+s)/min(power, s), which neither overflows nor cancels.
    """
    first, rest = (_log_tail(power, s, alpha + at, beta + at) for at in (start, end))
    with np.errstate(divide="ignore"):
        return np.asarray(first + np.log(-np.expm1(np.minimum(rest - first, 0.0))))


def _log_tail(power: Array, s: float, alpha: Array, beta: Array) -> Array:
    larger = np.maximum(alpha, beta)
    upper = np.where(alpha >= beta, power, s + 1)
    series = np.log(hyp2f1(1.0, upper, power + s + 1, np.abs(alpha - beta) / larger))
    ends = power * np.log(alpha) + s * np.log(beta) + np.where(alpha >= beta, 0.0, np.log(beta / alpha))
    return np.asarray(series - np.log(power + s) - ends)


@dataclass(frozen=True)
class GammaGamma:
    """Spend: a purchase day brings Gamma(p, ν), and ν is Gamma(q, gamma) over customers.

    A customer's mean m of x days has the density Γ(px+q) / (Γ(px) Γ(q)) · γ^q m^(px−1) x^(px) / (γ+mx)^(px+q) (Fader,
    Hardie and Lee 2005, "RFM and CLV"; Fader and Hardie 2013, "The Gamma-Gamma model of monetary value").
    """

    p: float
    q: float
    gamma: float

    @classmethod
    def fit(cls, days: Array, mean: Array) -> "GammaGamma":
        """Fit by maximum likelihood on purchase days and their mean spend, of those who spent more than nothing."""
        x, m = days[mean > 0], mean[mean > 0]
        start = [1.0, 1.0, float(np.log(m.mean()))]
        return cls(*np.exp(_highest(lambda logs: float(cls(*np.exp(logs)).likelihood(x, m).sum()), start)))

    def likelihood(self, days: Array, mean: Array) -> Array:
        """Log-likelihood of each customer."""
        shape = self.p * days
        ways = gammaln(shape + self.q) - gammaln(shape) - gammaln(self.q) + self.q * np.log(self.gamma)
        spent = (shape - 1) * np.log(mean) + shape * np.log(days)
        return np.asarray(ways + spent - (shape + self.q) * np.log(self.gamma + mean * days))

    def spend(self, days: Array, mean: Array) -> Array:
        """Expected spend of a purchase day."""
        known = self.p * days + self.q - 1
        return np.asarray(self.p * (self.gamma + days * mean) / np.maximum(known, _PAST_REPEATS))


def _highest(likelihood: Callable[[Array], float], start: list[float]) -> Array:
    """Climb over logarithms from a start by gradients, and from where that ends without; returns the logarithms."""
    scale = max(abs(likelihood(np.array(start))), 1.0) / 100
    bounds = [(value - _BOUND, value + _BOUND) for value in start]
    found = minimize(lambda logs: -likelihood(logs) / scale, start, method="L-BFGS-B", bounds=bounds)
    again = minimize(lambda logs: -likelihood(logs) / scale, found.x, method="Nelder-Mead", bounds=bounds)
    return np.asarray(again.x, dtype=np.float64)
