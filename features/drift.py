"""Drift: how far each feature's distribution has moved between two moments."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from features.contract import CONTRACT, FeatureMatrix
from features.feature import Array

Verdict = Literal["steady", "moved", "drifted"]
MOVED, DRIFTED = 0.1, 0.25
_DECILES = np.linspace(0.1, 0.9, 9)


@dataclass(frozen=True)
class Drift:
    """How one feature moved: index and distance, its mean over those of whom it is known, and the share unknown.

    `distance` is None when it is known of nobody at one of the moments, and so is a mean.
    """

    feature: str
    index: float
    distance: float | None
    mean_before: float | None
    mean_after: float | None
    unknown_before: float
    unknown_after: float

    @property
    def verdict(self) -> Verdict:
        """The field's reading of the index: below 0.1 steady, up to 0.25 moved, above it drifted."""
        if self.index < MOVED:
            return "steady"
        return "moved" if self.index <= DRIFTED else "drifted"


def stability_index(before: Array, after: Array) -> float:
    """Measure the population stability index of two samples, which is 0 when they fall alike on the first's deciles.

    The sum of (q - p) ln(q / p) over the bins, with p and q the shares before and after (Siddiqi 2006, Credit Risk
    Scorecards). Unknown (NaN) is a bin of its own, and so is a value that holds several deciles. A bin that is empty
    on one side counts there as half a customer. Neither sample may be empty.

    Halves become a quarter and three quarters: -0.25 ln(0.25 / 0.5) + 0.25 ln(0.75 / 0.5) = 0.1733 + 0.1014.

    >>> round(stability_index(np.array([1.0, 1, 2, 2]), np.array([1.0, 2, 2, 2])), 4)
    0.2747
    """
    first, second = _counts(before, after)
    either = (first > 0) | (second > 0)
    p = np.maximum(first[either], 0.5) / len(before)
    q = np.maximum(second[either], 0.5) / len(after)
    return float(((q - p) * np.log(q / p)).sum())


def greatest_distance(before: Array, after: Array) -> float | None:
    """Measure the greatest distance between two samples' distribution functions, over what is known of each.

    The two-sample statistic of Kolmogorov and Smirnov, from 0 to 1; None when a sample has nothing known.

    Up to 2, three quarters of the first and one quarter of the second are reached:

    >>> greatest_distance(np.array([1.0, 2, 2, 3]), np.array([2.0, 3, 3, 3]))
    0.5
    """
    first, second = (np.sort(sample[~np.isnan(sample)]) for sample in (before, after))
    if not len(first) or not len(second):
        return None
    values = np.concatenate([first, second])
    reached = [np.searchsorted(sample, values, side="right") / len(sample) for sample in (first, second)]
    return float(np.abs(reached[0] - reached[1]).max())


def by_chance(before: int, after: int) -> float:
    """Tell the index to expect of ten bins and two independent samples of these sizes, when nothing has moved.

    Nine degrees of freedom times (1 / before + 1 / after) (Yurdakul 2018, Statistical Properties of PSI).

    >>> round(by_chance(900, 900), 9)
    0.02
    """
    return len(_DECILES) * (1 / before + 1 / after)


def drift_of(before: FeatureMatrix, after: FeatureMatrix) -> tuple[Drift, ...]:
    """Compare every feature over all customers at two moments, the most moved first; each needs a customer."""
    found = (_drift(name, before.column(name), after.column(name)) for name in CONTRACT.names)
    return tuple(sorted(found, key=lambda one: (-one.index, one.feature)))


def _counts(before: Array, after: Array) -> tuple[Array, Array]:
    known = before[~np.isnan(before)]
    deciles = np.quantile(known, _DECILES, method="inverted_cdf") if len(known) else known
    edges, held = np.unique(deciles, return_counts=True)
    heavy = edges[held > 1]

    def counted(sample: Array) -> Array:
        bins = np.searchsorted(edges, sample, side="left") + np.searchsorted(heavy, sample, side="right")
        bins[np.isnan(sample)] = len(edges) + len(heavy) + 1
        return np.bincount(bins, minlength=len(edges) + len(heavy) + 2).astype(np.float64)

    return counted(before), counted(after)


def _drift(feature: str, before: Array, after: Array) -> Drift:
    index, distance = stability_index(before, after), greatest_distance(before, after)
    unknown_before, unknown_after = (float(np.isnan(sample).mean()) for sample in (before, after))
    return Drift(feature, index, distance, _mean(before), _mean(after), unknown_before, unknown_after)


def _mean(sample: Array) -> float | None:
    known = sample[~np.isnan(sample)]
    return float(known.mean()) if len(known) else None
