"""Trees as LightGBM's text tells them."""

from collections.abc import Sequence
from dataclasses import dataclass

import lightgbm as lgb


@dataclass(frozen=True, slots=True)
class Tree:
    """One tree, split by split from the root on: the column, the threshold, how they compare, and both children.

    A child is the place of another split, or that of a leaf, inverted. `inner` is what is expected at each split.
    """

    columns: Sequence[int]
    thresholds: Sequence[float]
    compared: Sequence[int]
    children: Sequence[tuple[int, int]]
    inner: Sequence[float]
    leaves: Sequence[float]

    @property
    def root(self) -> int:
        """The place of the first split, or of the one leaf, inverted."""
        return 0 if self.columns else ~0

    def expected(self, place: int) -> float:
        """What is expected at a split, or at a leaf whose place is inverted."""
        return self.leaves[~place] if place < 0 else self.inner[place]

    def under(self, place: int) -> int:
        """Tell the leaves under a place, as bits."""
        if place < 0:
            return 1 << ~place
        left, right = self.children[place]
        return self.under(left) | self.under(right)


def trees_of(booster: lgb.Booster) -> list[Tree]:
    """Read a booster's trees from its text, which takes half the time of LightGBM's JSON."""
    _, *texts = booster.model_to_string().partition("\nend of trees\n")[0].split("\nTree=")
    return [_read(text) for text in texts]


def _read(text: str) -> Tree:
    told = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    columns, compared, left, right = (
        [int(number) for number in told[name].split()]
        for name in ("split_feature", "decision_type", "left_child", "right_child")
    )
    thresholds, inner, leaves = (
        [float(number) for number in told[name].split()] for name in ("threshold", "internal_value", "leaf_value")
    )
    return Tree(columns, thresholds, compared, list(zip(left, right, strict=True)), inner, leaves)
