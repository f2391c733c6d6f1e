"""What a model that knows of a treatment expects with it, less what it expects without, as a part of a score."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from features.feature import Array
from models.additive import inverse
from models.regression import Regression
from models.trees import Trees

TREATED = "holdfast_treated"
_CLOSE = 1e-9


@dataclass(frozen=True)
class Contrast:
    """Trees whose last column, after the rows' own, is 1 for treated and 0 for not: an S-learner (Künzel et al. 2019).

    The trees are on the scale of `link`, as that of `Additive`; what is scored is a change in the outcome itself.
    """

    trees: Trees
    link: str = "identity"

    def scores(self, rows: Array) -> Array:
        """Score rows of shape (n, columns); returns shape (n,)."""
        told = inverse(self.link, self.trees.scores(_both(rows)))
        return np.asarray(told[: len(rows)] - told[len(rows) :])

    def contributions(self, rows: Array) -> Array:
        """Divide each score among the columns: shape (n, columns + 1), the last the same for all.

        As in `Trees`, but each node expects what it would with the treatment settled, so that what makes the
        treatment matter gets the share, and not the treatment.
        """
        booster = self.trees.booster
        leaves = booster.predict(_both(rows), pred_leaf=True, num_threads=self.trees.threads)
        with_it, without = np.asarray(leaves, dtype=np.int64).reshape(2, len(rows), -1)
        treated, control, starts = self._ways
        return contrasted(self.link, treated[with_it + starts].sum(axis=1), control[without + starts].sum(axis=1))

    @cached_property
    def _ways(self) -> tuple[Array, Array, npt.NDArray[np.int64]]:
        """What each leaf's way gives to each column with and without treatment, and the first leaf of each tree."""
        trees = self.trees.booster.dump_model()["tree_info"]
        starts = np.cumsum([0, *(tree["num_leaves"] for tree in trees)])[:-1].astype(np.int64)
        width = self.trees.booster.num_feature()
        tables = np.zeros((2, sum(tree["num_leaves"] for tree in trees), width))
        for treated, table in zip((True, False), tables, strict=True):
            for tree, start in zip(trees, starts.tolist(), strict=True):
                _Settled(treated, width - 1, table[start : start + tree["num_leaves"]]).fill(tree["tree_structure"])
        return tables[0], tables[1], starts


@dataclass(frozen=True)
class RegressionContrast:
    """A regression with a treatment and one without, each with its intercept, on the scale of `link`."""

    link: str
    treated: Regression
    control: Regression
    intercepts: tuple[float, float]

    def scores(self, rows: Array) -> Array:
        """Score rows of shape (n, columns); returns shape (n,)."""
        treated, control = (inverse(self.link, told.sum(axis=1)) for told in self._ways(rows))
        return np.asarray(treated - control)

    def contributions(self, rows: Array) -> Array:
        """Divide each score among the columns: shape (n, columns + 1), the last the average row's score."""
        return contrasted(self.link, *self._ways(rows))

    def _ways(self, rows: Array) -> tuple[Array, Array]:
        treated, control = self.treated.contributions(rows), self.control.contributions(rows)
        treated[:, -1], control[:, -1] = self.intercepts
        return treated, control


def contrasted(link: str, treated: Array, control: Array) -> Array:
    """Divide what two divided scores of shape (n, columns + 1) differ by once off the link's scale: the same shape.

    On its way from what it starts with, its last column, to its sum, each is moved by its columns in proportion (the
    rescale rule of Shrikumar, Greenside and Kundaje 2017, "Learning important features").
    """
    return _moved(link, treated) - _moved(link, control)


def _moved(link: str, divided: Array) -> Array:
    if link == "identity":
        return divided
    start, way = divided[:, -1], divided[:, :-1].sum(axis=1)
    # Where nothing moves, the slope there.
    step = np.where(np.abs(way) > _CLOSE, way, _CLOSE)
    first = inverse(link, start)
    told = divided * ((inverse(link, start + step) - first) / step)[:, None]
    told[:, -1] = first
    return np.asarray(told)


@dataclass(frozen=True)
class _Settled:
    """A tree whose treatment is settled, and the table of its leaves' ways, (leaves, columns + 1)."""

    treated: bool
    column: int
    table: Array

    def fill(self, root: dict[str, Any]) -> None:
        way = np.zeros(self.table.shape[1])
        way[-1] = self._expected(root)[0]
        self._walk(root, way)

    def _walk(self, node: dict[str, Any], way: Array) -> None:
        if "split_feature" not in node:
            self.table[node.get("leaf_index", 0)] = way
            return
        if node["split_feature"] == self.column:
            self._walk(self._taken(node), way)
            return
        for child in (node["left_child"], node["right_child"]):
            further = way.copy()
            further[node["split_feature"]] += self._expected(child)[0] - self._expected(node)[0]
            self._walk(child, further)

    def _expected(self, node: dict[str, Any]) -> tuple[float, float]:
        """Expect a node's value with the treatment settled, and count the rows that came there."""
        if "split_feature" not in node:
            return float(node["leaf_value"]), float(node.get("leaf_count", 1))
        if node["split_feature"] == self.column:
            return self._expected(self._taken(node))[0], float(node["internal_count"])
        (low, few), (high, many) = (self._expected(node[child]) for child in ("left_child", "right_child"))
        share = few / (few + many) if few + many else 0.5
        return share * low + (1 - share) * high, float(node["internal_count"])

    def _taken(self, node: dict[str, Any]) -> dict[str, Any]:
        child: dict[str, Any] = node["right_child" if self.treated else "left_child"]
        return child


def _both(rows: Array) -> Array:
    """Lay rows out treated, and below again untreated: shape (2n, columns + 1)."""
    laid = np.zeros((2 * len(rows), rows.shape[1] + 1))
    laid[: len(rows), :-1], laid[len(rows) :, :-1], laid[: len(rows), -1] = rows, rows, 1.0
    return laid
