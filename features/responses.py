"""What came of offers, counted: how often each was made and taken up, updated by every outcome, late ones too.

A ledger that only grows: whenever what is known of a decision's offer changes, the difference is a row. So the counts
of any moment are sums, and those that a past decision rested on can be told again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import sqlalchemy as sa

from features import store
from features.events import event_id

TRIED = ("presented", "interested", "accepted", "declined", "fulfilled", "returned")
TAKEN = ("accepted", "fulfilled")
NOT_MADE = "not_presented"
MILLIONTHS = 1_000_000


@dataclass(frozen=True, slots=True)
class Offered:
    """An offer of a decision, and the share of takers, from 0 to 1, that the playbook stated for it then."""

    decision: str
    offer: str
    stated: float


@dataclass(frozen=True, slots=True)
class Responses:
    """How often each offer was made and taken up, and how many takers were stated, in millionths.

    `seq` numbers the newest row that the counts rest on.
    """

    seq: int = 0
    tried: Mapping[str, int] = field(default_factory=dict)
    taken: Mapping[str, int] = field(default_factory=dict)
    stated: Mapping[str, int] = field(default_factory=dict)


def report_id(decision: str, offer: str, status: str) -> str:
    """Name the event that tells a step of an offer; the same report always gets the same."""
    return event_id("outcome", decision, offer, status)


def reported(connection: sa.Connection, offered: Offered) -> set[str]:
    """Collect the steps of an offer that stand, of those that were told."""
    ids = {report_id(offered.decision, offered.offer, status): status for status in (*TRIED, NOT_MADE)}
    return {ids[row[0]] for row in _TOLD.fetch(connection, ids=list(ids))}


def count(connection: sa.Connection, offered: Offered, steps: set[str], moment: int) -> None:
    """Write down by how much the counts change, now that these steps of an offer stand."""
    told = steps - {NOT_MADE}
    tried = int(bool(told))
    now = (tried, int(not told.isdisjoint(TAKEN)), tried * round(offered.stated * MILLIONTHS))
    before = _BEFORE.fetch(connection, decision=offered.decision, offer=offered.offer)[0]
    change = tuple(one - (other or 0) for one, other in zip(now, before, strict=True))
    if any(change):
        row = {"decision": offered.decision, "offer": offered.offer, "recorded_at": moment}
        _INSERT.run(connection, [row | dict(zip(_COUNTS, change, strict=True))])


def responses_after(connection: sa.Connection, held: Responses, until: int | None = None) -> Responses:
    """Add to counts what was written down since; up to the row numbered `until`, if one is given."""
    rows = _AFTER.fetch(connection, after=held.seq, until=until if until is not None else 2**62)
    if not rows:
        return held
    sums = [dict(column) for column in (held.tried, held.taken, held.stated)]
    for _, offer, *changes in rows:
        for total, change in zip(sums, changes, strict=True):
            total[offer] = total.get(offer, 0) + change
    return Responses(rows[-1][0], *sums)


_COUNTS = ("tried", "taken", "stated")
_COLUMNS = [store.responses.c[name] for name in _COUNTS]
_TOLD = store.Prepared(
    sa.select(store.events.c.id)
    .where(store.events.c.id.in_(sa.bindparam("ids", expanding=True)))
    .where(store.events.c.superseded_at.is_(None) & (store.events.c.kind != "void"))
)
_BEFORE = store.Prepared(
    sa.select(*(store.whole_sum(column) for column in _COLUMNS))
    .where(store.responses.c.decision == sa.bindparam("decision", type_=sa.Text))
    .where(store.responses.c.offer == sa.bindparam("offer", type_=sa.Text))
)
_AFTER = store.Prepared(
    sa.select(store.responses.c.seq, store.responses.c.offer, *_COLUMNS)
    .where(store.responses.c.seq > sa.bindparam("after", type_=sa.BigInteger))
    .where(store.responses.c.seq <= sa.bindparam("until", type_=sa.BigInteger))
    .order_by(store.responses.c.seq)
)
_INSERT = store.Prepared(sa.insert(store.responses))
