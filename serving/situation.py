"""What is known of a customer in the playbook's words, at the moment somebody asks."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from operator import attrgetter
from typing import Any

import numpy as np

from features.clock import DAY, microseconds
from features.contract import CONTRACT, FeatureRow
from features.events import CHANNELS, KINDS
from features.feature import Array
from features.glossary import Glossary
from features.packed import CustomerEvents
from features.responses import TRIED
from features.wordings import wordings_of_customer
from serving.offers import Offer
from serving.scores import Scores

EVERY_CHANNEL = "other"
UNKNOWN = np.full(len(CONTRACT.names), np.nan)
_READ, _NEWS = "serving.situation", "serving.situation.ages"
_CODES = {kind: code for code, kind in enumerate(KINDS)}
_SCORED = ("churn.", "value.")
_TOLD = {"churn": ("churn.risk",), "value": ("value.expected", "value.low", "value.high")}
STATUSES = {"presented": TRIED, "accepted": ("accepted",), "declined": ("declined",)}
_OF_OFFERS = {_CODES[kind]: kind.removeprefix("offer_") for kind in KINDS if kind.startswith("offer_")}
_FEATURES = tuple(f"features.{name}" for name in CONTRACT.names)
SCORES = {
    "churn.risk": "churn_risk",
    "churn.rank": "churn_rank",
    "churn.horizon_days": "horizon_days",
    "churn.active_days": "active_days",
    "value.expected": "expected_value",
    "value.low": "value_low",
    "value.high": "value_high",
    "value.rank": "value_rank",
    "value.tier": "tier",
}
_of_scores = attrgetter(*SCORES.values())


@dataclass(frozen=True, slots=True)
class Past:
    """What became of an offer made before: its step of the ladder, over which channel, when (microseconds), and why."""

    offer: str
    status: str
    channel: str
    occurred_at: int
    reason: str | None


@dataclass(frozen=True, slots=True)
class Wish:
    """What a customer said of being contacted for a purpose over a channel, each of them or every one, and when."""

    purpose: str
    channel: str
    yes: bool
    occurred_at: int


@dataclass(frozen=True)
class Situation:
    """What is known when somebody asks what to offer.

    `known` maps words such as `churn.risk`, and the terms, to values. `outbound` tells that we began the conversation.
    `past` is what became of earlier offers, in the order it occurred, and `wishes` what the customer said of being
    contacted. `ranked` are the words, and the terms that rest on them, that are unknown of everyone since there are
    ranks only. `zone` is the customer's time zone, where it is known.
    """

    as_of: datetime
    channel: str
    scores: Scores
    known: dict[str, Any]
    past: tuple[Past, ...] = ()
    wishes: tuple[Wish, ...] = ()
    ranked: frozenset[str] = frozenset()
    outbound: bool = False
    zone: str | None = None
    row: Array = field(default_factory=lambda: UNKNOWN, compare=False)

    def unscored(self, glossary: Glossary, looked_up: bool) -> "Situation":
        """Take away what models say, and all that rests on it; every term where the customer wasn't looked up."""
        known = {word: None if word.startswith(_SCORED) else value for word, value in self.known.items()}
        # Some terms hold of whoever has no history, such as a new customer: not to know it is something else.
        terms = glossary.tell(known) if looked_up else dict.fromkeys(term.name for term in glossary.terms)
        return replace(self, known=known | terms)

    def words(self, offer: Offer) -> Mapping[str, Any]:
        """Add to the known words those about one offer."""
        return {**self.known, "offer.kind": offer.kind, **self.offer_words.get(offer.id, {})}

    @cached_property
    def offer_words(self) -> dict[str, dict[str, Any]]:
        """The words about each offer with a past: days since its last steps, and why it was declined last.

        Whoever showed interest in an offer, took it up or declined it has been presented with it.
        """
        now, found = microseconds(self.as_of), dict[str, dict[str, Any]]()
        for one in self.past:
            words = found.setdefault(one.offer, {})
            for word, statuses in STATUSES.items():
                if one.status in statuses:
                    words[f"offer.days_since_{word}"] = (now - one.occurred_at) / DAY
            if one.status == "declined":
                words["offer.last_reason"] = one.reason
        return found

    def consent(self, purpose: str) -> bool | None:
        """Tell the newest wish about a purpose over this channel; None when the customer said nothing of it."""
        told = [
            (wish.occurred_at, wish.yes)
            for wish in self.wishes
            if wish.purpose in ("", purpose) and wish.channel in (EVERY_CHANNEL, self.channel)
        ]
        # Of a yes and a no at one moment, the no counts.
        return max(told, key=lambda wish: (wish[0], not wish[1]))[1] if told else None


def situation_of(
    events: CustomerEvents,
    row: FeatureRow,
    scores: Scores,
    channel: str,
    context: Mapping[str, Any],
    glossary: Glossary,
    outbound: bool = False,
) -> Situation:
    """Put scores, row, attributes, request and terms into words."""
    told, past, wishes = _read(events)
    known = words_of(scores, row.told, told, channel, context)
    known |= glossary.tell(known)
    ranked = _resting_on({word for name in scores.ranks_only for word in _TOLD[name]}, glossary)
    return Situation(
        row.as_of, channel, scores, known, past, wishes, ranked, outbound,
        told.get("time_zone"), row.values,
    )  # fmt: skip


def _read(events: CustomerEvents) -> tuple[dict[str, str], tuple[Past, ...], tuple[Wish, ...]]:
    """Read attributes, earlier offers and wishes out of events; what is read is kept with them."""
    if _READ not in events.derived:
        events.derived[_READ] = wordings_of_customer(events), tuple(_past(events)), tuple(_wishes(events))
    read: tuple[dict[str, str], tuple[Past, ...], tuple[Wish, ...]] = events.derived[_READ]
    return read


def words_of(
    scores: Any,
    values: list[float | None],
    attributes: Mapping[str, str],
    channel: str | None,
    context: Mapping[str, Any],
) -> dict[str, Any]:
    """Put what is known of a customer into words; `values` are a row's, None where unknown."""
    known: dict[str, Any] = dict(zip(SCORES, _of_scores(scores), strict=True))
    known["channel"] = channel
    known.update(zip(_FEATURES, values, strict=True))
    known.update((f"attributes.{name}", value) for name, value in attributes.items())
    known.update((f"context.{name}", value) for name, value in context.items())
    return known


def _resting_on(words: set[str], glossary: Glossary) -> frozenset[str]:
    """Add to some words the terms that rest on them, at whatever remove."""
    if words:
        for term in glossary.terms:
            if words.intersection(term.when.words):
                words.add(term.name)
    return frozenset(words)


def _past(events: CustomerEvents) -> Iterator[Past]:
    for place in np.flatnonzero((events.kind >= min(_OF_OFFERS)) & (events.kind <= max(_OF_OFFERS))):
        status = _OF_OFFERS[int(events.kind[place])]
        reason = _body(events, place).get("reason") if status in ("declined", "returned", "not_presented") else None
        channel = CHANNELS[events.channel[place]]
        yield Past(events.product[place], status, channel, int(events.occurred_at[place]), reason)


def _wishes(events: CustomerEvents) -> Iterator[Wish]:
    for place in np.flatnonzero(events.kind == _CODES["consent"]):
        yes, channel = bool(events.whole["quantity"][place] > 0), CHANNELS[events.channel[place]]
        yield Wish(events.product[place], channel, yes, int(events.occurred_at[place]))


def _body(events: CustomerEvents, place: Any) -> dict[str, Any]:
    return json.loads(events.body[place]) if events.body[place] else {}


def known_events(events: CustomerEvents) -> int:
    """Count the events that a decision rests on."""
    return _news(events)[0]


def _news(events: CustomerEvents) -> tuple[int, int, int]:
    """Count the events, and tell when the newest occurred and when the newest became known; kept with them."""
    if _NEWS not in events.derived:
        # A tier of record is our own word of the customer, and no news.
        told = events.kind != _CODES["tier"]
        newest = (int(moments[told].max(initial=-(2**62))) for moments in (events.occurred_at, events.recorded_at))
        events.derived[_NEWS] = int(told.sum()), *newest
    news: tuple[int, int, int] = events.derived[_NEWS]
    return news


def ages(
    events: CustomerEvents, as_of: datetime, trained_at: datetime, ranked_as_of: datetime | None
) -> dict[str, Any]:
    """Tell how old everything is that a decision rests on.

    The newest event counts from when it occurred and the newest record from when it became known, both in
    seconds; None without events. The ranking of next purchases is kept until an event changes it; its age is in
    seconds, None where nothing is ranked. The bundle's age counts from the moment whose history it was trained on, in
    days.
    """
    now, (count, occurred, recorded) = microseconds(as_of), _news(events)
    return {
        "features_as_of": as_of.isoformat(),
        "events": count,
        "newest_event_seconds": (now - occurred) / 1e6 if count else None,
        "newest_record_seconds": (now - recorded) / 1e6 if count else None,
        "next_purchases_seconds": (as_of - ranked_as_of).total_seconds() if ranked_as_of else None,
        "bundle_days": round((now - microseconds(trained_at)) / DAY, 3),
    }
