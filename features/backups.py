"""Backups of a store: one SQLite file, whichever engine the store is on, checked when it is written and when read.

So a backup of one engine is restored on the other, too.
"""

import dataclasses
import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import sqlalchemy as sa

from features import revisions
from features.clock import from_microseconds, microseconds
from features.digests import (
    MANIFEST,
    Counting,
    Digest,
    columns_of,
    difference,
    digests,
    rows_of,
    tables_of,
)  # fmt: skip
from features.engines import begin_alone, engine_of, faults, is_postgresql, reason
from features.errors import InputError, StoreError
from features.migrating import upgrade, versions
from features.store import metadata

_MANIFEST = sa.Table(
    MANIFEST,
    sa.MetaData(),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("rows", sa.BigInteger, nullable=False),
    sa.Column("sha256", sa.Text, nullable=False),
    sa.Column("made_at", sa.BigInteger, nullable=False),
    sa.Column("version", sa.Text, nullable=False),
)


@dataclass(frozen=True)
class Backup:
    """A backup file, the version of the store's tables in it, and what each held."""

    path: Path
    made_at: datetime
    version: str
    tables: Mapping[str, Digest]


def write_backup(url: str, path: Path, at: datetime, replace: bool = False) -> Backup:
    """Write all that a store holds at one moment into a file, while others go on reading and writing it.

    The file is there whole, and checked, or not at all. Raises InputError when there is one already, unless it is to
    be replaced; StoreError when the store can't be read.
    """
    if path.exists() and not replace:
        raise InputError(f"expected a new file for the backup, found {path}; name another, or add --replace")
    if not path.absolute().parent.is_dir():
        raise InputError(f"expected the backup in a folder that is there, found {path}")
    with TemporaryDirectory(dir=path.absolute().parent, prefix=f".{path.name}-") as beside:
        made = Path(beside) / "made"
        with disposed(engine_of(url)) as source, faults(source, "be backed up"):
            (_copy_postgresql if is_postgresql(source) else _copy_sqlite)(source, made)
        _sign(made, at)
        written = read_backup(made)
        os.replace(made, path)
    return dataclasses.replace(written, path=path)


def read_backup(path: Path) -> Backup:
    """Check a backup: the file is sound, of a version that this Holdfast knows, and holds what was written.

    Raises InputError when it isn't.
    """
    if not path.is_file():
        raise InputError(f"expected a backup, as holdfast backup writes it, at {path}; found none")
    try:
        with disposed(file_engine(path, "mode=ro&immutable=1")) as engine, engine.connect() as connection:
            return _checked(path, connection)
    except (sa.exc.SQLAlchemyError, sqlite3.Error) as error:
        raise InputError(f"expected a sound backup at {path}, found: {reason(error)}; take another") from error


# -- writing


def _copy_sqlite(source: sa.Engine, made: Path) -> None:
    # All pages in one step, which holds a look at the store as it stands; writers of a log beside it needn't wait.
    with source.connect() as connection, closing(sqlite3.connect(made)) as target:
        driver(connection).backup(target)
        target.execute("PRAGMA journal_mode=DELETE")


def _copy_postgresql(source: sa.Engine, made: Path) -> None:
    looking = source.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    with looking.connect() as connection, disposed(file_engine(made)) as engine, engine.connect() as target:
        begin_alone(target)
        upgrade(target, revisions.revision_of(connection, metadata))
        found = {table.name: _copy(connection, target, table) for table in tables_of(target)}
        compare(found, digests(target), "no backup was written")
        target.commit()


def _copy(connection: sa.Connection, target: sa.Connection, table: sa.Table) -> Digest:
    counting, names = Counting(), [column.name for column in columns_of(table)]
    insert = sa.insert(table).inline().compile(dialect=target.dialect, column_keys=names)
    order = [names.index(name) for name in insert.positiontup or ()]
    for rows in rows_of(connection, table):
        counting.add(rows)
        driver(target).executemany(str(insert), [[row[place] for place in order] for row in rows])
    return counting.digest()


def _sign(made: Path, at: datetime) -> None:
    """Write into the file what it holds."""
    with disposed(file_engine(made)) as engine, engine.connect() as connection:
        version = revisions.revision_of(connection, metadata)
        rows = [
            {"name": name, "rows": one.rows, "sha256": one.sha256, "made_at": microseconds(at), "version": version}
            for name, one in digests(connection).items()
        ]
        _MANIFEST.create(connection)
        connection.execute(sa.insert(_MANIFEST), rows)
        connection.commit()
    # It holds everything of everybody.
    made.chmod(0o600)


# -- reading


def _checked(path: Path, connection: sa.Connection) -> Backup:
    if MANIFEST not in sa.inspect(connection).get_table_names():
        raise InputError(f"expected a backup, as holdfast backup writes it, at {path}; found another database")
    said = connection.exec_driver_sql("PRAGMA integrity_check").scalars().all()
    if said != ["ok"]:
        raise InputError(f"expected a sound backup at {path}, found: {said[0]}; take another")
    rows = connection.execute(sa.select(_MANIFEST)).all()
    version, tables = rows[0].version, {row.name: Digest(row.rows, row.sha256) for row in rows}
    if version not in versions():
        raise InputError(
            f"expected a backup of a version up to {revisions.REVISION}, found version {version} in {path}, which a"
            " newer Holdfast made; update Holdfast"
        )
    if said := difference(tables, digests(connection)):
        raise InputError(f"{said}, in the backup {path}; take another")
    return Backup(path, from_microseconds(rows[0].made_at), version, tables)


# -- opening


def compare(expected: Mapping[str, Digest], found: Mapping[str, Digest], then: str) -> None:
    """Check that two stores hold the same; `then` tells what follows when they don't.

    Raises StoreError when they don't.
    """
    if said := difference(expected, found):
        raise StoreError(f"{said}; {then}")


def file_engine(path: Path, options: str = "mode=rwc") -> sa.Engine:
    """Make the engine of a file that nobody else uses: without a log beside it."""
    place = f"{path.resolve().as_uri()}?{options}"
    return sa.create_engine("sqlite://", creator=lambda: sqlite3.connect(place, uri=True), poolclass=sa.NullPool)


@contextmanager
def disposed(engine: sa.Engine) -> Iterator[sa.Engine]:
    """Give an engine, and let go of it when the block ends."""
    try:
        yield engine
    finally:
        engine.dispose()


def driver(connection: sa.Connection) -> Any:
    """Give the driver's own connection, for what only it can do."""
    return connection.connection.driver_connection
