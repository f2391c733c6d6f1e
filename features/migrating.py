"""Carrying a store forwards to the tables of this Holdfast."""

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from features.engines import address, begin_alone, faults, wait_for
from features.errors import StoreError
from features.revisions import LOCK, REVISION, TABLE, revision_of
from features.store import metadata

_FOLDER = Path(__file__).resolve().parent / "migrations"


def versions() -> list[str]:
    """List the versions that a store can be carried forwards from and to, the oldest first."""
    return [script.revision for script in ScriptDirectory(str(_FOLDER)).walk_revisions()][::-1]


def carry_forwards(engine: sa.Engine) -> str:
    """Carry a store forwards, all the way or not at all, and tell the version that it had; "" of an empty one.

    Raises StoreError when an earlier Holdfast made it than can be carried forwards, or a newer one.
    """
    with engine.connect() as connection, faults(engine, "be carried forwards"):
        begin_alone(connection)
        wait_for(connection, [LOCK])
        found = revision_of(connection, metadata)
        if found > REVISION or (found and found not in versions()):
            raise StoreError(
                f"expected the store at {address(engine)} to be of a version up to {REVISION}, found version {found},"
                " which a newer Holdfast made; update Holdfast"
            )
        upgrade(connection)
        connection.commit()
    return found


def upgrade(connection: sa.Connection, to: str = REVISION) -> None:
    """Carry the store behind a connection forwards within its transaction."""
    config = Config(attributes={"connection": connection, "table": TABLE})
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    command.upgrade(config, to)
