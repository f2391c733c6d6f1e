"""What the contact policy leaves of a decision: whom it stops about what, and the room that its offers share."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import lru_cache, partial
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from features.clock import DAY, from_microseconds, microseconds
from features.decisions import HELD, Contact, Ledger, Window
from serving import sentences
from serving.contact import Cap, ContactPolicy, Suppression
from serving.offers import Offer
from serving.situation import Past, Situation
from serving.stops import Change, Flip, Stop

Mask = npt.NDArray[np.bool_]
LAYER = "contact"
_MOST_KEPT = 2_048


class Approach:
    """A contact policy laid out against offers."""

    def __init__(self, policy: ContactPolicy, offers: Sequence[Offer]) -> None:
        self.policy = policy
        self.offers = offers
        self.place = {offer.id: place for place, offer in enumerate(offers)}
        self._free = np.array([offer.owed for offer in offers], dtype=bool)
        self._masks: dict[tuple[str, str], Mask] = {}
        self._fits = [
            np.array([_may_fit(cap, offer) and not offer.owed for offer in offers], dtype=bool) for cap in policy.caps
        ]
        self._listed = [fits.tolist() for fits in self._fits]
        # Everybody's contacts are about the same few offers.
        self.counting = lru_cache(maxsize=_MOST_KEPT)(self._counting)

    def window(self, now: datetime, tier: str) -> Window:
        """Say how far back the ledger of a customer of some tier must be looked at."""
        since, attention = now - timedelta(days=self.policy.longest_days), self.policy.attention
        if attention is None or tier not in attention.tiers:
            return Window(since, now)
        return Window(since, now, attention.tiers, attention.days)

    def allowance(self, situation: Situation, ledger: Ledger) -> "Allowance":
        """Tell what the policy leaves at a moment, given the ledger as it stands."""
        return Allowance(self, situation, ledger)

    def rooms(self, situation: Situation, now: int) -> list["_Room"]:
        """List the caps that count proposals to this customer over this channel, with nothing counted yet."""
        return [
            _Room(cap, number, self._listed[number], now - cap.days * DAY, {})
            for number, cap in enumerate(self.policy.caps)
            if (not cap.channels or situation.channel in cap.channels)
            and (not cap.tiers or situation.scores.tier in cap.tiers)
        ]

    def _counting(self, offer: str, group: str, kind: str, channel: str) -> frozenset[int]:
        """Number the caps that count a proposal."""
        return frozenset(number for number, cap in enumerate(self.policy.caps) if cap.fits(offer, group, kind, channel))

    def where(self, name: str, value: str) -> Mask:
        """Mark the offers that have a value of some attribute and aren't owed."""
        found = self._masks.get((name, value))
        if found is None:
            has = np.array([getattr(offer, name) == value for offer in self.offers], dtype=bool)
            found = self._masks[name, value] = has & ~self._free
        return found

    def all(self) -> Mask:
        """Mark every offer that isn't owed."""
        return ~self._free

    def scope(self, rule: Suppression, past: Past) -> Mask:
        """Mark the offers that a suppression keeps back after an earlier one."""
        if rule.of == "everything":
            return self.all()
        place = self.place.get(past.offer)
        if rule.of == "offer" or place is None:
            return self.where("id", past.offer)
        value = getattr(self.offers[place], rule.of)
        return self.where(rule.of, value) if value else self.where("id", past.offer)

    def fits(self, cap: Cap) -> Mask:
        """Mark the offers that one of the policy's caps counts, whatever the channel."""
        return self._fits[self.policy.caps.index(cap)]


class _Room(NamedTuple):
    """What is left of one cap, the policy's by number: the contacts that count against it since a moment.

    `fits` tells of each offer whether it is counted; `held` are the moments of the contacts, oldest first.
    """

    cap: Cap
    number: int
    fits: list[bool]
    since: int
    held: dict[str, list[int]]

    def hold(self, offer: str, moment: int) -> None:
        self.held.setdefault(self.key(offer), []).append(moment)

    def key(self, offer: str) -> str:
        return offer if self.cap.each_offer else ""

    def full(self, offer: str) -> bool:
        return len(self.held.get(self.key(offer), ())) >= self.cap.most


class Allowance:
    """What may be proposed at a moment; `take` uses it up, so that one decision's offers don't overshoot together."""

    def __init__(self, approach: Approach, situation: Situation, ledger: Ledger) -> None:
        self._approach = approach
        self._situation = situation
        self._now = microseconds(situation.as_of)
        self._shared = self._still_held(ledger)
        self._rooms = self._counted(ledger)
        self._spent = dict(ledger.spent)
        self._stops: dict[tuple[str, str], Stop] = {}

    def stops(self) -> Iterable[tuple[Mask, Stop]]:
        """Go through what stops offers before any is taken, in the order in which it is told."""
        yield from self._consent()
        yield from self._suppressed()
        yield from self._quiet()

    def stopped(self, place: int) -> Stop | None:
        """Say which cap or budget stops an offer, if one does."""
        offer = self._approach.offers[place]
        if offer.owed or offer.id in self._shared:
            return None
        for room in self._rooms:
            if room.fits[place] and room.full(offer.id):
                return self._kept(room.cap.id, room.key(offer.id), partial(self._capped, room, offer))
        return self._fenced(offer)

    def take(self, place: int) -> None:
        """Use up the room of an offer that is proposed."""
        offer = self._approach.offers[place]
        if offer.owed or offer.id in self._shared:
            return
        for room in self._rooms:
            if room.fits[place]:
                room.hold(offer.id, self._now)
        self._spent[offer.owner] = self._spent.get(offer.owner, 0) + 1

    def contact(self, offer: Offer, decision_id: str, reference: str) -> tuple[Contact | None, bool]:
        """Give the contact that an offer's proposal is counted as, and whether it is a new one; what is owed isn't."""
        if offer.owed:
            return None, False
        if offer.id in self._shared:
            return self._shared[offer.id], False
        situation = self._situation
        contact = Contact(
            contact=f"{decision_id}/{offer.id}", decision=decision_id, reference=reference, offer=offer.id,
            kind=offer.kind, group=offer.group, owner=offer.owner, channel=situation.channel,
            tier=situation.scores.tier, state=HELD, held_at=self._now,
        )  # fmt: skip
        return contact, True

    def _still_held(self, ledger: Ledger) -> dict[str, Contact]:
        """The proposals that wait for their outcome over this channel: asked again, they aren't counted twice.

        Nor are those that lie ahead by so much: a clock that was set back further doesn't make one last for days.
        """
        hold = int(self._approach.policy.hold_minutes * 60e6)
        channel = self._situation.channel
        return {
            one.offer: one
            for one in ledger.contacts
            if one.state == HELD and one.channel == channel and abs(self._now - one.held_at) < hold
        }

    def _counted(self, ledger: Ledger) -> list[_Room]:
        rooms = self._approach.rooms(self._situation, self._now)
        for one in ledger.contacts:
            counting = self._approach.counting(one.offer, one.group, one.kind, one.channel)
            for room in rooms:
                if room.number in counting and one.held_at > room.since:
                    room.hold(one.offer, one.held_at)
        return rooms

    def _capped(self, room: _Room, offer: Offer) -> Stop:
        held = sorted(room.held.get(room.key(offer.id), ()))
        if not room.cap.most:
            return Stop(LAYER, room.cap.sentence, f"cap {room.cap.id}")
        free_again = held[len(held) - room.cap.most] + room.cap.days * DAY
        return Stop(LAYER, room.cap.sentence, f"cap {room.cap.id}", find=self._from(free_again))

    def _fenced(self, offer: Offer) -> Stop | None:
        attention = self._approach.policy.attention
        if attention is None or self._situation.scores.tier not in attention.tiers:
            return None
        if self._spent.get(offer.owner, 0) < attention.budgets.get(offer.owner, 0):
            return None
        return self._kept("attention", offer.owner, lambda: Stop(LAYER, attention.sentence, f"programme {offer.owner}"))

    def _kept(self, name: str, key: str, make: Callable[[], Stop]) -> Stop:
        found = self._stops.get((name, key))
        if found is None:
            found = self._stops[name, key] = make()
        return found

    def _consent(self) -> Iterable[tuple[Mask, Stop]]:
        channel = self._situation.channel
        for purpose in self._approach.policy.purposes.values():
            told = self._situation.consent(purpose.name)
            if told is False or (told is None and purpose.asks(channel, self._situation.outbound)):
                find = partial(self._yes, purpose.name, told)
                stop = Stop(LAYER, purpose.sentence, f"purpose {purpose.name}", find=find)
                yield self._approach.where("purpose", purpose.name), stop

    def _suppressed(self) -> Iterable[tuple[Mask, Stop]]:
        for rule in self._approach.policy.suppressions:
            for past in self._situation.past:
                until = past.occurred_at + rule.days * DAY
                if (
                    past.status in rule.after
                    and until > self._now
                    and (not rule.reasons or past.reason in rule.reasons)
                ):
                    yield (
                        self._approach.scope(rule, past),
                        Stop(LAYER, rule.sentence, f"suppression of {rule.of}", find=self._from(until)),
                    )

    def _quiet(self) -> Iterable[tuple[Mask, Stop]]:
        quiet, situation = self._approach.policy.quiet, self._situation
        if quiet is None or not situation.outbound or situation.channel not in quiet.channels:
            return
        local = self._approach.policy.local(situation.as_of, situation.zone)
        if not quiet.holds(local.hour + local.minute / 60 + local.second / 3600):
            return
        hours = int(quiet.end)
        ends = local.replace(hour=hours % 24, minute=round((quiet.end - hours) * 60), second=0, microsecond=0)
        ends = ends if ends > local else ends + timedelta(days=1)
        mask = np.ones(len(self._approach.offers), dtype=bool)
        yield mask, Stop(LAYER, quiet.sentence, "quiet_hours", find=self._from(microseconds(ends)))

    def _from(self, moment: int) -> Callable[[], Flip]:
        # Of its own, since a stop that is kept here and leads back here would wait for the collector of garbage.
        return partial(_again, self._approach.policy, self._situation, moment)

    def _yes(self, purpose: str, told: bool | None) -> Flip:
        channel = self._situation.channel
        change = Change(f"consent.{purpose}.{channel}", told, True)
        return Flip(partial(sentences.say, sentences.FLIP_CONSENT, channel=channel), (change,))


def _again(policy: ContactPolicy, situation: Situation, moment: int) -> Flip:
    """Say from which moment on an offer may be made again."""
    at = from_microseconds(moment)
    local = policy.local(at, situation.zone)
    said = partial(sentences.say, sentences.FLIP_MOMENT, moment=local.isoformat(" ")[:16])
    return Flip(said, (Change("as_of", situation.as_of.isoformat(), at.isoformat()),))


def _may_fit(cap: Cap, offer: Offer) -> bool:
    return replace(cap, channels=()).fits(offer.id, offer.group, offer.kind, "")
