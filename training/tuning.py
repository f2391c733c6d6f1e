"""Searching for better sizes and paces of the trees, on windows before the test alone."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import optuna

from features.consent import profiled
from features.feature import Array
from features.known import Known
from models.population import Active
from training.boosting import Fit
from training.choosing import churn_loss, paired, value_loss
from training.cutoffs import Cutoffs, Rehearsal
from training.dataset import Progress, Window, Windows, is_odd, value_measure
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


# A gain above so many of its standard errors is luck in one case of twenty.
SURE = 1.645


@dataclass(frozen=True)
class Tuned:
    """The fit to train with, and what the search found and how that was confirmed.

    Gains are shares by which the default's loss is lowered, each with its standard error: those `searched` are the best
    trial's on the window that was searched on, `gain` and `error` its own on the later one. `found` is that trial's
    trees and parameters. All are None when no trial ended.
    """

    fit: Fit
    kept: bool
    minutes: float
    trials: int
    searched_gain: float | None
    searched_error: float | None
    gain: float | None
    error: float | None
    found: Mapping[str, Any] | None
    said: str

    def as_dict(self) -> dict[str, Any]:
        """The tuning as JSON values; `trees` and `parameters` are what to train with."""
        names = (
            "kept", "minutes", "trials", "searched_gain", "searched_error", "gain", "error", "found", "said",
        )  # fmt: skip
        told = {name: getattr(self, name) for name in names}
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

    def halved(self, odd: bool) -> "_Later":
        """Judge on the half of the customers whose hash is odd, or even."""
        mine = np.array([is_odd(customer) == odd for customer in self.judged.rows.customers], dtype=bool)
        return _Later(self.earlier, self.judged.keep(mine))


def tune(known: Known, plan: Plan, fit: Fit, minutes: float, progress: Progress) -> Tuned:
    """Try trees for some minutes on one window, and keep the best if a later one confirms that it beats the default.

    Sampled by TPE (Bergstra and others 2011; Akiba and others 2019, Optuna). Both windows are those on which candidates
    are chosen; the test window's labels are never read. The best of many trials is partly luck: it is kept only if on
    the later window, which no trial has seen, it gains more than luck does in one case of twenty. The seed sets what is
    tried, the machine how much of it.

    Raises NotEnoughData when the history is too short or too old to train on at all.
    """
    known = profiled(known)
    horizon = choose_horizon(known, plan.horizon_days, plan.active_days)
    check_fresh(known, horizon)
    windows = Windows(known, Active(plan.churn, horizon.active_days), value_measure(known))
    told: Progress = lambda name, done, total: progress(f"{name}, for tuning", done, total)  # noqa: E731
    horizon, cutoffs, _ = place_cutoffs(windows, horizon, plan.horizon_days, plan.active_days, told)
    if cutoffs.rehearsal is None:
        return _untried(fit, minutes, "the history is too short for later windows to tune on")
    later = _later(windows, cutoffs.rehearsal)
    if lack := _lack(later, cutoffs, horizon):
        return _untried(fit, minutes, lack)
    return _Search(*later, cutoffs.rehearsal.days, fit, minutes).run(progress)


def _later(windows: Windows, rehearsal: Rehearsal) -> tuple[_Later, _Later]:
    """Lay out the window to search on and the later one to confirm on.

    Where they share days, each speaks of its own half of the customers, so that they share no outcome.
    """
    days = rehearsal.days
    confirm, search = (
        _Later([windows.at(one, days) for one in earlier], windows.at(moment, days))
        for moment, earlier in rehearsal.rounds
    )
    if search.judged.cutoff + timedelta(days=days) <= confirm.judged.cutoff:
        return search, confirm
    return search.halved(odd=True), confirm.halved(odd=False)


def _lack(later: Sequence[_Later], cutoffs: Cutoffs, horizon: Horizon) -> str:
    """Say why trees are not to be tuned on these windows; "" where they are."""
    for one in later:
        enough = allowed([*one.earlier, one.judged], False, cutoffs, horizon)
        if enough.ranks or not enough.trees:
            lacks = "; ".join(lack for lack in enough.said if "LightGBM" in lack or lack in enough.ranks.values())
            return f"the later windows hold too little to tune on: {lacks}"
    return ""


@dataclass(frozen=True)
class _Search:
    """A search on one window, confirmed on a later one."""

    searched: _Later
    confirming: _Later
    days: int
    fit: Fit
    minutes: float

    def run(self, progress: Progress) -> Tuned:
        began, limit = time.monotonic(), round(60 * self.minutes)
        doing = "Tuning, in seconds"
        progress(doing, 0, limit)
        default = _losses(self.searched, self.days, self.fit)

        def objective(trial: optuna.Trial) -> float:
            gain, error = relative_gain(default, _losses(self.searched, self.days, _proposed(trial, self.fit)))
            trial.set_user_attr("error", error)
            return 1 - gain

        def after(_: optuna.Study, __: optuna.trial.FrozenTrial) -> None:
            progress(doing, min(int(time.monotonic() - began), limit), limit)

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=self.fit.seed))
        left = limit - (time.monotonic() - began)
        study.optimize(objective, timeout=max(left, 0.0), callbacks=[after])
        progress(doing, limit, limit)
        if not study.trials:
            lack = f"no trial ended in {self.minutes:g} minutes: one takes about {limit - left:.0f} seconds"
            return _untried(self.fit, self.minutes, lack)
        return self._confirmed(study)

    def _confirmed(self, study: optuna.Study) -> Tuned:
        best, trials = study.best_trial, len(study.trials)
        proposed = _proposed(best, self.fit)
        searched = 1 - study.best_value, float(best.user_attrs["error"])
        default, found = (_losses(self.confirming, self.days, fit) for fit in (self.fit, proposed))
        gain, error = relative_gain(default, found)
        kept = gain > SURE * error
        said = (
            f"the best of {trials} trials lowers the loss by {_percents(*searched)} on the window from"
            f" {self.searched.judged.cutoff:%Y-%m-%d}, which was searched on, and by {_percents(gain, error)} on the"
            f" later one from {self.confirming.judged.cutoff:%Y-%m-%d}, which no trial has seen:"
            f" {'taken' if kept else f'less than {SURE:.2f} standard errors, so the default stays'}"
        )
        used = proposed if kept else self.fit
        return Tuned(used, kept, self.minutes, trials, *searched, gain, error, dict(best.params), said)


def _percents(gain: float, error: float) -> str:
    return f"{100 * gain:.2f} % ± {100 * error:.2f} %"


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


def _losses(one: _Later, days: int, fit: Fit) -> tuple[Lost, Lost]:
    """What trees lose on a later window: log loss for churn, Tweedie deviance for value."""
    active, everyone = one.judged.of_active, one.judged
    learn = [window.of_active for window in one.earlier]
    risk = ChurnLadder(learn, active.rows, active.process, days, fit).model("LightGBM")
    worth = ValueLadder(one.earlier, everyone.rows, everyone.process, days, fit).model("Tweedie")
    churn = churn_loss(active.lapsed, risk.scores(active.rows.values))
    value = value_loss(everyone.brought, worth.scores(everyone.rows.values)) + _least(everyone.brought)
    return Lost(np.asarray(active.rows.customers), churn), Lost(np.asarray(everyone.rows.customers), value)


def _least(brought: Array) -> Array:
    """The part of the Tweedie deviance that no prediction changes; with it, a perfect prediction loses nothing."""
    return np.asarray(brought ** (2 - POWER) / ((1 - POWER) * (2 - POWER)))


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


def _untried(fit: Fit, minutes: float, said: str) -> Tuned:
    return Tuned(fit, False, minutes, 0, None, None, None, None, None, f"{said}; the default stays")
