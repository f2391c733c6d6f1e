"""A LightGBM booster as a part of a score, with the share that each feature has in it."""

from dataclasses import dataclass, field
from functools import cached_property
from threading import local
from weakref import ref

import lightgbm as lgb
import numpy as np

from features.feature import Array
from models.forest import Forest
from models.tree import trees_of
from models.ways import Ways


@dataclass(frozen=True)
class Trees:
    """A booster on the link's scale: log-odds, or the log of currency; one row may be asked `together` with others."""

    booster: lgb.Booster
    threads: int = 1
    together: "Together | None" = field(default=None, compare=False)

    def scores(self, rows: Array) -> Array:
        """Score rows of shape (n, features); returns shape (n,)."""
        if self.together is not None and len(rows) == 1:
            return self.together.scores(self.booster, rows)
        return np.asarray(self.booster.predict(rows, raw_score=True, num_threads=self.threads), dtype=np.float64)

    def contributions(self, rows: Array) -> Array:
        """Divide each score among the features: shape (n, features + 1), the last column the same for all."""
        if self.together is not None and len(rows) == 1:
            return self.together.contributions(self.booster, rows)
        leaves = np.asarray(self.booster.predict(rows, pred_leaf=True, num_threads=self.threads), dtype=np.int64)
        divided = [self._ways.divided(one) for one in leaves.reshape(len(rows), -1)]
        return np.array(divided).reshape(len(rows), self.booster.num_feature() + 1)

    @cached_property
    def _ways(self) -> Ways:
        return Ways([trees_of(self.booster)], self.booster.num_feature())


class Together:
    """Boosters over the same columns, whose trees one row goes through at once.

    What was found of a row is kept for this thread while it holds the row.
    """

    def __init__(self) -> None:
        self._boosters: list[lgb.Booster] = []
        self._places: dict[int, slice] = {}
        self._kept = local()

    def add(self, booster: lgb.Booster) -> None:
        """Take in a booster."""
        place = len(self._boosters)
        self._places[id(booster)] = slice(place, place + 1)
        self._boosters.append(booster)
        self.__dict__.pop("_laid", None)

    def scores(self, booster: lgb.Booster, row: Array) -> Array:
        """Score a row of shape (1, features) by one of the boosters; shape (1,)."""
        self._ask(row)
        scores: Array = self._kept.scores[self._places[id(booster)]]
        return scores

    def contributions(self, booster: lgb.Booster, row: Array) -> Array:
        """Divide the score of a row of shape (1, features) by one of the boosters: shape (1, features + 1)."""
        self._ask(row)
        if self._kept.divided is None:
            self._kept.divided = self._laid[1].divided(self._kept.leaves)
        divided: Array = self._kept.divided[self._places[id(booster)]]
        return divided

    def _ask(self, row: Array) -> None:
        kept = self._kept.__dict__
        if "row" not in kept or kept["row"]() is not row:
            kept.clear()
            forest, _ = self._laid
            leaves = forest.find(row[0])
            kept.update(leaves=leaves, scores=forest.scores(leaves), divided=None)
            # No longer than the row itself: it may be all that is left of somebody who was erased.
            kept["row"] = ref(row, lambda _: kept.clear())

    @cached_property
    def _laid(self) -> tuple[Forest, Ways]:
        trees, columns = [trees_of(booster) for booster in self._boosters], self._boosters[0].num_feature()
        return Forest(trees, columns), Ways(trees, columns)
