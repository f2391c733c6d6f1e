"""A weighted sum over columns as a part of a score, for rows of whatever columns they are."""

from dataclasses import dataclass

import numpy as np

from features.feature import Array


@dataclass(frozen=True)
class Regression:
    """`weights` times the columns at `places`, each held between `lows` and `highs`, from its mean in its spread.

    One number for each place; what is unknown counts as the mean, so that an average row scores 0.
    """

    places: tuple[int, ...]
    lows: tuple[float, ...]
    highs: tuple[float, ...]
    means: tuple[float, ...]
    spreads: tuple[float, ...]
    weights: tuple[float, ...]

    def standard(self, rows: Array) -> Array:
        """Lay out what the weights are for, for rows of shape (n, columns); returns shape (n, places)."""
        held = np.clip(rows[:, list(self.places)], self.lows, self.highs)
        return np.asarray(np.nan_to_num((held - np.array(self.means)) / np.array(self.spreads), nan=0.0))

    def scores(self, rows: Array) -> Array:
        """Score rows of shape (n, columns); returns shape (n,)."""
        return np.asarray(self.standard(rows) @ np.array(self.weights))

    def contributions(self, rows: Array) -> Array:
        """Divide each score among the columns: shape (n, columns + 1), the last 0."""
        divided = np.zeros((len(rows), rows.shape[1] + 1))
        divided[:, list(self.places)] = self.standard(rows) * np.array(self.weights)
        return divided
