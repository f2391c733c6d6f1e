"""Who is one person: all references that stand for them now, and those that once did."""

from collections.abc import Iterable
from dataclasses import dataclass

import sqlalchemy as sa

from features import store
from features.identity import reachable, standing


@dataclass(frozen=True, slots=True)
class Person:
    """A person's references: those that are linked by now, and those that were `once`, by links since undone."""

    references: frozenset[str]
    once: frozenset[str]


def person_of(connection: sa.Connection, references: Iterable[str]) -> Person:
    """Collect the references of the persons behind some, by the links as they stand and as they ever were."""
    touching: dict[str, list[tuple[str, str, int, str]]] = {}

    def actions(at: str) -> list[tuple[str, str, int, str]]:
        if at not in touching:
            touching[at] = _TOUCHING.fetch(connection, at=at)
        return touching[at]

    def linked(at: str) -> set[str]:
        return {name for pair in standing(actions(at)) for name in pair}

    def ever(at: str) -> set[str]:
        return {name for first, second, *_ in actions(at) for name in (first, second)}

    asked = set(references)
    now = frozenset(name for one in asked for name in reachable(one, linked))
    once = frozenset(name for one in now for name in reachable(one, ever))
    return Person(now, once - now)


_AT: sa.BindParameter[str] = sa.bindparam("at")
_TOUCHING = store.Prepared(
    sa.select(*(store.links.c[name] for name in ("first", "second", "recorded_at", "action"))).where(
        sa.or_(store.links.c.first == _AT, store.links.c.second == _AT)
    )
)
