"""Boosters side by side, for one row to go through all of their trees at once."""

from collections.abc import Sequence
from itertools import zip_longest
from typing import Any

import numpy as np
import numpy.typing as npt

from features.errors import ContractError
from features.feature import Array
from models.tree import Tree

Leaves = npt.NDArray[np.uint8]
MOST_LEAVES = 64
# What stands for an unknown number, so that to compare it sends it where LightGBM does: to where 0 goes, to the right,
# to the left; and which of them by LightGBM's own number for how a split compares.
_UNKNOWN = np.array([[0.0], [np.nan], [-np.inf]])
_COMPARED = {0: 0, 2: 0, 8: 1, 10: 2}


class Forest:
    """Every split of some boosters' trees over so many columns: arrays of shape (splits of the largest tree, trees).

    Leaves are bits: a split rules out those on the side that a row doesn't take, and the one that is left by all is the
    row's (after Lucchese et al. 2015, "QuickScorer"). LightGBM goes from tree to tree through memory that nobody has
    touched since the last call, which takes one row several times as long.

    Raises ContractError when a tree compares otherwise than `number <= threshold`, or has over 64 leaves.
    """

    def __init__(self, boosters: Sequence[Sequence[Tree]], columns: int) -> None:
        trees = [tree for booster in boosters for tree in booster]
        _check(trees)
        self._boosters = len(boosters)
        self._owners = np.repeat(np.arange(len(boosters)), [len(booster) for booster in boosters])
        self._starts = np.cumsum([0, *(len(tree.leaves) for tree in trees)])[:-1]
        self._leaves = np.concatenate([np.zeros(0), *(tree.leaves for tree in trees)])
        every = np.array([(1 << len(tree.leaves)) - 1 for tree in trees], dtype=np.uint64)
        bits = np.min_scalar_type(every.max())
        self._columns = _beside([_places(tree, columns) for tree in trees], np.int64)
        self._thresholds = _beside([tree.thresholds for tree in trees], np.float64)
        lefts, rights = (
            _beside([[tree.under(children[side]) for children in tree.children] for tree in trees], np.uint64)
            for side in (0, 1)
        )
        self._right, self._either = (every ^ lefts).astype(bits), (lefts | rights).astype(bits)

    def find(self, row: Array) -> Leaves:
        """Find the leaf in each tree for a row of shape (features,); shape (trees,)."""
        known = np.where(np.isnan(row), _UNKNOWN, row).ravel()
        goes_left = -(known.take(self._columns) <= self._thresholds).astype(self._right.dtype)
        left = np.bitwise_and.reduce(self._right ^ (self._either & goes_left), axis=0)
        found: Leaves = np.bitwise_count(left - 1)
        return found

    def scores(self, found: Leaves) -> Array:
        """Add up what the found leaves say for each booster, one after the other as LightGBM does: (boosters,)."""
        said = self._leaves.take(found + self._starts)
        return np.asarray(np.bincount(self._owners, said, self._boosters), dtype=np.float64)


def _check(trees: Sequence[Tree]) -> None:
    wrong = {f"a comparison of kind {kind}" for tree in trees for kind in tree.compared if kind not in _COMPARED}
    wrong |= {f"{len(tree.leaves)} leaves" for tree in trees if len(tree.leaves) > MOST_LEAVES}
    if wrong:
        raise ContractError(
            f"expected trees that compare numbers, of at most {MOST_LEAVES} leaves, found {', '.join(sorted(wrong))}; "
            "train again: holdfast train"
        )


def _places(tree: Tree, columns: int) -> list[int]:
    """Say where each split's number is once a row of so many columns is laid out with each of `_UNKNOWN`."""
    return [_COMPARED[kind] * columns + column for kind, column in zip(tree.compared, tree.columns, strict=True)]


def _beside(told: Sequence[Sequence[float]], kind: npt.DTypeLike) -> npt.NDArray[Any]:
    """Set lists side by side as columns, filled up with 0 to one length, and to one number at least."""
    return np.array(list(zip_longest(*(one or [0] for one in told), fillvalue=0)), dtype=kind)
