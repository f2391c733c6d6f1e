"""Deleting what has been kept for long enough, a few thousand rows at a time, so that nobody waits for long."""

from collections.abc import Callable
from datetime import datetime

import sqlalchemy as sa

from features import store
from features.clock import from_microseconds, microseconds
from features.store import Store
from features.tombstones import TAKEN_OUT, tell_taken_out

_AT_ONCE = 5_000
# What isn't an event, by the moment that it goes by.
LOGS = {
    "decisions": store.decisions.c.made_at,
    "contacts": store.contacts.c.held_at,
    "shadows": store.shadows.c.made_at,
}


class Expiry:
    """What of a store is older than some moment, and how it goes."""

    def __init__(self, opened: Store) -> None:
        self._store = opened

    def oldest(self) -> dict[str, datetime]:
        """Tell how old the oldest of each kind of event and each log is, in one look."""
        table = store.events
        queries = [sa.select(table.c.kind, sa.func.min(table.c.occurred_at)).group_by(table.c.kind)]
        queries += [sa.select(sa.literal(log), sa.func.min(moment)) for log, moment in LOGS.items()]
        with self._store.reading() as connection:
            rows = [row for query in queries for row in connection.execute(query)]
        return {kind: from_microseconds(moment) for kind, moment in rows if moment is not None}

    def count(self, kind: str, before: datetime) -> int:
        """Count the events of a kind, or the rows of a log, that are older."""
        with self._store.reading() as connection:
            found = sa.select(sa.func.count()).select_from(_older(kind, microseconds(before)).subquery())
            return connection.scalar(found) or 0

    def delete(self, kind: str, before: datetime, at: datetime, on_progress: Callable[[int], None]) -> int:
        """Delete them, with every version of an event; returns how many went, told as they go.

        Workers are told with each part, so that they forget what they have kept of it, whatever ends this.
        """
        gone, older = 0, _older(kind, microseconds(before)).limit(_AT_ONCE)
        while True:
            with self._store.alone([store.TOLD]) as connection:
                found = [str(one) for one in connection.scalars(older)]
                for part in store.parts(found):
                    _delete(connection, kind, part)
                if found:
                    tell_taken_out(connection, at)
            gone += len(found)
            on_progress(gone)
            if len(found) < _AT_ONCE:
                return gone

    def forget_names(self) -> int:
        """Delete references of which nothing else is left; returns how many."""
        names, used = store.references.c.reference, (
            store.events.c.reference, store.links.c.first, store.links.c.second, store.contacts.c.reference,
            store.decisions.c.customer,
        )  # fmt: skip
        unused = sa.and_(*(~sa.exists().where(column == names) for column in used))
        with self._store.alone([store.TOLD]) as connection:
            return connection.execute(sa.delete(store.references).where(unused)).rowcount

    def told_since(self, moment: datetime) -> bool:
        """Tell whether rows were taken out of the store since a moment."""
        mine = (store.erasures.c.action == TAKEN_OUT) & (store.erasures.c.erased_at > microseconds(moment))
        with self._store.reading() as connection:
            return connection.execute(sa.select(sa.literal(1)).where(mine).limit(1)).first() is not None


def _older(kind: str, cut: int) -> sa.Select[tuple[str]]:
    """Ask for the ids of what is older: of events those of which no version is of a later moment."""
    if kind in LOGS:
        table, moment = LOGS[kind].table, LOGS[kind]
        name = {"decisions": "id", "contacts": "contact", "shadows": "decision"}[kind]
        return sa.select(table.c[name]).where(moment < cut).distinct()
    mine, other = store.events, store.events.alias()
    later = sa.exists().where(other.c.id == mine.c.id, other.c.occurred_at >= cut)
    old = sa.select(mine.c.id).where(mine.c.kind == kind, mine.c.occurred_at < cut, ~later).distinct()
    return old.where(mine.c.id.not_in(_wishes())) if kind == "consent" else old


def _wishes() -> sa.Select[tuple[str]]:
    """Ask for the ids of the wishes that hold: of each reference, purpose and channel the newest, however old it is."""
    mine, other = store.events.alias(), store.events.alias()
    standing, told = ((table.c.kind == "consent") & table.c.superseded_at.is_(None) for table in (mine, other))
    same = sa.and_(*(other.c[name] == mine.c[name] for name in ("reference", "product", "channel")))
    return sa.select(mine.c.id).where(
        standing, ~sa.exists().where(told, same, other.c.occurred_at > mine.c.occurred_at)
    )


def _delete(connection: sa.Connection, kind: str, ids: list[str]) -> None:
    columns = {
        "decisions": (store.decisions.c.id, store.shadows.c.decision),
        "contacts": (store.contacts.c.contact,),
        "shadows": (store.shadows.c.decision,),
    }.get(kind, (store.events.c.id,))
    for column in columns:
        connection.execute(sa.delete(column.table).where(column.in_(ids)))
