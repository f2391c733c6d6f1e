"""Fitting how customers buy and leave, by maximum likelihood over everyone's recency, frequency, age and spend."""

from collections.abc import Callable

import numpy as np
from scipy.optimize import minimize
from scipy.special import betaln, gammaln

from features.contract import FeatureMatrix
from features.feature import Array
from models.lifetime import Lifetime, Process, history_of, inputs_of

FEWEST_REPEATERS = 200
_BOUND = 9.0


def fit_process(rows: FeatureMatrix) -> Process | None:
    """Fit the process on everybody's history at one moment; None under 200 repeat buyers, or if it doesn't converge.

    The likelihoods are those of Batislam, Denizel and Filiztekin (2007) and of Fader and Hardie (2013).
    """
    inputs = inputs_of(rows.values)
    repeats, last, age = history_of(inputs)
    if (repeats > 0).sum() < FEWEST_REPEATERS:
        return None
    # Half-days are fine enough, and let customers who look alike be counted together.
    alike, counts = np.unique(np.round(np.column_stack([repeats, last, age]) * 2) / 2, axis=0, return_counts=True)
    scale = max(float(np.median(age)), 1.0)
    buying = _highest(
        lambda logs: float(_purchases_likelihood(logs, *alike.T) @ counts), [0.0, np.log(scale), 0.0, 0.0]
    )
    spending = _fit_spend(repeats + 1, inputs[:, 3] / (repeats + 1))
    return Process(*buying, *spending) if buying is not None and spending is not None else None


def lifetime(process: Process, rows: FeatureMatrix, days: float, says: str) -> Lifetime:
    """Make a part of a score of a process; `says` is "lapse" or "spend"."""
    inputs = inputs_of(rows.values)
    return Lifetime(process, days, says, tuple(float(value) for value in np.median(inputs, axis=0)))


def _purchases_likelihood(logs: Array, repeats: Array, last: Array, age: Array) -> Array:
    r, alpha, a, b = np.exp(logs)
    stayed = betaln(a, b + repeats + 1) - betaln(a, b) - (r + repeats) * np.log(alpha + age)
    left = betaln(a + 1, b + repeats) - betaln(a, b) - (r + repeats) * np.log(alpha + last)
    return np.asarray(gammaln(r + repeats) - gammaln(r) + r * np.log(alpha) + np.logaddexp(stayed, left))


def _fit_spend(days: Array, mean: Array) -> tuple[float, ...] | None:
    spent = mean > 0
    if not spent.any():
        return None
    x, m = days[spent], mean[spent]
    found = _highest(lambda logs: float(_spend_likelihood(logs, x, m).sum()), [1.0, 1.0, np.log(m.mean())])
    # With p + q of 1 or less the mean of those who bought once is infinite.
    return found if found is not None and found[0] + found[1] > 1 else None


def _spend_likelihood(logs: Array, x: Array, m: Array) -> Array:
    p, q, gamma = np.exp(logs)
    ways = gammaln(p * x + q) - gammaln(p * x) - gammaln(q)
    return np.asarray(
        ways + q * np.log(gamma) + (p * x - 1) * np.log(m) + p * x * np.log(x) - (p * x + q) * np.log(x * m + gamma)
    )


def _highest(likelihood: Callable[[Array], float], start: list[float]) -> tuple[float, ...] | None:
    """Climb over logarithms from a start; None when it doesn't converge."""
    scale = max(abs(float(likelihood(np.array(start)))), 1.0)
    bounds = [(value - _BOUND, value + _BOUND) for value in start]
    found = minimize(lambda logs: -likelihood(logs) / scale * 100, start, method="L-BFGS-B", bounds=bounds)
    return tuple(float(value) for value in np.exp(found.x)) if found.success and np.isfinite(found.fun) else None
