"""The one place where a LightGBM booster is fitted, small enough to explain each of its scores within a call."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import lightgbm as lgb

from features.feature import Array
from models.trees import Trees

_SMALL = {
    "learning_rate": 0.03,
    "num_leaves": 7,
    "min_data_in_leaf": 40,
    "feature_fraction": 0.3,
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
    trees: int = 200
    parameters: Mapping[str, Any] = field(default_factory=dict)


def boost(
    objective: Mapping[str, Any],
    rows: Array,
    labels: Array,
    names: Sequence[str],
    fit: Fit,
    *,
    offset: Array | None = None,
    weights: Array | None = None,
    rising: Mapping[str, int] | None = None,
) -> Trees:
    """Fit a booster on rows of shape (n, features) and labels of shape (n,).

    `offset`, shape (n,), is the score that the trees start from; they are to be added to it. `weights`,
    shape (n,), say how much each row counts. `rising` holds 1 for a feature with which the score may only rise, and -1
    for one with which it may only fall.
    """
    leaf = max(5, min(_SMALL["min_data_in_leaf"], len(labels) // 50))
    parameters = {**_SMALL, "min_data_in_leaf": leaf, **fit.parameters, **objective}
    parameters |= {"seed": fit.seed, "num_threads": fit.threads}
    if rising:
        parameters["monotone_constraints"] = [rising.get(name, 0) for name in names]
    data = lgb.Dataset(rows, labels, weight=weights, feature_name=list(names), init_score=offset)
    return Trees(lgb.train(parameters, data, num_boost_round=fit.trees), fit.threads)
