"""Many customers decided at once, each exactly as `Policy.arbitrate` would decide: greedily, nothing left to chance.

Nobody is held out and nothing is explored, so this is what a playbook would do and not what an experiment makes of it.
Everybody is decided alone, by the ledger as it stands: proposals to one use up no room of another.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from features.feature import Array
from serving.crowd import Codes, Crowd
from serving.encounters import Encounters
from serving.learned import Learned
from serving.many_contacts import Contacts
from serving.many_prices import ManyPrices
from serving.many_rules import NONE, Stops, Told
from serving.offers import LAYERS, NEXT, Offer
from serving.playbook import Playbook
from serving.policy import ARBITRATION, PROFIT, Policy
from serving.question import Question

Places = npt.NDArray[np.int16]
_WEIGHED = ("profit", "priority", "spread", "takers")


@dataclass(frozen=True)
class Decisions:
    """What a playbook decides for a crowd: arrays of shape (customers, offers), but `chosen` (customers, wanted).

    `chosen` holds places of offers, best first, -1 where none is. `stops` numbers what stops an offer, by `names`
    (layer and rule); an offer without a stop is chosen or runs up. `profit`, `priority` and `spread` are currency, and
    `takers` how likely an offer is taken up; NaN of what was stopped before it was weighed.
    """

    offers: tuple[Offer, ...]
    names: tuple[tuple[str, str], ...]
    chosen: Places
    stops: Stops
    profit: Array
    priority: Array
    spread: Array
    takers: Array


class WholeBase:
    """A playbook ready to decide for many at once; `spent` is what owners have used of their budgets."""

    def __init__(self, playbook: Playbook, learned: Learned, spent: Mapping[str, int]) -> None:
        self.playbook = playbook
        self._policy = Policy(playbook.offers, playbook.glossary, playbook.contact)
        self.offers = self._policy.offers
        self._learned, self._spent = learned, spent
        self._names: dict[tuple[str, str], int] = {("", ""): NONE}

    def decide(self, crowd: Crowd, encounters: Encounters, question: Question) -> Decisions:
        """Decide for everybody."""
        told = Told(self.playbook.glossary, crowd, encounters, question)
        contacts = Contacts(self._policy.approach, crowd, encounters, question, self._spent)
        prices = ManyPrices(crowd, self.playbook.glossary.assumptions, question, self._learned)
        stops = self._stopped(told, contacts, prices, question)
        tables = {name: np.full(stops.shape, np.nan) for name in _WEIGHED}
        for place, offer in enumerate(self.offers):
            if (stops[:, place] == NONE).any():
                weighed = prices.weigh(offer, place, told.weights(offer))
                left = stops[:, place] == NONE
                for name, table in tables.items():
                    table[left, place] = getattr(weighed, name)[left]
        ranking = _Ranking(self, crowd, contacts, stops, tables["profit"], tables["priority"])
        chosen = ranking.chosen(question.offers)
        return Decisions(self.offers, tuple(self._names), chosen, stops, **tables)

    def numbered(self, layer: str, rule: str) -> int:
        """Number a stop by its layer and rule."""
        return self._names.setdefault((layer, rule), len(self._names))

    def _stopped(self, told: Told, contacts: Contacts, prices: ManyPrices, question: Question) -> Stops:
        """Number what stops each offer before money is counted, in the order in which `Policy` asks."""
        size, everybody = len(prices.crowd), np.arange(len(prices.crowd))
        stops = np.zeros((size, len(self.offers)), dtype=np.int16, order="F")
        for place, offer in enumerate(self.offers):
            outside = _outside(offer, question)
            stops[:, place] = self.numbered(LAYERS[0], outside) if outside else told.stopped(offer, self.numbered)
        contacts.stop(stops, self.numbered)
        for place, offer in enumerate(self.offers):
            free = everybody[stops[:, place] == NONE]
            stops[free, place] = contacts.full(place, free, self.numbered)
            free = free[stops[free, place] == NONE]
            stops[free, place] = self._uncountable(offer, prices, free)
        return stops

    def _uncountable(self, offer: Offer, prices: ManyPrices, customers: Codes) -> Stops:
        """Number why what an offer would bring of some customers can't be counted, NONE where it can."""
        stops = np.zeros(len(customers), dtype=np.int16)
        if offer.kind != "product" and not offer.owed:
            stops[~prices.known[customers]] = self.numbered(ARBITRATION, PROFIT)
        if offer.item == NEXT and "" in (likeliest := prices.crowd.next_purchase[0]).values:
            nothing = likeliest.codes[customers] == likeliest.values.index("")
            stops[nothing] = self.numbered("applicability", "next_purchases")
        return stops


class _Ranking:
    """Offers taken in the order of their priority, a rank at a time for everybody."""

    def __init__(
        self, base: WholeBase, crowd: Crowd, contacts: Contacts, stops: Stops, profit: Array, priority: Array
    ) -> None:  # fmt: skip
        self._base, self._contacts, self._stops, self._profit = base, contacts, stops, profit
        self._owed = np.array([offer.owed for offer in base.offers], dtype=bool)
        free = stops == NONE
        first = np.where(free, np.where(self._owed, 0, 1), 2)
        self._order = np.lexsort((np.where(free, -priority, 0.0), first), axis=1)
        self._items = _items(base.offers, crowd)
        self._taken = np.zeros((len(crowd), int(self._items.max(initial=0)) + 1), dtype=bool)
        self._owing = (free & self._owed).sum(axis=1)
        self._deepest = int(free.sum(axis=1).max(initial=0))

    def chosen(self, wanted: int) -> Places:
        """Choose at most so many offers for everybody, and number what stops the others."""
        chosen = np.full((len(self._order), wanted), -1, dtype=np.int16)
        count, everybody = np.zeros(len(chosen), dtype=np.int64), np.arange(len(chosen))
        for rank in range(self._deepest):
            places = self._order[:, rank]
            left = everybody[self._stops[everybody, places] == NONE]
            left = self._losing(left, places[left])
            # What isn't owed is chosen only where what is owed leaves room for it.
            owed = self._owed[places[left]]
            fits = left[(count[left] < wanted) & (owed | (self._owing[left] < wanted))]
            fits = self._with_room(fits, places, shared=wanted > 1)
            chosen[fits, count[fits]] = places[fits]
            count[fits] += 1
            left = left[self._stops[left, places[left]] == NONE]
            items = self._items[left, places[left]]
            self._taken[left[items > 0], items[items > 0]] = True
        return chosen

    def _losing(self, left: Codes, places: Codes) -> Codes:
        """Number the stops of what costs more than it brings, or is about an item taken before; returns the rest."""
        loses = (self._profit[left, places] <= 0) & ~self._owed[places]
        self._stops[left[loses], places[loses]] = self._base.numbered(ARBITRATION, PROFIT)
        again = ~loses & self._taken[left, self._items[left, places]]
        self._stops[left[again], places[again]] = self._base.numbered(ARBITRATION, "item")
        rest: Codes = left[~loses & ~again]
        return rest

    def _with_room(self, fits: Codes, places: Codes, shared: bool) -> Codes:
        """Leave out whom what was chosen before has used up a cap for, and use up what is chosen now."""
        if not shared:
            # With one offer wanted, nothing was chosen before.
            return fits
        kept = []
        for place in np.unique(places[fits]).tolist():
            mine = fits[places[fits] == place]
            full = self._contacts.full(place, mine, self._base.numbered)
            self._stops[mine, place] = full
            kept.append(mine[full == NONE])
            self._contacts.take(place, kept[-1])
        return np.sort(np.concatenate(kept)) if kept else fits


def _items(offers: tuple[Offer, ...], crowd: Crowd) -> Codes:
    """Number the item that each offer is about for each customer; 0 for none."""
    numbers = {"": 0}
    items = np.zeros((len(crowd), len(offers)), dtype=np.int64)
    for place, offer in enumerate(offers):
        if offer.item == NEXT:
            likeliest = crowd.next_purchase[0]
            named = [numbers.setdefault(item, len(numbers)) for item in likeliest.values]
            items[:, place] = np.array(named, dtype=np.int64)[likeliest.codes]
        else:
            items[:, place] = numbers.setdefault(offer.item, len(numbers))
    return items


def _outside(offer: Offer, question: Question) -> str:
    """Say what keeps an offer from being made over this channel, or on this day, to anybody; empty if nothing does."""
    if question.channel not in offer.channels:
        return "channels"
    today = question.as_of.date()
    if offer.valid_from is not None and today < offer.valid_from:
        return "valid_from"
    return "valid_until" if offer.valid_until is not None and today > offer.valid_until else ""
