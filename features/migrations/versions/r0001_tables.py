"""The tables of stores whose version wasn't written down yet; whatever of them is there already stays as it is."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision, down_revision = "0001", None
metadata = sa.MetaData()


def _text(name: str, **options: Any) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False, server_default="", **options)


def _whole(name: str, **options: Any) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=False, **options)


def _sequence() -> sa.Column[int]:
    return sa.Column("seq", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True)


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
spending = sa.Table(
    "spending",
    metadata,
    _text("owner", primary_key=True),
    _text("tier", primary_key=True),
    _whole("day", primary_key=True),
    _whole("contacts"),
)
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
playbooks = sa.Table(
    "playbooks",
    metadata,
    _text("hash", primary_key=True),
    _whole("first_used_at"),
    _text("files"),
)


def upgrade() -> None:
    """Make what is missing of the tables and their indexes."""
    connection = op.get_bind()
    metadata.create_all(connection)
    for table in metadata.tables.values():
        for index in table.indexes:
            index.create(connection, checkfirst=True)
