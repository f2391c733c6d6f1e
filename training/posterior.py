"""What effects are worth once outcomes have come, of all actions at once: few leave what is stated, many the data."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from features.feature import Array
from models.effects import COEFFICIENTS, movable, probable

_START = np.array([1.0, 0.0, 0.0, 0.0])


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
        """How far each decision is from what was expected of the lot, shape (n,)."""
        return np.asarray(self.served - self.probability)

    @property
    def own(self) -> Array:
        """The deviations of its own coefficients beforehand, (4,)."""
        return np.array([self.surely[0], self.scale / 2, self.scale / 4, self.surely[1]])


@dataclass(frozen=True)
class Believed:
    """An arm's coefficients: `mean` (4,) and `covariance` (4, 4)."""

    mean: Array
    covariance: Array


def posterior(
    outcome: Array, anyway: Array, arms: Sequence[Arm], clusters: npt.NDArray[np.int64]
) -> list[Believed]:  # fmt: skip
    """Regress what came, less what was expected, on how far each arm was from its lot times its columns.

    `outcome`, 1 or 0, `anyway`, its probability beforehand, and `clusters` are of shape (n,). As the lots are known,
    errors of what is expected add noise and no bias (Robinson 1988; Nie and Wager 2021, the R-learner), and silence,
    which all arms are compared with, counts once. Rows count by the inverse of p·(1 − p). Bayesian linear regression
    (Bishop 2006, 3.3) with coefficients that start around what is stated, [1, 0, 0, 0], of which arms of a kind share a
    part (Lindley and Smith 1972). Where every outcome was the same, nothing is learned.
    """
    kinds = sorted({arm.kind for arm in arms})
    prior = np.concatenate([*(_shared(arms, kind) for kind in kinds), *(arm.own for arm in arms)])
    covariance, moved = np.diag(prior**2), np.zeros(len(prior))
    if np.ptp(outcome) > 0:
        covariance, moved = _learned(outcome, anyway, arms, kinds, prior, clusters)
    return [_believed(kinds.index(arm.kind), len(kinds) + place, moved, covariance) for place, arm in enumerate(arms)]


def _learned(
    outcome: Array, anyway: Array, arms: Sequence[Arm], kinds: Sequence[str], prior: Array,
    clusters: npt.NDArray[np.int64],
) -> tuple[Array, Array]:  # fmt: skip
    own = [arm.away[:, None] * arm.columns for arm in arms]
    shared = [sum((one for one, arm in zip(own, arms, strict=True) if arm.kind == kind), np.zeros(1)) for kind in kinds]
    used = prior > 0
    design = np.column_stack([*shared, *own])[:, used]
    weight, left = _left(outcome, anyway)
    left = left - sum((one @ _START for one in own), np.zeros(len(left)))
    weighed = design * (weight / _noise(left, weight, own, clusters))[:, None]
    covariance, moved = np.zeros((len(prior), len(prior))), np.zeros(len(prior))
    covariance[np.ix_(used, used)] = np.linalg.inv(np.diag(prior[used] ** -2) + weighed.T @ design)
    moved[used] = covariance[np.ix_(used, used)] @ (weighed.T @ left)
    return covariance, moved


def _shared(arms: Sequence[Arm], kind: str) -> Array:
    scale = float(np.mean([arm.scale for arm in arms if arm.kind == kind]))
    return np.array([0.0, scale, scale / 2, 0.0])


def _left(outcome: Array, anyway: Array) -> tuple[Array, Array]:
    """What rows count for, and what came less what is expected: a line through what was expected beforehand."""
    weight, columns = 1.0 / movable(anyway), np.column_stack([np.ones(len(anyway)), probable(anyway)])
    root = np.sqrt(weight)
    line = np.linalg.lstsq(columns * root[:, None], outcome * root, rcond=None)[0]
    return weight, outcome - columns @ line


def _noise(left: Array, weight: Array, own: Sequence[Array], clusters: npt.NDArray[np.int64]) -> float:
    """The variance of what is left, over p·(1 − p), and how much clusters add to that of what arms are told by."""
    varied = max(1.0, float(np.mean(weight * left**2)))
    told = [one[:, 1] * left * weight for one in own]
    alone = sum(float(one @ one) for one in told)
    together = sum(float((np.bincount(clusters, one) ** 2).sum()) for one in told)
    return varied * max(1.0, together / alone) if alone > 0 else varied


def _believed(kind: int, place: int, moved: Array, covariance: Array) -> Believed:
    shared, own = (slice(COEFFICIENTS * at, COEFFICIENTS * (at + 1)) for at in (kind, place))
    both = covariance[shared, own]
    return Believed(
        _START + moved[shared] + moved[own], covariance[shared, shared] + covariance[own, own] + both + both.T
    )
