"""Tiers of value: shares of the base, from the top."""

from collections.abc import Sequence

import numpy as np

from features.feature import Array


def tier_floors(expected: Array, shares: Sequence[float]) -> tuple[float, ...]:
    """Find the smallest expectation of each tier but the last, given the tiers' shares from the top.

    >>> tier_floors(np.array([1.0, 2.0, 3.0, 4.0]), [0.25, 0.25, 0.5])
    (4.0, 3.0)
    """
    ordered = np.sort(expected)[::-1]
    counts = np.cumsum(np.round(np.array(shares[:-1]) * len(ordered))).astype(int)
    return tuple(float(ordered[max(count - 1, 0)]) for count in counts)
