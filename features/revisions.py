"""The version of a store's tables: written into the store, and asked for whenever it is opened."""

from collections.abc import Sequence

import sqlalchemy as sa

from features.engines import address, begin_alone, wait_for
from features.errors import StoreError

# The newest file in features/migrations/versions. The table has a name of our own: MLflow's lies in another's.
REVISION = "0004"
TABLE = "holdfast_version"
# The version of stores that were made before versions were written down.
FIRST = "0001"
LOCK = "tables"


def settle(engine: sa.Engine, metadata: sa.MetaData) -> None:
    """See that a store has the tables of this Holdfast: a new one gets them.

    Raises StoreError when it has those of another version.
    """
    with engine.connect() as connection:
        found = revision_of(connection, metadata)
    if found == "":
        found = _made(engine, metadata)
    if found != REVISION:
        raise StoreError(_other(found, engine))


def revision_of(connection: sa.Connection, metadata: sa.MetaData) -> str:
    """Read the version of a store; "" of an empty one.

    Raises StoreError when an earlier Holdfast made its tables than any version that can be carried forwards.
    """
    names = set(sa.inspect(connection).get_table_names())
    if TABLE in names:
        return str(connection.exec_driver_sql(f"SELECT version_num FROM {TABLE}").scalar() or "none")
    ours = sorted(names & metadata.tables.keys())
    _check_columns(connection, [metadata.tables[name] for name in ours])
    return FIRST if ours else ""


def stamp(connection: sa.Connection) -> None:
    """Write down that a store has this Holdfast's tables, as Alembic does."""
    number = sa.Column("version_num", sa.String(32), nullable=False)
    table = sa.Table(TABLE, sa.MetaData(), number, sa.PrimaryKeyConstraint(number, name=f"{TABLE}_pkc"))
    table.create(connection)
    connection.execute(sa.insert(table).values(version_num=REVISION))


def _made(engine: sa.Engine, metadata: sa.MetaData) -> str:
    """Make the tables, unless another process just did."""
    with engine.connect() as connection:
        begin_alone(connection)
        wait_for(connection, [LOCK])
        found = revision_of(connection, metadata)
        if found == "":
            metadata.create_all(connection)
            stamp(connection)
            found = REVISION
        connection.commit()
    return found


def _other(found: str, engine: sa.Engine) -> str:
    said = f"expected the store at {address(engine)} to be of version {REVISION}, found version {found}"
    if found > REVISION:
        return f"{said}, which a newer Holdfast made; update Holdfast"
    return f"{said}; stop what uses it and carry it forwards: holdfast migrate"


def _check_columns(connection: sa.Connection, tables: Sequence[sa.Table]) -> None:
    """Refuse tables that lack columns which the first version had; later ones say `since` when they came."""
    inspector, missing = sa.inspect(connection), list[str]()
    for table in tables:
        found = {column["name"] for column in inspector.get_columns(table.name)}
        first = [column.name for column in table.columns if "since" not in column.info]
        missing += [f"{table.name}.{name}" for name in first if name not in found]
    if missing:
        raise StoreError(
            f"expected the store at {address(connection.engine)} to have {', '.join(missing)}; found a store that an"
            " earlier Holdfast made, without them. Ingest the files again into a new home: set HOLDFAST_HOME to another"
            " folder, or HOLDFAST_DATABASE_URL to another store"
        )
