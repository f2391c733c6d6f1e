"""What each feature has in the scores of boosters, by the ways that a row takes through their trees."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from features.feature import Array
from models.tree import Tree


class Ways:
    """What the way to each leaf of some boosters over so many columns gives to each of them.

    Each split on a row's way through a tree changes what is expected of it; the change is the split feature's
    (Saabas 2014, "Interpreting random forests"). What the way to a leaf adds up to is worked out once, so that a row
    costs a look-up for each tree: `parts` go to `cells`, of shape (leaves, features on the longest way) each.
    """

    def __init__(self, boosters: Sequence[Sequence[Tree]], columns: int) -> None:
        trees = [tree for booster in boosters for tree in booster]
        sizes = [sum(len(tree.leaves) for tree in booster) for booster in boosters]
        self._shape = len(boosters), columns + 1
        self._starts = np.cumsum([0, *(len(tree.leaves) for tree in trees)])[:-1]
        table = np.concatenate([np.zeros((0, self._shape[1])), *(_table(tree, self._shape[1]) for tree in trees)])
        longest = int((table != 0.0).sum(axis=1).max(initial=1))
        features = np.argsort(table == 0.0, axis=1, kind="stable")[:, :longest]
        self._parts = np.take_along_axis(table, features, axis=1)
        self._cells = features + np.repeat(np.arange(len(boosters)) * self._shape[1], sizes)[:, None]

    def divided(self, leaves: npt.NDArray[np.integer[Any]]) -> Array:
        """Divide a row's scores, given its leaf in each tree, shape (trees,): shape (boosters, features + 1).

        The last column is the same for all rows; a row's columns add up to its score.
        """
        found = leaves + self._starts
        cells, parts = self._cells.take(found, axis=0), self._parts.take(found, axis=0)
        divided = np.bincount(cells.ravel(), parts.ravel(), self._shape[0] * self._shape[1])
        return np.asarray(divided, dtype=np.float64).reshape(self._shape)


def _table(tree: Tree, columns: int) -> Array:
    """Lay out what the ways to a tree's leaves give, of shape (leaves, columns)."""
    table, way = np.zeros((len(tree.leaves), columns)), np.zeros(columns)
    way[-1] = tree.expected(tree.root)
    _walk(tree, tree.root, way, table)
    return table


def _walk(tree: Tree, place: int, way: Array, table: Array) -> None:
    if place < 0:
        table[~place] = way
        return
    for child in tree.children[place]:
        further = way.copy()
        further[tree.columns[place]] += tree.expected(child) - tree.expected(place)
        _walk(tree, child, further, table)
