"""Whether a store is sound, told by looking at it without changing it, or making one."""

from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from features import store
from features.clock import from_microseconds
from features.engines import address, engine_of, faults, file_of, is_postgresql, writable
from features.revisions import revision_of

_FAULTS_SHOWN = 5


@dataclass(frozen=True)
class Soundness:
    """What was found of a store: its address without a password, and the version of its tables, "" without tables.

    `faults` are what the engine finds wrong with its own files; `log_bytes` is what SQLite's log holds; `newest` is
    when anything was last recorded; `keys` counts the callers' keys that weren't revoked; `exposed` are the files of
    SQLite's whose mode lets others than their owner read them.
    """

    address: str
    version: str
    writable: bool = True
    faults: tuple[str, ...] = ()
    log_bytes: int = 0
    newest: datetime | None = None
    keys: int = 0
    exposed: tuple[Path, ...] = ()


def examine(url: str, current: str) -> Soundness:
    """Look at a store; what only tables of the `current` version tell is told of those alone.

    Raises StoreError when it can't be read.
    """
    file = file_of(url)
    if file is not None and not file.exists():
        return Soundness(url, "")
    # Before it is opened, which lays files beside it for as long.
    engine, exposed = engine_of(url), _exposed(file)
    try:
        with faults(engine, f"be read at {address(engine)}"), engine.connect() as connection:
            version = revision_of(connection, store.metadata)
            found = Soundness(
                address(engine), version, writable(connection), _faults(connection), _log(file), exposed=exposed
            )
            if version != current:
                return found
            return Soundness(**vars(found) | {"newest": _newest(connection), "keys": _keys(connection)})
    finally:
        engine.dispose()


def _faults(connection: sa.Connection) -> tuple[str, ...]:
    """Ask SQLite to go through its pages; PostgreSQL looks after its own."""
    if is_postgresql(connection):
        return ()
    driver: Any = connection.connection.driver_connection
    with closing(driver.execute(f"PRAGMA quick_check({_FAULTS_SHOWN})")) as rows:
        return tuple(row[0] for row in rows if row[0] != "ok")


def _log(file: Path | None) -> int:
    log = None if file is None else file.with_name(f"{file.name}-wal")
    return log.stat().st_size if log is not None and log.exists() else 0


def _exposed(file: Path | None) -> tuple[Path, ...]:
    files = [] if file is None else [file.with_name(f"{file.name}{ending}") for ending in ("", "-wal", "-shm")]
    return tuple(one for one in files if one.exists() and one.stat().st_mode & 0o077)


def _newest(connection: sa.Connection) -> datetime | None:
    columns = (store.events.c.recorded_at, store.links.c.recorded_at, store.decisions.c.made_at)
    moments = [connection.scalar(sa.select(sa.func.max(column))) for column in columns]
    known = [moment for moment in moments if moment is not None]
    return from_microseconds(max(known)) if known else None


def _keys(connection: sa.Connection) -> int:
    table = store.keys
    count = sa.select(sa.func.count()).select_from(table).where(table.c.revoked_at.is_(None))
    return int(connection.scalar(count) or 0)
