"""What making an offer changes: what the playbook states, moved by outcomes as far as they speak."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from features.feature import Array
from models.additive import Additive

# From so many positive outcomes on, an offer's effect may differ by customer; below, the stated one is only moved.
MATURE = 200


@dataclass(frozen=True)
class Effect:
    """The posterior of an offer's effect: `mean` and `covariance` of three weights.

    They weigh what is stated for the customer, 1, and what was learned of the customer less its mean, `centre`; the
    last only where something was `learned`. An effect is a change of a probability. `decisions` and `positives` say
    what it rests on, `grade` how it was judged.
    """

    mean: tuple[float, float, float]
    covariance: tuple[tuple[float, ...], ...]
    learned: Additive | None
    centre: float
    decisions: int
    positives: int
    grade: str

    @property
    def mature(self) -> bool:
        """Whether enough has happened for the effect to count as measured."""
        return self.positives >= MATURE

    def change(self, rows: Array, stated: Array) -> tuple[Array, Array]:
        """Tell the expected change for rows of shape (n, features), and its standard deviation; each of shape (n,).

        `stated` is the change that the playbook states for each.
        """
        basis = self.basis(rows, stated)
        variance = np.einsum("ij,jk,ik->i", basis, np.array(self.covariance), basis)
        return basis @ np.array(self.mean), np.sqrt(np.maximum(variance, 0.0))

    def draws(self, rows: Array, stated: Array, normals: Array) -> Array:
        """Draw changes as they might truly be; `normals` has shape (draws, 3), what is returned (draws, n)."""
        weights = np.array(self.mean) + normals @ self._root.T
        return np.asarray(weights @ self.basis(rows, stated).T)

    def basis(self, rows: Array, stated: Array) -> Array:
        """Lay out what the three weights weigh; shape (n, 3)."""
        learned = np.zeros(len(rows)) if self.learned is None else self.learned.scores(rows) - self.centre
        return np.stack([stated, np.ones(len(rows)), learned], axis=1)

    @cached_property
    def _root(self) -> Array:
        return square_root(self.covariance)


def square_root(covariance: Sequence[Sequence[float]]) -> Array:
    """Find a matrix whose product with its transpose is the covariance, which may be singular.

    >>> square_root([[4.0, 0.0], [0.0, 0.0]]).tolist()
    [[2.0, 0.0], [0.0, 0.0]]
    """
    values, vectors = np.linalg.eigh(np.array(covariance))
    order = np.argsort(-values)
    return np.asarray(vectors[:, order] * np.sqrt(np.maximum(values[order], 0.0)))
