"""Means and lines through pseudo-outcomes, with errors that count a cluster's rows together."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from features.feature import Array
from training.skewness import NORMAL


@dataclass(frozen=True)
class Line:
    """Coefficients, shape (k,), and their covariance, shape (k, k)."""

    coefficients: Array
    covariance: Array

    def interval(self, columns: Array) -> tuple[Array, Array, Array]:
        """Say the line and its 95 % interval at columns of shape (n, k): the value, low and high, shape (n,) each."""
        value = columns @ self.coefficients
        error = NORMAL * np.sqrt(np.maximum(((columns @ self.covariance) * columns).sum(axis=1), 0.0))
        return value, value - error, value + error


def line(columns: Array, target: Array, clusters: npt.NDArray[np.int64]) -> Line:
    """Fit least squares of `target`, shape (n,), on `columns`, (n, k), with cluster-robust covariance.

    `clusters` are numbers from 0, shape (n,). The sandwich of Liang and Zeger (1986), times g/(g − 1) for g clusters.
    """
    bread = np.linalg.pinv(columns.T @ columns, hermitian=True)
    coefficients = bread @ (columns.T @ target)
    scores = columns * (target - columns @ coefficients)[:, None]
    summed = np.column_stack([np.bincount(clusters, score) for score in scores.T])
    small = len(summed) / max(len(summed) - 1, 1)
    return Line(coefficients, small * bread @ (summed.T @ summed) @ bread)


def mean_effect(pseudo: Array, clusters: npt.NDArray[np.int64]) -> tuple[float, float, float]:
    """Average pseudo-outcomes of shape (n,): the estimate and its 95 % interval."""
    found = line(np.ones((len(pseudo), 1)), pseudo, clusters).interval(np.ones((1, 1)))
    estimate, low, high = (float(one[0]) for one in found)
    return estimate, low, high


def numbered(clusters: npt.NDArray[np.generic] | None, rows: int) -> npt.NDArray[np.int64]:
    """Number clusters from 0; without any, each row is its own."""
    if clusters is None:
        return np.arange(rows)
    return np.asarray(np.unique(clusters, return_inverse=True)[1], dtype=np.int64).reshape(-1)
