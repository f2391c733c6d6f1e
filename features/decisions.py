"""The log of decisions and the ledger of contacts: what was decided, and how often somebody has been approached.

The ledger only grows: a contact is held by the decision that proposes it, then confirmed or released, each a row. A
decision is made, its contacts held and both written in one transaction that nobody else writes beside, so that no two
callers can both take what is left of a cap.
"""

import json
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from features import store
from features.clock import DAY, from_microseconds, microseconds
from features.deadline import Deadline
from features.engines import together, wait_for, writable
from features.errors import StoreError
from features.responses import NOT_MADE, Offered, Responses, count, reported, responses_after
from features.store import Store
from features.tombstones import Tombstones

HELD, CONFIRMED, RELEASED = "held", "confirmed", "released"


@dataclass(frozen=True, slots=True)
class Contact:
    """One proposal of an offer to one person: held by a decision, then confirmed as made, or released.

    `held_at` is in microseconds; `owner` is whose offer it is, and `tier` the person's at that moment.
    """

    contact: str
    decision: str
    reference: str
    offer: str
    kind: str
    group: str
    owner: str
    channel: str
    tier: str
    state: str
    held_at: int


_CONTACT = tuple(Contact.__dataclass_fields__)


@dataclass(frozen=True, slots=True)
class Ledger:
    """What counts against caps at a moment: a person's contacts that weren't released, and what owners have spent.

    `seq` numbers the newest row that it rests on. `spent` counts each owner's contacts with customers of the tiers
    whose attention is limited.
    """

    seq: int = 0
    contacts: tuple[Contact, ...] = ()
    spent: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Window:
    """How far back a ledger is looked at: contacts held since a moment, and what was spent on the last days.

    `days` and `tiers` say whose attention is limited, and over how many days, today included; no tiers, no limit.
    """

    since: datetime
    now: datetime
    tiers: tuple[str, ...] = ()
    days: int = 0

    @property
    def first_day(self) -> int:
        """The first day that counts, in days since 1970 (UTC)."""
        return microseconds(self.now) // DAY - self.days + 1


class Making:
    """A decision in the making: the ledger as it stands, and nobody else can change it until this one is written."""

    def __init__(self, connection: sa.Connection, references: list[str], window: Window) -> None:
        self._connection = connection
        self._tiers = window.tiers
        self.references = references
        self.written: tuple[str, datetime] | None = None
        self.ledger = _ledger(connection, references, window)

    def write(self, decision_id: str, customer: str, made_at: datetime, body: str, held: Collection[Contact]) -> None:
        """Write the decision down, and the contacts that it holds."""
        moment = microseconds(made_at)
        row = {"id": decision_id, "customer": customer, "made_at": moment, "body": body}
        self.written = decision_id, made_at
        with together(self._connection):
            wait_for(self._connection, _tiers({one.tier for one in held} - {*self._tiers}))
            _INSERT_DECISION.run(self._connection, [row])
            if held:
                _INSERT_CONTACT.run(self._connection, [_row(contact, moment) for contact in held])
                _spend(self._connection, held, 1)


class Decisions:
    """Every decision as it was answered, the ledger, and the playbooks that were decided by."""

    def __init__(self, opened: Store, tombstones: Tombstones) -> None:
        self._store = opened
        self._doubted = deque[tuple[str, list[str], datetime]]()
        self._tombstones = tombstones

    @contextmanager
    def making(self, references: Iterable[str], window: Window, deadline: Deadline | None = None) -> Iterator[Making]:
        """Make a decision alone: when the block ends what was written is on disk; when it raises, nothing is.

        Alone with the customer, and with what may be spent on the tiers whose attention is limited.

        Raises GivenUp when the deadline was missed; then nothing is written either. Raises ErasedCustomer when the
        customer was erased: of them nothing may be written down.
        """
        references, deadline = sorted(references), deadline or Deadline()
        self._take_back_doubted()
        made: Making | None = None
        try:
            with self._store.alone([*customers(references), *_tiers(window.tiers)]) as connection:
                deadline.check()
                self._tombstones.check(connection, references)
                made = Making(connection, references, window)
                yield made
                deadline.claim()
            kept = deadline.keep()
        except StoreError:
            self._doubt(made, deadline.claimed)
            raise
        if not kept:
            self._doubt(made, True)
            self._take_back_doubted()
            deadline.check()

    def _doubt(self, made: Making | None, claimed: bool) -> None:
        """Keep in mind a decision that nobody is told of, and that may have been written all the same."""
        if claimed and made and made.written:
            self._doubted.append((made.written[0], made.references, made.written[1]))

    def _take_back_doubted(self) -> None:
        while self._doubted:
            one = self._doubted[0]
            self.take_back(*one)
            with suppress(ValueError):
                self._doubted.remove(one)

    def take_back(self, decision_id: str, references: Iterable[str], at: datetime) -> bool:
        """Undo a decision that nobody was told of, if it was written; returns whether it was.

        Its contacts are released, but for those that another decision has named to somebody since.
        """
        names = sorted(references)
        with self._store.alone(customers(names)) as connection:
            held = _OF_DECISION.fetch(connection, decision=decision_id)
            wait_for(connection, _tiers({tier for _, tier in held}))
            for contact, _ in held:
                if {decision_id}.issuperset(_naming(connection, contact, names)):
                    _settle(connection, contact, RELEASED, microseconds(at))
            written = connection.execute(sa.delete(store.decisions).where(store.decisions.c.id == decision_id))
            return bool(written.rowcount)

    def body(self, decision_id: str) -> str | None:
        """Fetch a decision as it was written, or None."""
        with self._store.reading() as connection:
            return connection.scalar(sa.select(store.decisions.c.body).where(store.decisions.c.id == decision_id))

    def erased_at(self, decision_id: str) -> datetime | None:
        """Tell when a decision was erased with its customer; None where it wasn't."""
        with self._store.reading() as connection:
            at = self._tombstones.erased(connection, [decision_id]).get(decision_id)
        return None if at is None else from_microseconds(at)

    def get(self, decision_id: str) -> dict[str, Any] | None:
        """Fetch a decision as JSON values, or None."""
        body = self.body(decision_id)
        return None if body is None else dict(json.loads(body))

    def ids(self) -> list[str]:
        """List the decisions, in the order in which they were written."""
        with self._store.reading() as connection:
            return list(connection.scalars(sa.select(store.decisions.c.id).order_by(store.decisions.c.seq)))

    def ledger(self, references: Iterable[str], window: Window) -> Ledger:
        """Look at the ledger without holding anything."""
        with self._store.reading() as connection:
            return _ledger(connection, references, window)

    def everybody(self, window: Window) -> Ledger:
        """Look at the ledger of everybody at once, without holding anything."""
        table, since = store.contacts, microseconds(window.since)
        rows = sa.select(*(table.c[name] for name in _CONTACT)).where(table.c.held_at > since).order_by(table.c.seq)
        with self._store.reading() as connection:
            spent = _SPENT.fetch(connection, tiers=list(window.tiers), first=window.first_day) if window.tiers else []
            return Ledger(0, _standing(connection.execute(rows)), dict(spent))

    def spending(self, window: Window) -> dict[tuple[str, str], int]:
        """Count what each owner has spent on each of the tiers whose attention is limited, by (owner, tier)."""
        table = store.spending
        rows = sa.select(table.c.owner, table.c.tier, store.whole_sum(table.c.contacts))
        rows = rows.where(table.c.tier.in_(window.tiers) & (table.c.day >= window.first_day))
        with self._store.reading() as connection:
            found = connection.execute(rows.group_by(table.c.owner, table.c.tier))
            return {(owner, tier): count for owner, tier, count in found}

    def writable(self) -> bool:
        """Look at the store, and tell whether it may be written to and has room.

        Raises StoreError when it can't be read.
        """
        with self._store.reading() as connection:
            return writable(connection)

    def ledger_then(self, references: Iterable[str], window: Window, seq: int) -> Ledger:
        """Look at the ledger as it stood when its newest row had a number; what was spent is counted anew."""
        table = store.contacts
        rows = sa.select(*(table.c[name] for name in _CONTACT)).where(table.c.seq <= seq).order_by(table.c.seq)
        since, names = table.c.held_at > microseconds(window.since), table.c.reference.in_(list(references))
        spent_since = table.c.tier.in_(window.tiers) & (table.c.held_at >= window.first_day * DAY)
        with self._store.reading() as connection:
            contacts = _standing(connection.execute(rows.where(since & names)))
            others = _standing(connection.execute(rows.where(spent_since))) if window.tiers else ()
        spent: dict[str, int] = {}
        for contact in others:
            spent[contact.owner] = spent.get(contact.owner, 0) + 1
        return Ledger(seq, contacts, spent)

    def responses(self, held: Responses, until: int | None = None) -> Responses:
        """Add to what came of offers what has become known since; up to the row numbered `until`, if one is given."""
        with self._store.reading() as connection:
            return responses_after(connection, held, until)

    def tries(self, until: datetime) -> dict[tuple[str, str], bool]:
        """Tell of every offer that is known, by a moment, to have been made whether it was taken up.

        By (decision, offer).
        """
        table = store.responses
        sums = [store.whole_sum(table.c[name]) for name in ("tried", "taken")]
        query = sa.select(table.c.decision, table.c.offer, *sums).where(table.c.recorded_at <= microseconds(until))
        with self._store.reading() as connection:
            rows = connection.execute(query.group_by(table.c.decision, table.c.offer))
            return {(decision, offer): bool(taken) for decision, offer, tried, taken in rows if tried}

    def bodies(self, since: datetime | None = None, until: datetime | None = None) -> Iterator[str]:
        """Go through the decisions made in `[since, until)` as they were written, in that order."""
        table, parts = store.decisions, list[sa.ColumnElement[bool]]()
        parts += [] if since is None else [table.c.made_at >= microseconds(since)]
        parts += [] if until is None else [table.c.made_at < microseconds(until)]
        with self._store.reading() as connection:
            for rows in store.tuples(connection, sa.select(table.c.body).where(*parts).order_by(table.c.seq)):
                yield from (row[0] for row in rows)

    def keep_playbook(self, content_hash: str, files: Mapping[str, str], at: datetime) -> None:
        """Keep a playbook's files by their hash; one that is kept already stays as it is."""
        row = {"hash": content_hash, "first_used_at": microseconds(at), "files": json.dumps(files, ensure_ascii=False)}
        with self._store.writing() as connection:
            store.insert_new(connection, store.playbooks, [row])

    def playbook(self, content_hash: str) -> dict[str, str] | None:
        """Fetch the files of a playbook, each by its path, or None."""
        query = sa.select(store.playbooks.c.files).where(store.playbooks.c.hash == content_hash)
        with self._store.reading() as connection:
            files = connection.scalar(query)
        return None if files is None else dict(json.loads(files))


@dataclass(frozen=True, slots=True)
class Settlement:
    """What a report settles: the offer it is about, and the customer's contact that was held for it, if one was.

    `timed` says whether the report told when it happened; if not, a step that was told before keeps its moment.
    """

    contact: str | None
    customer: str
    offered: Offered
    at: datetime
    timed: bool = True


def told_in(body: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    """List every offer that a decision tells of: made, held out, running up and withheld.

    >>> told_in({"offers": [{"offer": "a"}], "held_out": [], "runners_up": [{"offer": "b"}], "withheld": []})
    ({'offer': 'a'}, {'offer': 'b'})
    """
    return (*body["offers"], *body["held_out"], *body["runners_up"], *body["withheld"])


def touched(connection: sa.Connection, settlement: Settlement) -> list[str]:
    """Name what nobody else may hold while a report is settled: its contact's customer and tier."""
    found = [] if settlement.contact is None else _contact(connection, settlement.contact)
    return [name for one in found for name in (*customers([one.reference]), *_tiers([one.tier]))]


def settle(connection: sa.Connection, settlement: Settlement) -> str | None:
    """Confirm or release the contact, or hold it again, and count what came of the offer; again changes nothing.

    All by the reports that stand, whichever came last, of every decision that made the contact's proposal; returns the
    state of the contact.
    """
    moment, steps = microseconds(settlement.at), reported(connection, settlement.offered)
    count(connection, settlement.offered, steps, moment)
    if settlement.contact is None:
        return None
    for other in {*_naming(connection, settlement.contact, [settlement.customer])} - {settlement.offered.decision}:
        steps |= reported(connection, replace(settlement.offered, decision=other))
    state = HELD if not steps else RELEASED if steps == {NOT_MADE} else CONFIRMED
    _settle(connection, settlement.contact, state, moment)
    return state


def _settle(connection: sa.Connection, contact: str, state: str, moment: int) -> None:
    for before in _contact(connection, contact):
        if before.state != state:
            _INSERT_CONTACT.run(connection, [_row(before, moment) | {"state": state}])
            if RELEASED in (before.state, state):
                _spend(connection, [before], -1 if state == RELEASED else 1)


def _contact(connection: sa.Connection, contact: str) -> list[Contact]:
    """Look a contact up as it stands; none where nobody held it."""
    return [Contact(*row) for row in _NEWEST_OF.fetch(connection, contact=contact)]


def _naming(connection: sa.Connection, contact: str, about: Sequence[str]) -> list[str]:
    """List the decisions about some customers that say that they made the proposal of a contact."""
    table = store.decisions
    likely = table.c.customer.in_(about) & table.c.body.contains(contact, autoescape=True)
    bodies = connection.execute(sa.select(table.c.id, table.c.body).where(likely))
    return [name for name, body in bodies if any(one["contact"] == contact for one in json.loads(body)["offers"])]


def customers(references: Iterable[str]) -> list[str]:
    """Name what whoever changes what is held of some references waits for."""
    return [f"customer {reference}" for reference in references]


def _tiers(tiers: Iterable[str]) -> list[str]:
    return [f"tier {tier}" for tier in sorted(tiers)]


def _row(contact: Contact, moment: int) -> dict[str, Any]:
    return {name: getattr(contact, name) for name in _CONTACT} | {"recorded_at": moment}


def _spend(connection: sa.Connection, held: Iterable[Contact], contacts: int) -> None:
    rows = [{"owner": one.owner, "tier": one.tier, "day": one.held_at // DAY, "contacts": contacts} for one in held]
    store.add_to(connection, store.spending, "contacts", rows)


def _ledger(connection: sa.Connection, references: Iterable[str], window: Window) -> Ledger:
    since = microseconds(window.since)
    rows = _CONTACTS.fetch(connection, references=list(references), since=since)
    contacts = _standing(row[1:] for row in rows)
    if not window.tiers:
        return Ledger(rows[-1][0] if rows else 0, contacts)
    spent = dict(_SPENT.fetch(connection, tiers=list(window.tiers), first=window.first_day))
    return Ledger(_NEWEST.fetch(connection)[0][0] or 0, contacts, spent)


def _standing(rows: Iterable[Any]) -> tuple[Contact, ...]:
    """Keep the contacts whose newest row doesn't release them."""
    newest = {row[0]: Contact(*row) for row in rows}
    return tuple(contact for contact in newest.values() if contact.state != RELEASED)


_CONTACTS = store.Prepared(
    sa.select(store.contacts.c.seq, *(store.contacts.c[name] for name in _CONTACT))
    .where(store.contacts.c.reference.in_(sa.bindparam("references", expanding=True)))
    .where(store.contacts.c.held_at > sa.bindparam("since", type_=sa.BigInteger))
    .order_by(store.contacts.c.seq)
)
_NEWEST_OF = store.Prepared(
    sa.select(*(store.contacts.c[name] for name in _CONTACT))
    .where(store.contacts.c.contact == sa.bindparam("contact", type_=sa.Text))
    .order_by(store.contacts.c.seq.desc())
    .limit(sa.literal_column("1"))
)
_OF_DECISION = store.Prepared(
    sa.select(store.contacts.c.contact, store.contacts.c.tier)
    .where(store.contacts.c.decision == sa.bindparam("decision", type_=sa.Text))
    .where(store.contacts.c.state == HELD)
    .distinct()
)
_SPENT = store.Prepared(
    sa.select(store.spending.c.owner, store.whole_sum(store.spending.c.contacts))
    .where(store.spending.c.tier.in_(sa.bindparam("tiers", expanding=True)))
    .where(store.spending.c.day >= sa.bindparam("first", type_=sa.BigInteger))
    .group_by(store.spending.c.owner)
)
_NEWEST = store.Prepared(sa.select(sa.func.max(store.contacts.c.seq)))
_INSERT_DECISION, _INSERT_CONTACT = (store.Prepared(sa.insert(table)) for table in (store.decisions, store.contacts))
