"""What is known of a customer in the playbook's words, at the moment somebody asks."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import numpy as np

from features.aggregates import DAY
from features.clock import microseconds
from features.contract import FeatureRow
from features.events import KINDS
from features.glossary import Glossary
from features.packed import CustomerEvents
from serving.policy import Situation
from serving.scores import Scores

_CODES = {kind: code for code, kind in enumerate(KINDS)}
_TOLD = {"churn": ("churn.risk",), "value": ("value.expected", "value.low", "value.high")}
_PRESENTED = ("presented", "interested", "accepted", "declined", "fulfilled", "returned")
_STATUSES = {"presented": _PRESENTED, "accepted": ("accepted",), "declined": ("declined",)}


def situation_of(
    events: CustomerEvents,
    row: FeatureRow,
    scores: Scores,
    channel: str,
    context: Mapping[str, Any],
    glossary: Glossary,
) -> Situation:
    """Put scores, row, attributes, request and terms into words."""
    known: dict[str, Any] = {
        "churn.risk": scores.churn_risk,
        "churn.rank": scores.churn_rank,
        "churn.horizon_days": scores.horizon_days,
        "churn.active_days": scores.active_days,
        "value.expected": scores.expected_value,
        "value.low": scores.value_low,
        "value.high": scores.value_high,
        "value.rank": scores.value_rank,
        "value.tier": scores.tier,
        "channel": channel,
        **{f"features.{name}": value for name, value in row.as_dict().items()},
        **{f"attributes.{name}": value for name, value in attributes(events).items()},
        **{f"context.{name}": value for name, value in context.items()},
    }
    known |= glossary.tell(known)
    ranked = _resting_on({word for name in scores.ranks_only for word in _TOLD[name]}, glossary)
    return Situation(row.as_of, channel, scores, known, offer_days(events, row.as_of), ranked)


def _resting_on(words: set[str], glossary: Glossary) -> frozenset[str]:
    """Add to some words the terms that rest on them, at whatever remove."""
    for term in glossary.terms:
        if words.intersection(term.when.words):
            words.add(term.name)
    return frozenset(words)


def attributes(events: CustomerEvents) -> dict[str, str]:
    """Collect the latest wording of each attribute; one without wording is left out."""
    found: dict[str, str] = {}
    for place in np.flatnonzero(events.kind == _CODES["attribute"]):
        body = json.loads(events.body[place]) if events.body[place] else {}
        if isinstance(value := body.get("value"), str):
            found[events.product[place]] = value
    return found


def offer_days(events: CustomerEvents, as_of: datetime) -> dict[str, dict[str, float]]:
    """Count the days since each offer was last presented, accepted or declined.

    Whoever showed interest in an offer, took it up or declined it has been presented with it.
    """
    now = microseconds(as_of)
    days: dict[str, dict[str, float]] = {}
    for word, statuses in _STATUSES.items():
        codes = [_CODES[f"offer_{status}"] for status in statuses]
        for place in np.flatnonzero(np.isin(events.kind, codes)):
            passed = (now - int(events.occurred_at[place])) / DAY
            days.setdefault(events.product[place], {})[f"days_since_{word}"] = passed
    return days


def ages(
    events: CustomerEvents, as_of: datetime, trained_at: datetime, ranked_as_of: datetime | None
) -> dict[str, Any]:
    """Tell how old everything is that a decision rests on.

    The newest event counts from when it occurred and the newest record from when it became known, both in
    seconds; None without events. The ranking of next purchases is kept until an event changes it; its age is in
    seconds, None where nothing is ranked. The bundle's age counts from the moment whose history it was trained on, in
    days.
    """
    # A tier of record is our own word of the customer, and no news.
    now, told = microseconds(as_of), events.kind != _CODES["tier"]
    return {
        "features_as_of": as_of.isoformat(),
        "events": int(told.sum()),
        "newest_event_seconds": (now - int(events.occurred_at[told].max())) / 1e6 if told.any() else None,
        "newest_record_seconds": (now - int(events.recorded_at[told].max())) / 1e6 if told.any() else None,
        "next_purchases_seconds": (as_of - ranked_as_of).total_seconds() if ranked_as_of else None,
        "bundle_days": round((now - microseconds(trained_at)) / DAY, 3),
    }
