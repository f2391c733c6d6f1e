"""Buying until a customer quietly leaves: the modified BG/NBD model, with the Gamma-Gamma model of spend."""

from dataclasses import dataclass
from itertools import product

import numpy as np
from scipy.special import hyp2f1

from features.contract import CONTRACT
from features.feature import Array

INPUTS = ("purchase_days", "days_since_purchase", "tenure_days", "spend")
_SAFE = 1e-6


@dataclass(frozen=True)
class Process:
    """Purchase days come at a rate Gamma(r, alpha) a day, and after each the customer leaves with chance Beta(a, b).

    The modified BG/NBD model of Batislam, Denizel and Filiztekin (2007): one may also leave after the first
    purchase, unlike in Fader, Hardie and Lee (2005). A purchase day brings Gamma(p, nu) of money, nu of Gamma(q, gamma)
    (Fader and Hardie 2013).
    """

    r: float
    alpha: float
    a: float
    b: float
    p: float
    q: float
    gamma: float

    def lapses(self, repeats: Array, last: Array, age: Array, days: float) -> Array:
        """Probability of no purchase within `days`.

        Given are repeat purchase days, and the days from the first to the last and to now; shape (n,) each.
        """
        return np.asarray(1 - self.alive(repeats, last, age) * (1 - self._silent(repeats, age, days)))

    def purchases(self, repeats: Array, last: Array, age: Array, days: float) -> Array:
        """Expected purchase days within `days`; arguments and shapes as of `lapses`."""
        leaving = self.a if abs(self.a - 1) > 1e-3 else 1.001  # the formula has a hole at 1
        among = leaving + self.b + repeats
        # Euler's transformation of the published formula, which overflows where somebody buys very often.
        passing = days / (self.alpha + age + days)
        share = hyp2f1(leaving + self.b - self.r, leaving - 1, among, passing)
        bought = among / (leaving - 1) * (1 - (1 - passing) ** (leaving - 1) * share)
        return np.asarray(np.maximum(self.alive(repeats, last, age) * bought, 0.0))

    def spend(self, purchase_days: Array, mean: Array) -> Array:
        """Expected money of a purchase day, given how many there were and their mean; shape (n,) each."""
        weight = np.maximum(self.p * purchase_days + self.q - 1, _SAFE)
        return np.asarray(self.p * (self.gamma + purchase_days * mean) / weight)

    def alive(self, repeats: Array, last: Array, age: Array) -> Array:
        """Probability of still being there; arguments and shapes as of `lapses`."""
        odds = np.log(self.a / (self.b + repeats)) + (self.r + repeats) * np.log(
            (self.alpha + age) / (self.alpha + last)
        )
        return np.asarray(1 / (1 + np.exp(np.minimum(odds, 500))))

    def _silent(self, repeats: Array, age: Array, days: float) -> Array:
        return np.asarray(((self.alpha + age) / (self.alpha + age + days)) ** (self.r + repeats))


@dataclass(frozen=True)
class Lifetime:
    """A process as a part of a score, over a horizon: the log-odds of a lapse, or the log of expected money.

    `typical` is the row of `INPUTS` that contributions are measured from.
    """

    process: Process
    days: float
    says: str
    typical: tuple[float, ...]

    def scores(self, rows: Array) -> Array:
        """Score rows of shape (n, features); returns shape (n,)."""
        return self._scores(inputs_of(rows))

    def contributions(self, rows: Array) -> Array:
        """Divide each score among `INPUTS` by Shapley's value against the typical row, over all 16 mixtures of both.

        Shape (n, features + 1), the last column the typical row's score.
        """
        places = [CONTRACT.places[name] for name in INPUTS]
        divided = np.zeros((len(rows), len(CONTRACT.names) + 1))
        mixed = np.where(_MIXTURES[:, None, :], inputs_of(rows)[None], np.array(self.typical))
        scores = self._scores(mixed.reshape(-1, len(INPUTS))).reshape(len(_MIXTURES), len(rows))
        divided[:, places] = (_SHAPLEY @ scores).T
        divided[:, -1] = scores[0]
        return divided

    def _scores(self, inputs: Array) -> Array:
        repeats, last, age = history_of(inputs)
        if self.says == "lapse":
            risk = np.clip(self.process.lapses(repeats, last, age, self.days), _SAFE, 1 - _SAFE)
            return np.asarray(np.log(risk / (1 - risk)))
        mean = np.maximum(inputs[:, 3], 0.0) / (repeats + 1)
        expected = self.process.purchases(repeats, last, age, self.days) * self.process.spend(repeats + 1, mean)
        return np.asarray(np.log(np.maximum(expected, _SAFE)))


def inputs_of(rows: Array) -> Array:
    """Pick `INPUTS` from rows of shape (n, features); unknown counts as 0; shape (n, 4)."""
    return np.asarray(np.nan_to_num(rows[:, [CONTRACT.places[name] for name in INPUTS]]))


def history_of(inputs: Array) -> tuple[Array, Array, Array]:
    """Read repeat purchase days, days from first to last, and from first to now, from `INPUTS` of shape (n, 4).

    >>> [part.tolist() for part in history_of(np.array([[3.0, 10.0, 40.0, 99.0]]))]
    [[2.0], [30.0], [40.0]]
    """
    repeats = np.maximum(inputs[:, 0] - 1, 0.0)
    age = np.maximum(inputs[:, 2], 0.0)
    return repeats, np.where(repeats > 0, np.maximum(age - inputs[:, 1], 0.0), 0.0), age


# Every way to take some inputs from the row and the others from the typical row, and the weights of Shapley (1953).
_MIXTURES = np.array(list(product((False, True), repeat=len(INPUTS))))
_BY_SIZE = (1 / 4, 1 / 12, 1 / 12, 1 / 4)
_SHAPLEY = np.array(
    [
        [_BY_SIZE[int(mixture.sum()) - 1] if mixture[place] else -_BY_SIZE[int(mixture.sum())] for mixture in _MIXTURES]
        for place in range(len(INPUTS))
    ]
)
