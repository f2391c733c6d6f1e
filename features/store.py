"""The tables, and how they are opened, read and written: SQLite by default; the URL chooses."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from functools import cache
from itertools import repeat
from threading import local
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from features import engines, revisions
from features.engines import is_postgresql, wait_for
from features.turns import Turns

metadata = sa.MetaData()
# What whoever tells something new waits for, so that numbers of rows rise in the order of commits.
TOLD = "what is told"
Query = sa.Select[tuple[Any, ...]]
_ROWS_AT_ONCE = 50_000
_NAMES_AT_ONCE = 10_000


def _text(name: str, **options: Any) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False, server_default="", **options)


def _whole(name: str, **options: Any) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=False, **options)


def _sequence() -> sa.Column[int]:
    return sa.Column("seq", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True)


# Moments are microseconds since 1970 in UTC; quantity, amount, margin and discount are ten-thousandths; the offset of
# the local clock from UTC is in seconds.
# A version of an event is known from `recorded_at` until before `superseded_at`; without an end, it still stands.
events = sa.Table(
    "events",
    metadata,
    _sequence(),
    _text("id"),
    _whole("version", server_default="0"),
    _text("source"),
    _text("source_reference"),
    _text("reference"),
    _text("kind"),
    _text("channel"),
    _text("product"),
    _text("place"),
    _whole("quantity"),
    _whole("amount"),
    sa.Column("margin", sa.BigInteger),
    _whole("discount"),
    _whole("occurred_at"),
    _whole("recorded_at", index=True),
    _whole("utc_offset", server_default="0"),
    sa.Column("superseded_at", sa.BigInteger),
    _text("body"),
    sa.UniqueConstraint("id", "version"),
    sa.Index("events_of_reference", "reference", "seq"),
)
references = sa.Table("references", metadata, _text("reference", primary_key=True), _text("value", index=True))
links = sa.Table(
    "links",
    metadata,
    _sequence(),
    _text("first", index=True),
    _text("second", index=True),
    _text("action"),
    _whole("recorded_at", index=True),
    sa.UniqueConstraint("first", "second", "action", "recorded_at"),
)
products = sa.Table(
    "products",
    metadata,
    _text("product", primary_key=True),
    _text("name"),
    _text("type"),
    _text("category"),
    _text("department"),
    _whole("revision", index=True),
)
decisions = sa.Table(
    "decisions",
    metadata,
    _sequence(),
    _text("id", unique=True),
    _text("customer", index=True),
    _whole("made_at", index=True),
    _text("body"),
)


# The ledger of contacts: a row whenever a contact is held, confirmed or released; the newest row of a contact holds.
contacts = sa.Table(
    "contacts",
    metadata,
    _sequence(),
    _text("contact"),
    _text("decision", index=True),
    _text("reference"),
    _text("offer"),
    _text("kind"),
    _text("group"),
    _text("owner"),
    _text("channel"),
    _text("tier"),
    _text("state"),
    _whole("held_at"),
    _whole("recorded_at"),
    sa.Index("contacts_of_reference", "reference", "seq"),
    sa.Index("contacts_of_contact", "contact", "seq"),
)
# What each owner of offers has spent of its budget on a day (days since 1970, in UTC) with customers of a tier.
spending = sa.Table(
    "spending",
    metadata,
    _text("owner", primary_key=True),
    _text("tier", primary_key=True),
    _whole("day", primary_key=True),
    _whole("contacts"),
)
# How much more is known of how often offers are made and taken up: a row whenever an outcome changes it.
responses = sa.Table(
    "responses",
    metadata,
    _sequence(),
    _text("decision"),
    _text("offer"),
    _whole("tried"),
    _whole("taken"),
    _whole("stated"),
    _whole("recorded_at"),
    sa.Index("responses_of_offer", "decision", "offer"),
)
# Every playbook that a desk was opened with, whole, so that its decisions can be made again.
playbooks = sa.Table(
    "playbooks",
    metadata,
    _text("hash", primary_key=True),
    _whole("first_used_at"),
    _text("files"),
)
# Who may ask: the keys of callers, each as a hash that can't be turned back.
keys = sa.Table(
    "keys",
    metadata,
    _text("key", primary_key=True),
    _text("name"),
    _text("role"),
    _text("hash"),
    sa.Column("rate", sa.BigInteger),
    _whole("made_at"),
    sa.Column("revoked_at", sa.BigInteger),
)
# References that were erased, each as a keyed hash that names nobody: what is told of them again isn't taken.
# The newest row of a digest holds; `secret` tells which secret it was made with. A row without a digest says that rows
# were taken out of the store, so that nobody goes on with what they have kept of them.
erasures = sa.Table(
    "erasures",
    metadata,
    _sequence(),
    _text("digest", index=True),
    _text("secret"),
    _text("action"),
    _whole("erased_at"),
)
# What a challenger would have decided beside a decision, never answered.
shadows = sa.Table(
    "shadows",
    metadata,
    _sequence(),
    _text("decision"),
    _text("bundle", index=True),
    _whole("made_at"),
    _text("body"),
    sa.UniqueConstraint("decision", "bundle"),
)


class Store:
    """An open store; whatever goes wrong with it is a StoreError."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._engine = engines.engine_of(url)
        self._turns = Turns(self._engine)
        self._looking = self._engine.execution_options(**engines.looking(self._engine))
        self._held = local()
        self.address = place = engines.address(self._engine)
        with ExitStack() as undo, engines.faults(self._engine, f"open at {place}", "; check HOLDFAST_DATABASE_URL"):
            undo.callback(self.close)
            revisions.settle(self._engine, metadata)
            undo.pop_all()

    def close(self) -> None:
        """Let go of the store."""
        self._turns.close()
        self._engine.dispose()

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """Give a transaction; it is on disk when the block ends, and undone when the block raises."""
        with engines.faults(self._engine, "be written"), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def alone(self, names: Iterable[str] = (), apart: bool = False) -> Iterator[sa.Connection]:
        """Give a transaction that nobody else writes beside, from before its first look.

        On PostgreSQL, nobody else who names any of the same; they are waited for in the order given. On SQLite writers
        share a flush, but for whoever has so much to write that they do it `apart`.
        """
        if engines.is_postgresql(self._engine):
            with self.writing() as connection:
                wait_for(connection, names)
                yield connection
            return
        with engines.faults(self._engine, "be written"), self._turns.taken(apart) as connection:
            yield connection

    def wipe(self) -> None:
        """See that what was deleted isn't left in the store's files; writers wait meanwhile."""
        with engines.faults(self._engine, "be wiped of what was deleted"):
            engines.wipe(self._engine, list(metadata.tables))

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """Give a connection to look with."""
        held: sa.Connection | None = getattr(self._held, "connection", None)
        if held is not None:
            yield held
            return
        with engines.faults(self._engine, "be read"), self._looking.connect() as connection:
            yield connection

    def checkpoint(self) -> None:
        """Carry what SQLite has logged over into its file, as far as nobody reads it, while others go on writing."""
        if not engines.is_postgresql(self._engine):
            with self.reading() as connection, closing(connection.connection.cursor()) as cursor:
                cursor.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

    @contextmanager
    def at_hand(self) -> Iterator[None]:
        """Look with one connection while the block runs: to get one takes longer than most looks."""
        with self.reading() as connection:
            self._held.connection = connection
            try:
                yield
            finally:
                self._held.connection = None


def insert_new(connection: sa.Connection, table: sa.Table, rows: Iterable[Mapping[str, Any]]) -> int:
    """Insert the rows that aren't there yet and return how many were new."""
    rows = list(rows)
    if not rows:
        return 0
    return _inserting(table, is_postgresql(connection)).run(connection, rows)


@cache
def _inserting(table: sa.Table, into_postgresql: bool) -> "Prepared":
    insert = postgresql.insert if into_postgresql else sqlite.insert
    return Prepared(insert(table).on_conflict_do_nothing())


def add_to(connection: sa.Connection, table: sa.Table, column: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Add a column of rows to what the table has under their keys, or to nothing."""
    _adding(table, column, is_postgresql(connection)).run(connection, rows)


@cache
def _adding(table: sa.Table, column: str, into_postgresql: bool) -> "Prepared":
    insert = (postgresql.insert if into_postgresql else sqlite.insert)(table)
    more = {column: table.c[column] + insert.excluded[column]}
    return Prepared(insert.on_conflict_do_update(index_elements=list(table.primary_key), set_=more))


def tuples(connection: sa.Connection, query: Query) -> Iterator[list[tuple[Any, ...]]]:
    """Read a query's rows as the driver gives them, many at once."""
    text, names, own = Prepared(query).text(connection, {})
    with engines.streaming(connection) as cursor:
        cursor.execute(text, _values(names, own, {}))
        while rows := cursor.fetchmany(_ROWS_AT_ONCE):
            yield rows


class Prepared:
    """A statement of the middle of a call, compiled once: compiling takes longer than SQLite's answer.

    A list given for an expanding parameter is part of the text, so there is a text for each length.
    """

    def __init__(self, statement: sa.Insert | Query) -> None:
        # Inline: nobody asks for the number that a row gets.
        self._statement = statement.inline() if isinstance(statement, sa.Insert) else statement
        self._texts: dict[tuple[Any, ...], tuple[str, tuple[str, ...], dict[str, Any]]] = {}

    def fetch(self, connection: sa.Connection, **given: Any) -> list[tuple[Any, ...]]:
        """Fetch all rows, as the driver gives them."""
        cursor = self._run(connection, [given])
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        cursor.close()
        return rows

    def run(self, connection: sa.Connection, rows: Sequence[Mapping[str, Any]]) -> int:
        """Insert rows, all of the same columns, and return how many it were."""
        cursor = self._run(connection, rows)
        changed: int = cursor.rowcount
        cursor.close()
        return changed

    def _run(self, connection: sa.Connection, rows: Sequence[Mapping[str, Any]]) -> Any:
        text, names, own = self.text(connection, rows[0])
        cursor = connection.connection.cursor()
        if len(rows) == 1:
            cursor.execute(text, _values(names, own, rows[0]))
        else:
            # Rows as they are: a third of a bulk load went into preparing each.
            cursor.executemany(text, [tuple(map(row.__getitem__, names)) for row in rows])
        return cursor

    def text(self, connection: sa.Connection, given: Mapping[str, Any]) -> tuple[str, tuple[str, ...], dict[str, Any]]:
        """Compile for lists of some lengths: the text, its parameters in order, and those that are the text's own."""
        columns = tuple(given) if isinstance(self._statement, sa.Insert) else None
        lengths = tuple(len(value) for value in given.values() if isinstance(value, list))
        key = (connection.dialect.name, columns, lengths)
        found = self._texts.get(key)
        if found is None:
            compiled = self._statement.compile(dialect=connection.dialect, column_keys=columns)
            whole = compiled.construct_expanded_state(given)
            own = {name: value for name, value in whole.parameters.items() if name not in given}
            found = self._texts[key] = whole.statement, tuple(whole.positiontup or ()), own
        return found


def _values(names: Iterable[str], own: Mapping[str, Any], given: Mapping[str, Any]) -> list[Any]:
    """Put what is given into a text's order; the parts of a list are numbered from 1."""
    flat = {**own, **given}
    for name, value in given.items():
        if isinstance(value, list):
            flat |= {f"{name}_{number}": part for number, part in enumerate(value, start=1)}
    return [flat[name] for name in names]


def whole_sum(column: sa.Column[int]) -> sa.ColumnElement[Any]:
    """Add up a column of whole numbers; PostgreSQL would make a decimal of it."""
    return sa.cast(sa.func.sum(column), sa.BigInteger)


def parts(names: Iterable[str]) -> list[list[str]]:
    """Sort names and part them, so that a query isn't given too many at once."""
    ordered = sorted(names)
    return [ordered[start : start + _NAMES_AT_ONCE] for start in range(0, len(ordered), _NAMES_AT_ONCE)]


def padded(names: Sequence[str]) -> list[str]:
    """Repeat the last of some names until their number is a power of two, so that few texts of a statement are made."""
    return [*names, *repeat(names[-1], (1 << (len(names) - 1).bit_length()) - len(names))]
