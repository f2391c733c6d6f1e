"""The newest link is found without going through all of them."""

from alembic import op

revision, down_revision = "0004", "0003"


def upgrade() -> None:
    """Make the index."""
    op.create_index("ix_links_recorded_at", "links", ["recorded_at"])
