"""Callers have keys, an erasure leaves marks that name nobody, and a challenger decides beside the champion."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision, down_revision = "0003", "0002"


def _text(name: str, **options: Any) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False, server_default="", **options)


def _whole(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=False)


def upgrade() -> None:
    """Make the three tables."""
    op.create_table(
        "keys",
        _text("key", primary_key=True),
        _text("name"),
        _text("role"),
        _text("hash"),
        sa.Column("rate", sa.BigInteger),
        _whole("made_at"),
        sa.Column("revoked_at", sa.BigInteger),
    )
    sequence = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.create_table(
        "erasures",
        sa.Column("seq", sequence, primary_key=True, autoincrement=True),
        _text("digest", index=True),
        _text("secret"),
        _text("action"),
        _whole("erased_at"),
    )
    op.create_table(
        "shadows",
        sa.Column("seq", sequence, primary_key=True, autoincrement=True),
        _text("decision"),
        _text("bundle", index=True),
        _whole("made_at"),
        _text("body"),
        sa.UniqueConstraint("decision", "bundle"),
    )
