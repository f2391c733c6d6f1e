"""Learners of who is changed by a treatment, each a weighted sum of parts on the outcome's own scale.

All rest on what is expected in each arm (`Arms`) and on doubly robust pseudo-outcomes, whose mean given a row is the
row's effect whatever the arms' models miss, as the propensity is known (Kennedy 2023, "Towards optimal doubly robust
estimation of heterogeneous causal effects"). Rows count by e·(1 − e), the inverse of their pseudo-outcome's noise.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from features.feature import Array
from models.additive import Additive
from models.contrast import TREATED, Contrast
from models.regression import Regression
from models.trees import Trees
from training.boosting import Fit, boost

Flags = npt.NDArray[np.bool_]
_LEAST_ARM, _LEAST_INFORMATIVE = 60, 12
WITH, AGAINST = "with the expected outcome", "against the expected outcome"
_FLOOR_SHARE = 0.1
_EVERY_COLUMN = {"feature_fraction": 1.0}
_SQUARES = {"objective": "l2"}
_TAILS = (0.005, 0.995)
_PENALTIES = 10.0 ** np.arange(-3.0, 3.5, 0.5)
_TREES, _LEAF_SHARE, _LEAF_LEAST = 120, 80, 20


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

    @property
    def slope(self) -> float:
        """How an effect, as a share of the mean one, changes by the expected outcome; 0 where nothing tells.

        Where two things can come, an even change of the log-odds changes p by p·(1 − p); where many bring the least,
        as of money, an even factor changes outcomes in proportion.
        """
        least, most = float(self.outcome.min()), float(self.outcome.max())
        above, floor = float(self.outcome.mean()) - least, self.outcome == least
        if above <= 0 or floor.mean() < _FLOOR_SHARE:
            return 0.0
        two = bool((floor | (self.outcome == most)).all())
        return (1 - 2 * above / (most - least)) / (above * (1 - above / (most - least))) if two else 1 / above

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


class Learners:
    """What can be learned of uplift from a trial, its arms, and its rows' pseudo-outcomes of shape (n,)."""

    def __init__(self, trial: Trial, arms: Arms, pseudo: Array, fit: Fit) -> None:
        self._trial, self._arms, self._pseudo, self._fit = trial, arms, pseudo, fit

    def all(self) -> Mapping[str, Additive]:
        """Fit every learner, by name; none where the trial is thin, since then only the mean can be told."""
        ladder: Mapping[str, Callable[[], Additive]] = {
            WITH: lambda: self._arms.alike,
            AGAINST: lambda: self._arms.alike.adjusted(-1.0, 0.0),
            "regression": lambda: self._regression,
            "S-learner": lambda: self._s_learner,
            "X-learner": lambda: self._x_learner,
        }
        return {} if self._trial.thin else {name: made() for name, made in ladder.items()}

    @cached_property
    def _regression(self) -> Additive:
        """Ridge regression of pseudo-outcomes, of the penalty with the least generalised cross-validation."""
        start = _standardised(self._trial.rows)
        weights = _ridge(start.standard(self._trial.rows), self._pseudo, self._trial.precision)
        fitted = Regression(
            start.places, start.lows, start.highs, start.means, start.spreads, tuple(weights.tolist())
        )  # fmt: skip
        return Additive("identity", (fitted,), (1.0,))

    @cached_property
    def _s_learner(self) -> Additive:
        """Trees on the outcome that may split by treatment, scored with it and without."""
        trial = self._trial
        rows = np.column_stack([trial.rows, trial.treated])
        all_columns = Fit(self._fit.seed, self._fit.threads, parameters={**self._fit.parameters, **_EVERY_COLUMN})
        trees = _trees(rows, trial.outcome, (*trial.names, TREATED), all_columns)
        return Additive("identity", tuple(Contrast(part) for part in trees.parts if isinstance(part, Trees)), (1.0,))

    @cached_property
    def _x_learner(self) -> Additive:
        """Trees on what each row came to, less what the other arm would have brought (Künzel et al. 2019)."""
        trial = self._trial
        treated, control = self._arms.expect(trial.rows)
        imputed = np.where(trial.treated, trial.outcome - control, treated - trial.outcome)
        counted = np.where(trial.treated, 1 - trial.propensity, trial.propensity)
        return _trees(trial.rows, imputed, trial.names, self._fit, counted)


def believed(names: Sequence[str], trial: Trial, pseudo: Array) -> Array:
    """Say what each learner is believed to count for before any is judged, shape (learners,), on the scales they have.

    The two that were best on simulated trials share evenly with what the mean effect, `pseudo`'s, says by itself of
    rows with other expected outcomes.
    """
    slope = trial.slope * _sure_mean(pseudo)
    told = {"regression": 1.0, "S-learner": 1.0, WITH: max(slope, 0.0), AGAINST: max(-slope, 0.0)}
    return np.array([told.get(name, 0.0) / 3 for name in names])


def _sure_mean(pseudo: Array) -> float:
    mean, noise = float(pseudo.mean()), float(pseudo.var()) / len(pseudo)
    return mean * max(0.0, 1.0 - noise / mean**2) if mean else 0.0


def _trees(rows: Array, target: Array, names: Sequence[str], fit: Fit, weights: Array | None = None) -> Additive:
    leaf = max(_LEAF_LEAST, len(target) // _LEAF_SHARE)
    small = Fit(fit.seed, fit.threads, _TREES, {"min_data_in_leaf": leaf, **fit.parameters})
    counted = None if weights is None else weights / weights.mean()
    safe = [f"column_{place}" for place in range(len(names))] if _odd(names) else names
    return Additive("identity", (boost(_SQUARES, rows, target, safe, small, weights=counted),), (1.0,))


def _odd(names: Sequence[str]) -> bool:
    """Whether LightGBM would refuse the names, as JSON's signs, or change or confuse them."""
    return len(set(names)) < len(names) or any(not name.isascii() or not name.isidentifier() for name in names)


def _constant(value: float) -> Additive:
    return Additive("identity", (), (), value)


def _standardised(rows: Array) -> Regression:
    """Learn how columns are held and scaled; what hardly differs or is never known is left out."""
    known = np.flatnonzero(~np.isnan(rows).all(axis=0))
    lows, highs = np.nanquantile(rows[:, known], _TAILS, axis=0)
    held = np.clip(rows[:, known], lows, highs)
    means, spreads = np.nanmean(held, axis=0), np.nanstd(held, axis=0)
    kept = spreads > 1e-9 * (1 + np.abs(means))
    told = (known[kept], lows[kept], highs[kept], means[kept], spreads[kept], np.zeros(int(kept.sum())))
    places, lows_, highs_, means_, spreads_, weights = (tuple(one.tolist()) for one in told)
    return Regression(places, lows_, highs_, means_, spreads_, weights)


def _ridge(columns: Array, target: Array, weights: Array) -> Array:
    """Fit ridge regression without its intercept, of the penalty with the least generalised cross-validation.

    Golub, Heath and Wahba (1979).
    """
    root = np.sqrt(weights / weights.mean())[:, None]
    centred = root * (columns - np.average(columns, axis=0, weights=weights))
    aim = root[:, 0] * (target - np.average(target, weights=weights))
    values, axes = np.linalg.eigh(centred.T @ centred)
    along, size = axes.T @ (centred.T @ aim), float(aim @ aim)
    values = np.maximum(values, 0.0)

    def loss(penalty: float) -> float:
        kept = values + penalty * len(aim)
        left = size - 2 * float(along @ (along / kept)) + float((along / kept) ** 2 @ values)
        return left / max(1 - float((values / kept).sum()) / len(aim), 1e-3) ** 2

    best = min(_PENALTIES.tolist(), key=loss)
    return np.asarray(axes @ (along / (values + best * len(aim))))
