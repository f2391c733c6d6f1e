"""Learners of who is changed by a treatment, each a weighted sum of parts on the outcome's own scale.

They are judged by doubly robust pseudo-outcomes, and some rest on these. Their mean given a row is the row's effect
whatever is expected in each arm (`Arms`), as the propensity is known (Kennedy 2023, "Towards optimal doubly robust
estimation of heterogeneous causal effects"). Rows count by e·(1 − e), the inverse of their pseudo-outcome's noise.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from features.feature import Array
from models.additive import Additive
from models.contrast import TREATED, Contrast
from models.trees import Trees
from training.boosting import Fit, boost
from training.uplift_regression import interactions, ridge

Flags = npt.NDArray[np.bool_]
_LEAST_ARM, _LEAST_INFORMATIVE = 60, 12
_FLOOR_SHARE = 0.1
_SQUARES = {"objective": "l2", "learning_rate": 0.06}
_EVERY_COLUMN = {"feature_fraction": 1.0}
_TREES, _LEAF_SHARE, _LEAF_LEAST = 60, 80, 20
# What an S-learner's trees are fitted to on each link's scale, and how fast; fewer and faster ones order worse.
_OUTCOMES = {"logit": ("binary", 0.03), "log": ("tweedie", 0.03), "identity": ("l2", 0.05)}
_MANY = 240
_STUMPS, _FEW, _STUMP_SHARE = {"num_leaves": 2, "learning_rate": 0.05}, 40, 40
# What each counts for before any is judged: on simulated trials, what stumps alone find is the noisiest.
BELIEVED = {"regression": 1.0, "S-learner": 1.0, "stumps": 0.3}


@dataclass(frozen=True)
class Trial:
    """Rows (n, columns) of a randomised trial; whether each was treated, with what propensity, and what came: (n,)."""

    rows: Array
    names: tuple[str, ...]
    treated: Flags
    outcome: Array
    propensity: Array

    def take(self, which: Flags) -> "Trial":
        """Keep some rows."""
        kept = (self.treated[which], self.outcome[which], self.propensity[which])
        return Trial(self.rows[which], self.names, *kept)

    @property
    def informative(self) -> int:
        """Count the outcomes that aren't the commonest one, whichever arm they are in."""
        return len(self.outcome) - int(np.unique(self.outcome, return_counts=True)[1].max(initial=0))

    @property
    def thin(self) -> bool:
        """Whether there is too little to fit anything but means."""
        arm = min(int(self.treated.sum()), int((~self.treated).sum()))
        return arm < _LEAST_ARM or self.informative < _LEAST_INFORMATIVE

    @cached_property
    def link(self) -> str:
        """The scale on which treatment is taken to act alike on everybody.

        Log-odds where two things can come, logs where many bring the least, as of money, else the outcome's own.
        """
        least, most = float(self.outcome.min()), float(self.outcome.max())
        floor = self.outcome == least
        if most > least and (floor | (self.outcome == most)).all():
            return "logit"
        return "log" if most > least and floor.mean() >= _FLOOR_SHARE else "identity"

    @cached_property
    def scaled(self) -> tuple[Array, float]:
        """The outcome as its link takes it, from 0 on, shape (n,), and the unit that it is told in."""
        if self.link == "identity":
            return self.outcome, 1.0
        above = self.outcome - self.outcome.min()
        unit = float(above.max() if self.link == "logit" else above.mean())
        return above / unit, unit

    @property
    def precision(self) -> Array:
        """What each row's pseudo-outcome counts for, shape (n,)."""
        return self.propensity * (1 - self.propensity)


@dataclass(frozen=True)
class Arms:
    """What is expected of everybody, and what each arm adds."""

    alike: Additive
    treated: Additive
    control: Additive

    def expect(self, rows: Array) -> tuple[Array, Array]:
        """Expect the outcome if treated and if not, for rows of shape (n, columns), shape (n,) each."""
        alike = self.alike.scores(rows)
        return alike + self.treated.scores(rows), alike + self.control.scores(rows)

    def pseudo(self, trial: Trial) -> Array:
        """Make the doubly robust pseudo-outcome of rows that these arms haven't seen, shape (n,)."""
        treated, control = self.expect(trial.rows)
        missed = trial.outcome - np.where(trial.treated, treated, control)
        share = np.where(trial.treated, trial.propensity, trial.propensity - 1)
        return np.asarray(treated - control + missed / share)


def fit_arms(trial: Trial, fit: Fit) -> Arms:
    """Fit the arms: trees for everybody, and small ones for each arm that start from these; means where it is thin."""
    if trial.thin:
        alike = _constant(float(trial.outcome.mean()))
        return Arms(alike, *(_thin_arm(trial, arm) for arm in (trial.treated, ~trial.treated)))
    alike = _trees(trial.rows, trial.outcome, trial.names, fit)
    left = trial.outcome - alike.scores(trial.rows)
    treated, control = (
        _trees(trial.rows[arm], left[arm], trial.names, fit) for arm in (trial.treated, ~trial.treated)
    )  # fmt: skip
    return Arms(alike, treated, control)


def _thin_arm(trial: Trial, arm: Flags) -> Additive:
    return _constant(float((trial.outcome[arm] - trial.outcome.mean()).mean()) if arm.any() else 0.0)


def learners(trial: Trial, pseudo: Array, fit: Fit) -> Mapping[str, Additive]:
    """Fit what can be learned of uplift, by name, of a trial and its rows' pseudo-outcomes, shape (n,).

    None where the trial is thin, since then only the mean effect can be told.
    """
    if trial.thin:
        return {}
    return {"regression": _regression(trial, pseudo), "S-learner": _s_learner(trial, fit),
            "stumps": _stumps(trial, pseudo, fit)}  # fmt: skip


def _regression(trial: Trial, pseudo: Array) -> Additive:
    """Let the treatment and every column interact on the link's scale, or regress pseudo-outcomes on the outcome's."""
    if trial.link == "identity":
        return ridge(trial.rows, pseudo, trial.precision)
    outcome, unit = trial.scaled
    return interactions(trial.rows, trial.treated.astype(np.float64), outcome, trial.link).adjusted(unit, 0.0)


def _s_learner(trial: Trial, fit: Fit) -> Additive:
    """Boost trees on the outcome that may split by treatment, scored with it and without."""
    objective, rate = _OUTCOMES[trial.link]
    outcome, unit = trial.scaled
    rows = np.column_stack([trial.rows, trial.treated])
    shape = {"objective": objective, "learning_rate": rate, **_EVERY_COLUMN}
    trees = _boosted(rows, outcome, (*trial.names, TREATED), fit, shape, _MANY)
    return Additive("identity", (Contrast(trees, trial.link),), (unit,))


def _stumps(trial: Trial, pseudo: Array, fit: Fit) -> Additive:
    """Boost trees of one split on pseudo-outcomes, which hold a step as a step, each counting by its precision."""
    shape = {**_SQUARES, **_EVERY_COLUMN, **_STUMPS, "min_data_in_leaf": max(_LEAF_LEAST, len(pseudo) // _STUMP_SHARE)}
    counted = trial.precision / trial.precision.mean()
    return Additive("identity", (_boosted(trial.rows, pseudo, trial.names, fit, shape, _FEW, counted),), (1.0,))


def _trees(rows: Array, target: Array, names: Sequence[str], fit: Fit) -> Additive:
    return Additive("identity", (_boosted(rows, target, names, fit, _SQUARES, _TREES),), (1.0,))


def _boosted(rows: Array, target: Array, names: Sequence[str], fit: Fit, shape: Mapping[str, Any], count: int,
             weights: Array | None = None) -> Trees:  # fmt: skip
    leaf = max(_LEAF_LEAST, len(target) // _LEAF_SHARE)
    settled = Fit(fit.seed, fit.threads, count, {"min_data_in_leaf": leaf, **fit.parameters})
    safe = [f"column_{place}" for place in range(len(names))] if _odd(names) else names
    return boost(shape, rows, target, safe, settled, weights=weights)


def _odd(names: Sequence[str]) -> bool:
    """Whether LightGBM would refuse the names, as JSON's signs, or change or confuse them."""
    return len(set(names)) < len(names) or any(not name.isascii() or not name.isidentifier() for name in names)


def _constant(value: float) -> Additive:
    return Additive("identity", (), (), value)
