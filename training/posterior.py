"""What effects are worth once outcomes have come, of all actions at once: few leave what is stated, many the data."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from features.feature import Array
from models.effects import COEFFICIENTS, movable, probable

_START = np.array([1.0, 0.0, 0.0, 0.0])
# How far off stated effects are beside what is said of that. The squares average to 1: before any outcome it holds.
_FACTORS = (0.25, 0.5, 1.0, 2.6875**0.5)
_SCALED = np.array([True, True, True, False])


@dataclass(frozen=True)
class Arm:
    """One action among those that some decisions might have taken; arrays of shape (n,).

    `served` tells which took it, with what `probability`. Its effect is a sum of `columns`, (n, 4), as
    `models.effects.columns` has them. Beforehand `scale` is how far the log-odds may shift, one standard deviation,
    with all arms of a `kind` together; each alone, and the slope, by half of that. `surely` are the deviations of the
    first and the last coefficient, of what is stated and of what is learned; 0 for one that can't be told or mustn't
    count.
    """

    kind: str
    served: npt.NDArray[np.bool_]
    probability: Array
    columns: Array
    scale: float
    surely: tuple[float, float]

    @property
    def away(self) -> Array:
        """How far what it is told by is from what was expected of the lot, (n, 4)."""
        return np.asarray((self.served - self.probability)[:, None] * self.columns)

    @property
    def own(self) -> Array:
        """The deviations of its own coefficients beforehand, (4,)."""
        return np.array([self.surely[0], self.scale / 2, self.scale / 4, self.surely[1]])


@dataclass(frozen=True)
class Question:
    """Some decisions, whether what was asked about came of each, and the arms that might have changed that.

    `outcome`, 1 or 0, `anyway`, its probability beforehand, and `clusters`, numbered, are of shape (n,).
    """

    outcome: Array
    anyway: Array
    arms: Sequence[Arm]
    clusters: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Believed:
    """An arm's coefficients: `mean` (4,) and `covariance` (4, 4)."""

    mean: Array
    covariance: Array


def posterior(questions: Sequence[Question]) -> list[list[Believed]]:
    """Believe of every question's arms what is stated and what came.

    What came, less what was expected, is regressed on how far each arm was from its lot times its columns. As the lots
    are known, errors of what is expected add noise and no bias (Robinson 1988; Nie and Wager 2021, the R-learner), and
    silence, which all arms are compared with, counts once. Rows count by the inverse of p·(1 − p). Bayesian linear
    regression (Bishop 2006, 3.3) with coefficients that start around what is stated, [1, 0, 0, 0], of which arms of a
    kind share a part (Lindley and Smith 1972). How far off stated effects are is learned of all these questions
    together, by the evidence (Bishop 2006, 3.5). Where every outcome was the same, nothing is learned.
    """
    told = [_Told(one) for one in questions]
    evidence = np.array([sum(one.evidence(factor) for one in told) for factor in _FACTORS])
    weights = np.exp(evidence - evidence.max())
    return [one.believed(weights / weights.sum()) for one in told]


class _Told:
    """A question as sums: coefficients of kinds, then of arms, four each, as deviations from what is stated."""

    def __init__(self, question: Question) -> None:
        self._arms = question.arms
        self._kinds = sorted({arm.kind for arm in question.arms})
        count = len(self._deviations)
        self._gram, self._moment = np.zeros((count, count)), np.zeros(count)
        if np.ptp(question.outcome) > 0:
            self._add(question)

    def _add(self, question: Question) -> None:
        own = [arm.away for arm in self._arms]
        design = np.column_stack([*(self._summed(own, kind) for kind in self._kinds), *own])
        weight, left = _left(question)
        left = left - sum((one @ _START for one in own), np.zeros(len(left)))
        weighed = design * (weight / _noise(left, weight, own, question.clusters))[:, None]
        self._gram, self._moment = weighed.T @ design, weighed.T @ left

    def _summed(self, own: Sequence[Array], kind: str) -> Array:
        return sum((one for one, arm in zip(own, self._arms, strict=True) if arm.kind == kind), np.zeros(own[0].shape))

    @cached_property
    def _deviations(self) -> Array:
        """How far coefficients may be from what is stated beforehand."""
        return np.concatenate([*(self._shared(kind) for kind in self._kinds), *(arm.own for arm in self._arms)])

    def _shared(self, kind: str) -> Array:
        scale = float(np.mean([arm.scale for arm in self._arms if arm.kind == kind]))
        return np.array([0.0, scale, scale / 2, 0.0])

    def _scaled(self, factor: float) -> Array:
        every = np.tile(_SCALED, len(self._deviations) // COEFFICIENTS)
        return np.where(every, factor * self._deviations, self._deviations)

    def evidence(self, factor: float) -> float:
        """The logarithm of how likely what came is if stated effects are off so many times as far; a constant less."""
        mean, _ = self._solved(factor)
        scaled = self._scaled(factor)
        used = scaled > 0
        grown = np.eye(int(used.sum())) + scaled[used, None] * self._gram[np.ix_(used, used)] * scaled[used]
        return float(self._moment @ mean - np.linalg.slogdet(grown)[1]) / 2

    def _solved(self, factor: float) -> tuple[Array, Array]:
        scaled = self._scaled(factor)
        used = scaled > 0
        covariance = np.zeros_like(self._gram)
        within = np.ix_(used, used)
        covariance[within] = np.linalg.inv(np.diag(scaled[used] ** -2) + self._gram[within])
        return covariance @ self._moment, covariance

    def believed(self, weights: Array) -> list[Believed]:
        """Average over the factors what is believed of every arm."""
        solved = [self._solved(factor) for factor in _FACTORS]
        mean = sum(
            (weight * one for weight, (one, _) in zip(weights, solved, strict=True)), np.zeros(len(self._moment))
        )
        covariance = np.zeros_like(self._gram)
        for weight, (one, within) in zip(weights, solved, strict=True):
            covariance += weight * (within + np.outer(one - mean, one - mean))
        return [self._of(place, mean, covariance) for place in range(len(self._arms))]

    def _of(self, place: int, mean: Array, covariance: Array) -> Believed:
        kind = self._kinds.index(self._arms[place].kind)
        shared, own = (
            slice(COEFFICIENTS * at, COEFFICIENTS * (at + 1)) for at in (kind, len(self._kinds) + place)
        )  # fmt: skip
        both = covariance[shared, own]
        return Believed(
            _START + mean[shared] + mean[own], covariance[shared, shared] + covariance[own, own] + both + both.T
        )


def _left(question: Question) -> tuple[Array, Array]:
    """What rows count for, and what came less what is expected: a line through what was expected beforehand."""
    weight = 1.0 / movable(question.anyway)
    columns = np.column_stack([np.ones(len(weight)), probable(question.anyway)])
    root = np.sqrt(weight)
    line = np.linalg.lstsq(columns * root[:, None], question.outcome * root, rcond=None)[0]
    return weight, question.outcome - columns @ line


def _noise(left: Array, weight: Array, own: Sequence[Array], clusters: npt.NDArray[np.int64]) -> float:
    """The variance of what is left, over p·(1 − p), and how much clusters add to that of what arms are told by."""
    varied = max(1.0, float(np.mean(weight * left**2)))
    told = [one[:, 1] * left * weight for one in own]
    alone = sum(float(one @ one) for one in told)
    together = sum(float((np.bincount(clusters, one) ** 2).sum()) for one in told)
    return varied * max(1.0, together / alone) if alone > 0 else varied
