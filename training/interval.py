"""Finding bounds between which what customers bring lies as often as promised, on windows not learned from."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from features.contract import CONTRACT
from features.feature import Array
from models.additive import Additive
from models.simulation import Simulation
from models.value import Interval, QuantileTrees
from training.boosting import Fit, boost
from training.choosing import Round
from training.dataset import Window
from training.metrics import COVERAGE

Shares = tuple[float, float]
Start = QuantileTrees | Simulation | None
LEVELS = (0.5 - COVERAGE / 2, 0.5 + COVERAGE / 2)
_LOW_LEVELS = (0.0, 0.05, 0.1, 0.15, 0.2)
_ASKED = tuple(COVERAGE + step / 100 for step in range(16))
_GROUPS = 8
_FEWEST = 50


@dataclass(frozen=True)
class _Group:
    """Customers of like expectation: their window, what they brought, what was expected, both starts, their scale."""

    window: npt.NDArray[np.int64]
    truth: Array
    expected: Array
    low: Array
    high: Array
    scale: Array

    def keep(self, which: npt.NDArray[Any]) -> "_Group":
        parts = (self.window, self.truth, self.expected, self.low, self.high, self.scale)
        return _Group(*(part[which] for part in parts))

    def covered(self, shares: Shares) -> float:
        low, high = self.lows(shares[0]), self.highs(shares[1])
        return float(((self.truth >= low) & (self.truth <= high)).mean())

    def lows(self, share: float) -> Array:
        return np.asarray(np.clip(self.low + share * self.scale, 0.0, self.expected))

    def highs(self, share: float) -> Array:
        return np.asarray(np.maximum(self.high + share * self.scale, self.expected))


def fit_bounds(windows: Sequence[Window], fit: Fit) -> QuantileTrees:
    """Fit boosters for the two quantiles of what comes."""
    rows = np.concatenate([window.rows.values for window in windows])
    value = np.concatenate([window.brought for window in windows])
    low, high = (boost({"objective": "quantile", "alpha": level}, rows, value, CONTRACT.names, fit) for level in LEVELS)
    return QuantileTrees(low, high)


def choose_interval(
    played: Sequence[Round], expected: Sequence[Array], methods: Mapping[str, Sequence[Start]]
) -> tuple[str, str]:  # fmt: skip
    """Choose the method whose bounds have the least pinball loss on later windows, and say all their losses.

    `expected` and what the methods start from are those of each later window, from before it. Each window is judged
    under the shares that the others give, at the two ends' own levels.
    """
    losses = {name: _lost(played, expected, starts) for name, starts in methods.items()}
    told = ", ".join(f"{loss:.4g} with {name}" for name, loss in losses.items())
    return min(losses, key=losses.__getitem__), f"pinball loss {told}"


def _lost(played: Sequence[Round], expected: Sequence[Array], starts: Sequence[Start]) -> float:
    lost = 0.0
    for place, round in enumerate(played):
        others = [at for at in range(len(played)) if at != place]
        rest = [played[at] for at in others], [expected[at] for at in others], [starts[at] for at in others]
        interval = _conform(*rest, starts[place], _central)
        ends = interval.around(expected[place], round.window.rows.values)
        lost += sum(pinball(round.truth, end, level) for end, level in zip(ends, LEVELS, strict=True))
    return lost


def spread_alike(model: Additive, learned: Sequence[Window]) -> Interval:
    """Bound by what came in the windows learned from, where no later one is left; such bounds are a little narrow."""
    window = learned[-1]
    played = [Round(window, window.brought, {})]
    return conform(played, [model.predict(window.rows.values)], [None], None)


def conform(
    played: Sequence[Round], expected: Sequence[Array], starts: Sequence[Start], serves: Start
) -> Interval:  # fmt: skip
    """Find the shares that cover each group of like customers with the narrowest interval, and make one of them.

    `starts` are what each window's own bounds start from, `serves` what those of the interval will.
    """
    return _conform(played, expected, starts, serves, _narrowest)


def _conform(
    played: Sequence[Round], expected: Sequence[Array], starts: Sequence[Start], serves: Start,
    shares: Callable[[_Group], Shares],
) -> Interval:  # fmt: skip
    truth, everywhere = np.concatenate([round.truth for round in played]), np.concatenate(list(expected))
    typical = float(max(truth.mean(), 1e-6))
    ends = [_ends(start, round.window) for start, round in zip(starts, played, strict=True)]
    low, high = (np.concatenate([end[side] for end in ends]) for side in (0, 1))
    window = np.repeat(np.arange(len(played), dtype=np.int64), [len(round.truth) for round in played])
    everyone = _Group(window, truth, everywhere, low, high, everywhere + typical)
    order = np.argsort(everywhere, kind="stable")
    groups = np.array_split(order, max(1, min(_GROUPS, len(order) // _FEWEST)))
    knots = tuple(float(np.median(np.log1p(everywhere[group]))) for group in groups)
    below, above = zip(*(shares(everyone.keep(group)) for group in groups), strict=True)
    return Interval(typical, knots, below, above, serves)


def pinball(truth: Array, bound: Array, level: float) -> float:
    """Average the pinball loss of a quantile's estimates, in currency (Koenker and Bassett 1978)."""
    missed = truth - bound
    return float(np.maximum(level * missed, (level - 1) * missed).mean())


def _ends(start: Start, window: Window) -> tuple[Array, Array]:
    rows = window.rows.values
    return start.ends(rows) if start else (np.zeros(len(rows)), np.zeros(len(rows)))


def _central(group: _Group) -> Shares:
    """Leave as many below as above."""
    below, above = ((group.truth - end) / group.scale for end in (group.low, group.high))
    return _quantile(below, LEVELS[0]), _quantile(above, LEVELS[1])


def _narrowest(group: _Group) -> Shares:
    """Find the narrowest interval that keeps its promise on each window when found on the others.

    It does so on average, and on none does it hold less by more than a standard error of chance. So what differs from
    window to window, and what the choice of the narrowest flatters, is paid for.
    """
    windows = [group.window == one for one in np.unique(group.window)]
    parts = [(group.keep(one), group.keep(~one)) for one in windows]
    chance = np.sqrt([COVERAGE * (1 - COVERAGE) / len(left.truth) for left, _ in parts])

    def kept(level: float) -> bool:
        held = np.array([left.covered(_narrowest_at(others, level)) for left, others in parts])
        return bool(held.mean() >= COVERAGE and (held >= COVERAGE - chance).all())

    level = next((level for level in _ASKED if kept(level)), _ASKED[-1]) if len(windows) > 1 else COVERAGE
    return _narrowest_at(group, level)


def _narrowest_at(group: _Group, level: float) -> Shares:
    """Leave below and above what makes the interval narrowest; where many bring nothing, none are left below 0."""
    below = [_quantile((group.truth - group.low) / group.scale, low) for low in _LOW_LEVELS if low <= 1 - level]
    ways = [(share, above) for share in below for above in _reaching(group, group.lows(share), level)]
    # A bound that is worked out again may miss by a last digit the one value that it was to hold.
    ways = ways or [(below[0], float(((group.truth - group.high) / group.scale).max()))]
    return min(ways, key=lambda way: float((group.highs(way[1]) - group.lows(way[0])).mean()))


def _reaching(group: _Group, lows: Array, level: float) -> list[float]:
    """The share above that covers as many as asked of those not below, with one place more for a finite sample."""
    misses = np.sort(((group.truth - group.high) / group.scale)[group.truth >= lows])
    place = min(int(np.ceil(level * (len(lows) + 1))), len(lows))
    return [float(misses[place - 1])] if place <= len(misses) else []


def _quantile(misses: Array, level: float) -> float:
    """Take a quantile with the half place more, on its far side, that a finite sample needs."""
    side = 1 if level > 0.5 else -1
    return float(np.quantile(misses, np.clip(level + side * 0.5 / len(misses), 0.0, 1.0)))
