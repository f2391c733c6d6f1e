"""The engines under the store, SQLite and PostgreSQL: how each is reached, and what keeps its writers apart."""

import hashlib
import os
import select
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryFile
from time import monotonic, sleep
from typing import Any

import sqlalchemy as sa

from features.errors import InputError, StoreError

POSTGRESQL = "postgresql+psycopg"
_PATIENCE_SECONDS = 15
_PRAGMAS = {
    "journal_mode": "WAL",
    # An answered decision survives a power cut, not only a crash of the process.
    "synchronous": "FULL",
    "busy_timeout": f"{_PATIENCE_SECONDS * 1000}",
    # In KiB. Whoever looks keeps little: every commit by another connection empties what a connection keeps, and each
    # of a worker's threads has one.
    "cache_size": "-1024",
    # What is deleted is overwritten: an erased customer doesn't lie in the file's free space.
    "secure_delete": "ON",
    # Every 32 MB the log is carried over into the file by whoever writes then; every 4 MB, as is usual, it made one
    # decision in a hundred wait. The service does it beside, every second.
    "wal_autocheckpoint": "8000",
}
_SETTINGS = {
    # What is read after a wait for somebody's lock has to be what they left.
    "default_transaction_isolation": "read committed",
    "lock_timeout": f"{_PATIENCE_SECONDS}s",
}
# A server that is gone without a word is noticed, too, before whoever asked has given up.
_REACHING = {
    "connect_timeout": "5",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "2",
    "tcp_user_timeout": f"{_PATIENCE_SECONDS * 1000}",
}
# Whoever holds what others wait for and hangs is put out, so that they get on.
_IDLE = "60s"
_WAITING = """
    SELECT set_config('idle_in_transaction_session_timeout', %s, true), pg_advisory_xact_lock(name)
    FROM unnest(%s::bigint[]) AS name
"""
_CONNECTIONS = 16
_WRITER_KEEPS = -4096
# What has to fit on the disk, in bytes, for a store to be called writable.
_ROOM = 1 << 16


def engine_of(url: str) -> sa.Engine:
    """Make the engine of a store's address, which isn't reached before it is asked something.

    Raises StoreError when it names neither SQLite nor PostgreSQL.
    """
    parsed = _parsed(url)
    if parsed.get_backend_name() == "sqlite":
        _make_folder(parsed.database)
        engine = sa.create_engine(parsed)
        sa.event.listen(engine, "do_connect", partial(_make_file, parsed.database))
        sa.event.listen(engine, "connect", _prepare_sqlite)
        return engine
    engine = sa.create_engine(
        parsed.set(drivername=POSTGRESQL, query={**_REACHING, **parsed.query}),
        paramstyle="format", pool_size=_CONNECTIONS, max_overflow=0, pool_timeout=_PATIENCE_SECONDS,
    )  # fmt: skip
    sa.event.listen(engine, "connect", _prepare_postgresql)
    sa.event.listen(engine, "checkout", _check_postgresql)
    return engine


def file_of(url: str) -> Path | None:
    """Name the file that a store is, or none.

    Raises StoreError when the address names neither SQLite nor PostgreSQL.
    """
    parsed = _parsed(url)
    return Path(parsed.database) if parsed.get_backend_name() == "sqlite" and parsed.database else None


def address(engine: sa.Engine) -> str:
    """Write a store's address without its password, and without what was added to it here."""
    kept = engine.url.difference_update_query(_REACHING).set(drivername=engine.url.get_backend_name())
    return kept.render_as_string(hide_password=True)


def looking(engine: sa.Engine) -> dict[str, Any]:
    """Give the options of connections that only look: a transaction around one look costs PostgreSQL two ways."""
    return {"isolation_level": "AUTOCOMMIT"} if is_postgresql(engine) else {}


def is_postgresql(connection: sa.Connection | sa.Engine) -> bool:
    """Whether a connection is one to PostgreSQL."""
    return connection.dialect.name == "postgresql"


def begin_alone(connection: sa.Connection) -> None:
    """Begin a transaction: on SQLite one that nobody else writes beside; on PostgreSQL locks see to that."""
    # Python's sqlite3 begins a transaction at the first change: what is read before might be outdated by then.
    if not is_postgresql(connection):
        with closing(connection.connection.cursor()) as cursor:
            cursor.execute("BEGIN IMMEDIATE")


def keep_more(connection: sa.Connection) -> None:
    """Let SQLite's one writer keep as many pages as a large load changes again and again."""
    with closing(connection.connection.cursor()) as cursor:
        cursor.execute(f"PRAGMA cache_size={_WRITER_KEEPS}")


def wait_for(connection: sa.Connection, names: Iterable[str]) -> None:
    """Wait until nobody else holds any of some names, and hold them until the transaction ends.

    SQLite has one writer anyway. Whoever holds several asks for them in one order, so that no two wait for each other.
    """
    keys = [_key(name) for name in names]
    if keys and is_postgresql(connection):
        with together(connection), closing(connection.connection.cursor()) as cursor:
            cursor.execute(_WAITING, (_IDLE, keys))


def writable(connection: sa.Connection) -> bool:
    """Look at a store, and tell whether it may be written to and, where it is a file, has room beside it."""
    if is_postgresql(connection):
        return connection.exec_driver_sql("SHOW transaction_read_only").scalar() == "off"
    connection.exec_driver_sql("PRAGMA schema_version")
    try:
        with TemporaryFile(dir=Path(connection.engine.url.database or ".").parent) as file:
            file.write(bytes(_ROOM))
            file.flush()
    except OSError:
        return False
    return True


def wipe(engine: sa.Engine, tables: Iterable[str]) -> None:
    """See that rows which were deleted aren't left in free space: it is rewritten, and the log beside it emptied.

    On PostgreSQL the free space of the tables may be written over from now on; files of its log are the server's.
    """
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if is_postgresql(connection):
            for table in tables:
                connection.exec_driver_sql(f'VACUUM "{table}"')
            return
        connection.exec_driver_sql("VACUUM")
        deadline = monotonic() + _PATIENCE_SECONDS
        while connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()[0]:
            if monotonic() > deadline:
                raise StoreError("expected to empty the store's log, found that somebody goes on reading it; try again")
            sleep(0.05)


@contextmanager
def together(connection: sa.Connection) -> Iterator[None]:
    """Send PostgreSQL all that the block tells it at once, and wait for it once; nothing is read within."""
    if not is_postgresql(connection):
        yield
        return
    driver: Any = connection.connection.driver_connection
    with driver.pipeline():
        yield


@contextmanager
def streaming(connection: sa.Connection) -> Iterator[Any]:
    """Give a cursor whose rows are read as they are asked for."""
    if not is_postgresql(connection):
        with closing(connection.connection.cursor()) as cursor:
            yield cursor
        return
    # By a cursor of the server's, which needs a transaction: else the driver takes all rows at once.
    driver: Any = connection.connection.driver_connection
    with driver.transaction(), driver.cursor("rows") as cursor:
        yield cursor


@contextmanager
def faults(engine: sa.Engine, what: str, remedy: str = "") -> Iterator[None]:
    """Turn what goes wrong with a store into a StoreError, and what no store can hold into an InputError."""
    try:
        yield
    except (sa.exc.DataError, engine.dialect.loaded_dbapi.DataError) as error:
        raise InputError(f"expected what a store can hold; found: {reason(error)}") from error
    except (sa.exc.SQLAlchemyError, engine.dialect.loaded_dbapi.Error) as error:
        raise StoreError(f"expected the store to {what}; found: {reason(error)}{remedy}") from error


def reason(error: BaseException) -> str:
    """Tell in one line what an engine found."""
    lines = str(error.__cause__ or error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def _parsed(url: str) -> sa.URL:
    try:
        parsed = sa.make_url(url.replace("postgres://", "postgresql://", 1) if url.startswith("postgres://") else url)
        found = parsed.get_backend_name()
    except (sa.exc.SQLAlchemyError, ValueError):
        found = "none"
    if found not in ("sqlite", "postgresql"):
        # What can't be read may hold a password anywhere, so it isn't told.
        raise StoreError(
            "expected HOLDFAST_DATABASE_URL as sqlite:////folder/history.db or"
            f" postgresql://user:password@host/database, found a store of the kind {found!r}; see docs/stores.md"
        )
    return parsed


def _make_folder(file: str | None) -> None:
    try:
        if file and file != ":memory:":
            Path(file).parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"expected a folder for the store {file}, found: {error.strerror}; check HOLDFAST_DATABASE_URL"
        ) from error


def _make_file(file: str | None, *_given: Any) -> None:
    """Make a new store its owner's alone: SQLite itself would let others read it, and what lies beside it.

    One that is there isn't opened: closing it here would take the locks of all of this process's connections to it.
    """
    if file and file != ":memory:" and not file.startswith("file:"):
        # What is in the way SQLite says.
        with suppress(OSError):
            os.close(os.open(file, os.O_RDONLY | os.O_CREAT | os.O_EXCL, 0o600))


def _key(name: str) -> int:
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big", signed=True)


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    for name, value in _PRAGMAS.items():
        connection.execute(f"PRAGMA {name}={value}")


def _prepare_postgresql(connection: Any, _record: Any) -> None:
    """Set what answers rest on, whatever the server's own settings are; a stricter way to commit stays."""
    for name, value in _SETTINGS.items():
        connection.execute("SELECT set_config(%s, %s, false)", (name, value))
    connection.execute(
        "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
    )
    connection.commit()


def _check_postgresql(connection: Any, _record: Any, _proxy: Any) -> None:
    """Give up a connection on which something lies unasked: the server's farewell."""
    waiting = select.poll()
    waiting.register(connection.fileno(), select.POLLIN)
    if waiting.poll(0):
        raise sa.exc.DisconnectionError
