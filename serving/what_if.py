"""What another playbook would change: the same customers decided under both, and the differences counted.

Everything that is counted can be added up, so parts of a base may be compared apart. Expectations are those of the
models and of the effects that are stated or learned; nothing is measured here.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from features.feature import Array
from serving.crowd import Crowd
from serving.encounters import Encounters
from serving.question import Question
from serving.whole_base import Decisions, WholeBase

SIDES = ("before", "after")
ADDED, REMOVED, OUTRANKED = "added", "removed", "outranked by"
Tally = Counter[tuple[str, ...]]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Side:
    """What one playbook does for a crowd: the profit of each customer's offers, and who is made which."""

    base: WholeBase
    decided: Decisions
    made: Mapping[str, Mask]
    profit: Array

    @classmethod
    def of(cls, base: WholeBase, crowd: Crowd, encounters: Encounters, question: Question) -> "Side":
        """Decide for a crowd."""
        decided = base.decide(crowd, encounters, question)
        chosen = np.zeros(decided.stops.shape, dtype=bool)
        customers, ranks = np.nonzero(decided.chosen >= 0)
        chosen[customers, decided.chosen[customers, ranks]] = True
        made = {offer.id: chosen[:, place] for place, offer in enumerate(decided.offers)}
        return cls(base, decided, made, np.where(chosen, np.nan_to_num(decided.profit), 0.0).sum(axis=1))

    def first(self, customers: Mask) -> list[str]:
        """Name the best offer of some customers; empty for silence."""
        names = [*(offer.id for offer in self.decided.offers), ""]
        return [names[place] for place in self.decided.chosen[customers, 0].tolist()]

    def why(self, offer: str, customers: Mask, absent: str) -> Iterator[tuple[str, str]]:
        """Say of some customers who aren't made an offer what stops it: its layer and rule."""
        place = next((at for at, one in enumerate(self.decided.offers) if one.id == offer), None)
        stops = (
            np.zeros(int(customers.sum()), dtype=np.int16) if place is None else self.decided.stops[customers, place]
        )
        for stop, first in zip(stops.tolist(), self.first(customers), strict=True):
            if place is None:
                yield "playbook", absent
            else:
                yield self.decided.names[stop] if stop else ("arbitration", f"{OUTRANKED} {first or 'silence'}")


def compare(
    before: WholeBase, after: WholeBase, crowd: Crowd, encounters: Encounters, question: Question,
    wordings: Mapping[str, Mapping[str, str]],
) -> tuple[Tally, pl.DataFrame]:  # fmt: skip
    """Decide for a crowd under both; returns what can be added up, and a row a customer."""
    old, new = (Side.of(base, crowd, encounters, question) for base in (before, after))
    tally: Tally = Counter()
    for name, side in zip(SIDES, (old, new), strict=True):
        tally.update(_of_side(name, side, crowd))
    tally.update(_moves(old, new))
    tally.update(_totals(old, new))
    tally.update(_groups(old, new, crowd, wordings))
    everybody = np.ones(len(crowd), dtype=bool)
    return tally, pl.DataFrame(
        {
            "customer": crowd.customers,
            "tier": [crowd.tier.values[code] for code in crowd.tier.codes.tolist()],
            "first_before": old.first(everybody),
            "first_after": new.first(everybody),
            "expected_profit_before": old.profit,
            "expected_profit_after": new.profit,
        },
        schema_overrides={"customer": pl.String, "tier": pl.String},
    )


def _of_side(name: str, side: Side, crowd: Crowd) -> Tally:
    tally: Tally = Counter()
    decided = side.decided
    for place, offer in enumerate(decided.offers):
        made = side.made[offer.id]
        tally["made", offer.id, name] = int(made.sum())
        for sort in ("profit", "spread", "takers"):
            tally[sort, offer.id, name] = float(getattr(decided, sort)[made, place].sum())  # type: ignore[assignment]
    for number, (layer, rule) in enumerate(decided.names):
        if layer == "contact":
            tally["stopped", rule, name] = int((decided.stops == number).any(axis=1).sum())
    attention = side.base.playbook.contact.attention
    fenced = np.isin(np.array(crowd.tier.values, dtype=object)[crowd.tier.codes], attention.tiers if attention else ())
    for offer in decided.offers:
        if not offer.owed:
            tally["fenced", offer.owner, name] += int((side.made[offer.id] & fenced).sum())
    return tally


def _moves(old: Side, new: Side) -> Tally:
    """Count who gains and loses each offer, and why: what stops it now, or what stopped it before."""
    tally: Tally = Counter()
    nobody = np.zeros(len(old.profit), dtype=bool)
    for offer in dict.fromkeys([*old.made, *new.made]):
        was, now = old.made.get(offer, nobody), new.made.get(offer, nobody)
        for layer, rule in old.why(offer, now & ~was, ADDED):
            tally["gained", offer, layer, rule] += 1
        for layer, rule in new.why(offer, was & ~now, REMOVED):
            tally["lost", offer, layer, rule] += 1
    return tally


def _totals(old: Side, new: Side) -> Tally:
    tally: Tally = Counter()
    gain = new.profit - old.profit
    for name, told in (("before", old.profit), ("after", new.profit), ("gain", gain)):
        tally["sum", name], tally["squares", name] = told.sum(), (told**2).sum()
    silent = [side.decided.chosen[:, 0] < 0 for side in (old, new)]
    tally["customers",] = len(gain)
    tally["silent", "before"], tally["silent", "after"] = (int(one.sum()) for one in silent)
    tally["silenced",] = int((~silent[0] & silent[1]).sum())
    tally["moved",] = int(_differ(old, new).sum())
    tally["worse",], tally["better",] = int((gain < 0).sum()), int((gain > 0).sum())
    return tally


def _differ(old: Side, new: Side) -> Mask:
    """Mark whoever is made other offers."""
    nobody = np.zeros(len(old.profit), dtype=bool)
    found = nobody.copy()
    for offer in dict.fromkeys([*old.made, *new.made]):
        found |= old.made.get(offer, nobody) != new.made.get(offer, nobody)
    return found


def _groups(old: Side, new: Side, crowd: Crowd, wordings: Mapping[str, Mapping[str, str]]) -> Tally:
    """Count, for each wording of an attribute, customers, who is made an offer, and the profit, before and after."""
    tally: Tally = Counter()
    members: dict[tuple[str, str], list[int]] = {}
    for place, customer in enumerate(crowd.customers):
        for attribute, level in wordings.get(customer, {}).items():
            members.setdefault((attribute, level), []).append(place)
    for key, places in members.items():
        tally["group", *key, "customers"] = len(places)
        for name, side in zip(SIDES, (old, new), strict=True):
            profit = side.profit[places]
            tally["group", *key, f"made_{name}"] = int((side.decided.chosen[places, 0] >= 0).sum())
            tally["group", *key, f"profit_{name}"] = profit.sum()
            tally["group", *key, f"squares_{name}"] = (profit**2).sum()
    return tally
