"""What the contact policy leaves of the decisions about many customers at once, as `Approach` tells it of one."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from features.clock import DAY, microseconds
from features.decisions import HELD
from serving.approach import LAYER, Approach
from serving.contact import Suppression
from serving.crowd import Codes, Crowd
from serving.encounters import Encounters
from serving.many_rules import NONE, Stops
from serving.offers import Offer
from serving.question import Question
from serving.situation import Past

Numbered = Callable[[str, str], int]
Mask = npt.NDArray[np.bool_]
Counts = npt.NDArray[np.int64]


class Contacts:
    """The room that is left of each cap and budget to every customer; `take` uses it up within one decision."""

    def __init__(
        self, approach: Approach, crowd: Crowd, encounters: Encounters, question: Question, spent: Mapping[str, int]
    ) -> None:  # fmt: skip
        self._approach, self._encounters, self._question = approach, encounters, question
        self._now = microseconds(question.as_of)
        self._offers: Sequence[Offer] = approach.offers
        size = len(crowd)
        tiers = np.array(crowd.tier.values, dtype=object)[crowd.tier.codes] if size else np.array([], dtype=object)
        self.caps = [cap for cap in approach.policy.caps if not cap.channels or question.channel in cap.channels]
        self._applies = [np.isin(tiers, cap.tiers) if cap.tiers else np.ones(size, dtype=bool) for cap in self.caps]
        self._fits = [approach.fits(cap) for cap in self.caps]
        self._counts = self._counted(size)
        self._shared = self._still_held(size)
        self._extra = np.zeros((size, len(self.caps)), dtype=np.int64)
        attention = approach.policy.attention
        self._fenced = np.isin(tiers, attention.tiers) if attention else np.zeros(size, dtype=bool)
        budgets = attention.budgets if attention else {}
        self.owners = tuple(dict.fromkeys(offer.owner for offer in self._offers))
        self._owner = np.array([self.owners.index(offer.owner) for offer in self._offers], dtype=np.int64)
        self._room = np.array([budgets.get(owner, 0) - spent.get(owner, 0) for owner in self.owners], dtype=np.int64)
        self._taken = np.zeros((size, len(self.owners)), dtype=np.int64)

    def stop(self, stops: Stops, numbered: Numbered) -> None:
        """Number what stops each offer, (customers, offers), where nothing does so far: wishes, then suppressions."""
        for purpose in self._approach.policy.purposes.values():
            told = self._encounters.consents(purpose.name, self._question.channel)
            refused = np.full(len(stops), purpose.asks(self._question.channel, False))
            for place, yes in told.items():
                refused[place] = not yes
            places = np.flatnonzero(refused)
            _mark(stops, places, self._approach.where("purpose", purpose.name), numbered(LAYER, _purpose(purpose.name)))
        for rule in self._approach.policy.suppressions:
            number, since = numbered(LAYER, f"suppression of {rule.of}"), self._now - rule.days * DAY
            for place, past in self._encounters.pasts:
                if past.occurred_at > since and _suppresses(rule, past):
                    _mark(stops, np.array([place]), self._approach.scope(rule, past), number)

    def full(self, place: int, customers: Codes, numbered: Numbered) -> Stops:
        """Number the cap or budget that stops an offer of some customers, NONE where none does."""
        stops = np.zeros(len(customers), dtype=np.int16)
        offer = self._offers[place]
        if offer.owed:
            return stops
        owner = int(self._owner[place])
        spent_up = self._fenced[customers] & (self._taken[customers, owner] >= self._room[owner])
        stops[spent_up] = numbered(LAYER, f"programme {offer.owner}")
        for at, cap in reversed(list(enumerate(self.caps))):
            if self._fits[at][place]:
                count = self._counts[at][customers, place if cap.each_offer else 0] + self._extra[customers, at]
                stops[self._applies[at][customers] & (count >= cap.most)] = numbered(LAYER, f"cap {cap.id}")
        stops[self._shared[customers, place]] = NONE
        return stops

    def take(self, place: int, customers: Codes) -> None:
        """Use up the room of an offer that is proposed to some customers."""
        if self._offers[place].owed:
            return
        anew = customers[~self._shared[customers, place]]
        for at, cap in enumerate(self.caps):
            # A cap that counts each offer by itself leaves the others alone, and none comes twice.
            if self._fits[at][place] and not cap.each_offer:
                self._extra[anew, at] += 1
        self._taken[anew, self._owner[place]] += 1

    def _counted(self, size: int) -> list[Counts]:
        """Count the contacts that each cap counts: a column an offer where each is counted by itself, else one."""
        counts = [np.zeros((size, len(self._offers) if cap.each_offer else 1), dtype=np.int64) for cap in self.caps]
        for customer, one in self._encounters.contacts:
            for count, cap in zip(counts, self.caps, strict=True):
                place = self._approach.place.get(one.offer) if cap.each_offer else 0
                in_time = one.held_at > self._now - cap.days * DAY
                if place is not None and in_time and cap.fits(one.offer, one.group, one.kind, one.channel):
                    count[customer, place] += 1
        return counts

    def _still_held(self, size: int) -> Mask:
        """Mark the proposals that wait for their outcome over this channel: asked again, they aren't counted twice."""
        shared = np.zeros((size, len(self._offers)), dtype=bool)
        oldest = self._now - int(self._approach.policy.hold_minutes * 60e6)
        for customer, one in self._encounters.contacts:
            place, here = self._approach.place.get(one.offer), one.channel == self._question.channel
            if place is not None and one.state == HELD and here and one.held_at > oldest:
                shared[customer, place] = True
        return shared


def _suppresses(rule: Suppression, past: Past) -> bool:
    return past.status in rule.after and (not rule.reasons or past.reason in rule.reasons)


def _purpose(name: str) -> str:
    return f"purpose {name}"


def _mark(stops: Stops, customers: Codes, offers: Mask, number: int) -> None:
    some = np.ix_(customers, np.flatnonzero(offers))
    stops[some] = np.where(stops[some] == NONE, number, stops[some])
