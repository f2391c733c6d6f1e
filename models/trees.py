"""A LightGBM booster as a part of a score, with the share that each feature has in it."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from threading import local
from typing import Any

import lightgbm as lgb
import numpy as np
import numpy.typing as npt

from features.feature import Array

Places = npt.NDArray[np.int64]
_MOST_KEPT = 1_000


@dataclass(frozen=True)
class Trees:
    """A booster on the link's scale: log-odds, or the log of currency; one row may be asked `together` with others."""

    booster: lgb.Booster
    threads: int = 1
    together: "Together | None" = field(default=None, compare=False)

    def scores(self, rows: Array) -> Array:
        """Score rows of shape (n, features); returns shape (n,)."""
        if self.together is None or len(rows) != 1:
            return np.asarray(self.booster.predict(rows, raw_score=True, num_threads=self.threads), dtype=np.float64)
        # One after the other, as LightGBM adds them up.
        score: Array = self._ways.leaves[self._found(rows)[0]].cumsum()[-1:]
        return score

    def contributions(self, rows: Array) -> Array:
        """Divide each score among the features: shape (n, features + 1), the last column the same for all.

        Each split on a row's way through a tree changes what is expected of it; the change is the split feature's
        (Saabas 2014, "Interpreting random forests"). A row's columns add up to its score. What each leaf's way
        adds up to is worked out once, so that a row costs a look-up for each tree.
        """
        found = self._found(rows)
        return self._divided(found) if len(rows) != 1 else self._divided_once(found.tobytes())

    @cached_property
    def _divided_once(self) -> Callable[[bytes], Array]:
        """Divide the score of one row, given as the leaves that it falls into: it stays in them for days."""
        return lru_cache(_MOST_KEPT)(lambda leaves: self._divided(np.frombuffer(leaves, dtype=np.int64)[None, :]))

    def _divided(self, found: Places) -> Array:
        ways, columns = self._ways, self.booster.num_feature() + 1
        cells = ways.features[found] + (np.arange(len(found)) * columns)[:, None, None]
        divided = np.bincount(cells.ravel(), ways.parts[found].ravel(), len(found) * columns)
        divided.flags.writeable = False
        return np.asarray(divided, dtype=np.float64).reshape(len(found), columns)

    def _found(self, rows: Array) -> Places:
        """Find the leaf of each row in each tree, as its place among all: shape (n, trees)."""
        if self.together is not None and len(rows) == 1:
            leaves = self.together.leaves(self.booster, rows)
        else:
            leaves = np.asarray(self.booster.predict(rows, pred_leaf=True, num_threads=self.threads), dtype=np.int64)
        return leaves.reshape(len(rows), -1) + self._ways.starts

    @cached_property
    def _ways(self) -> "_Ways":
        trees = self.booster.dump_model()["tree_info"]
        starts = np.cumsum([0, *(tree["num_leaves"] for tree in trees)])[:-1].astype(np.int64)
        table = np.zeros((sum(tree["num_leaves"] for tree in trees), self.booster.num_feature() + 1))
        leaves = np.zeros(len(table))
        for tree, start in zip(trees, starts.tolist(), strict=True):
            root, among = tree["tree_structure"], slice(start, start + tree["num_leaves"])
            way = np.zeros(table.shape[1])
            way[-1] = _expected(root)
            _walk(root, way, table[among], leaves[among])
        some = np.argsort(table == 0.0, axis=1, kind="stable")[:, : int((table != 0.0).sum(axis=1).max(initial=1))]
        return _Ways(starts, leaves, some, np.take_along_axis(table, some, axis=1))


@dataclass(frozen=True)
class _Ways:
    """What a booster's leaves say, tree by tree: the first of each tree, and each one's value, of shape (leaves,).

    `parts` is what a leaf's way gives to `features`, of shape (leaves, features on the longest way) each.
    """

    starts: Places
    leaves: Array
    features: Places
    parts: Array


class Together:
    """Boosters over the same columns, whose trees are gone through at once: to ask takes longer than one's trees do.

    What was found of a row is kept until this thread asks about another.
    """

    def __init__(self) -> None:
        self._parts: dict[int, slice] = {}
        self._boosters: list[lgb.Booster] = []
        self._kept = local()

    def add(self, booster: lgb.Booster) -> None:
        """Take in a booster."""
        start = sum(one.num_trees() for one in self._boosters)
        self._boosters.append(booster)
        self._parts[id(booster)] = slice(start, start + booster.num_trees())

    def leaves(self, booster: lgb.Booster, row: Array) -> Places:
        """Find the leaf in each tree of one of the boosters for a row of shape (1, features); shape (trees,)."""
        if getattr(self._kept, "row", None) is not row:
            found = self._merged.predict(row, pred_leaf=True, num_threads=1)
            self._kept.row, self._kept.leaves = row, np.asarray(found, dtype=np.int64)[0]
        leaves: Places = self._kept.leaves[self._parts[id(booster)]]
        return leaves

    @cached_property
    def _merged(self) -> lgb.Booster:
        """One booster of all trees, in LightGBM's own text; only the leaves that it finds mean anything."""
        texts = [booster.model_to_string() for booster in self._boosters]
        head = re.sub(r"^tree_sizes=.*\n", "", texts[0].partition("\nTree=")[0] + "\n", flags=re.MULTILINE)
        trees = [text.partition("\nTree=")[2].partition("\nend of trees")[0] for text in texts]
        return lgb.Booster(model_str="\nTree=".join([head, *trees]) + "\nend of trees\n")


def _expected(node: dict[str, Any]) -> float:
    return float(node["internal_value"] if "split_feature" in node else node["leaf_value"])


def _walk(node: dict[str, Any], way: Array, table: Array, leaves: Array) -> None:
    if "split_feature" not in node:
        place = node.get("leaf_index", 0)
        table[place], leaves[place] = way, node["leaf_value"]
        return
    for child in (node["left_child"], node["right_child"]):
        further = way.copy()
        further[node["split_feature"]] += _expected(child) - _expected(node)
        _walk(child, further, table, leaves)
