"""Erasing a person: whatever names them leaves the store in one transaction, and a mark keeps it from coming back.

What only counts stays, without a name and by the day alone: how often offers were made and taken up, and what owners of
offers have spent of their budgets. So nobody else's decision changes, and any comes out the same when it is made again.
"""

import hashlib
import json
import secrets
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from features import store
from features.clock import DAY, from_microseconds, microseconds
from features.decisions import customers
from features.disclosure import Rows, held_of
from features.naming import Mention, Names, likely_in
from features.persons import Person, person_of
from features.store import Store, metadata
from features.tombstones import ERASED, LIFTED, Tombstones, standing, tell_taken_out, values_of

Finding = Callable[[sa.Connection], Names]
# Where a text may name somebody whom the row isn't about.
_SPOKEN = (store.events, store.decisions, store.shadows)
_BODIES_AT_ONCE = 500
_CALLED = (store.references.c.reference, store.contacts.c.reference, store.decisions.c.customer)


@dataclass(frozen=True, slots=True)
class Erased:
    """What an erasure took: rows deleted, texts of others that named the person, and rows left nameless, by table.

    `references` are the person's, `values` what they are called without their type, and `decisions` those about them,
    each with its digest.
    """

    references: Mapping[str, str]
    values: Mapping[str, str]
    decisions: Mapping[str, str]
    deleted: Mapping[str, int]
    unnamed: Mapping[str, int]
    nameless: Mapping[str, int]


@dataclass(frozen=True)
class _Seen:
    """What a first look found, which keeps nobody waiting, and up to which number of each table's rows."""

    mentions: tuple[Mention, ...] = ()
    until: Mapping[str, int] | None = None


class Erasures:
    """Who was erased from a store, and who is to be."""

    def __init__(self, opened: Store, tombstones: Tombstones) -> None:
        self._store, self._tombstones = opened, tombstones

    @property
    def store(self) -> str:
        """The address of the store, without a password."""
        return self._store.address

    def person(self, reference: str) -> Person:
        """Collect the references of the person behind one, now and ever."""
        with self._store.reading() as connection:
            return person_of(connection, [reference])

    def held(self, names: Names) -> dict[str, Rows]:
        """Collect everything that is held of somebody, by table."""
        with self._store.reading() as connection:
            return held_of(connection, names)

    def counts(self, names: Names) -> dict[str, int]:
        """Count the rows that an erasure would delete, or leave nameless, by table."""
        with self._store.reading() as connection:
            about = _about(connection, names, _looked(connection, names).mentions)
            return {
                table.name: sum(1 for _ in _among(connection, table, columns[0], columns, some))
                for table, columns, some in [*_owned(names, about), *_counting(names, about)]
            }

    def named(self, names: Names) -> dict[str, int]:
        """Count the texts of every table that name somebody: none, once they are erased."""
        with self._store.reading() as connection:
            return {table.name: sum(1 for _ in names.mentions(connection, table)) for table in metadata.sorted_tables}

    def newest(self) -> datetime | None:
        """Tell when somebody was erased last; None where nobody ever was."""
        query = sa.select(sa.func.max(store.erasures.c.erased_at)).where(store.erasures.c.action == ERASED)
        with self._store.reading() as connection:
            at = connection.scalar(query)
        return None if at is None else from_microseconds(at)

    def erase(self, find: Finding, at: datetime, keep: Callable[[Erased], None]) -> Erased:
        """Erase whom `find` finds, within one transaction.

        Nobody writes about them meanwhile: it waits for the locks of the customer, then for that of all that is told.
        `keep` is given what goes right before the commit, after which nobody can be found by the store any more.
        """
        while True:
            with self._store.reading() as connection:
                names = find(connection)
                seen = _looked(connection, names)
            with self._store.alone([*customers(sorted(names.references)), store.TOLD]) as connection:
                # Somebody may have linked another reference to them meanwhile, whose lock isn't held.
                if find(connection).references <= names.references:
                    erased = erase_within(connection, self._tombstones, names, at, seen)
                    keep(erased)
                    return erased

    def lift(self, references: Collection[str], at: datetime) -> int:
        """Let something be told again of references that were erased; returns how many were."""
        with self._store.alone([store.TOLD]) as connection:
            erased = self._tombstones.erased(connection, references)
            self._tombstones.mark(connection, {*erased, *values_of(erased)}, LIFTED, at)
        return len(erased)

    def bury(self, digests: Iterable[str], at: datetime) -> None:
        """Mark what was erased from another store, such as the one whose place this one has taken."""
        with self._store.alone([store.TOLD]) as connection:
            self._tombstones.mark_digests(connection, digests, ERASED, at)

    def holding(self, digests: Collection[str]) -> set[str]:
        """Tell which of some digests are marked as erased."""
        with self._store.reading() as connection:
            return {digest for digest, mark in standing(connection, digests).items() if mark.action == ERASED}

    def took_place(self, digests: Collection[str], at: datetime) -> bool:
        """Tell whether some digests were marked at a moment, whatever was said of them since.

        It waits for whoever is about to: a server may commit for a process that is gone.
        """
        table = store.erasures
        mine = table.c.digest.in_(digests) & (table.c.action == ERASED) & (table.c.erased_at == microseconds(at))
        with self._store.alone([store.TOLD]) as connection:
            return connection.execute(sa.select(sa.literal(1)).where(mine).limit(1)).first() is not None

    def known(self, digests: Collection[str]) -> Names:
        """Name whoever in the store has one of some digests."""
        with self._store.reading() as connection:
            return marked(self._tombstones, digests)(connection)

    def wipe(self) -> None:
        """See that what was deleted isn't left in the store's files."""
        self._store.wipe()


def behind(reference: str, once: bool) -> Finding:
    """Find the person behind a reference, with the references that were `once` theirs or without."""

    def find(connection: sa.Connection) -> Names:
        person = person_of(connection, [reference])
        return Names(person.references | person.once if once else person.references)

    return find


def marked(tombstones: Tombstones, digests: Collection[str]) -> Finding:
    """Find whoever in a store has one of some digests, be it only in a text about somebody else."""

    def find(connection: sa.Connection) -> Names:
        wanted, found = set(digests), set[str]()
        for names in _called(connection):
            found |= {name for name, digest in tombstones.digests(connection, names).items() if digest in wanted}
        return Names(found)

    return find


def _called(connection: sa.Connection) -> Iterator[set[str]]:
    """Go through what may be somebody's reference in a store, some at a time."""
    for column in _CALLED:
        for rows in store.tuples(connection, sa.select(column).distinct()):
            yield {row[0] for row in rows}
    for table in _SPOKEN:
        for rows in store.tuples(connection, sa.select(table.c.body).where(table.c.body != "")):
            for start in range(0, len(rows), _BODIES_AT_ONCE):
                yield {name for row in rows[start : start + _BODIES_AT_ONCE] for name in likely_in(row[0])}


def erase_within(
    connection: sa.Connection, tombstones: Tombstones, names: Names, at: datetime, seen: _Seen | None = None
) -> Erased:
    """Erase within a transaction that nobody writes beside."""
    seen = seen or _Seen()
    mentions = [*seen.mentions, *_looked(connection, names, seen.until).mentions]
    about = _about(connection, names, mentions)
    nameless, moved = _leave_nameless(connection, names, about), _moved(connection, names)
    deleted = {table.name: _delete(connection, table, columns, some) for table, columns, some in _owned(names, about)}
    _renumber(connection, moved)
    unnamed = dict.fromkeys((table.name for table in _SPOKEN), 0)
    for mention in mentions:
        unnamed[mention.table.name] += _unname(connection, names, mention)
    tell_taken_out(connection, at)
    references, values, decisions = (
        tombstones.mark(connection, some, ERASED, at) for some in (names.references, values_of(names.references), about)
    )
    return Erased(references, values, decisions, deleted, unnamed, nameless)


def _looked(connection: sa.Connection, names: Names, after: Mapping[str, int] | None = None) -> _Seen:
    until, mentions = dict[str, int](), list[Mention]()
    for table in _SPOKEN:
        until[table.name] = connection.scalar(sa.select(sa.func.coalesce(sa.func.max(table.c.seq), 0))) or 0
        mentions += names.mentions(connection, table, (after or {}).get(table.name))
    return _Seen(tuple(mentions), until)


def _about(connection: sa.Connection, names: Names, mentions: Iterable[Mention]) -> set[str]:
    """Find the decisions about the person: of a customer by that name, or asked for by one of the references."""
    table = store.decisions
    asked_for = [
        mention.key[0]
        for mention in mentions
        if mention.table is table and mention.column == "body" and _asked_for(mention.text, names)
    ]
    ids = connection.scalars(sa.select(table.c.id).where(table.c.seq.in_(asked_for))).all()
    return {*ids, *_among(connection, table, "id", ("customer",), names.references)}


def _asked_for(body: str, names: Names) -> bool:
    told = json.loads(body)
    return not names.references.isdisjoint((told.get("customer"), told.get("reference")))


def _owned(names: Names, about: set[str]) -> list[tuple[sa.Table, tuple[str, ...], Collection[str]]]:
    """List the tables whose rows are a person's own, by which columns, and by whose names."""
    return [
        (store.events, ("reference",), names.references),
        (store.links, ("first", "second"), names.references),
        (store.references, ("reference",), names.references),
        (store.shadows, ("decision",), about),
        (store.decisions, ("id",), about),
    ]


def _counting(names: Names, about: set[str]) -> list[tuple[sa.Table, tuple[str, ...], Collection[str]]]:
    """List the tables whose rows count on when they name nobody."""
    return [(store.contacts, ("reference",), names.references), (store.responses, ("decision",), about)]


def _delete(connection: sa.Connection, table: sa.Table, columns: tuple[str, ...], names: Iterable[str]) -> int:
    count = 0
    for part in store.parts(names):
        among = sa.or_(*(table.c[column].in_(part) for column in columns))
        count += connection.execute(sa.delete(table).where(among)).rowcount
    return count


def _among(
    connection: sa.Connection, table: sa.Table, wanted: str, columns: tuple[str, ...], names: Iterable[str]
) -> Iterator[str]:
    """Go through a column of the rows that have one of some names in one of some columns."""
    for part in store.parts(names):
        among = sa.or_(*(table.c[column].in_(part) for column in columns))
        yield from connection.scalars(sa.select(table.c[wanted]).where(among))


def _moved(connection: sa.Connection, names: Names) -> list[tuple[str, int]]:
    """Find the events that were told of the person and of somebody else, with their first version of the others."""
    table, found = store.events, list[tuple[str, int]]()
    for part in store.parts(names.references):
        theirs = sa.select(table.c.id).where(table.c.reference.in_(part))
        others = sa.select(table.c.id, sa.func.min(table.c.version)).where(table.c.reference.not_in(names.references))
        found += map(tuple, connection.execute(others.where(table.c.id.in_(theirs)).group_by(table.c.id)))
    return found


def _renumber(connection: sa.Connection, firsts: Iterable[tuple[str, int]]) -> None:
    """Let each event have a first version: by its number it is known that the event was told before."""
    table = store.events
    for event, version in firsts:
        connection.execute(sa.update(table).where(table.c.id == event, table.c.version == version).values(version=0))


def _unname(connection: sa.Connection, names: Names, mention: Mention) -> int:
    """Leave the names out of a text of somebody else's row; one that is gone already counts as none."""
    table, key = mention.table, list(mention.table.primary_key)
    mine = sa.and_(*(column == value for column, value in zip(key, mention.key, strict=True)))
    changed = sa.update(table).where(mine).values({mention.column: names.without(mention.text)})
    return connection.execute(changed).rowcount


def _leave_nameless(connection: sa.Connection, names: Names, about: set[str]) -> dict[str, int]:
    """Keep what counts of contacts and responses, under a name that nobody can make again, and by the day alone."""
    salt, contacts, responses = secrets.token_bytes(32), 0, 0
    held = {*_among(connection, store.contacts, "decision", ("reference",), names.references)}
    for decision in sorted(held | about):
        token = hashlib.blake2b(decision.encode(), digest_size=16, key=salt).hexdigest()
        for part in store.parts(names.references):
            theirs = (store.contacts.c.decision == decision) & store.contacts.c.reference.in_(part)
            hidden = {"contact": sa.literal(f"{token}/") + store.contacts.c.offer, "reference": ""}
            contacts += _by_the_day(connection, store.contacts, theirs, token, ("held_at", "recorded_at"), hidden)
        of_it = store.responses.c.decision == decision
        responses += _by_the_day(connection, store.responses, of_it, token, ("recorded_at",), {})
    return {"contacts": contacts, "responses": responses}


def _by_the_day(
    connection: sa.Connection, table: sa.Table, mine: sa.ColumnElement[bool], token: str, moments: tuple[str, ...],
    hidden: Mapping[str, object],
) -> int:  # fmt: skip
    days = {name: table.c[name] - table.c[name] % DAY for name in moments}
    return connection.execute(sa.update(table).where(mine).values({**hidden, **days, "decision": token})).rowcount
