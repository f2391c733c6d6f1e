"""Tiers of value: shares of the base, from the top."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from features.feature import Array


def tier_floors(expected: Array, shares: Sequence[float]) -> tuple[float, ...]:
    """Find the floor of each tier but the last, given the tiers' shares from the top.

    It lies midway between the last customer in and the first one out, so that nobody stands on it: a score's last
    digit differs between batch and online. Equal values are in one tier, the higher.

    >>> tier_floors(np.array([1.0, 2.0, 3.0, 4.0]), [0.25, 0.25, 0.5])
    (3.5, 2.5)
    """
    ordered = np.sort(expected)[::-1]
    counts = np.cumsum(np.round(np.array(shares[:-1]) * len(ordered))).astype(int)
    return tuple(_below(ordered, max(int(count), 1)) for count in counts)


def _below(ordered: Array, count: int) -> float:
    """Find what lies just below the first values, of at least one, and above all smaller ones."""
    last = float(ordered[count - 1])
    smaller = ordered[ordered < last]
    return (last + float(smaller[0])) / 2 if len(smaller) else last - 1e-6 * max(abs(last), 1.0)


def tiers_of(value: Array, shares: Mapping[str, float]) -> npt.NDArray[np.str_]:
    """Name each customer's tier, given the tiers' shares from the top; equal values are in one tier, the higher.

    >>> tiers_of(np.array([1.0, 2.0, 3.0, 4.0]), {"top": 0.25, "base": 0.75}).tolist()
    ['base', 'base', 'base', 'top']
    """
    floors = np.array([*tier_floors(value, list(shares.values())), -np.inf])
    return np.asarray(np.array(list(shares))[(value[:, None] >= floors).argmax(axis=1)])
