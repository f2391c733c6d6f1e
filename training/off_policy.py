"""What another policy would have brought, from decisions that this one made by chance, and whether that can be said."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from features.feature import Array
from models.trees import Trees
from training.boosting import Fit, boost
from training.skewness import bounds
from training.uplift import deal
from training.uplift_moments import numbered

FEWEST_EFFECTIVE, MOST_UNSUPPORTED = 100.0, 0.05
_TREES, _SHRINKAGE = 60, 20.0


@dataclass(frozen=True)
class Logged:
    """Decisions by chance, what they brought, and what another policy would have done; arrays of shape (decisions,).

    `arms` and `others` hold each decision's actions with their probabilities, as they were made and by the other
    policy; `probabilities` is that of the action served. `rewards` is in currency; decisions of one of `customers`
    belong together.
    """

    rows: Array
    actions: tuple[str, ...]
    probabilities: Array
    arms: tuple[Mapping[str, float], ...]
    others: tuple[Mapping[str, float], ...]
    rewards: Array
    customers: tuple[str, ...]

    @cached_property
    def weights(self) -> Array:
        """By how much likelier the other policy takes each action that was served."""
        wanted = np.array([other.get(action, 0.0) for other, action in zip(self.others, self.actions, strict=True)])
        return np.asarray(wanted / self.probabilities)

    @property
    def effective(self) -> float:
        """How many decisions of the other policy's own these are worth (Kish 1965)."""
        squares = float((self.weights**2).sum())
        return float(self.weights.sum() ** 2) / squares if squares else 0.0

    @property
    def unsupported(self) -> float:
        """The share of what the other policy does that was never served where it would do it."""
        missing = [
            sum(chance for action, chance in other.items() if arms.get(action, 0.0) <= 0)
            for other, arms in zip(self.others, self.arms, strict=True)
        ]
        return float(np.mean(missing)) if missing else 1.0


@dataclass(frozen=True)
class Estimate:
    """A value per decision, in currency, with its interval at 95 %, and beside it the gain over what was done."""

    estimator: str
    value: float
    low: float
    high: float
    gain: float
    gain_low: float
    gain_high: float

    def as_dict(self) -> dict[str, Any]:
        """The estimate as JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class Evaluation:
    """What the log says of another policy; no estimates, but the reason, where the overlap is too small to say."""

    decisions: int
    customers: int
    logged: float
    effective: float
    largest: float
    unsupported: float
    estimates: tuple[Estimate, ...]
    refusal: str | None

    def as_dict(self) -> dict[str, Any]:
        """The evaluation as JSON values."""
        return {**asdict(self), "estimates": [one.as_dict() for one in self.estimates]}


def evaluate(logged: Logged, seed: int) -> Evaluation:
    """Estimate another policy's value in three ways, or refuse where too little of the log speaks of it.

    IPS weighs rewards by how much likelier the other policy is (Horvitz and Thompson 1952), SNIPS divides by the
    weights' mean (Swaminathan and Joachims 2015), DR adds what a model expects of each action and weighs only what it
    missed (Dudík, Langford and Li 2011), cross-fitted by customer. Intervals are over customers.
    """
    groups = numbered(np.array(logged.customers), len(logged.actions))
    refusal = _refusal(logged)
    told = () if refusal else tuple(_estimates(logged, groups, seed))
    count = len(logged.actions)
    return Evaluation(
        count, int(groups.max()) + 1 if count else 0, float(logged.rewards.mean()) if count else 0.0,
        logged.effective, float(logged.weights.max()) if count else 0.0, logged.unsupported, told, refusal,
    )  # fmt: skip


def _refusal(logged: Logged) -> str | None:
    if logged.unsupported > MOST_UNSUPPORTED:
        return (
            f"expected at most {MOST_UNSUPPORTED:.0%} of what it does to be something that was never served there,"
            f" found {logged.unsupported:.0%}: let more be drawn by lot (random, in learning.toml), under rules that"
            " allow it"
        )
    if logged.effective < FEWEST_EFFECTIVE:
        return (
            f"expected decisions by chance worth at least {FEWEST_EFFECTIVE:g} of its own, found"
            f" {logged.effective:.0f} of {len(logged.actions):,}: wait for more, or let more be drawn by lot (random,"
            " in learning.toml)"
        )
    return None


def _estimates(logged: Logged, groups: npt.NDArray[np.int64], seed: int) -> list[Estimate]:
    weights, rewards = logged.weights, logged.rewards
    expected, served = _expected(logged, groups, seed)
    ratio = float((weights * rewards).mean() / weights.mean())
    ways = {
        "IPS": (float((weights * rewards).mean()), weights * rewards),
        "SNIPS": (ratio, ratio + weights * (rewards - ratio) / weights.mean()),
    }
    corrected = expected + weights * (rewards - served)
    ways["DR"] = float(corrected.mean()), corrected
    return [_estimate(name, value, each, rewards, groups) for name, (value, each) in ways.items()]


def _estimate(name: str, value: float, each: Array, away: Array, groups: npt.NDArray[np.int64]) -> Estimate:
    """Bound a value, and its gain over what was done, by what each decision says of them."""
    influences, gain = each - value, value - float(away.mean())
    mine, difference = summed(influences, groups), summed(influences - (away - away.mean()), groups)
    return Estimate(name, value, *bounds(value, mine), gain, *bounds(gain, difference))


def summed(influences: Array, groups: npt.NDArray[np.int64]) -> Array:
    """Add up each customer's influences, in units of the mean number of decisions a customer; shape (customers,)."""
    totals = np.bincount(groups, weights=influences)
    return np.asarray(totals * len(totals) / len(influences))


def _expected(logged: Logged, groups: npt.NDArray[np.int64], seed: int) -> tuple[Array, Array]:
    """Say what a model, fitted without the customer, expects of the other policy's actions, and of the one served."""
    found = np.zeros((len(logged.actions), 2))
    folds = deal(groups, seed)
    for fold in np.unique(folds):
        here = folds == fold
        base, effects = _fitted(logged, ~here, seed)
        for row, common in zip(np.flatnonzero(here).tolist(), base.scores(logged.rows[here]), strict=True):
            other = logged.others[row].items()
            found[row, 0] = common + sum(chance * effects.get(action, 0.0) for action, chance in other)
            found[row, 1] = common + effects.get(logged.actions[row], 0.0)
    return found[:, 0], found[:, 1]


def _fitted(logged: Logged, which: npt.NDArray[np.bool_], seed: int) -> tuple[Trees, dict[str, float]]:
    """Fit what rewards customers bring whatever is done, and what each action adds, drawn to none where it is rare."""
    rows, rewards = logged.rows[which], logged.rewards[which]
    base = boost({"objective": "regression"}, rows, rewards, _names(rows), Fit(seed, trees=_TREES))
    missed, actions = rewards - base.scores(rows), np.array(logged.actions, dtype=object)[which]
    found = {}
    for action in sorted(set(logged.actions)):
        own = missed[actions == action]
        found[action] = float(own.sum() / (len(own) + _SHRINKAGE))
    return base, found


def _names(rows: Array) -> list[str]:
    return [f"column_{place}" for place in range(rows.shape[1])]
