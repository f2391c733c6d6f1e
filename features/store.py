"""The tables, and how they are opened: SQLite by default; the URL chooses."""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from features.errors import StoreError

metadata = sa.MetaData()
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
    _whole("recorded_at"),
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


class Store:
    """An open store; whatever goes wrong with it is a StoreError."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._engine = open_store(url)
        # SQLite lets whoever looks at the right moment in: of many threads that wait for it, some would never be.
        self._turn = Lock()

    def close(self) -> None:
        """Let go of the store."""
        self._engine.dispose()

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """Give a transaction; it is on disk when the block ends, and undone when the block raises."""
        with _errors("be written"), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def alone(self) -> Iterator[sa.Connection]:
        """Give a transaction that nobody else writes beside, from before its first look."""
        with self._turn, self.writing() as connection:
            # Python's sqlite3 begins a transaction at the first change: what is read before might be outdated by then.
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """Give a connection to look with."""
        with _errors("be read"), self._engine.connect() as connection:
            yield connection


@contextmanager
def _errors(what: str) -> Iterator[None]:
    try:
        yield
    except (sa.exc.SQLAlchemyError, sqlite3.Error) as error:
        raise StoreError(f"expected the store to {what}; found: {error.__cause__ or error}") from error


def open_store(url: str) -> sa.Engine:
    """Open the store, making its tables if it is new.

    Raises StoreError when the URL or the place it names can't be used, or an earlier Holdfast made the store.
    """
    try:
        parsed = sa.make_url(url)
        if parsed.get_backend_name() == "sqlite" and parsed.database:
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
        engine = sa.create_engine(parsed)
        if engine.dialect.name == "sqlite":
            sa.event.listen(engine, "connect", _prepare_sqlite)
        _check_columns(engine)
        metadata.create_all(engine)
    except (sa.exc.SQLAlchemyError, ImportError, OSError) as error:
        raise StoreError(
            f"expected a store that opens at {url}; found: {error}. Check HOLDFAST_DATABASE_URL"
        ) from error
    return engine


def _check_columns(engine: sa.Engine) -> None:
    inspector = sa.inspect(engine)
    missing = []
    for name in sorted(metadata.tables.keys() & set(inspector.get_table_names())):
        found = {column["name"] for column in inspector.get_columns(name)}
        missing += [f"{name}.{column.name}" for column in metadata.tables[name].columns if column.name not in found]
    if missing:
        raise StoreError(
            f"expected the store at {engine.url} to have {', '.join(missing)}; found a store that an earlier Holdfast "
            "made, without them. Ingest the files again into a new home: set HOLDFAST_HOME to another folder, or "
            "HOLDFAST_DATABASE_URL to another store"
        )


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # FULL: an answered decision survives a power cut, not only a crash of the process. Every 32 MB the log is carried
    # over into the file by whoever writes then; every 4 MB, as is usual, it made one decision in a hundred wait.
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "busy_timeout=15000",
        "cache_size=-65536",
        "wal_autocheckpoint=8000",
    ):
        connection.execute(f"PRAGMA {pragma}")


def insert_new(connection: sa.Connection, table: sa.Table, rows: Iterable[Mapping[str, Any]]) -> int:
    """Insert the rows that aren't there yet and return how many were new."""
    rows = list(rows)
    if not rows:
        return 0
    make = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    statement = make(table).on_conflict_do_nothing()
    compiled = statement.compile(dialect=connection.dialect, column_keys=list(rows[0]))
    if connection.dialect.name != "sqlite":
        return connection.execute(statement, rows).rowcount
    # SQLite takes tuples as they are: a third of a bulk load went into SQLAlchemy's preparing each row.
    taken = [tuple(map(row.__getitem__, compiled.positiontup or ())) for row in rows]
    return connection.exec_driver_sql(str(compiled), taken).rowcount


def tuples(connection: sa.Connection, query: Query) -> Iterator[list[tuple[Any, ...]]]:
    """Read a query's rows as the driver gives them, many at once."""
    result = connection.execute(query)
    cursor: Any = result.cursor
    while rows := cursor.fetchmany(_ROWS_AT_ONCE):
        yield rows
    result.close()


class Prepared:
    """A statement of the middle of a call, compiled once for SQLite: there, compiling takes longer than the answer.

    A list given for an expanding parameter is part of the text, so there is a text for each length.
    """

    def __init__(self, statement: sa.sql.expression.UpdateBase | Query) -> None:
        self._statement = statement
        self._texts: dict[tuple[int, ...], tuple[str, tuple[str, ...], dict[str, Any]]] = {}

    def fetch(self, connection: sa.Connection, **given: Any) -> list[tuple[Any, ...]]:
        """Fetch all rows, as the driver gives them."""
        if connection.dialect.name != "sqlite":
            return [tuple(row) for row in connection.execute(self._statement, given)]
        text, names, own = self._text(connection, given)
        cursor = self._run(connection, text, [_values(names, own, given)])
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        cursor.close()
        return rows

    def run(self, connection: sa.Connection, rows: list[dict[str, Any]]) -> int:
        """Run the statement for each row, and return how many rows it changed."""
        if connection.dialect.name != "sqlite":
            return connection.execute(self._statement, rows).rowcount
        text, names, own = self._text(connection, rows[0])
        cursor = self._run(connection, text, [_values(names, own, row) for row in rows])
        changed: int = cursor.rowcount
        cursor.close()
        return changed

    def _run(self, connection: sa.Connection, text: str, rows: list[list[Any]]) -> Any:
        cursor = connection.connection.cursor()
        cursor.execute(text, rows[0]) if len(rows) == 1 else cursor.executemany(text, rows)
        return cursor

    def _text(self, connection: sa.Connection, given: Mapping[str, Any]) -> tuple[str, tuple[str, ...], dict[str, Any]]:
        """Compile for lists of some lengths: the text, its parameters in order, and those that are the text's own."""
        key = tuple(len(value) for value in given.values() if isinstance(value, list))
        found = self._texts.get(key)
        if found is None:
            columns = None if isinstance(self._statement, sa.Select) else list(given)
            compiled = self._statement.compile(dialect=connection.dialect, column_keys=columns)
            whole = compiled.construct_expanded_state(given)
            found = self._texts[key] = whole.statement, tuple(whole.positiontup or ()), dict(whole.parameters)
        return found


def _values(names: Iterable[str], own: Mapping[str, Any], given: Mapping[str, Any]) -> list[Any]:
    """Put what is given into a text's order; the parts of a list are numbered from 1."""
    flat = {**own, **given}
    for name, value in given.items():
        if isinstance(value, list):
            flat |= {f"{name}_{number}": part for number, part in enumerate(value, start=1)}
    return [flat[name] for name in names]


def parts(names: Iterable[str]) -> list[list[str]]:
    """Sort names and part them, so that a query isn't given too many at once."""
    ordered = sorted(names)
    return [ordered[start : start + _NAMES_AT_ONCE] for start in range(0, len(ordered), _NAMES_AT_ONCE)]
