"""Answer one of every kind before saying ready, so that nobody waits for the first answer's imports."""

import json
from datetime import datetime, timedelta
from typing import Any

import httpx
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from features.clock import microseconds
from features.known import LEVELS
from features.looks import COLUMNS
from features.packed import CustomerEvents, pack
from serving import degraded, heap
from serving.degradation import STORE, Degraded
from serving.desk import Desk
from serving.requests import Ask

_STRANGER = "customer:rehearsal"
# Three answers that only read, and three refusals: nothing of a rehearsal is written down.
REHEARSED: dict[str, dict[str, Any]] = {
    "/v1/customers/lookup": {"customer": _STRANGER},
    "/v1/route": {"customer": _STRANGER, "channel": "phone"},
    "/v1/visits/prioritise": {"visits": [{"visit_id": "rehearsal", "customer": _STRANGER}]},
    "/v1/decisions": {"customer": _STRANGER, "channel": ""},
    "/v1/outcomes": {"decision_id": "d-rehearsal", "offer": "none", "status": "presented"},
    "/v1/interactions": {"customer": _STRANGER},
}


class Rehearsal:
    """ASGI middleware that rehearses when the application has started, then freezes what is on the heap.

    Freezing keeps Python's garbage collector from walking over everything that was imported, every few seconds.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on; rehearse before the application says that it has started."""
        if scope["type"] != "lifespan":
            await self.app(scope, receive, send)
            return

        async def ready(message: Message) -> None:
            if message["type"] == "lifespan.startup.complete":
                await rehearse(self.app)
                heap.settle()
            await send(message)

        await self.app(scope, receive, ready)


def warm(desk: Desk) -> None:
    """Decide for a stranger, with the store and without, and score somebody made up; write nothing of it down."""
    now, ask = desk.clock(), Ask(customer=_STRANGER, channel="phone")
    desk.consider(ask, now, "d-rehearsal")
    degraded.decision(desk, ask, now, Degraded(STORE, "open", now), "rehearsal")
    desk.scorer.score(_one_purchase(now), now)


def _one_purchase(now: datetime) -> CustomerEvents:
    moment = microseconds(now - timedelta(days=1))
    event: dict[str, Any] = {"kind": "purchase", "channel": "store", "occurred_at": moment, "recorded_at": moment}
    numbers = dict.fromkeys(("quantity", "amount", "margin", "discount"), 0)
    return pack([tuple((event | numbers).get(name, "") for name in (*COLUMNS, *LEVELS[1:], "body"))], now)


async def rehearse(app: ASGIApp) -> dict[str, int]:
    """Ask one of every kind, and return the status of each answer."""
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://rehearsal") as client:
        headers = {"content-type": "application/json"}
        return {
            route: (await client.post(route, content=json.dumps(body), headers=headers)).status_code
            for route, body in REHEARSED.items()
        }
