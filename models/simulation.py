"""What a customer may bring, simulated from how customers buy, leave and spend."""

from dataclasses import dataclass

import numpy as np

from features.feature import Array
from models.lifetime import Process, history_of, inputs_of

_DRAWS, _SEED = 500, 7
_SAFE = 1e-9


@dataclass(frozen=True)
class Simulation:
    """The quantiles of seeded draws from a process over a horizon in days, given each customer's own history.

    Whoever is still there buys at a rate Gamma(r + repeats, alpha + age) and leaves after each purchase with chance
    Beta(a, b + repeats + 1), so that purchases are the fewer of a Poisson and a geometric number. The money of that
    many purchases is gamma, given what a purchase has brought so far.
    """

    process: Process
    days: float
    levels: tuple[float, float]

    def ends(self, rows: Array) -> tuple[Array, Array]:
        """Give the two quantiles of what comes, for rows of shape (n, features), in currency, shape (n,) each."""
        inputs = inputs_of(rows)
        repeats, last, age = history_of(inputs)
        alive = self.process.alive(repeats, last, age)
        places = [round(level * (_DRAWS - 1)) for level in self.levels]
        ends = np.empty((len(rows), 2))
        for row, (here, before, since, spent) in enumerate(zip(alive, repeats, age, inputs[:, 3], strict=True)):
            # Each customer's draws start from the seed, so that nobody's bounds depend on who stands beside.
            drawn = self._draws(np.random.default_rng(_SEED), here, before, since, max(spent, 0.0))
            ends[row] = np.partition(drawn, places)[places]
        return ends[:, 0], ends[:, 1]

    def _draws(self, rng: np.random.Generator, alive: float, repeats: float, age: float, spent: float) -> Array:
        process = self.process
        rate = rng.gamma(process.r + repeats, 1 / (process.alpha + age), _DRAWS)
        leaving = np.maximum(rng.beta(process.a, process.b + repeats + 1, _DRAWS), _SAFE)
        bought = np.minimum(rng.poisson(rate * self.days), rng.geometric(leaving))
        bought = np.where(rng.random(_DRAWS) < alive, bought, 0)
        size = rng.gamma(process.q + process.p * (repeats + 1), 1 / (process.gamma + spent), _DRAWS)
        return np.asarray(rng.gamma(process.p * bought) / size)
