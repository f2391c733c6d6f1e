"""What a store holds, told by table in a count and a hash: two stores that hold the same tell the same."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
import sqlalchemy as sa

from features.engines import is_postgresql
from features.revisions import TABLE
from features.store import tuples

MANIFEST = "holdfast_backup"


@dataclass(frozen=True, slots=True)
class Digest:
    """How many rows a table has, and the SHA-256 of them, in the order of the primary key, columns by name."""

    rows: int
    sha256: str


class Counting:
    """Rows as they go by, counted and hashed."""

    def __init__(self) -> None:
        self._rows, self._hash = 0, hashlib.sha256()

    def add(self, rows: list[tuple[Any, ...]]) -> None:
        """Take in the next rows."""
        self._rows += len(rows)
        self._hash.update(orjson.dumps(rows)[1:-1] + b",")

    def digest(self) -> Digest:
        """Tell of all that went by."""
        return Digest(self._rows, self._hash.hexdigest())


def tables_of(connection: sa.Connection) -> list[sa.Table]:
    """List the tables of the store behind a connection, by name; without what only says what the store is."""
    found = sa.MetaData()
    found.reflect(connection)
    return [table for table in found.sorted_tables if table.name not in (TABLE, MANIFEST)]


def rows_of(connection: sa.Connection, table: sa.Table) -> Iterator[list[tuple[Any, ...]]]:
    """Read a table's rows, many at once, in the order that its digest rests on."""
    keys = [
        sa.collate(column, "C") if is_postgresql(connection) and isinstance(column.type, sa.String) else column
        for column in table.primary_key
    ]
    yield from tuples(connection, sa.select(*columns_of(table)).order_by(*keys))


def columns_of(table: sa.Table) -> list[sa.Column[Any]]:
    """List a table's columns by name: where they lie depends on what the store has been through."""
    return sorted(table.columns, key=lambda column: column.name)


def digests(connection: sa.Connection) -> dict[str, Digest]:
    """Tell of every table of a store what it holds."""
    return {table.name: digest(connection, table) for table in tables_of(connection)}


def digest(connection: sa.Connection, table: sa.Table) -> Digest:
    """Tell what a table holds."""
    counting = Counting()
    for rows in rows_of(connection, table):
        counting.add(rows)
    return counting.digest()


def difference(expected: Mapping[str, Digest], found: Mapping[str, Digest]) -> str:
    """Tell the first table that doesn't hold what is expected; "" where all do.

    >>> difference({"events": Digest(2, "a")}, {"events": Digest(1, "b")})
    'expected 2 rows in events, found 1'
    >>> difference({"events": Digest(2, "a")}, {"events": Digest(2, "b")})
    'expected the 2 rows of events as they were, found others'
    """
    for name in sorted({*expected, *found}):
        one, other = expected.get(name, Digest(0, "")), found.get(name, Digest(0, ""))
        if one.rows != other.rows:
            return f"expected {one.rows:,} rows in {name}, found {other.rows:,}"
        if one != other:
            return f"expected the {one.rows:,} rows of {name} as they were, found others"
    return ""
