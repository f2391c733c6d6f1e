"""What an action is believed to change for a customer: a prior effect, corrected by what decisions brought."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from features.feature import Array
from models.additive import Additive


@dataclass(frozen=True)
class Effect:
    """A posterior of what the prior effect is worth, a shift, and what the learned uplift is worth beside them.

    `mean` (3,) and `covariance` (3, 3) are of the coefficients of [prior effect, 1, learned uplift − `centre`]. The
    learned part counts only where `mature`. `positives` and `decisions` are how much was learned from.
    """

    mean: tuple[float, float, float]
    covariance: tuple[tuple[float, float, float], ...]
    centre: float
    learned: Additive | None
    positives: int
    decisions: int
    mature: bool
    grade: str

    def change(self, rows: Array, prior: Array) -> tuple[Array, Array]:
        """Expect the change and its standard deviation, for rows (n, features) and prior effects (n,); shape (n,)."""
        told = self._told(rows, prior)
        variance = ((told @ np.array(self.covariance)) * told).sum(axis=1)
        return told @ np.array(self.mean), np.sqrt(np.maximum(variance, 0.0))

    def draws(self, rows: Array, prior: Array, normals: Array) -> Array:
        """Draw changes of shape (m, n), one belief a draw, from standard normals of shape (m, 3)."""
        values, axes = np.linalg.eigh(np.array(self.covariance))
        beliefs = np.array(self.mean) + (normals * np.sqrt(np.maximum(values, 0.0))) @ axes.T
        return np.asarray(beliefs @ self._told(rows, prior).T)

    def _told(self, rows: Array, prior: Array) -> Array:
        told = np.zeros((len(rows), 3))
        told[:, 0], told[:, 1] = prior, 1.0
        if self.mature and self.learned is not None:
            told[:, 2] = self.learned.scores(rows) - self.centre
        return told


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
