"""A contact is found by its name, which settling an outcome does: without reading all contacts that were ever held."""

from alembic import op

revision, down_revision = "0002", "0001"


def upgrade() -> None:
    """Add the index."""
    op.create_index("contacts_of_contact", "contacts", ["contact", "seq"])
