"""What the desk is asked, free of any wire format."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

LADDER = ("presented", "interested", "accepted", "declined", "fulfilled", "returned", "not_presented")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What to offer a customer over a channel; `language` None takes the glossary's first.

    `outbound` tells that we begin the conversation.
    """

    customer: str
    channel: str
    context: Mapping[str, Any] = field(default_factory=dict)
    offers: int = 3
    language: str | None = None
    outbound: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What became of one offer of a decision: a step of the ladder, why, who saw it, and when.

    `withdrawn` takes back that the step was reached.
    """

    decision_id: str
    offer: str
    status: str
    reason_code: str | None = None
    who: str | None = None
    occurred_at: datetime | None = None
    withdrawn: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """Something that happened with a customer, told by another system; `event_id` is that system's own."""

    event_id: str
    customer: str
    kind: str
    occurred_at: datetime
    source: str
    recorded_at: datetime | None = None
    channel: str = "other"
    product: str = ""
    place: str = ""
    quantity: float = 0.0
    amount: float = 0.0
    margin: float | None = None
    discount: float = 0.0
    body: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """A service visit that waits for its place in the order; what isn't told is taken from the playbook."""

    visit_id: str
    customer: str
    requested_at: datetime | None = None
    kind: str | None = None
    service_class: str | None = None
    due_at: datetime | None = None
    minutes: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """Who can go, when: how many engineers, from when on, for how long, and the minutes between the places.

    `travel_minutes` is square: its first row and column are the depot, the others the visits in the order given.
    """

    start_at: datetime | None = None
    engineers: int = 1
    minutes_available: float = 480.0
    travel_minutes: Sequence[Sequence[float]] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A contact that waits to be routed: who, over which channel, for what, and since when."""

    customer: str
    channel: str
    intent: str | None = None
    waiting_since: datetime | None = None
    context: Mapping[str, Any] = field(default_factory=dict)
    language: str | None = None
