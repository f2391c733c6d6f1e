"""How a store is carried forwards from version to version, by Alembic."""
