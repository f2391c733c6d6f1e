"""Searching for better sizes and paces of the trees, on windows before the test alone."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import optuna

from features.feature import Array
from features.history import Known
from models.population import Active
from training.boosting import Fit
from training.choosing import churn_loss, paired, value_loss
from training.cutoffs import Cutoffs
from training.dataset import Progress, Window, Windows, value_measure
from training.horizon import Horizon, choose_horizon
from training.ladder import POWER, ChurnLadder, ValueLadder
from training.minimum import allowed
from training.pipeline import Plan, check_fresh
from training.placing import place_cutoffs

_TREES = (50, 600)
_PACES = (0.01, 0.1)
_LEAVES = (4, 31)
_IN_LEAF = (10, 200)
_SHARES = (0.1, 1.0)
_PENALTIES = (0.1, 100.0)


@dataclass(frozen=True)
class Tuned:
    """The fit to train with, how many trials ended, and by what share the best of them lowered the default's loss.

    `gain` and its standard `error` are None when no trial ended.
    """

    fit: Fit
    kept: bool
    trials: int
    gain: float | None
    error: float | None
    said: str

    def as_dict(self) -> dict[str, Any]:
        """The tuning as JSON values; `trees` and `parameters` are what to train with."""
        told = {name: getattr(self, name) for name in ("kept", "trials", "gain", "error", "said")}
        return {**told, "trees": self.fit.trees, "parameters": dict(self.fit.parameters)}


@dataclass(frozen=True)
class Lost:
    """What was lost on customers of the later windows, each of shape (n,)."""

    customers: Array
    loss: Array


@dataclass(frozen=True)
class _Later:
    """One later window and the earlier ones to fit on."""

    earlier: Sequence[Window]
    judged: Window


def tune(known: Known, plan: Plan, fit: Fit, minutes: float, progress: Progress) -> Tuned:
    """Try trees for some minutes, and keep the best if it beats the default by more than a standard error.

    Sampled by TPE (Bergstra and others 2011; Akiba and others 2019, Optuna). Judged on the windows on which candidates
    are chosen; the test window's labels are never read. The seed sets what is tried, the machine how much of it.

    Raises NotEnoughData when the history is too short or too old to train on at all.
    """
    horizon = choose_horizon(known, plan.horizon_days, plan.active_days)
    check_fresh(known, horizon)
    windows = Windows(known, Active(plan.churn, horizon.active_days), value_measure(known))
    told: Progress = lambda name, done, total: progress(f"{name}, for tuning", done, total)  # noqa: E731
    horizon, cutoffs, _ = place_cutoffs(windows, horizon, plan.horizon_days, plan.active_days, told)
    if cutoffs.rehearsal is None:
        return _untried(fit, "the history is too short for later windows to tune on")
    days = cutoffs.rehearsal.days
    later = [
        _Later([windows.at(one, days) for one in earlier], windows.at(moment, days))
        for moment, earlier in cutoffs.rehearsal.rounds
    ]
    lack = _lack(later, cutoffs, horizon)
    return _untried(fit, lack) if lack else _search(later, days, fit, minutes, progress)


def _lack(later: Sequence[_Later], cutoffs: Cutoffs, horizon: Horizon) -> str:
    """Say why trees are not to be tuned on these windows; "" where they are."""
    for one in later:
        enough = allowed([*one.earlier, one.judged], False, cutoffs, horizon)
        if enough.ranks or not enough.trees:
            lacks = "; ".join(lack for lack in enough.said if "LightGBM" in lack or lack in enough.ranks.values())
            return f"the later windows hold too little to tune on: {lacks}"
    return ""


def _search(later: Sequence[_Later], days: int, fit: Fit, minutes: float, progress: Progress) -> Tuned:
    began, limit = time.monotonic(), round(60 * minutes)
    doing = "Tuning, in seconds"
    progress(doing, 0, limit)
    default = _losses(later, days, fit)

    def objective(trial: optuna.Trial) -> float:
        gain, error = relative_gain(default, _losses(later, days, _proposed(trial, fit)))
        trial.set_user_attr("error", error)
        return 1 - gain

    def after(_: optuna.Study, __: optuna.trial.FrozenTrial) -> None:
        progress(doing, min(int(time.monotonic() - began), limit), limit)

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=fit.seed))
    left = limit - (time.monotonic() - began)
    study.optimize(objective, timeout=max(left, 0.0), callbacks=[after])
    progress(doing, limit, limit)
    if not study.trials:
        return _untried(fit, f"no trial ended in {minutes:g} minutes: one takes about {limit - left:.0f} seconds")
    return _kept(study, fit)


def _kept(study: optuna.Study, fit: Fit) -> Tuned:
    gain, error, trials = 1 - study.best_value, study.best_trial.user_attrs["error"], len(study.trials)
    found = f"the best of {trials} trials lowers the loss on the later windows by {gain:.2%} ± {error:.2%}".replace(
        "%", " %"
    )
    if gain > error:
        return Tuned(_proposed(study.best_trial, fit), True, trials, gain, error, f"{found}: taken")
    return Tuned(fit, False, trials, gain, error, f"{found}: the default stays")


def _proposed(trial: optuna.Trial | optuna.trial.FrozenTrial, fit: Fit) -> Fit:
    parameters = {
        "num_leaves": trial.suggest_int("num_leaves", *_LEAVES, log=True),
        "min_data_in_leaf": trial.suggest_int("min_data_in_leaf", *_IN_LEAF, log=True),
        "learning_rate": trial.suggest_float("learning_rate", *_PACES, log=True),
        "feature_fraction": trial.suggest_float("feature_fraction", *_SHARES),
        "lambda_l2": trial.suggest_float("lambda_l2", *_PENALTIES, log=True),
    }
    trees = trial.suggest_int("trees", *_TREES, log=True)
    return Fit(fit.seed, fit.threads, trees, {**fit.parameters, **parameters})


def _losses(later: Sequence[_Later], days: int, fit: Fit) -> tuple[Lost, Lost]:
    """What trees lose on the later windows: log loss for churn, Tweedie deviance for value."""
    churn, value = [], []
    for one in later:
        active = one.judged.of_active
        learn = [window.of_active for window in one.earlier]
        risk = ChurnLadder(learn, active.rows, active.process, days, fit).model("LightGBM")
        lost = churn_loss(active.lapsed, risk.scores(active.rows.values))
        churn.append(Lost(np.asarray(active.rows.customers), lost))
        brought = one.judged.brought
        worth = ValueLadder(one.earlier, one.judged.rows, one.judged.process, days, fit).model("Tweedie")
        lost = value_loss(brought, worth.scores(one.judged.rows.values)) + _least(brought)
        value.append(Lost(np.asarray(one.judged.rows.customers), lost))
    return _together(churn), _together(value)


def _least(brought: Array) -> Array:
    """The part of the Tweedie deviance that no prediction changes; with it, a perfect prediction loses nothing."""
    return np.asarray(brought ** (2 - POWER) / ((1 - POWER) * (2 - POWER)))


def _together(parts: Sequence[Lost]) -> Lost:
    return Lost(np.concatenate([part.customers for part in parts]), np.concatenate([part.loss for part in parts]))


def relative_gain(default: Sequence[Lost], found: Sequence[Lost]) -> tuple[float, float]:
    """Average over losses the share by which each is lowered, with a standard error that pairs customers.

    >>> before = Lost(np.array(["a", "b"]), np.array([1.0, 1.0])), Lost(np.array(["a", "c"]), np.array([4.0, 4.0]))
    >>> after = Lost(np.array(["a", "b"]), np.array([0.5, 0.5])), Lost(np.array(["a", "c"]), np.array([4.0, 4.0]))
    >>> round(relative_gain(before, after)[0], 3)
    0.25
    """
    rows = sum(len(one.loss) for one in default)
    shares = [
        (before.loss - after.loss) / before.loss.mean() / len(default) * rows / len(before.loss)
        for before, after in zip(default, found, strict=True)
    ]
    return paired(np.concatenate(shares), np.concatenate([one.customers for one in default]))


def _untried(fit: Fit, said: str) -> Tuned:
    return Tuned(fit, False, 0, None, None, f"{said}; the default stays")
