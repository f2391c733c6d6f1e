"""Uplift of each row from randomised outcomes: cross-fitted learners, stacked, and drawn towards the mean effect."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from features.errors import NotEnoughData
from features.feature import Array
from models.additive import Additive
from training.boosting import Fit
from training.uplift_learners import BELIEVED, Flags, Trial, fit_arms, learners
from training.uplift_moments import Line, line, mean_effect, numbered
from training.uplift_stacking import Told, stack

FOLDS, MATURE = 5, 200
Progress = Callable[[str, int, int | None], None]
_NEGLIGIBLE = 0.05
_BOUNDS = (0.005, 0.995)


@dataclass(frozen=True)
class FittedUplift:
    """A learned uplift and what is known of it without having seen the row; arrays of shape (n,).

    `held_out` is each row's uplift by learners that saw neither it nor its cluster, `pseudo` its doubly robust
    pseudo-outcome, `average` the mean effect with its 95 % interval. `calibration` is the best linear predictor of
    the effect: the coefficients of [1, held-out uplift − its mean], 1 for the latter where it is as large as it says
    (Chernozhukov, Demirer, Duflo and Fernández-Val 2018). `positives` are outcomes other than the commonest, in both
    arms, and `weights` those of the learners by `names`, as told by all rows.
    """

    trial: Trial
    held_out: Array
    pseudo: Array
    folds: npt.NDArray[np.int64]
    clusters: npt.NDArray[np.int64]
    average: tuple[float, float, float]
    calibration: Line
    names: tuple[str, ...]
    weights: Array
    fit: Fit

    @property
    def positives(self) -> int:
        """Count the outcomes that tell anything."""
        return self.trial.informative

    @property
    def precision(self) -> Array:
        """What each pseudo-outcome counts for, shape (n,)."""
        return self.trial.precision

    @property
    def shares(self) -> Mapping[str, float]:
        """Each learner's weight."""
        return dict(zip(self.names, self.weights.tolist(), strict=True))

    @cached_property
    def model(self) -> Additive:
        """The learners that count, fitted on every row when first asked for, and added up around the mean effect."""
        if not self.weights.any():
            return Additive("identity", (), (), self.average[0])
        trial, shares, fitted = self.trial, self.shares, learners(self.trial, self.pseudo, self.fit)
        moves = {name: share * fitted[name].scores(trial.rows).std() for name, share in shares.items()}
        kept = [name for name in self.names if moves[name] > _NEGLIGIBLE * sum(moves.values())]
        parts = [(part, shares[name] * own) for name in kept
                 for part, own in zip(fitted[name].parts, fitted[name].weights, strict=True)]  # fmt: skip
        bare = Additive("identity", tuple(part for part, _ in parts), tuple(float(weight) for _, weight in parts))
        return bare.adjusted(1.0, self.average[0] - float(bare.scores(trial.rows).mean()))

    @property
    def mature(self) -> bool:
        """Whether enough came to say more than a mean."""
        return self.positives >= MATURE

    @cached_property
    def centred(self) -> Array:
        """The held-out uplift around its mean, shape (n,)."""
        return np.asarray(self.held_out - self.held_out.mean())

    def intervals(self) -> tuple[Array, Array]:
        """Bound the mean effect of rows with each row's held-out uplift at 95 %: low and high, shape (n,) each."""
        _, low, high = self.calibration.interval(np.column_stack([np.ones(len(self.centred)), self.centred]))
        return low, high


def fit_uplift(
    rows: Array,
    names: Sequence[str],
    treated: Flags,
    outcome: Array,
    propensity: Array,
    *,
    clusters: npt.NDArray[np.generic] | None = None,
    seed: int = 7,
    on_progress: Progress = lambda *_: None,
) -> FittedUplift:
    """Learn what treatment changes, from rows (n, columns) with NaN for unknown, each arm and outcome of shape (n,).

    `propensity` is the known probability with which each row was treated. Rows of one of `clusters` are never split.
    `on_progress` is told what is being done, how much of it is done, and of how much. Raises NotEnoughData where an arm
    is empty.
    """
    trial = _checked(rows, names, treated, outcome, propensity)
    groups = numbered(clusters, len(rows))
    folds, fit = deal(groups, seed), Fit(seed)
    pseudo = _pseudo(trial, folds, fit, on_progress)
    scores, found = _held_out(trial, pseudo, folds, fit, on_progress)
    told = Told(scores, pseudo, trial.precision, groups)
    believed = np.array([BELIEVED[name] for name in found]) / sum(BELIEVED.values())
    # Around each fold's own mean: what its learners say of its level hangs on what came in the others.
    held_out = np.full(len(rows), pseudo.mean())
    for fold in range(FOLDS):
        here = folds == fold
        held_out[here] += (scores[here] - scores[here].mean(axis=0)) @ stack(told.take(~here), believed)
    columns = np.column_stack([np.ones(len(rows)), held_out - held_out.mean()])
    return FittedUplift(
        trial=trial,
        held_out=held_out,
        pseudo=pseudo,
        folds=folds,
        clusters=groups,
        average=mean_effect(pseudo, groups),
        calibration=line(columns, pseudo, groups),
        names=found,
        weights=stack(told, believed),
        fit=fit,
    )


def deal(clusters: npt.NDArray[np.int64], seed: int) -> npt.NDArray[np.int64]:
    """Deal clusters, numbered from 0, into folds of about equal count; a fold for each row, shape (n,)."""
    count = int(clusters.max()) + 1
    dealt = np.random.default_rng(seed).permutation(count) % FOLDS
    return np.asarray(dealt[clusters])


def _checked(rows: Array, names: Sequence[str], treated: Flags, outcome: Array, propensity: Array) -> Trial:
    flags = np.asarray(treated, dtype=bool)
    if flags.all() or not flags.any():
        raise NotEnoughData(
            f"expected rows that were treated and rows that weren't, found {int(flags.sum()):,} treated of"
            f" {len(flags):,}; give both arms"
        )
    chance = np.clip(np.broadcast_to(np.asarray(propensity, dtype=np.float64), flags.shape), *_BOUNDS)
    values = np.ascontiguousarray(rows, dtype=np.float64)
    return Trial(values, tuple(names), flags, np.asarray(outcome, dtype=np.float64), chance)


def _pseudo(trial: Trial, folds: npt.NDArray[np.int64], fit: Fit, on_progress: Progress) -> Array:
    made = np.empty(len(folds))
    for fold in range(FOLDS):
        here = folds == fold
        made[here] = fit_arms(trial.take(~here), fit).pseudo(trial.take(here))
        on_progress("What is expected in each arm", fold + 1, FOLDS)
    return made


def _held_out(
    trial: Trial, pseudo: Array, folds: npt.NDArray[np.int64], fit: Fit, on_progress: Progress
) -> tuple[Array, tuple[str, ...]]:
    """Score every row by learners fitted on the other folds: shape (n, learners), and the learners' names.

    A row's pseudo-outcome rests on arms that saw other folds. As its mean given these is the row's effect whatever they
    say, that tells nothing of those folds' outcomes.
    """
    found: list[tuple[Flags, Mapping[str, Array]]] = []
    for fold in range(FOLDS):
        here = folds == fold
        fitted = learners(trial.take(~here), pseudo[~here], fit)
        found.append((here, {name: model.scores(trial.rows[here]) for name, model in fitted.items()}))
        on_progress("Uplift", fold + 1, FOLDS)
    names = tuple(name for name in found[0][1] if all(name in scores for _, scores in found))
    scores = np.empty((len(folds), len(names)))
    for here, told in found:
        for place, name in enumerate(names):
            scores[here, place] = told[name]
    return scores, names
