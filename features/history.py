"""The history: with two clocks, and every version of what was told; the only reader and writer of the store."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import itemgetter
from pathlib import Path
from typing import Any

import polars as pl
import sqlalchemy as sa

from features import looks, store
from features.bodies import reason_of, worded
from features.clock import from_microseconds, microseconds
from features.corrections import as_timed, correct
from features.deadline import Deadline
from features.decisions import Decisions, Settlement, settle, touched
from features.engines import wait_for
from features.erasing import Erasures
from features.errors import AmbiguousCustomer
from features.events import Interaction, scaled
from features.expiry import Expiry
from features.identity import IdentityLink, canonical, reachable, standing
from features.keys import Keys
from features.known import LEVELS, Known, ended_by, with_customer, with_levels
from features.looks import COLUMNS
from features.shadows import Shadows
from features.tombstones import Tombstones, valued
from features.versions import Row, Written

# So many events are written within a flush or two.
_FEW = 20
_WHOLE = ("quantity", "amount", "margin", "discount", "occurred_at", "recorded_at", "utc_offset", "superseded_at")
_KIND, _RECORDED_AT = (3 + COLUMNS.index(name) for name in ("kind", "recorded_at"))
_NEVER, _LAST = -(2**62), 2**62


@dataclass(frozen=True, slots=True)
class State:
    """How far the record of a customer goes: the catalogue's revision, and the number of the newest row.

    `erasures` numbers the last time that rows were taken out of the store, of whomever.
    """

    catalogue: int
    seq: int
    erasures: int = 0


@dataclass(frozen=True, slots=True)
class Added:
    """What was written of a customer after a place in the store.

    `rows` are those that stand, each as `FETCHED`; `seq` numbers the newest row; `known_from` is the newest moment, in
    microseconds, at which any of them became known or was superseded; `corrects` tells whether earlier rows may stand
    no more.
    """

    rows: list[tuple[Any, ...]]
    seq: int
    known_from: int
    corrects: bool

    def state(self, before: State) -> State:
        """How far the record goes with this."""
        return State(before.catalogue, self.seq, before.erasures)


class History:
    """Everything that is known of every customer, and when it became known.

    `key` is the file of the secret by which the erased are known again, in vain where nobody ever was.
    """

    def __init__(self, url: str, key: Path | None = None) -> None:
        self.url = url
        self._store = store.Store(url)
        self._reading = self._store.reading
        self.at_hand, self.checkpoint = self._store.at_hand, self._store.checkpoint
        self.tombstones = Tombstones(key)
        self.decisions = Decisions(self._store, self.tombstones)
        self.erasures = Erasures(self._store, self.tombstones)
        self.expiry = Expiry(self._store)
        self.keys = Keys(self._store)
        self.shadows = Shadows(self._store)

    def close(self) -> None:
        """Let go of the store."""
        self._store.close()

    # -- writing

    def append(
        self, interactions: Iterable[Interaction], corrections_from: datetime | None, deadline: Deadline | None = None
    ) -> Written:
        """Append interactions as `append_rows` does."""
        return self.append_rows([_row(one) for one in interactions], corrections_from, deadline)

    def report(
        self, interactions: Iterable[Interaction], corrections_from: datetime | None, settlement: Settlement,
        deadline: Deadline | None = None,
    ) -> tuple[Written, str | None]:  # fmt: skip
        """Append what came of an offer as `append_rows` does, and settle its contact, in one transaction.

        No news settle nothing; tells the state of the contact that they settled.
        """
        return self._appended([_row(one) for one in interactions], corrections_from, settlement, deadline)

    def append_rows(
        self, rows: Sequence[Row], corrections_from: datetime | None, deadline: Deadline | None = None
    ) -> Written:
        """Append rows in the shape of `store.events`, in one transaction.

        One whose id is known changes nothing if it says what was told before, and is a correction if it doesn't. A
        correction counts as known from `corrections_from` on, so that nothing computed for an earlier moment changes;
        where that is None, from its own `recorded_at` on. What is told of somebody who was erased isn't taken.

        Raises GivenUp when the deadline was missed; then nothing is written.
        """
        return self._appended(rows, corrections_from, None, deadline)[0]

    def _appended(
        self, rows: Sequence[Row], corrections_from: datetime | None, settlement: Settlement | None,
        deadline: Deadline | None,
    ) -> tuple[Written, str | None]:  # fmt: skip
        deadline, offered = deadline or Deadline(), len(rows)
        with self._store.alone(apart=len(rows) > _FEW) as connection:
            wait_for(connection, [*(touched(connection, settlement) if settlement else ()), store.TOLD])
            deadline.check()
            rows = self.tombstones.taken(connection, rows)
            if settlement is not None and not settlement.timed:
                rows = as_timed(connection, rows)
            names = {row["reference"] for row in rows}
            store.insert_new(connection, store.references, [_named(name) for name in sorted(names)])
            new = store.insert_new(connection, store.events, rows)
            moment = None if corrections_from is None else microseconds(corrections_from)
            corrected = correct(connection, rows, moment) if new < len(rows) else 0
            contact = settle(connection, settlement) if settlement is not None and new + corrected else None
            deadline.claim()
        return Written(new, corrected, len(rows) - new - corrected, offered - len(rows)), contact

    def link(self, found: Iterable[IdentityLink]) -> Written:
        """Append links between references; one with somebody who was erased isn't taken."""
        rows = []
        for link in found:
            first, second = link.pair()
            recorded_at = microseconds(link.recorded_at)
            rows.append({"first": first, "second": second, "action": link.action, "recorded_at": recorded_at})
        with self._store.alone([store.TOLD], apart=True) as connection:
            gone = self.tombstones.erased(connection, _linked(rows))
            kept = [row for row in rows if gone.keys().isdisjoint(_linked([row]))]
            store.insert_new(connection, store.references, [_named(name) for name in sorted(_linked(kept))])
            new = store.insert_new(connection, store.links, kept)
        return Written(new, 0, len(kept) - new, len(rows) - len(kept))

    def put_products(self, rows: Sequence[Mapping[str, str]]) -> Written:
        """Lay down catalogue rows (`product`, `name`, `type`, `category`, `department`), each product once.

        A known product that differs is replaced. The rows written get the next revision of the catalogue.
        """
        with self._store.alone([store.TOLD], apart=True) as connection:
            revision = 1 + (connection.scalar(sa.select(sa.func.max(store.products.c.revision))) or 0)
            new = store.insert_new(connection, store.products, [{**row, "revision": revision} for row in rows])
            differing = _differing(connection, rows)
            for part in store.parts([row["product"] for row in differing]):
                connection.execute(sa.delete(store.products).where(store.products.c.product.in_(part)))
            store.insert_new(connection, store.products, [{**row, "revision": revision} for row in differing])
        return Written(new, len(differing), len(rows) - new - len(differing))

    # -- reading

    def known_by(self, as_of: datetime, references: Iterable[str] | None = None) -> Known:
        """Read all that was recorded by a moment, that moment included; only of some references, if they are given."""
        cut, table, catalogue = microseconds(as_of), store.events, store.products
        query = sa.select(*(table.c[name] for name in (*COLUMNS, "superseded_at")), _WORDING)
        query = query.where(table.c.recorded_at <= cut)
        some = None if references is None else table.c.reference
        records = worded(ended_by(self._frame(query, some, references or ()), cut))
        products = self._frame(sa.select(*(catalogue.c[name] for name in ("product", "name", *LEVELS[1:]))))
        links = tuple(link for link in self._links() if link[2] <= cut)
        records = with_levels(records, products)
        return Known(as_of, with_customer(records, links), links, products)

    def batches(self, as_of: datetime) -> Iterator[pl.DataFrame]:
        """Read all that was recorded by a moment, many rows at once: `id`, `source`, and what `Known.records` has."""
        cut, names = microseconds(as_of), ("id", "source", *COLUMNS, "superseded_at")
        query = sa.select(*(store.events.c[name] for name in names), _WORDING).where(store.events.c.recorded_at <= cut)
        with self._reading() as connection:
            for rows in store.tuples(connection, query):
                frame = pl.DataFrame(rows, schema=_schema([*names, "wording"]), orient="row")
                yield worded(ended_by(frame, cut))

    def reasons(self, as_of: datetime) -> list[tuple[str, str, str, int, int, str]]:
        """List the reasons told of offers: reference, kind, offer, when it occurred and was known, reason."""
        cut, table = microseconds(as_of), store.events
        names = ("reference", "kind", "product", "occurred_at", "recorded_at", "body")
        kinds = table.c.kind.in_(("offer_declined", "offer_returned", "offer_not_presented"))
        told = sa.select(*(table.c[name] for name in names)).where(kinds & looks.stands(sa.bindparam("cut", cut)))
        with self._reading() as connection:
            rows = [row for part in store.tuples(connection, told.order_by(table.c.seq)) for row in part]
        return [(*row[:5], reason_of(row[5])) for row in rows if reason_of(row[5])]

    def references_of(self, reference: str, as_of: datetime) -> set[str]:
        """Collect every reference that was known, by a moment, to be the same customer."""
        cut = microseconds(as_of)

        def neighbours(at: str) -> set[str]:
            with self._reading() as connection:
                actions = looks.TOUCHING.fetch(connection, at=at, cut=cut)
            return {name for pair in standing(actions) for name in pair if name != at}

        return reachable(reference, neighbours)

    def of_customer(self, references: Iterable[str], as_of: datetime, seq: int = _LAST) -> list[tuple[Any, ...]]:
        """Fetch a customer's events as known at a moment, each as `FETCHED`, in the order they occurred.

        Without what was written after the row numbered `seq`, whatever moment it claims.
        """
        with self._reading() as connection:
            return looks.STANDING.fetch(connection, references=list(references), cut=microseconds(as_of), seq=seq)

    def state_of(self, references: Iterable[str]) -> State:
        """Tell how far the record of a customer goes; whatever is written of them moves it on."""
        with self._reading() as connection:
            return State(*looks.STATE.fetch(connection, references=list(references))[0])

    def states_of(self, customers: Sequence[Sequence[str]]) -> list[State]:
        """Tell of many customers what `state_of` tells of one, each given as references."""
        newest: dict[str, int] = {}
        with self._reading() as connection:
            catalogue, erasures = looks.WHOLE_STORE.fetch(connection)[0]
            for part in store.parts({name for references in customers for name in references}):
                newest |= dict(looks.NEWEST_OF_EACH.fetch(connection, references=store.padded(part)))
        seqs = [max(newest.get(name) or 0 for name in references) for references in customers]
        return [State(catalogue, seq, erasures) for seq in seqs]

    def added_since(self, references: Iterable[str], seq: int) -> Added:
        """Fetch what was written of a customer after a place in the store, whenever it counts as known."""
        with self._reading() as connection:
            found = looks.ADDED.fetch(connection, references=list(references), seq=seq)
        return Added(
            rows=[row[3:] for row in found if row[2] is None and row[_KIND] != "void"],
            seq=max((row[0] for row in found), default=seq),
            known_from=max((max(row[_RECORDED_AT], row[2] or _NEVER) for row in found), default=_NEVER),
            corrects=any(row[1] for row in found),
        )

    def find(self, text: str) -> str | None:
        """Find the reference that a text names, by `type:value` or by a value alone; None when nobody is known by it.

        Raises AmbiguousCustomer when a value alone names several references.
        """
        with self._reading() as connection:
            found = [row[0] for row in looks.FIND.fetch(connection, text=text)]
        return one_of(text, found)

    def named(self, texts: Iterable[str]) -> dict[str, list[str]]:
        """List for each of many texts the references that it names, by `type:value` or by a value alone."""
        named: dict[str, list[str]] = {}
        with self._reading() as connection:
            for part in store.parts(texts):
                asked = store.padded(part)
                for reference, value in looks.NAMED.fetch(connection, texts=asked, values=asked):
                    for text in {reference, value}:
                        named.setdefault(text, []).append(reference)
        return named

    def linked(self, references: Iterable[str]) -> set[str]:
        """Tell which of many references any link speaks of, whatever it says."""
        with self._reading() as connection:
            parts = map(store.padded, store.parts(references))
            rows = [row for part in parts for row in looks.LINKED.fetch(connection, firsts=part, seconds=part)]
        return {name for row in rows for name in row}

    def check_erased(self, text: str) -> None:
        """Refuse an id that nobody is known by and that was, without its type, somebody's who was erased.

        Raises ErasedCustomer.
        """
        with self._reading() as connection:
            self.tombstones.check(connection, [valued(text)])

    def customer(self, reference: str, as_of: datetime) -> str:
        """Name the customer that a reference belongs to."""
        return canonical(self.references_of(reference, as_of))

    def occurred_at(self, event_id: str) -> datetime | None:
        """Tell when an event occurred, by the newest that was told of it; None when its id isn't known."""
        mine = (store.events.c.id == event_id) & store.events.c.superseded_at.is_(None)
        with self._reading() as connection:
            moment = connection.scalar(sa.select(store.events.c.occurred_at).where(mine))
        return None if moment is None else from_microseconds(moment)

    def newest(self) -> datetime | None:
        """Tell when anything was last recorded; None while the history is empty."""
        with self._reading() as connection:
            moments = [moment for moment in looks.NEWEST.fetch(connection)[0] if moment is not None]
        return from_microseconds(max(moments)) if moments else None

    def counts(self) -> dict[str, int]:
        """Count the events of each kind, by the newest that was told of each."""
        stands = store.events.c.superseded_at.is_(None) & (store.events.c.kind != "void")
        query = sa.select(store.events.c.kind, sa.func.count()).where(stands).group_by(store.events.c.kind)
        with self._reading() as connection:
            return {row[0]: row[1] for row in connection.execute(query)}

    def sources(self) -> list[str]:
        """List the sources that events came from."""
        with self._reading() as connection:
            return sorted(connection.scalars(sa.select(store.events.c.source).distinct()))

    def origins(self, as_of: datetime) -> list[tuple[str, str, int, int, int]]:
        """Count what was told by a moment: source, kind, events, and the first and last moment they occurred."""
        table = store.events
        first, last = (function(table.c.occurred_at) for function in (sa.func.min, sa.func.max))
        query = sa.select(table.c.source, table.c.kind, sa.func.count(), first, last)
        query = query.where(looks.stands(sa.bindparam("cut", microseconds(as_of)))).group_by(
            table.c.source, table.c.kind
        )
        with self._reading() as connection:
            return [tuple(row) for row in connection.execute(query.order_by(table.c.source, table.c.kind))]

    def _links(self, condition: Any = None) -> list[tuple[str, str, int, str]]:
        query = sa.select(*(store.links.c[name] for name in ("first", "second", "recorded_at", "action")))
        with self._reading() as connection:
            return [tuple(row) for row in connection.execute(query if condition is None else query.where(condition))]

    def _frame(
        self, query: store.Query, column: sa.Column[str] | None = None, among: Iterable[str] = ()
    ) -> pl.DataFrame:
        """Read a query's rows; only those where a column is among some names, if one is given."""
        schema = _schema(query.selected_columns.keys())
        queries = [query] if column is None else [query.where(column.in_(part)) for part in store.parts(set(among))]
        parts = [pl.DataFrame(schema=schema)]
        with self._reading() as connection:
            for each in queries:
                parts += [pl.DataFrame(rows, schema=schema, orient="row") for rows in store.tuples(connection, each)]
        return pl.concat(parts)


_WORDING = sa.case((store.events.c.kind == "attribute", store.events.c.body), else_="").label("wording")


def one_of(text: str, found: Iterable[str]) -> str | None:
    """Choose the reference that a text names, of those found by it; None where none was.

    Raises AmbiguousCustomer when a value alone names several references.
    """
    found = sorted(found)
    if text in found or len(found) == 1:
        return text if text in found else found[0]
    if found:
        raise AmbiguousCustomer(f"expected one customer behind {text!r}, found {', '.join(found)}; name one of them")
    return None


def _schema(names: Iterable[str]) -> dict[str, type[pl.DataType]]:
    return {name: pl.Int64 if name in _WHOLE else pl.String for name in names}


def _differing(connection: sa.Connection, rows: Sequence[Mapping[str, str]]) -> list[Mapping[str, str]]:
    """Keep the catalogue rows that aren't stored as they are."""
    names = ("product", "name", *LEVELS[1:])
    query, stored = sa.select(*(store.products.c[name] for name in names)), set[tuple[Any, ...]]()
    for part in store.parts([row["product"] for row in rows]):
        stored.update(map(tuple, connection.execute(query.where(store.products.c.product.in_(part)))))
    return [row for row in rows if itemgetter(*names)(row) not in stored]


def _linked(rows: Iterable[Mapping[str, Any]]) -> set[str]:
    return {str(row[side]) for row in rows for side in ("first", "second")}


def _named(reference: str) -> dict[str, str]:
    return {"reference": reference, "value": reference.partition(":")[2]}


def _row(of: Interaction) -> dict[str, Any]:
    same: Callable[[str], Any] = lambda name: getattr(of, name)  # noqa: E731
    names = ("id", "source", "source_reference", "kind", "channel", "product", "place")
    return {name: same(name) for name in names} | {
        "reference": str(of.reference),
        "quantity": scaled(of.quantity),
        "amount": scaled(of.amount),
        "margin": None if of.margin is None else scaled(of.margin),
        "discount": scaled(of.discount),
        "occurred_at": microseconds(of.occurred_at),
        "recorded_at": microseconds(of.recorded_at),
        "utc_offset": int((of.occurred_at.utcoffset() or timedelta()).total_seconds()),
        "body": of.body_text(),
    }
