"""What a challenger would have decided, beside the decisions that were answered; no customer is named here."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from features import store
from features.clock import microseconds
from features.store import Store


@dataclass(frozen=True, slots=True)
class Shadow:
    """A challenger's decision beside an answered one: by which bundle, as of when, and what it says."""

    decision: str
    bundle: str
    made_at: datetime
    body: Mapping[str, Any]


class Shadows:
    """The table of what challengers would have decided."""

    def __init__(self, opened: Store) -> None:
        self._store = opened

    def newest(self) -> int:
        """Number the newest decision; 0 where there is none."""
        with self._store.reading() as connection:
            return connection.scalar(sa.select(sa.func.max(store.decisions.c.seq))) or 0

    def undone(self, bundle: str, after: int, most: int) -> list[tuple[int, str]]:
        """List the decisions with a higher number that a bundle didn't shadow, in their order, each with its number."""
        decided, shadowed = store.decisions.c, store.shadows.c
        done = sa.exists().where(shadowed.decision == decided.id, shadowed.bundle == bundle)
        query = sa.select(decided.seq, decided.id).where(decided.seq > after, ~done).order_by(decided.seq).limit(most)
        with self._store.reading() as connection:
            return [(seq, decision) for seq, decision in connection.execute(query)]

    def last(self, bundle: str) -> int | None:
        """Number the last decision that a bundle shadowed; None where it did none."""
        decided, shadowed = store.decisions.c, store.shadows.c
        query = sa.select(sa.func.max(decided.seq)).where(decided.id == shadowed.decision, shadowed.bundle == bundle)
        with self._store.reading() as connection:
            found: int | None = connection.scalar(query)
            return found

    def write(self, shadows: Iterable[Shadow]) -> int:
        """Write shadows down and return how many; one that is there stays, and none is of a decision that is gone."""
        rows = [
            {
                "decision": one.decision,
                "bundle": one.bundle,
                "made_at": microseconds(one.made_at),
                "body": json.dumps(one.body, ensure_ascii=False),
            }
            for one in shadows
        ]
        # An erasure waits for the same.
        with self._store.alone([store.TOLD]) as connection:
            kept = store.decisions.c.id
            query = sa.select(kept).where(kept.in_([row["decision"] for row in rows]))
            there = set(connection.scalars(query))
            return store.insert_new(connection, store.shadows, [row for row in rows if row["decision"] in there])

    def beside(self, bundle: str) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
        """Go through the decisions that a bundle shadowed, in their order, each with what the bundle says."""
        decided, shadowed = store.decisions.c, store.shadows.c
        query = sa.select(decided.body, shadowed.body).where(
            decided.id == shadowed.decision, shadowed.bundle == bundle
        )  # fmt: skip
        with self._store.reading() as connection:
            for rows in store.tuples(connection, query.order_by(decided.seq)):
                for body, beside in rows:
                    yield json.loads(body), json.loads(beside)

    def passed(self, bundle: str) -> int:
        """Count the decisions from the first to the last that a bundle shadowed, whether it shadowed them or not."""
        table, decided, shadowed = store.decisions.c, store.decisions.alias().c, store.shadows.c
        both = (decided.id == shadowed.decision) & (shadowed.bundle == bundle)
        first, last = (sa.select(end(decided.seq)).where(both).scalar_subquery() for end in (sa.func.min, sa.func.max))
        with self._store.reading() as connection:
            return connection.scalar(sa.select(sa.func.count()).where(table.seq.between(first, last))) or 0
