"""causalml's and scikit-uplift's learners on given folds: `python -I uplift_peer.py TRIAL SCORES`, two .npz files.

It runs under a Python of its own, as the peers bring much that Holdfast doesn't need: `python3 -m venv peers` and
`peers/bin/pip install causalml scikit-uplift lightgbm`. Each learner is fitted on the other folds and scores the one
left, with LightGBM as it comes and with the small trees that Holdfast's learners have.
"""

import logging
import sys
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from causalml.inference.meta import (  # type: ignore[import-not-found]
    BaseDRRegressor,
    BaseRRegressor,
    BaseSRegressor,
    BaseTRegressor,
    BaseXRegressor,
)
from lightgbm import LGBMClassifier, LGBMRegressor
from sklift.models import ClassTransformation, SoloModel, TwoModels  # type: ignore[import-not-found]

_SMALL = {"n_estimators": 120, "learning_rate": 0.03, "num_leaves": 7, "colsample_bytree": 0.3, "subsample": 0.8,
          "subsample_freq": 1, "reg_lambda": 5.0}  # fmt: skip
Scored = Callable[[dict[str, Any], dict[str, Any]], Any]


def main() -> None:
    """Score every row by every learner, and write the scores by the learners' names."""
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    told = {**np.load(sys.argv[1])}
    folds = told.pop("folds")
    scores: dict[str, Any] = {}
    for name, learner in learners(binary=len(np.unique(told["outcome"])) == 2).items():
        scores[name] = np.zeros(len(folds))
        for fold in np.unique(folds):
            learn, rest = (
                {key: value[which] for key, value in told.items()} for which in (folds != fold, folds == fold)
            )
            scores[name][folds == fold] = np.asarray(learner(learn, rest), dtype=np.float64).ravel()
    np.savez(sys.argv[2], **scores)


def learners(binary: bool) -> dict[str, Scored]:
    """Name the learners; scikit-uplift's take what came as yes or no alone."""
    found: dict[str, Scored] = {}
    for size, settings in (("", {}), (", small trees", _SMALL)):
        for name, kind in (("S", BaseSRegressor), ("T", BaseTRegressor), ("X", BaseXRegressor), ("R", BaseRRegressor),
                           ("DR", BaseDRRegressor)):  # fmt: skip
            found[f"causalml {name}{size}"] = _causalml(kind, settings)
        if binary:
            for model in ("SoloModel", "TwoModels", "ClassTransformation"):
                found[f"scikit-uplift {model}{size}"] = _sklift(model, settings)
    return found


def _causalml(kind: Any, settings: dict[str, Any]) -> Scored:
    def scored(learn: dict[str, Any], rest: dict[str, Any]) -> Any:
        model = kind(learner=LGBMRegressor(n_jobs=1, verbosity=-1, random_state=7, **settings))
        flags, chances = learn["treated"].astype(int), {}
        if kind in (BaseXRegressor, BaseRRegressor, BaseDRRegressor):
            chances = {"p": learn["propensity"]}
        model.fit(X=learn["rows"], treatment=flags, y=learn["outcome"], **chances)
        told = {"p": rest["propensity"]} if kind is BaseXRegressor else {}
        return model.predict(X=rest["rows"], **told)

    return scored


def _sklift(model: str, settings: dict[str, Any]) -> Scored:
    def made() -> LGBMClassifier:
        return LGBMClassifier(n_jobs=1, verbosity=-1, random_state=7, **settings)

    def scored(learn: dict[str, Any], rest: dict[str, Any]) -> Any:
        kinds = {"SoloModel": lambda: SoloModel(made()), "TwoModels": lambda: TwoModels(made(), made(), "vanilla"),
                 "ClassTransformation": lambda: ClassTransformation(made())}  # fmt: skip
        fitted = kinds[model]().fit(learn["rows"], learn["outcome"].astype(int), learn["treated"].astype(int))
        return fitted.predict(rest["rows"])

    return scored


if __name__ == "__main__":
    main()
