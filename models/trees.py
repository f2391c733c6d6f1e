"""A LightGBM booster as a part of a score, with the share that each feature has in it."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import lightgbm as lgb
import numpy as np
import numpy.typing as npt

from features.feature import Array


@dataclass(frozen=True)
class Trees:
    """A booster on the link's scale: log-odds, or the log of currency."""

    booster: lgb.Booster
    threads: int = 1

    def scores(self, rows: Array) -> Array:
        """Score rows of shape (n, features); returns shape (n,)."""
        return np.asarray(self.booster.predict(rows, raw_score=True, num_threads=self.threads), dtype=np.float64)

    def contributions(self, rows: Array) -> Array:
        """Divide each score among the features: shape (n, features + 1), the last column the same for all.

        Each split on a row's way through a tree changes what is expected of it; the change is the split feature's
        (Saabas 2014, "Interpreting random forests"). A row's columns add up to its score. What each leaf's way
        adds up to is worked out once, so that a row costs a look-up for each tree.
        """
        leaves = np.asarray(self.booster.predict(rows, pred_leaf=True, num_threads=self.threads), dtype=np.int64)
        table, starts = self._ways
        return np.asarray(table[leaves.reshape(len(rows), -1) + starts].sum(axis=1))

    @cached_property
    def _ways(self) -> tuple[Array, npt.NDArray[np.int64]]:
        """What every leaf's way gives to each feature, (leaves, features + 1), and the first leaf of each tree."""
        trees = self.booster.dump_model()["tree_info"]
        starts = np.cumsum([0, *(tree["num_leaves"] for tree in trees)])[:-1].astype(np.int64)
        table = np.zeros((sum(tree["num_leaves"] for tree in trees), self.booster.num_feature() + 1))
        for tree, start in zip(trees, starts.tolist(), strict=True):
            root = tree["tree_structure"]
            way = np.zeros(table.shape[1])
            way[-1] = _expected(root)
            _walk(root, way, table[start : start + tree["num_leaves"]])
        return table, starts


def _expected(node: dict[str, Any]) -> float:
    return float(node["internal_value"] if "split_feature" in node else node["leaf_value"])


def _walk(node: dict[str, Any], way: Array, table: Array) -> None:
    if "split_feature" not in node:
        table[node.get("leaf_index", 0)] = way
        return
    for child in (node["left_child"], node["right_child"]):
        further = way.copy()
        further[node["split_feature"]] += _expected(child) - _expected(node)
        _walk(child, further, table)
