"""Which offers may be made, and in what order: pure rules, then the contact policy, then money.

An offer passes its three layers of rules in turn: eligibility (may we), applicability (does it make sense here)
and suitability (is it good for this customer); then the contact policy (may we approach them about it now). What passes
is ranked by the profit expected from making the offer rather than not. Nothing here reads a clock or a store, and what
is left to chance goes by a seed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from math import ceil
from typing import NamedTuple

import numpy as np

from features.decisions import Ledger
from features.glossary import Glossary
from serving import sentences
from serving.approach import Allowance, Approach
from serving.contact import ContactPolicy
from serving.experiment import HOLD_OUT, POLICY
from serving.exploring import SILENCE, Drawn, Lot, draw
from serving.learned import Learned
from serving.money import Breakdown, Prices, Weighed
from serving.offers import NEXT, Offer
from serving.rulebook import Rulebook, Told
from serving.scores import Scores
from serving.situation import Situation
from serving.stops import Change, Flip, Stop

ARBITRATION, PROFIT = "arbitration", "expected_incremental_profit"
BEST = Lot()


class Candidate(NamedTuple):
    """An offer that passed its rules and pays, with the item it is about and its row in what was weighed."""

    offer: Offer
    item: str
    row: int


class Withheld(NamedTuple):
    """An offer that isn't made, what stops it, and its row in what was weighed if it got so far."""

    offer: Offer
    stop: Stop
    row: int | None = None


@dataclass(frozen=True, slots=True)
class Ruling:
    """Every offer: chosen (best first), running up (best first) or withheld (by id).

    `held_out` is what would have been chosen, were the customer not left alone. `drawn` is what came first of what
    isn't owed, with its probability.
    """

    offers: tuple[Offer, ...]
    chosen: tuple[Candidate, ...]
    held_out: tuple[Candidate, ...]
    runners_up: tuple[Candidate, ...]
    withheld: tuple[Withheld, ...]
    weighed: Weighed
    told: Told
    allowance: Allowance
    drawn: Drawn

    @property
    def ranked(self) -> tuple[Candidate, ...]:
        """What may be made and pays, best first."""
        return self.chosen + self.runners_up

    def offer(self, row: int) -> Offer:
        """The offer of a row of what was weighed."""
        return self.offers[int(self.weighed.places[row])]

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
        self.owed = np.array([offer.owed for offer in self.offers], dtype=bool)
        self._next = np.array([offer.item == NEXT for offer in self.offers], dtype=bool)

    def tell(self, situation: Situation) -> Told:
        """Tell every rule of every offer, in the order of `offers`."""
        return self._book.tell(situation)

    def arbitrate(
        self, situation: Situation, ledger: Ledger, wanted: int, learned: Learned, lot: Lot = BEST
    ) -> Ruling:  # fmt: skip
        """Choose the offers to make, at most so many; rank those that run up, withhold the others and say why.

        What comes first is left to chance as far as `lot` says. The order of the offers given doesn't matter; equal
        priorities are ranked by id.
        """
        told, allowance = self.tell(situation), self.approach.allowance(situation, ledger)
        stops = self._stopped(told, situation, allowance)
        left = [place for place, stop in enumerate(stops) if stop is None]
        places, assumptions = np.array(left, dtype=np.int64), self.glossary.assumptions
        weighed = self._prices.weigh(places, situation, assumptions, told.weights(), learned)
        order = self._order(weighed)
        drawn = self._draw(weighed, order, wanted, learned, lot, situation)
        ranked = _Ranked(self, weighed, allowance, wanted, order, lot, drawn.row)
        rows = {place: row for row, place in enumerate(left)}
        withheld = [
            Withheld(self.offers[place], found, rows.get(place))
            for place, stop in enumerate(stops)
            if (found := stop or ranked.losing.get(place)) is not None
        ]
        return Ruling(
            self.offers, tuple(ranked.chosen), tuple(ranked.held_out), tuple(ranked.runners_up), tuple(withheld),
            weighed, told, allowance, drawn,
        )  # fmt: skip

    def _order(self, weighed: Weighed) -> list[int]:
        """Rank what was weighed: what is owed first, then by priority."""
        owed = self.owed[weighed.places]
        rows: list[int] = np.lexsort((weighed.places, -weighed.column("priority"), ~owed)).tolist()
        return rows

    def _draw(
        self, weighed: Weighed, order: Sequence[int], wanted: int, learned: Learned, lot: Lot, situation: Situation
    ) -> Drawn:
        """Draw what comes first of what isn't owed, where there is room for it."""
        owed = self.owed[weighed.places].tolist()
        items = {weighed.items[row] for row in order if owed[row]} - {""}
        free = [row for row in order if not owed[row] and weighed.items[row] not in items]
        if sum(owed) >= wanted:
            free = []
        best = free[0] if free and weighed.column("expected_incremental_profit")[free[0]] > 0 else SILENCE
        return draw(lot, weighed, free, best, learned, situation)

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
        scores = situation.scores
        unknown = scores.churn_risk is None or scores.expected_value is None
        countable = bool(scores.next_purchases) and not unknown
        for place, found in enumerate(stops):
            if found is None:
                capped = allowance.stopped(place)
                stops[place] = capped if capped or countable else self._uncountable(place, scores, unknown)
        return stops

    def _uncountable(self, place: int, scores: Scores, unknown: bool) -> Stop | None:
        """Say why what an offer would bring can't be counted, if it can't."""
        if self._next[place] and not scores.next_purchases:
            return Stop("applicability", sentences.NO_NEXT, "next_purchases")
        if unknown and not self._prices.product[place] and not self.owed[place]:
            return Stop(ARBITRATION, sentences.RANKED if scores.ranks_only else sentences.NO_RISK, PROFIT)
        return None


class _Ranked:
    """What was weighed: chosen, held out, running up, and losing, by place, with what stops each."""

    def __init__(
        self, policy: Policy, weighed: Weighed, allowance: Allowance, wanted: int, order: Sequence[int], lot: Lot,
        first: int,
    ) -> None:  # fmt: skip
        self.chosen, self.held_out, self.runners_up = list[Candidate](), list[Candidate](), list[Candidate]()
        self.losing: dict[int, Stop] = {}
        self._policy, self._weighed, self._allowance, self._lot = policy, weighed, allowance, lot
        self._room, self._first, self._taken = wanted, first, dict[str, Offer]()
        profit, places = weighed.column("expected_incremental_profit").tolist(), weighed.places.tolist()
        offers = [policy.offers[place] for place in places]
        for row in sorted(order, key=lambda row: (not offers[row].owed, row != first)):
            self._put(Candidate(offers[row], weighed.items[row], row), places[row], profit[row])

    def _put(self, one: Candidate, place: int, profit: float) -> None:
        offer, item, row = one
        fits = self._room > 0 and (offer.owed or self._free(row))
        if profit <= 0 and not offer.owed and row != self._first:
            find = partial(_pays_at, self._weighed, row, self._policy.glossary.currency)
            self.losing[place] = Stop(ARBITRATION, sentences.COSTS_MORE, PROFIT, find=find)
        elif item in self._taken:
            find_item = partial(_without, self._taken[item])
            self.losing[place] = Stop(ARBITRATION, sentences.SAME_ITEM, "item", find=find_item)
        elif fits and (stop := self._allowance.stopped(place)):
            self.losing[place] = Stop(stop.layer, sentences.SHARED_ROOM, stop.rule, find=stop.find)
        else:
            self._take(one, place, fits)
            if item:
                self._taken[item] = offer

    def _free(self, row: int) -> bool:
        """Tell whether the lot lets an offer be chosen: nothing rides along with one by lot, or with silence."""
        if self._lot.group == HOLD_OUT:
            return True
        return self._first != SILENCE and (row == self._first or self._lot.group == POLICY)

    def _take(self, one: Candidate, place: int, fits: bool) -> None:
        if not fits:
            self.runners_up.append(one)
            return
        self._allowance.take(place)
        self._room -= 1
        (self.held_out if self._lot.group == HOLD_OUT and not one.offer.owed else self.chosen).append(one)


def _pays_at(weighed: Weighed, row: int, currency: str) -> Flip:
    """Say by how much an offer brings too little, and at which incentive it would pay."""
    breakdown = weighed.breakdown(row)
    lacking = -breakdown.expected_incremental_profit
    told = {"lacking": f"{lacking:,.2f}", "currency": currency}
    pays_at = breakdown.incentive - lacking / breakdown.propensity if breakdown.propensity > 0 else -1.0
    if pays_at <= 0:
        return Flip(partial(sentences.say, sentences.FLIP_MONEY_ALONE, **told))
    # The next lower hundredth, so that it surely pays.
    most = max(ceil(pays_at * 100 - 1e-6) / 100 - 0.01, 0.0)
    change = Change("offer.incentive_cost", breakdown.incentive, round(most, 2))
    return Flip(partial(sentences.say, sentences.FLIP_MONEY, **told, incentive=f"{most:,.2f}"), (change,))


def _without(higher: Offer) -> Flip:
    return Flip(partial(sentences.say, sentences.FLIP_ITEM, offer=higher.id))
