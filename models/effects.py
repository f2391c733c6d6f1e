"""What an action is believed to change for a customer: a stated effect, corrected by what decisions brought."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from features.feature import Array
from models.additive import Additive

COEFFICIENTS = 4
_SURE = 0.001
Four = tuple[float, float, float, float]


@dataclass(frozen=True)
class Effect:
    """A posterior of how a stated effect, a shift of the odds, its slope and a learned uplift add up to the change.

    `mean` (4,) and `covariance` (4, 4) are of the coefficients of `columns`, the learned uplift less `centre` last.
    That counts only where `mature`. `typical` is the log-odds of whom the shift alone is about. `positives` and
    `decisions` are how much was learned from.
    """

    mean: Four
    covariance: tuple[Four, ...]
    typical: float
    centre: float
    learned: Additive | None
    positives: int
    decisions: int
    mature: bool
    grade: str

    def change(self, rows: Array, stated: Array, anyway: Array) -> tuple[Array, Array]:
        """Expect the change and its standard deviation, (n,) each, of rows (n, features).

        `stated` is the change that is stated, `anyway` the probability of what is wished for without the action; (n,).
        """
        told = self._told(rows, stated, anyway)
        variance = ((told @ np.array(self.covariance)) * told).sum(axis=1)
        return told @ np.array(self.mean), np.sqrt(np.maximum(variance, 0.0))

    def draws(self, rows: Array, stated: Array, anyway: Array, normals: Array) -> Array:
        """Draw changes of shape (m, n), one belief a draw, from standard normals of shape (m, 4)."""
        values, axes = np.linalg.eigh(np.array(self.covariance))
        beliefs = np.array(self.mean) + (normals * np.sqrt(np.maximum(values, 0.0))) @ axes.T
        return np.asarray(beliefs @ self._told(rows, stated, anyway).T)

    def _told(self, rows: Array, stated: Array, anyway: Array) -> Array:
        learned = self.learned if self.mature else None
        return columns(stated, anyway, self.typical, learned.scores(rows) - self.centre if learned else None)


def columns(stated: Array, anyway: Array, typical: float, learned: Array | None) -> Array:
    """Lay out what a change is a sum of, (n, 4): the stated one, a shift of the odds, its slope, a learned uplift.

    A probability p is moved by p·(1 − p) for each unit that its log-odds are: what is all but sure, either way, hardly
    moves. The slope tells by how much more the odds shift for each unit that the log-odds are above `typical`.
    """
    moved = movable(anyway)
    told = np.zeros(len(stated)) if learned is None else learned
    return np.column_stack([stated, moved, moved * (log_odds(anyway) - typical), told])


def movable(anyway: Array) -> Array:
    """The product p·(1 − p) of probabilities, by which each moves for a unit of its log-odds."""
    held = probable(anyway)
    return np.asarray(held * (1.0 - held))


def log_odds(anyway: Array) -> Array:
    """The log-odds of probabilities."""
    held = probable(anyway)
    return np.asarray(np.log(held / (1.0 - held)))


def probable(anyway: Array) -> Array:
    """Hold probabilities to what is no surer than one in a thousand; what isn't known may be as well as not."""
    return np.asarray(np.clip(np.where(np.isnan(anyway), 0.5, anyway), _SURE, 1.0 - _SURE))


@dataclass(frozen=True)
class Effects:
    """What offers were measured to change, by offer.

    `wished` is what is wished for: that the item is bought, or the customer stays. `staying` is what offering an item
    does to staying: whoever is sold to may be reminded to leave.
    """

    wished: Mapping[str, Effect] = field(default_factory=dict)
    staying: Mapping[str, Effect] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.wished or self.staying)
