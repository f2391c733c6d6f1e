"""Next likely purchase: candidates for each customer, with the probability of being bought within the horizon."""

from collections.abc import Sequence
from dataclasses import dataclass

import lightgbm as lgb
import numpy as np

from features.affinity import PAIR_FEATURES, ItemTable
from features.feature import Array
from training.boosting import Fit, boost, predict
from training.calibration import Calibration, calibrate
from training.dataset import PairWindow


@dataclass(frozen=True)
class NextPurchaseModel:
    """A booster over (customer, item) pairs, its calibration, and the population's table to serve with."""

    booster: lgb.Booster
    calibration: Calibration
    table: ItemTable

    def rank(self, pairs: Array, threads: int) -> Array:
        """Score pairs of shape (n, `PAIR_FEATURES`) for ranking; finer than probabilities, which have ties."""
        return predict(self.booster, pairs, threads)


def fit_pairs(windows: Sequence[PairWindow], fit: Fit) -> lgb.Booster:
    """Fit a booster on every candidate at several cutoffs, none left out."""
    rows = np.concatenate([window.pairs.values for window in windows])
    taken = np.concatenate([window.taken for window in windows])
    return boost("binary", rows, taken, PAIR_FEATURES, fit)


def calibrate_pairs(booster: lgb.Booster, window: PairWindow, fit: Fit) -> Calibration:
    """Calibrate a booster on a window that it wasn't fitted on."""
    return calibrate(predict(booster, window.pairs.values, fit.threads), window.taken)
