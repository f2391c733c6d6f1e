"""What is asked of the store in the middle of a call, made ready once: making it takes longer than an answer."""

import sqlalchemy as sa

from features import store
from features.known import LEVELS

COLUMNS = (
    "reference", "kind", "channel", "product", "place", "quantity", "amount", "margin", "discount", "occurred_at",
    "recorded_at", "utc_offset",
)  # fmt: skip
# A row of a customer, as it is fetched.
FETCHED = (*COLUMNS, *LEVELS[1:], "body")


def _fetching(*names: str) -> store.Query:
    """Ask for a customer's rows with their catalogue levels and bodies, as they occurred, then as they were written."""
    table, catalogue = store.events, store.products
    levels = [sa.func.coalesce(catalogue.c[level], "") for level in LEVELS[1:]]
    return (
        sa.select(*(table.c[name] for name in names), *levels, table.c.body)
        .select_from(table.outerjoin(catalogue, catalogue.c.product == table.c.product))
        .where(_MINE)
        .order_by(table.c.occurred_at, table.c.recorded_at, table.c.seq)
    )


def stands(cut: sa.BindParameter[int]) -> sa.ColumnElement[bool]:
    """Keep the events that stood at a moment."""
    table = store.events
    standing = sa.or_(table.c.superseded_at.is_(None), table.c.superseded_at > cut)
    return (table.c.recorded_at <= cut) & standing & (table.c.kind != "void")


_MINE = store.events.c.reference.in_(sa.bindparam("references", expanding=True))
STANDING = store.Prepared(
    _fetching(*COLUMNS).where(
        stands(sa.bindparam("cut", type_=sa.BigInteger)),
        store.events.c.seq <= sa.bindparam("seq", type_=sa.BigInteger),
    )
)
ADDED = store.Prepared(
    _fetching("seq", "version", "superseded_at", *COLUMNS).where(store.events.c.seq > sa.bindparam("seq"))
)
_TEXT: sa.BindParameter[str] = sa.bindparam("text")
FIND = store.Prepared(
    sa.select(store.references.c.reference)
    .where(sa.or_(store.references.c.reference == _TEXT, store.references.c.value == _TEXT))
    .limit(sa.literal_column("6"))
)
_AT: sa.BindParameter[str] = sa.bindparam("at")
TOUCHING = store.Prepared(
    sa.select(*(store.links.c[name] for name in ("first", "second", "recorded_at", "action"))).where(
        sa.or_(store.links.c.first == _AT, store.links.c.second == _AT),
        store.links.c.recorded_at <= sa.bindparam("cut", type_=sa.BigInteger),
    )
)
NEWEST = store.Prepared(
    sa.select(
        *(
            sa.select(sa.func.max(column)).scalar_subquery()
            for column in (store.events.c.recorded_at, store.links.c.recorded_at, store.decisions.c.made_at)
        )
    )
)
_REVISION = sa.select(sa.func.coalesce(sa.func.max(store.products.c.revision), 0)).scalar_subquery()
_ERASURES = sa.select(sa.func.coalesce(sa.func.max(store.erasures.c.seq), 0)).scalar_subquery()
STATE = store.Prepared(
    sa.select(_REVISION, sa.func.coalesce(sa.func.max(store.events.c.seq), 0), _ERASURES).where(_MINE)
)


WHOLE_STORE = store.Prepared(sa.select(_REVISION, _ERASURES))
# By a look for each: to group would go through all of everybody's events.
NEWEST_OF_EACH = store.Prepared(
    sa.select(
        store.references.c.reference,
        sa.select(sa.func.max(store.events.c.seq))
        .where(store.events.c.reference == store.references.c.reference)
        .scalar_subquery(),
    ).where(store.references.c.reference.in_(sa.bindparam("references", expanding=True)))
)
NAMED = store.Prepared(
    sa.select(store.references.c.reference, store.references.c.value).where(
        sa.or_(
            store.references.c.reference.in_(sa.bindparam("texts", expanding=True)),
            store.references.c.value.in_(sa.bindparam("values", expanding=True)),
        )
    )
)
LINKED = store.Prepared(
    sa.select(store.links.c.first, store.links.c.second).where(
        sa.or_(
            store.links.c.first.in_(sa.bindparam("firsts", expanding=True)),
            store.links.c.second.in_(sa.bindparam("seconds", expanding=True)),
        )
    )
)
