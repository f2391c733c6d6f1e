"""Everything that is held of a person, for themselves to read: every row of theirs, as it is kept."""

import json
from collections.abc import Collection, Mapping
from typing import Any

import sqlalchemy as sa

from features import store
from features.clock import from_microseconds
from features.events import SCALE
from features.naming import Names

_MOMENTS = ("occurred_at", "recorded_at", "superseded_at", "made_at", "held_at")
_MEASURES = ("quantity", "amount", "margin", "discount")
Rows = list[dict[str, Any]]


def held_of(connection: sa.Connection, names: Names) -> dict[str, Rows]:
    """Collect the rows of a person, by table; moments in ISO 8601, measures in units, bodies as they were told.

    `mentions` are the texts of rows about others that name the person, without the others.
    """
    references = names.references
    decisions = _rows(connection, store.decisions, ("customer",), references)
    contacts = _rows(connection, store.contacts, ("reference",), references)
    spoken = [
        mention
        for table in (store.events, store.decisions, store.shadows)
        for mention in names.mentions(connection, table)
    ]
    seen = {row["seq"] for row in decisions}
    asked_for = {
        int(mention.key[0])
        for mention in spoken
        if mention.table is store.decisions and mention.key[0] not in seen and _asked_for(mention.text, references)
    }
    decisions += _numbered(connection, store.decisions, asked_for)
    ids = {str(row["id"]) for row in decisions}
    theirs = {
        "references": _rows(connection, store.references, ("reference",), references),
        "links": _rows(connection, store.links, ("first", "second"), references),
        "events": _rows(connection, store.events, ("reference",), references),
        "decisions": decisions,
        "contacts": contacts,
        "responses": _rows(
            connection, store.responses, ("decision",), ids | {str(row["decision"]) for row in contacts}
        ),
        "shadows": _rows(connection, store.shadows, ("decision",), ids),
    }
    own = {(name, row["seq"]) for name in ("events", "decisions", "shadows") for row in theirs[name]}
    others = [mention for mention in spoken if (mention.table.name, mention.key[0]) not in own]
    return {name: [_told(row) for row in rows] for name, rows in theirs.items()} | {
        "mentions": [{"table": one.table.name, "row": one.key[0], "column": one.column} for one in others]
    }


def _asked_for(body: str, references: Collection[str]) -> bool:
    return json.loads(body).get("reference") in references


def _rows(connection: sa.Connection, table: sa.Table, columns: tuple[str, ...], among: Collection[str]) -> Rows:
    found: Rows = []
    for part in store.parts(among):
        mine = sa.or_(*(table.c[column].in_(part) for column in columns))
        order = table.c.seq if "seq" in table.c else table.c.reference
        found += [dict(row) for row in connection.execute(sa.select(table).where(mine).order_by(order)).mappings()]
    return list({tuple(row.values()): row for row in found}.values())


def _numbered(connection: sa.Connection, table: sa.Table, numbers: Collection[int]) -> Rows:
    query = sa.select(table).where(table.c.seq.in_(sorted(numbers))).order_by(table.c.seq)
    return [dict(row) for row in connection.execute(query).mappings()]


def _told(row: Mapping[str, Any]) -> dict[str, Any]:
    """Write a row as somebody reads it."""
    return {name: _value(name, value) for name, value in row.items()}


def _value(name: str, value: Any) -> Any:
    if value is None:
        return None
    if name in _MOMENTS:
        return from_microseconds(value).isoformat()
    if name in _MEASURES:
        return value / SCALE
    return json.loads(value) if name == "body" and value else value
