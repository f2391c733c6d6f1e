"""Finding bounds between which what customers bring lies as often as promised, on windows not learned from."""

from collections.abc import Sequence

import numpy as np

from features.contract import CONTRACT
from features.feature import Array
from models.additive import Additive
from models.trees import Trees
from models.value import Interval
from training.boosting import Fit, boost
from training.choosing import Round
from training.dataset import Window
from training.metrics import COVERAGE

Bounds = tuple[Trees, Trees]
LEVELS = (0.5 - COVERAGE / 2, 0.5 + COVERAGE / 2)
_GROUPS = 8
_FEWEST = 50


def fit_bounds(windows: Sequence[Window], fit: Fit) -> Bounds:
    """Fit boosters for the two quantiles of what comes."""
    rows = np.concatenate([window.rows.values for window in windows])
    value = np.concatenate([window.brought for window in windows])
    low, high = (boost({"objective": "quantile", "alpha": level}, rows, value, CONTRACT.names, fit) for level in LEVELS)
    return low, high


def choose_interval(played: Sequence[Round], expected: Sequence[Array], bounds: Sequence[Bounds]) -> tuple[bool, str]:
    """Tell whether quantile trees bound better than shares of the expectation alone, by pinball loss, and say so.

    `expected` and `bounds` are those of each later window, from models fitted before it. Each window is judged under
    the shares that the others give.
    """
    losses = {True: 0.0, False: 0.0}
    for place, round in enumerate(played):
        others = [at for at in range(len(played)) if at != place]
        for trees in losses:
            used = [bound if trees else None for bound in bounds]
            interval = conform(
                [played[at] for at in others], [expected[at] for at in others], [used[at] for at in others], used[place]
            )
            low, high = interval.around(expected[place], round.window.rows.values)
            losses[trees] += sum(
                pinball(round.truth, bound, level) for bound, level in zip((low, high), LEVELS, strict=True)
            )
    said = f"pinball loss {losses[True]:.4g} with quantile trees, {losses[False]:.4g} with shares of the expectation"
    return losses[True] < losses[False], said


def spread_alike(model: Additive, learned: Sequence[Window]) -> Interval:
    """Bound by what came in the windows learned from, where no later one is left; such bounds are a little narrow."""
    window = learned[-1]
    played = [Round(window, window.brought, {})]
    return conform(played, [model.predict(window.rows.values)], [None], None)


def conform(
    played: Sequence[Round], expected: Sequence[Array], bounds: Sequence[Bounds | None],
    serves: Bounds | None,
) -> Interval:  # fmt: skip
    """Find the shares of the expectation by which each group of like customers is covered, and make an interval.

    `bounds` are the trees behind each window's own bounds, `serves` those that the interval will start from.
    """
    truth = np.concatenate([round.truth for round in played])
    everywhere = np.concatenate(list(expected))
    typical = float(max(truth.mean(), 1e-6))
    starts = [_starts(bound, round.window) for bound, round in zip(bounds, played, strict=True)]
    misses = [(truth - np.concatenate([start[side] for start in starts])) / (everywhere + typical) for side in (0, 1)]
    order = np.argsort(everywhere, kind="stable")
    groups = np.array_split(order, max(1, min(_GROUPS, len(order) // _FEWEST)))
    knots = tuple(float(np.median(np.log1p(everywhere[group]))) for group in groups)
    below, above = (
        tuple(_quantile(miss[group], level) for group in groups) for miss, level in zip(misses, LEVELS, strict=True)
    )
    return Interval(typical, knots, below, above, serves)


def pinball(truth: Array, bound: Array, level: float) -> float:
    """Average the pinball loss of a quantile's estimates, in currency (Koenker and Bassett 1978)."""
    missed = truth - bound
    return float(np.maximum(level * missed, (level - 1) * missed).mean())


def _starts(bounds: Bounds | None, window: Window) -> list[Array]:
    rows = window.rows.values
    return [bound.scores(rows) for bound in bounds] if bounds else [np.zeros(len(rows))] * 2


def _quantile(misses: Array, level: float) -> float:
    """Take a quantile with the half place more, on its far side, that a finite sample needs."""
    side = 1 if level > 0.5 else -1
    return float(np.quantile(misses, np.clip(level + side * 0.5 / len(misses), 0.0, 1.0)))
