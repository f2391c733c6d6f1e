"""Whether anything comes, and how much if so, as one part of a score."""

from dataclasses import dataclass

import numpy as np

from features.feature import Array
from models.trees import Trees


@dataclass(frozen=True)
class Hurdle:
    """The log of P(something comes) · E(how much | something), from two boosters (Cragg 1971)."""

    comes: Trees
    amount: Trees

    def scores(self, rows: Array) -> Array:
        """Score rows of shape (n, features); returns shape (n,)."""
        return _log_chance(self.comes.scores(rows)) + self.amount.scores(rows)

    def contributions(self, rows: Array) -> Array:
        """Divide each score: shape (n, features + 1), the last column what belongs to no feature.

        What the chance's log gains over its base is shared as its log-odds are, so that the columns add up.
        """
        odds = self.comes.contributions(rows)
        base, moved = odds[:, -1], odds[:, :-1].sum(axis=1)
        chance, moves = _log_chance(base), np.abs(moved) > 1e-9
        gained = _log_chance(base + moved) - chance
        slope = np.divide(gained, moved, out=np.zeros(len(rows)), where=moves)
        divided = odds * slope[:, None]
        divided[:, -1] = chance
        return np.asarray(divided + self.amount.contributions(rows))


def _log_chance(odds: Array) -> Array:
    return np.asarray(-np.logaddexp(0.0, -odds))
