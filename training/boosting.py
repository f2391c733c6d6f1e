"""The one place where a LightGBM booster is fitted, small enough to explain each of its scores within a call."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import lightgbm as lgb
import numpy as np

from features.feature import Array

_SMALL = {
    "learning_rate": 0.05,
    "num_leaves": 15,
    "min_data_in_leaf": 40,
    "feature_fraction": 0.6,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "lambda_l2": 5.0,
    "verbosity": -1,
    "deterministic": True,
    "force_row_wise": True,
}


@dataclass(frozen=True)
class Fit:
    """How to fit: a seed, threads, and any parameter that differs from the small default."""

    seed: int = 7
    threads: int = 1
    trees: int = 100
    parameters: dict[str, Any] = field(default_factory=dict)


def boost(objective: str, rows: Array, labels: Array, names: Sequence[str], fit: Fit) -> lgb.Booster:
    """Fit a booster on rows of shape (n, features) and labels of shape (n,)."""
    leaf = max(5, min(_SMALL["min_data_in_leaf"], len(labels) // 50))
    parameters = _SMALL | {"min_data_in_leaf": leaf} | fit.parameters
    parameters |= {"objective": objective, "seed": fit.seed, "num_threads": fit.threads}
    data = lgb.Dataset(rows, labels, feature_name=list(names), free_raw_data=True)
    return lgb.train(parameters, data, num_boost_round=fit.trees)


def predict(booster: lgb.Booster, rows: Array, threads: int) -> Array:
    """Predict rows of shape (n, features); returns shape (n,)."""
    return np.asarray(booster.predict(rows, num_threads=threads), dtype=np.float64)
