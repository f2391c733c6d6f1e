"""Chance that belongs to a person and an occasion: the same for the same seed, whoever else is drawn beside them."""

import numpy as np
import numpy.typing as npt

from features.feature import Array

Whole = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIXES = ((np.uint64(30), np.uint64(0xBF58476D1CE4E5B9)), (np.uint64(27), np.uint64(0x94D049BB133111EB)))


def uniform(seed: int, people: Whole, *what: int) -> Array:
    """Draw from [0, 1) for each person and one occasion, named by whole numbers.

    SplitMix64 (Steele, Lea and Flood 2014) over the seed, the occasion and the person; of the shape of `people`.

    >>> uniform(7, np.array([5, 6]), 1).tolist() == [uniform(7, np.array([n]), 1)[0] for n in (5, 6)]
    True
    """
    state = np.asarray(seed, dtype=np.uint64)
    with np.errstate(over="ignore"):
        for each in what:
            state = _mixed((state + _GOLDEN) ^ np.uint64(each))
        mixed = _mixed(_mixed(people.astype(np.uint64) * _GOLDEN + state))
    return np.asarray((mixed >> np.uint64(11)) * 2.0**-53, dtype=np.float64)


def uniforms(seed: int, people: Whole, count: int, *what: int) -> Array:
    """Draw so many for each person, of shape (people, count)."""
    spread = people[:, None] * count + np.arange(count)
    return uniform(seed, spread, *what, count)


def normal(seed: int, people: Whole, *what: int) -> Array:
    """Draw from the standard normal distribution for each person and one occasion (Box and Muller 1958)."""
    first, second = uniform(seed, people, *what, 1), uniform(seed, people, *what, 2)
    found: Array = np.sqrt(-2.0 * np.log1p(-first)) * np.cos(2.0 * np.pi * second)
    return found


def poisson(chance: Array, rate: Array) -> Whole:
    """Turn draws from [0, 1) into counts of given rates, by the inverse of the distribution; at most 60.

    >>> poisson(np.array([0.0, 0.95]), np.array([2.0, 2.0])).tolist()
    [0, 5]
    """
    count = np.zeros(np.shape(chance), dtype=np.int64)
    term = np.asarray(np.exp(-rate), dtype=np.float64)
    reached: Array = term
    for number in range(1, 61):
        above = chance >= reached
        if not above.any():
            break
        count += above
        term = term * rate / number
        reached = reached + term
    return count


def sigmoid(odds: Array) -> Array:
    """Turn logarithms of odds into probabilities."""
    found: Array = 1.0 / (1.0 + np.exp(-odds))
    return found


def log_odds(probability: Array) -> Array:
    """Turn probabilities into logarithms of odds."""
    found: Array = np.log(probability) - np.log1p(-probability)
    return found


def _mixed(state: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    for shift, factor in _MIXES:
        state = (state ^ (state >> shift)) * factor
    return state ^ (state >> np.uint64(31))
