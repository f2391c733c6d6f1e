"""Churn risk: the probability that an active customer buys nothing within the horizon."""

from collections.abc import Sequence
from dataclasses import dataclass

import lightgbm as lgb
import numpy as np

from features.contract import CONTRACT
from features.feature import Array
from training.boosting import Fit, boost, predict
from training.calibration import IDENTITY, Calibration, calibrate
from training.cutoffs import Cutoffs
from training.dataset import Window
from training.splits import keep, unseen

_SAFE = 1e-6


@dataclass(frozen=True)
class ChurnModel:
    """A booster for the log-odds of lapsing, and its calibration."""

    booster: lgb.Booster
    calibration: Calibration

    def predict(self, rows: Array, threads: int) -> Array:
        """Predict the risk of rows of shape (n, features) as probabilities of shape (n,)."""
        return self.calibration.apply(predict(self.booster, rows, threads))


def fit_churn(windows: Sequence[Window], calibration: Calibration, fit: Fit) -> ChurnModel:
    """Fit on the active customers of several cutoffs."""
    active = [keep(window, window.active) for window in windows]
    rows = np.concatenate([window.rows.values for window in active])
    lapsed = np.concatenate([window.lapsed for window in active])
    return ChurnModel(boost("binary", rows, lapsed, CONTRACT.names, fit), calibration)


def choose_calibration(windows: Sequence[Window], cutoffs: Cutoffs, fit: Fit) -> tuple[Calibration, str]:
    """Calibrate on unseen customers if that lowers log loss there by more than a standard error; say what was found.

    Each half of the unseen customers is judged under the calibration of the other.
    """
    pairs = unseen(windows, cutoffs, lambda seen: fit_churn(seen, IDENTITY, fit))
    kept = [(model, keep(window, window.active)) for model, window in pairs]
    scores = np.concatenate([model.predict(window.rows.values, fit.threads) for model, window in kept])
    lapsed = np.concatenate([window.lapsed for _, window in kept])
    even = np.arange(len(scores)) % 2 == 0
    crossed = np.empty_like(scores)
    for half in (even, ~even):
        crossed[half] = calibrate(scores[~half], lapsed[~half]).apply(scores[half])
    gain = _losses(scores, lapsed) - _losses(crossed, lapsed)
    error = float(gain.std() / np.sqrt(len(gain)))
    said = f"isotonic calibration changes log loss by {-gain.mean():+.4f} ± {error:.4f} on unseen customers"
    if gain.mean() > error:
        return calibrate(scores, lapsed), f"{said}: kept"
    return IDENTITY, f"{said}: left out"


def _losses(scores: Array, happened: Array) -> Array:
    safe = np.clip(scores, _SAFE, 1 - _SAFE)
    return -(happened * np.log(safe) + (1 - happened) * np.log(1 - safe))
