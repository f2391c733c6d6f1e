"""A whole question for every endpoint, every field filled; and the places in it that can be made to hold anything."""

import json
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

Place = tuple[str | int, ...]
_AT = "2018-01-02T09:30:00+00:00"
_MARK = "\ufdd0here\ufdd0"

QUESTIONS: dict[str, dict[str, Any]] = {
    "/v1/decisions": {
        "customer": "household:1228", "channel": "phone", "context": {"topic": "complaint", "calls": 2}, "offers": 3,
        "language": "en", "outbound": False,
    },
    "/v1/outcomes": {
        "decision_id": "d-6f9619ff-8b86-4d01-b42d-00cf4fc964ff", "offer": "ground_coffee", "status": "declined",
        "reason_code": "too_expensive", "who": "agent-17", "occurred_at": _AT, "withdrawn": False,
    },
    "/v1/interactions": {
        "event_id": "call-1", "source": "crm", "customer": "household:1228", "kind": "inquiry", "occurred_at": _AT,
        "recorded_at": _AT, "channel": "phone", "product": "1029743", "place": "store 330", "quantity": 2.0,
        "amount": 5.98, "margin": 1.5, "discount": 0.4, "body": {"value": "35-44", "level": 3},
    },
    "/v1/customers/lookup": {"customer": "household:1228"},
    "/v1/route": {
        "customer": "household:1228", "channel": "phone", "intent": "cancel", "waiting_since": _AT,
        "context": {"topic": "delivery", "calls": 2}, "language": "en",
    },
    "/v1/visits/prioritise": {
        "visits": [
            {
                "visit_id": "v-1", "customer": "household:1228", "requested_at": _AT, "kind": "repair",
                "service_class": "urgent", "due_at": _AT, "minutes": 45.0,
            }
        ],
        "language": "en", "start_at": _AT, "engineers": 1, "minutes_available": 480.0,
        "travel_minutes": [[0.0, 15.0], [15.0, 0.0]],
    },
}  # fmt: skip


def places(kind: type | tuple[type, ...]) -> Iterator[tuple[str, Place]]:
    """List every place, of every endpoint's question, that holds a value of some type."""
    for route, question in QUESTIONS.items():
        for place, value in _leaves(question, ()):
            if isinstance(value, kind) and not isinstance(value, bool):
                yield route, place


def holding(route: str, place: Place, literal: str) -> bytes:
    """Write an endpoint's question with a piece of JSON at a place, whether or not it is any."""
    return (
        json.dumps(replaced(route, place, _MARK)).replace(json.dumps(_MARK), literal).encode("utf-8", "surrogatepass")
    )


def replaced(route: str, place: Place, value: object) -> dict[str, Any]:
    """Make an endpoint's question with another value at a place."""
    question = deepcopy(QUESTIONS[route])
    *outer, last = place
    inner: Any = question
    for step in outer:
        inner = inner[step]
    inner[last] = value
    return question


def _leaves(value: Any, place: Place) -> Iterator[tuple[Place, Any]]:
    if isinstance(value, dict):
        for name, part in value.items():
            yield from _leaves(part, (*place, name))
    elif isinstance(value, list):
        for number, part in enumerate(value):
            yield from _leaves(part, (*place, number))
    else:
        yield place, value
