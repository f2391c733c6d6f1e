"""A backup back into a store, and a store kept as it was before it is carried forwards."""

import shutil
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import sqlalchemy as sa

from features import revisions
from features.backups import Backup, compare, disposed, driver, file_engine, read_backup, write_backup
from features.clock import from_microseconds
from features.digests import MANIFEST, columns_of, digests, rows_of, tables_of
from features.engines import address, engine_of, faults, is_postgresql
from features.erasing import erase_within, marked
from features.errors import InputError
from features.migrating import carry_forwards
from features.store import erasures, metadata
from features.tombstones import ERASED, Tombstones, standing


def restore(path: Path, url: str, room: Path, replace: bool = False, key: Path | None = None) -> Backup:
    """Put what a backup holds into a store, all of it or nothing, and check that it is there.

    A backup of an earlier version is carried forwards, in a copy in the folder `room`. Whoever was erased from the
    store that is replaced is erased from the copy, by the secret in the file `key`. Raises InputError when the
    backup isn't sound, or the store isn't empty and isn't to be replaced; StoreError when the store can't be written,
    or the secret isn't there.
    """
    backup = read_backup(path)
    room.mkdir(parents=True, exist_ok=True)
    with disposed(engine_of(url)) as target, TemporaryDirectory(dir=room) as folder, faults(target, "be restored"):
        revisions.settle(target, metadata)
        with target.connect() as connection:
            marks = [dict(row) for row in connection.execute(sa.select(erasures).order_by(erasures.c.seq)).mappings()]
        ready = _ready(path, Path(folder))
        if marks:
            _erase_again(ready, marks, Tombstones(key))
        with disposed(ready) as source, source.connect() as held, target.connect() as filling:
            (_fill_postgresql if is_postgresql(target) else _fill_sqlite)(held, filling, replace)
    return backup


def carried_forwards(url: str, folder: Path, at: datetime) -> tuple[str, Path] | None:
    """Carry a store forwards, and tell the version that it had and the backup of it; None where nothing was to do.

    Raises StoreError when the store can't be read or written, or is of a version that can't be carried forwards.
    """
    with disposed(engine_of(url)) as engine, faults(engine, "be carried forwards"):
        with engine.connect() as connection:
            found = revisions.revision_of(connection, metadata)
        if found in ("", revisions.REVISION):
            return None
        folder.mkdir(parents=True, exist_ok=True)
        kept = write_backup(url, folder / f"version-{found}-{at:%Y%m%dT%H%M%S}.backup", at)
        return carry_forwards(engine), kept.path


def _ready(path: Path, folder: Path) -> sa.Engine:
    """Copy a backup, carry the copy forwards, and leave the store's own tables in it."""
    engine = file_engine(Path(shutil.copy(path, folder)))
    carry_forwards(engine)
    with engine.begin() as connection:
        connection.exec_driver_sql(f"DROP TABLE {MANIFEST}")
    return engine


def _erase_again(source: sa.Engine, marks: Sequence[dict[str, Any]], tombstones: Tombstones) -> None:
    """Erase from a copy whoever was erased from the store that it takes the place of."""
    with source.begin() as connection:
        names = [column for column in erasures.columns if column.name != "seq"]
        there = {tuple(row) for row in connection.execute(sa.select(*names))}
        rows = [{column.name: mark[column.name] for column in names} for mark in marks]
        carried = [row for row in rows if tuple(row.values()) not in there]
        if not carried:
            return
        connection.execute(sa.insert(erasures), carried)
        holding = standing(connection, [mark["digest"] for mark in marks if mark["digest"]])
        erased = [digest for digest, mark in holding.items() if mark.action == ERASED]
        back = marked(tombstones, erased)(connection)
        if back.references:
            erase_within(connection, tombstones, back, from_microseconds(marks[-1]["erased_at"]))
    # Pages are copied as they are, with what lies in their free space.
    with source.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("VACUUM")


def _check_empty(target: sa.Connection, replace: bool) -> None:
    for table in () if replace else (table for table in tables_of(target) if table.name != erasures.name):
        if target.execute(sa.select(sa.literal(1)).select_from(table).limit(1)).first():
            raise InputError(
                f"expected an empty store at {address(target.engine)}, found rows in {table.name}; name another by"
                " HOLDFAST_DATABASE_URL, or add --replace, which loses them"
            )


def _fill_sqlite(source: sa.Connection, target: sa.Connection, replace: bool) -> None:
    # The pages become the store's in one transaction of SQLite's own.
    _check_empty(target, replace)
    driver(source).backup(driver(target))
    compare(digests(source), digests(target), "restore it once more, to another disk")


def _fill_postgresql(source: sa.Connection, target: sa.Connection, replace: bool) -> None:
    tables = tables_of(source)
    quoted = [target.dialect.identifier_preparer.format_table(table) for table in tables]
    target.exec_driver_sql(f"LOCK TABLE {', '.join(quoted)}")
    _check_empty(target, replace)
    target.exec_driver_sql(f"TRUNCATE {', '.join(quoted)}")
    for table, name in zip(tables, quoted, strict=True):
        _load(source, target, table, name)
    compare(digests(source), digests(target), "nothing was written")
    target.commit()


def _load(source: sa.Connection, connection: sa.Connection, table: sa.Table, quoted: str) -> None:
    names = ", ".join(f'"{column.name}"' for column in columns_of(table))
    with driver(connection).cursor() as cursor:
        with cursor.copy(f"COPY {quoted} ({names}) FROM STDIN") as copying:
            for rows in rows_of(source, table):
                for row in rows:
                    copying.write_row(row)
        if "seq" in table.columns:
            # What comes next gets the next number.
            newest = f"SELECT coalesce(max(seq), 0) + 1 FROM {quoted}"
            cursor.execute(f"SELECT setval(pg_get_serial_sequence('{quoted}', 'seq'), ({newest}), false)")
