"""What Alembic runs: it carries the store forwards on the connection and in the transaction that it is given."""

from alembic import context

given = context.config.attributes
context.configure(connection=given["connection"], version_table=given["table"], render_as_batch=True)
context.run_migrations()
