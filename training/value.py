"""Value: what a customer is expected to bring within the horizon, and the interval around it."""

from collections.abc import Sequence
from dataclasses import dataclass

import lightgbm as lgb
import numpy as np

from features.contract import CONTRACT
from features.feature import Array
from training.boosting import Fit, boost, predict
from training.cutoffs import Cutoffs
from training.dataset import Window
from training.splits import unseen

COVERAGE = 0.8


@dataclass(frozen=True)
class ValueModel:
    """A booster for the expectation (Tweedie, log link) and two for the interval's ends, widened by `margin`.

    The interval is conformalised quantile regression (Romano, Patterson and Candès 2019), with errors in units
    of the expectation plus `typical`, so that large customers get wide intervals and small ones narrow ones.
    """

    expected: lgb.Booster
    low: lgb.Booster
    high: lgb.Booster
    scale: float
    margin: float
    typical: float

    def predict(self, rows: Array, threads: int) -> tuple[Array, Array, Array]:
        """Predict expectation, low and high for rows of shape (n, features), in currency, each of shape (n,)."""
        expected = predict(self.expected, rows, threads) * self.scale
        slack = self.margin * (expected + self.typical)
        low = np.minimum(np.maximum(predict(self.low, rows, threads) - slack, 0.0), expected)
        return expected, low, np.maximum(predict(self.high, rows, threads) + slack, expected)


def fit_value(windows: Sequence[Window], scale: float, margin: float, fit: Fit) -> ValueModel:
    """Fit on everyone who ever bought, at several cutoffs; what was given back beyond what was bought counts zero."""
    rows = np.concatenate([window.rows.values for window in windows])
    value = np.maximum(np.concatenate([window.value for window in windows]), 0.0)
    low, high = (1 - COVERAGE) / 2, (1 + COVERAGE) / 2

    def quantile(level: float) -> lgb.Booster:
        return boost("quantile", rows, value, CONTRACT.names, Fit(fit.seed, fit.threads, fit.trees, {"alpha": level}))

    tweedie = Fit(fit.seed, fit.threads, fit.trees, {"tweedie_variance_power": 1.3})
    expected = boost("tweedie", rows, value, CONTRACT.names, tweedie)
    return ValueModel(expected, quantile(low), quantile(high), scale, margin, float(value.mean()))


def conform(windows: Sequence[Window], cutoffs: Cutoffs, fit: Fit) -> tuple[float, float]:
    """Find the scale that makes totals come true on unseen customers, and the margin that makes the interval cover."""
    pairs = unseen(windows, cutoffs, lambda seen: fit_value(seen, 1.0, 0.0, fit))
    predictions = [model.predict(window.rows.values, fit.threads)[0] for model, window in pairs]
    actual = np.concatenate([window.value for _, window in pairs])
    scale = float(np.clip(actual.sum() / max(np.concatenate(predictions).sum(), 1e-9), 0.5, 2.0))
    misses = np.concatenate([_misses(model, window, scale, fit.threads) for model, window in pairs])
    rank = min(1.0, COVERAGE * (1 + 1 / len(misses)))
    return scale, float(np.quantile(misses, rank))


def _misses(model: ValueModel, window: Window, scale: float, threads: int) -> Array:
    rows = window.rows.values
    expected = predict(model.expected, rows, threads) * scale
    below = predict(model.low, rows, threads) - window.value
    above = window.value - predict(model.high, rows, threads)
    return np.maximum(below, above) / (expected + model.typical)


def tier_floors(expected: Array, shares: Sequence[float]) -> tuple[float, ...]:
    """Find the smallest expectation of each tier but the last, given the tiers' shares from the top.

    >>> tier_floors(np.array([1.0, 2.0, 3.0, 4.0]), [0.25, 0.25, 0.5])
    (4.0, 3.0)
    """
    ordered = np.sort(expected)[::-1]
    counts = np.cumsum(np.round(np.array(shares[:-1]) * len(ordered))).astype(int)
    return tuple(float(ordered[max(count - 1, 0)]) for count in counts)
