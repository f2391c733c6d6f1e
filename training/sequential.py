"""Intervals that hold however often people look, for as long as they like.

Each look spends some of the error that is allowed in all, and what is spent adds up to it only at the end of time: by a
look with so many people, `level`·(1 - ¾·first / people) is spent, a quarter of it at the first look (an error-spending
function; Lan and DeMets, Biometrika 70, 1983). How far each look's interval reaches follows from the joint distribution
of all looks, by the recursion of Armitage, McPherson and Rowe (JRSS A 132, 1969).
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr

from features.feature import Array

LEVEL = 0.05
GROWTH = 1.05
_POINTS = 161
_REACH, _HALVINGS = 8.0, 40
_ROOT = float(np.sqrt(2 * np.pi))


def looks(people: npt.NDArray[np.int64], fewest: int) -> list[int]:
    """Choose the places to look at, of how many people had been counted by the close of each day, shape (days,).

    The first has at least `fewest`; each further one a twentieth more than the one before, since an interval that
    hardly knows more would say the same. Between looks the last one stands.

    >>> looks(np.array([50, 90, 120, 121, 130]), 80)
    [1, 2, 4]
    """
    taken: list[int] = []
    for place, count in enumerate(people.tolist()):
        if count >= (float(people[taken[-1]]) * GROWTH if taken else fewest):
            taken.append(place)
    return taken


def reaches(people: Sequence[int]) -> list[float]:
    """Tell for each look how many standard errors its interval reaches either way, by how many people it rests on.

    All intervals together hold the truth with probability 1 - `LEVEL` at least, and nearly so after a long time.

    >>> [round(reach, 2) for reach in reaches([100, 200, 400])]
    [2.5, 2.27, 2.44]
    """
    return list(_reaches(tuple(people)))


@lru_cache(maxsize=512)
def _reaches(people: tuple[int, ...]) -> tuple[float, ...]:
    """Follow a Brownian motion from look to look, and cut off at each what its share of the error allows.

    Where it is, is in units of the spread of each look, on a grid over what the look before let through.
    """
    found: list[float] = []
    spent, mass, grid, before = 0.0, np.ones(1), np.zeros(1), 0.0
    for count in people:
        allowed = LEVEL * (1.0 - 0.75 * people[0] / count)
        drift, step = np.sqrt(before / count), np.sqrt((count - before) / count)
        reach = _reach(mass, grid * drift, step, allowed - spent)
        found.append(reach)
        inner = np.linspace(-reach, reach, _POINTS)
        density = np.exp(-0.5 * ((inner[:, None] - grid * drift) / step) ** 2) @ mass / (step * _ROOT)
        width = np.full(_POINTS, inner[1] - inner[0])
        width[[0, -1]] /= 2
        mass, grid, before, spent = density * width, inner, float(count), allowed
    return tuple(found)


def _reach(mass: Array, centres: Array, step: float, allowed: float) -> float:
    """Find how far to reach so that just the allowed share of what was let through so far ends up beyond."""
    low, high = 0.0, _REACH
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        beyond = float(mass @ (ndtr((centres - middle) / step) + ndtr((-middle - centres) / step)))
        low, high = (middle, high) if beyond > allowed else (low, middle)
    return high
