"""Ten thousand events that don't fit, in one list and one by one; and one that doesn't among many that do."""

from itertools import cycle, islice
from typing import Any

import sqlalchemy as sa

from benchmarks.faults.asked import REFUSALS, Asker, written
from benchmarks.faults.bodies import told
from benchmarks.faults.found import Found
from benchmarks.faults.served import Place
from features import store
from features.store import Store

ROUTE, MOST = "/v1/interactions", 10_000
_GOOD = {"customer": "customer:malformed", "kind": "inquiry", "occurred_at": "2018-01-02T09:30:00+00:00"}
# Each for itself is refused.
_BAD: tuple[Any, ...] = (
    {}, [], None, 7, "text", True, {"event_id": "1"}, {**_GOOD, "event_id": 1}, {**_GOOD, "event_id": ""},
    {**_GOOD, "event_id": "1", "kind": "nothing"}, {**_GOOD, "event_id": "1", "kind": "tier"},
    {**_GOOD, "event_id": "1", "occurred_at": "yesterday"}, {**_GOOD, "event_id": "1", "occurred_at": "2018-01-02"},
    {**_GOOD, "event_id": "1", "occurred_at": "9999-12-31T23:59:59+00:00"},
    {**_GOOD, "event_id": "1", "occurred_at": "0001-01-01T00:00:00+14:00"},
    {**_GOOD, "event_id": "1", "amount": "1"}, {**_GOOD, "event_id": "1", "amount": 1e18},
    {**_GOOD, "event_id": "1", "kind": "purchase", "amount": -1}, {**_GOOD, "event_id": "1", "customer": " "},
    {**_GOOD, "event_id": "1", "customer": "phone:x"}, {**_GOOD, "event_id": "1", "surprise": 1},
    {**_GOOD, "event_id": "1", "body": {"a b": 1}}, {**_GOOD, "event_id": "1", "body": {"a": [1]}},
    {**_GOOD, "event_id": "1", "body": []}, {**_GOOD, "event_id": "1", "source": "CRM"},
    {**_GOOD, "event_id": "1", "channel": "fax"}, {**_GOOD, "event_id": "1", "kind": "consent", "quantity": 2},
    {**_GOOD, "event_id": "1", "recorded_at": "1900-01-01T00:00:00+00:00"},
)  # fmt: skip


def malformed(url: str, place: Place, alone: int = MOST) -> Found:
    """Tell them, and see that none of them was written, nor any that was told with one of them."""
    with Asker(url) as asker:
        many = list(islice(cycle(_BAD), MOST))
        asker.ask(ROUTE, written(many), what=f"{MOST:,} in one list", only=REFUSALS)
        asker.ask(ROUTE, written([{} for _ in range(MOST)]), what=f"{MOST:,} of nothing", only=REFUSALS)
        late = [
            {**_GOOD, "event_id": str(number), "kind": "tier" if number == MOST - 1 else "inquiry"}
            for number in range(MOST)
        ]
        asker.ask(ROUTE, written(late), what=f"one among {MOST:,}", only=REFUSALS)
        asker.ask(ROUTE, written([*late, *late]), what=f"{2 * MOST:,} in one list", only=REFUSALS)
        for number, bad in enumerate(islice(cycle(_BAD), alone)):
            asker.ask(ROUTE, written(bad), what=f"number {number}: {bad}", only=REFUSALS)
        if written_of(place.home.database_url):
            asker.said.wrong.append("something was written")
        return told(f"malformed events: {MOST:,} in one list, {alone:,} one by one", asker)


def written_of(address: str) -> int:
    """Count the events that were written of the customer whom all of them name."""
    opened = Store(address)
    with opened.reading() as connection:
        mine = store.events.c.reference == _GOOD["customer"]
        found = connection.scalar(sa.select(sa.func.count()).select_from(store.events).where(mine)) or 0
    opened.close()
    return found
