"""The trials that lie in a log of decisions: where chance decided between an offer and silence, and what came."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from features.feature import Array
from training.decision_log import SILENCE, DecisionLog, Realised

BOUGHT, STAYED = "bought", "stayed"


@dataclass(frozen=True)
class Trial:
    """The decisions in which chance decided between an offer and silence; arrays of shape (decisions,), oldest first.

    `at` are their places in the log. `propensity` is the probability of the offer between the two, `outcome` 1 where
    `what` came (the item was "bought"; the customer "stayed"), `anyway` how likely that was expected to be without it,
    and `stated` the change that the playbook states. `beside` tells that to stay isn't what the offer is for: it sells
    an item.
    """

    offer: str
    what: str
    beside: bool
    at: npt.NDArray[np.int64]
    rows: Array
    treated: npt.NDArray[np.bool_]
    outcome: Array
    propensity: Array
    anyway: Array
    stated: Array
    customers: npt.NDArray[np.str_]

    def part(self, which: npt.NDArray[np.bool_]) -> "Trial":
        """Keep some of its decisions."""
        arrays: dict[str, Any] = {
            name: value[which] for name, value in vars(self).items() if isinstance(value, np.ndarray)
        }
        return replace(self, **arrays)

    @property
    def key(self) -> tuple[str, bool]:
        """What it is about: the offer, and whether staying is looked at beside."""
        return self.offer, self.beside

    @property
    def fewest(self) -> int:
        """The size of the smaller arm."""
        return int(min(self.treated.sum(), (~self.treated).sum()))

    @property
    def positives(self) -> int:
        """How often there came what comes less often."""
        came = int(self.outcome.sum())
        return min(came, len(self.outcome) - came)

    @property
    def weights(self) -> Array:
        """What each decision counts for: e·(1 − e), the inverse of its pseudo-outcome's noise; 1 on average.

        Where silence is rare, a few silences would decide alone (Li, Morgan and Zaslavsky 2018, overlap weights).
        """
        told = self.propensity * (1.0 - self.propensity)
        return np.asarray(told / told.mean())

    @property
    def pseudo(self) -> Array:
        """Each decision's outcome so weighed that the mean is the effect of the offer.

        Inverse propensities around the mean outcome (Horvitz and Thompson 1952).
        """
        away = self.outcome - self.outcome.mean()
        return np.asarray(np.where(self.treated, away / self.propensity, -away / (1.0 - self.propensity)))


def settled(log: DecisionLog, came: Realised) -> tuple[DecisionLog, Realised]:
    """Keep the decisions that teach what an offer changes: whose horizon is over, with which nothing could ride along.

    What did ride along hangs on what was drawn: leaving out only that would keep every silence and few of the offers.
    Who left at an unknown risk counts as having had the mean one.
    """
    kept = came.complete & log.alone
    then, stayed = log.only(kept), came.only(kept)
    if np.isnan(then.risks).any():
        then = replace(then, risks=np.where(np.isnan(then.risks), 1.0 - stayed.stayed.mean(), then.risks))
    return then, stayed


def trials_of(log: DecisionLog, came: Realised) -> Iterator[Trial]:
    """Find each offer's trial in settled decisions, in order of their names; of what sells, one of staying after it."""
    actions, customers = np.array(log.actions, dtype=object), np.array(log.customers)
    for offer in sorted({offer for said in log.stated for offer in said}):
        arms = np.array([(arms.get(offer, 0.0), arms.get(SILENCE, 0.0)) for arms in log.arms]).reshape(-1, 2)
        drawn = (actions == offer) | (actions == SILENCE)
        at = np.flatnonzero(drawn & (arms > 0).all(axis=1) & np.array([offer in said for said in log.stated]))
        said = [log.stated[place][offer] for place in at.tolist()]
        bought = np.array([(place, one.item) in came.bought for place, one in zip(at.tolist(), said, strict=True)])
        sells = any(said[offer].item for said in log.stated if offer in said)
        trial = Trial(
            offer, BOUGHT if sells else STAYED, False, at, log.rows[at], actions[at] == offer,
            bought.astype(np.float64) if sells else came.stayed[at], arms[at, 0] / arms[at].sum(axis=1),
            np.array([one.untreated for one in said]) if sells else 1.0 - log.risks[at],
            np.array([one.change for one in said]), customers[at],
        )  # fmt: skip
        yield trial
        if sells:
            yield replace(
                trial, what=STAYED, beside=True, outcome=came.stayed[at], anyway=1.0 - log.risks[at],
                stated=np.zeros(len(at)),
            )  # fmt: skip
