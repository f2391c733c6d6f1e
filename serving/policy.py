"""Which offers may be made, and in what order: pure rules, then the contact policy, then money.

An offer passes its three layers of rules in turn: eligibility (may we), applicability (does it make sense here)
and suitability (is it good for this customer); then the contact policy (may we approach them about it now). What passes
is ranked by the profit expected from making the offer rather than not. Nothing here reads a clock, a store or a random
number.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from features.decisions import Ledger
from features.glossary import Glossary
from serving import sentences
from serving.approach import Allowance, Approach
from serving.contact import ContactPolicy
from serving.money import Breakdown, Prices, Weighed
from serving.offers import NEXT, Offer
from serving.rulebook import Rulebook, Told
from serving.situation import Situation
from serving.stops import Change, Flip, Stop

ARBITRATION, PROFIT = "arbitration", "expected_incremental_profit"


@dataclass(frozen=True, slots=True)
class Candidate:
    """An offer that passed its rules and pays, with the item it is about and its row in what was weighed."""

    offer: Offer
    item: str
    row: int


@dataclass(frozen=True, slots=True)
class Withheld:
    """An offer that isn't made, what stops it, and its row in what was weighed if it got so far."""

    offer: Offer
    stop: Stop
    row: int | None = None


@dataclass(frozen=True, slots=True)
class Ruling:
    """Every offer: chosen (best first), running up (best first) or withheld (by id)."""

    chosen: tuple[Candidate, ...]
    runners_up: tuple[Candidate, ...]
    withheld: tuple[Withheld, ...]
    weighed: Weighed
    told: Told
    allowance: Allowance

    @property
    def ranked(self) -> tuple[Candidate, ...]:
        """What may be made and pays, best first."""
        return self.chosen + self.runners_up

    def breakdown(self, one: Candidate | Withheld) -> Breakdown | None:
        """How an offer's priority came about; None where it was stopped before."""
        return None if one.row is None else self.weighed.breakdown(one.row)


class Policy:
    """The offers of a playbook, ready to be arbitrated."""

    def __init__(self, offers: Sequence[Offer], glossary: Glossary, contact: ContactPolicy) -> None:
        self.offers = tuple(sorted(offers, key=lambda offer: offer.id))
        self.glossary = glossary
        self.approach = Approach(contact, self.offers)
        self._book = Rulebook(self.offers, glossary)
        self._prices = Prices(self.offers)
        self._owed = np.array([offer.owed for offer in self.offers], dtype=bool)
        self._next = np.array([offer.item == NEXT for offer in self.offers], dtype=bool)

    def tell(self, situation: Situation) -> Told:
        """Tell every rule of every offer, in the order of `offers`."""
        return self._book.tell(situation)

    def arbitrate(self, situation: Situation, ledger: Ledger, wanted: int) -> Ruling:
        """Choose the offers to make, at most so many; rank those that run up, withhold the others and say why.

        The order of the offers given doesn't matter; equal priorities are ranked by id.
        """
        told, allowance = self.tell(situation), self.approach.allowance(situation, ledger)
        stops = self._stopped(told, situation, allowance)
        left = np.array([place for place, stop in enumerate(stops) if stop is None], dtype=np.int64)
        weighed = self._prices.weigh(left, situation, self.glossary.assumptions, told.weights())
        chosen, runners_up, losing = self._ranked(weighed, allowance, wanted)
        rows = {place: row for row, place in enumerate(left.tolist())}
        withheld = [
            Withheld(self.offers[place], found, rows.get(place))
            for place, stop in enumerate(stops)
            if (found := stop or losing.get(place)) is not None
        ]
        return Ruling(
            tuple(self._candidate(weighed, row) for row in chosen),
            tuple(self._candidate(weighed, row) for row in runners_up),
            tuple(withheld), weighed, told, allowance,
        )  # fmt: skip

    def _candidate(self, weighed: Weighed, row: int) -> Candidate:
        return Candidate(self.offers[int(weighed.places[row])], weighed.items[row], row)

    def _stopped(self, told: Told, situation: Situation, allowance: Allowance) -> list[Stop | None]:
        """Find what stops each offer before money is counted: its days and channels, its rules, the contact policy."""
        stops: list[Stop | None] = [None] * len(self.offers)
        for place, stop in told.outside().items():
            stops[place] = stop
        for place, stop in told.stops():
            stops[place] = stops[place] or stop
        for mask, stop in allowance.stops():
            for place in np.flatnonzero(mask).tolist():
                stops[place] = stops[place] or stop
        for place, found in enumerate(stops):
            if found is None:
                stops[place] = allowance.stopped(place) or self._uncountable(place, situation)
        return stops

    def _uncountable(self, place: int, situation: Situation) -> Stop | None:
        """Say why what an offer would bring can't be counted, if it can't."""
        scores = situation.scores
        if self._next[place] and not scores.next_purchases:
            return Stop("applicability", sentences.NO_NEXT, "next_purchases")
        unknown = scores.churn_risk is None or scores.expected_value is None
        if unknown and not self._prices.product[place] and not self._owed[place]:
            return Stop(ARBITRATION, sentences.RANKED if scores.ranks_only else sentences.NO_RISK, PROFIT)
        return None

    def _ranked(
        self, weighed: Weighed, allowance: Allowance, wanted: int
    ) -> tuple[list[int], list[int], dict[int, Stop]]:
        """Split what was weighed into rows chosen, rows running up, and places that lose with what stops them."""
        profit, owed = weighed.column("expected_incremental_profit"), self._owed[weighed.places]
        order = np.lexsort((weighed.places, -weighed.column("priority"), ~owed)).tolist()
        chosen, runners_up, losing, taken = list[int](), list[int](), dict[int, Stop](), dict[str, Offer]()
        for row in order:
            place = int(weighed.places[row])
            item, offer = weighed.items[row], self.offers[place]
            if profit[row] <= 0 and not owed[row]:
                losing[place] = Stop(
                    ARBITRATION, sentences.COSTS_MORE, PROFIT, find=partial(self._pays_at, weighed, row)
                )
            elif item in taken:
                losing[place] = Stop(ARBITRATION, sentences.SAME_ITEM, "item", find=partial(_without, taken[item]))
            elif len(chosen) < wanted and (stop := allowance.stopped(place)):
                losing[place] = Stop(stop.layer, sentences.SHARED_ROOM, stop.rule, find=stop.find)
            else:
                if len(chosen) < wanted:
                    allowance.take(place)
                (chosen if len(chosen) < wanted else runners_up).append(row)
                taken |= {item: offer} if item else {}
        return chosen, runners_up, losing

    def _pays_at(self, weighed: Weighed, row: int) -> Flip:
        """Say by how much an offer brings too little, and at which incentive it would pay."""
        breakdown = weighed.breakdown(row)
        lacking = -breakdown.expected_incremental_profit
        told = {"lacking": f"{lacking:,.2f}", "currency": self.glossary.currency}
        pays_at = breakdown.incentive - lacking / breakdown.propensity if breakdown.propensity > 0 else -1.0
        if pays_at <= 0:
            return Flip(partial(sentences.say, sentences.FLIP_MONEY_ALONE, **told))
        # The next lower hundredth, so that it surely pays.
        most = max(np.ceil(pays_at * 100 - 1e-6) / 100 - 0.01, 0.0)
        change = Change("offer.incentive_cost", breakdown.incentive, round(float(most), 2))
        return Flip(partial(sentences.say, sentences.FLIP_MONEY, **told, incentive=f"{most:,.2f}"), (change,))


def _without(higher: Offer) -> Flip:
    return Flip(partial(sentences.say, sentences.FLIP_ITEM, offer=higher.id))
