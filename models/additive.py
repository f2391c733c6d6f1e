"""A score that is a weighted sum of parts, each of which says what every feature has in it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from features.feature import Array

_MOST = 30.0


class Part(Protocol):
    """What scores rows on the link's scale, and divides each score among the features."""

    def scores(self, rows: Array) -> Array:
        """Score rows of shape (n, features); returns shape (n,)."""

    def contributions(self, rows: Array) -> Array:
        """Divide each score: shape (n, features + 1), the last column what belongs to no feature."""


@dataclass(frozen=True)
class Additive:
    """`intercept` plus the parts' weighted scores: log-odds where `link` is "logit", logs of currency where "log".

    Where it is "identity", the score is what is predicted, as an uplift is.
    """

    link: str
    parts: tuple[Part, ...]
    weights: tuple[float, ...]
    intercept: float = 0.0

    def scores(self, rows: Array) -> Array:
        """Score rows of shape (n, features) on the link's scale; returns shape (n,)."""
        weighted = (weight * part.scores(rows) for weight, part in zip(self.weights, self.parts, strict=True))
        return np.asarray(sum(weighted, np.full(len(rows), self.intercept)))

    def predict(self, rows: Array) -> Array:
        """Predict probabilities, or currency, for rows of shape (n, features); returns shape (n,)."""
        return inverse(self.link, self.scores(rows))

    def contributions(self, rows: Array) -> Array:
        """Divide each score among the features: shape (n, features + 1); a row's columns add up to its score."""
        divided = np.zeros((len(rows), rows.shape[1] + 1))
        divided[:, -1] = self.intercept
        for weight, part in zip(self.weights, self.parts, strict=True):
            divided += weight * part.contributions(rows)
        return divided

    def adjusted(self, slope: float, shift: float) -> "Additive":
        """Stretch the score by `slope` and move it by `shift`, which leaves it a sum of the same parts."""
        weights = tuple(slope * weight for weight in self.weights)
        return Additive(self.link, self.parts, weights, slope * self.intercept + shift)


def mean_of(models: Sequence[Additive]) -> Additive:
    """Average models of one link on its scale; the average is a sum of all their parts."""
    share = 1 / len(models)
    return Additive(
        models[0].link,
        tuple(part for model in models for part in model.parts),
        tuple(share * weight for model in models for weight in model.weights),
        share * sum(model.intercept for model in models),
    )


def inverse(link: str, scores: Array) -> Array:
    """Turn log-odds into probabilities, or logs into currency; beyond 30 either way they are held.

    "identity" leaves scores as they are.

    >>> inverse("logit", np.array([0.0])).tolist(), inverse("log", np.array([0.0])).tolist()
    ([0.5], [1.0])
    """
    if link == "identity":
        return scores
    held = np.minimum(np.maximum(scores, -_MOST), _MOST)
    return np.asarray(1 / (1 + np.exp(-held)) if link == "logit" else np.exp(held))
