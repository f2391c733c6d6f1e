"""Corrections: what is told anew of events that are stored already, written as further versions of them."""

from collections.abc import Iterable, Sequence
from operator import itemgetter
from typing import Any

import sqlalchemy as sa

from features import store
from features.versions import CONTENT, Row, Versions

_ENDED = ("id", "version", "superseded_at")
_END = (
    sa.update(store.events)
    .where(store.events.c.id == sa.bindparam("its_id"), store.events.c.version == sa.bindparam("its_version"))
    .values(superseded_at=sa.bindparam("its_superseded_at"))
)


def correct(connection: sa.Connection, rows: Sequence[Row], corrections_from: int | None) -> int:
    """Write the versions that rows with known ids add, and return how many of them corrected something.

    `rows` are in the shape of `store.events`, and a first version of each is stored; `corrections_from` is in
    microseconds, or None where rows date themselves.
    """
    names = ("id", *CONTENT) if corrections_from is not None else ("id", *CONTENT, "recorded_at")
    said = itemgetter(*names)
    query, known = sa.select(*(store.events.c[name] for name in names)), set[tuple[Any, ...]]()
    for part in store.parts({row["id"] for row in rows}):
        for found in store.tuples(connection, query.where(store.events.c.id.in_(part))):
            known.update(found)
    unknown = [row for row in rows if said(row) not in known]
    versions = _versions(connection, {row["id"] for row in unknown})
    corrected = sum([versions[row["id"]].tell(row, corrections_from) for row in unknown])
    store.insert_new(connection, store.events, [row for each in versions.values() for row in each.added()])
    ended = [row for each in versions.values() for row in each.ended()]
    if ended:
        connection.execute(_END, [{f"its_{name}": row[name] for name in _ENDED} for row in ended])
    return corrected


def as_timed(connection: sa.Connection, rows: Sequence[Row]) -> list[Row]:
    """Give rows the moment at which what is stored of the first one's event occurred, where anything is."""
    columns = (store.events.c.occurred_at, store.events.c.utc_offset)
    mine = store.events.c.superseded_at.is_(None) & store.events.c.id.in_([row["id"] for row in rows[:1]])
    stored = connection.execute(sa.select(*columns).where(mine)).mappings().first()
    return [{**row, **(stored or {})} for row in rows]


def _versions(connection: sa.Connection, ids: Iterable[str]) -> dict[str, Versions]:
    columns = [column for column in store.events.columns if column.name != "seq"]
    stored: dict[str, list[Row]] = {}
    for part in store.parts(ids):
        for row in connection.execute(sa.select(*columns).where(store.events.c.id.in_(part))).mappings():
            stored.setdefault(row["id"], []).append(dict(row))
    return {name: Versions(rows) for name, rows in stored.items()}
