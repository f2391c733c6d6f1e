"""What callers were answered against what the store holds: nothing lost, nothing double, no cap overshot."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from benchmarks.faults.callers import Journal
from features import store
from features.clock import DAY
from features.decisions import HELD, RELEASED
from features.events import event_id
from features.responses import report_id
from features.store import Store
from serving.contact import Cap


@dataclass(frozen=True, slots=True)
class Audit:
    """What was found missing, double, above a cap, or half written."""

    lost: int
    double: int
    overshot: int
    torn: int


def audit(url: str, journal: Journal, caps: Sequence[Cap]) -> Audit:
    """Compare a journal with the store at an address, by the store's own rows."""
    opened = Store(url)
    with opened.reading() as connection:
        decisions = dict(_rows(connection, store.decisions, "id", "body"))
        versions = Counter(row[0] for row in _rows(connection, store.events, "id"))
        tried = _rows(connection, store.responses, "decision", "offer", "tried", "taken")
        contacts = _rows(connection, store.contacts, *_CONTACT)
    opened.close()
    told = [report_id(*one) for one in journal.outcomes]
    told += [event_id("interaction", "faults", name) for name in journal.interactions]
    return Audit(
        lost=sum(decisions.get(name) != text for name, text in journal.decisions.items())
        + sum(name not in versions for name in told),
        double=sum(versions[name] > 1 for name in told) + _counted_twice(tried),
        overshot=overshot(contacts, caps),
        torn=sum(row[1] not in decisions for row in contacts),
    )


_CONTACT = ("contact", "decision", "reference", "offer", "kind", "group", "channel", "tier", "state", "held_at")


def overshot(contacts: Iterable[Sequence[Any]], caps: Sequence[Cap]) -> int:
    """Count the proposals that were above a cap when they were held, by going through the ledger from its start.

    The rows are in the order in which they were written: contact, decision, reference, offer, kind, group, channel,
    tier, state and the moment held. Each is counted by itself here, not as the service counts.
    """
    standing: dict[str, dict[str, Sequence[Any]]] = {}
    above = 0
    for row in contacts:
        mine = standing.setdefault(row[2], {})
        if row[8] == RELEASED:
            mine.pop(row[0], None)
            continue
        fresh = row[8] == HELD and row[0] not in mine
        mine[row[0]] = row
        above += fresh and any(_above(cap, row, mine.values()) for cap in caps)
    return above


def _above(cap: Cap, new: Sequence[Any], held: Iterable[Sequence[Any]]) -> bool:
    if not _fits(cap, new) or (cap.tiers and new[7] not in cap.tiers):
        return False
    since = new[9] - cap.days * DAY
    counted: int = sum(_fits(cap, one) and one[9] > since and (not cap.each_offer or one[3] == new[3]) for one in held)
    return counted > cap.most


def _fits(cap: Cap, row: Sequence[Any]) -> bool:
    named = ((cap.offers, row[3]), (cap.kinds, row[4]), (cap.groups, row[5]), (cap.channels, row[6]))
    return all(not names or one in names for names, one in named)


def _counted_twice(rows: Iterable[Sequence[Any]]) -> int:
    tried: Counter[tuple[str, str]] = Counter()
    taken: Counter[tuple[str, str]] = Counter()
    for decision, offer, more_tried, more_taken in rows:
        tried[decision, offer] += more_tried
        taken[decision, offer] += more_taken
    return sum(count > 1 for count in (*tried.values(), *taken.values()))


def _rows(connection: sa.Connection, table: sa.Table, *names: str) -> list[tuple[Any, ...]]:
    query = sa.select(*(table.c[name] for name in names))
    ordered = query.order_by(table.c.seq) if "seq" in table.c else query
    return [tuple(row) for row in connection.execute(ordered)]
