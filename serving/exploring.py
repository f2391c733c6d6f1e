"""Leaving a decision to chance: which offer is served first, and with what probability exactly.

Whoever is in the group `policy` is served the best; but within a budget by tier, the first offer is drawn by Thompson
sampling (Thompson 1933; Russo et al. 2018, A Tutorial on Thompson Sampling): what the offers would bring is drawn from
what is believed of them, so many times, and each is as likely as it came out best. It is drawn from those counts
themselves, so that the probability written down is that of the draw, and no estimate.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from serving.experiment import HOLD_OUT, POLICY, RANDOM
from serving.learned import Learned
from serving.money import Places, Weighed, prioritised
from serving.situation import Situation

SILENCE = -1
DRAWS = 100


@dataclass(frozen=True, slots=True)
class Lot:
    """How far a decision is left to chance: the person's group, the share that may be drawn, and a seed."""

    group: str = POLICY
    share: float = 0.0
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Drawn:
    """What is served first: a row of what was weighed or `SILENCE`, out of every one that could have been.

    `arms` gives each one's probability, the drawn one's among them.
    """

    row: int
    arms: Mapping[int, float]

    @property
    def probability(self) -> float:
        """The probability of what was drawn."""
        return self.arms[self.row]


def draw(
    lot: Lot, weighed: Weighed, free: Sequence[int], best: int, learned: Learned, situation: Situation
) -> Drawn:  # fmt: skip
    """Draw what is served first.

    `free` are the rows that rules and contact policy allow, `best` the one of them that is expected to bring most or
    `SILENCE`.
    """
    if lot.group == HOLD_OUT or not free:
        return Drawn(SILENCE, {SILENCE: 1.0})
    if lot.group != RANDOM and lot.share <= 0:
        return Drawn(best, {best: 1.0})
    random = np.random.default_rng(lot.seed)
    if lot.group == RANDOM:
        return _drawn(by_lot(free), random)
    arms = {best: 1.0 - lot.share}
    for row in _best_of(weighed, free, learned, situation, random):
        arms[row] = arms.get(row, 0.0) + lot.share / DRAWS
    return _drawn(arms, random)


def by_lot(free: Sequence[int]) -> dict[int, float]:
    """Give every offer the same chance, and silence as many times that as the root of their number.

    Each offer is compared with silence, so silence is worth more of them (Dunnett 1955, "A multiple comparison
    procedure for comparing several treatments with a control").

    >>> {row: round(chance, 3) for row, chance in by_lot([0, 1, 2, 3]).items()}
    {0: 0.167, 1: 0.167, 2: 0.167, 3: 0.167, -1: 0.333}
    """
    root = len(free) ** 0.5
    return dict.fromkeys(free, 1.0 / (len(free) + root)) | {SILENCE: root / (len(free) + root)}


def _best_of(
    weighed: Weighed, free: Sequence[int], learned: Learned, situation: Situation, random: np.random.Generator
) -> list[int]:
    """Find in each draw of what the offers might bring the best of them, or `SILENCE` where none pays."""
    column = weighed.column
    expected = column("propensity"), column("p_treated") - column("p_untreated")
    stated, anyway, risk = column("stated_change"), column("p_untreated"), situation.scores.churn_risk
    stays = 0.0 if risk is None else 1.0 - risk
    propensity, change, staying = learned.drawn(
        weighed.places, expected, stated, anyway, stays, situation.row, random, DRAWS
    )
    each = column("incentive") + column("credit_loss") / np.maximum(column("propensity"), 1e-12)
    gain = change * column("value") + staying * column("stay_value")
    profit = gain - propensity * each - column("attention_price")
    rows: Places = np.array(free)
    priority = prioritised(profit, column("context_weight") * column("lever"))[:, rows]
    best = rows[priority.argmax(axis=1)]
    return [int(row) for row in np.where(priority.max(axis=1) > 0, best, SILENCE)]


def _drawn(arms: Mapping[int, float], random: np.random.Generator) -> Drawn:
    rows = list(arms)
    place = int(np.searchsorted(np.cumsum([arms[row] for row in rows]), random.random(), side="right"))
    return Drawn(rows[min(place, len(rows) - 1)], arms)
