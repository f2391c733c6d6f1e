"""The history: append-only, with two clocks; the only reader and writer of the store."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import polars as pl
import sqlalchemy as sa

from features import store
from features.clock import from_microseconds, microseconds
from features.errors import AmbiguousCustomer, StoreError
from features.events import Interaction, scaled
from features.identity import IdentityLink, canonical, components, reachable, standing

COLUMNS = (
    "reference", "kind", "channel", "product", "place", "quantity", "amount", "margin", "discount", "occurred_at",
    "recorded_at",
)  # fmt: skip
_WHOLE = ("quantity", "amount", "margin", "discount", "occurred_at", "recorded_at")
_ROWS_AT_ONCE = 50_000
LEVELS = ("product", "type", "category", "department")


@dataclass(frozen=True)
class Known:
    """What was known at a moment: events with a `customer` column, the links behind it, and the products sold.

    `events` holds `COLUMNS`, `customer`, `type`, `category` and `department`; moments are microseconds and measures
    ten-thousandths, all whole numbers.
    """

    as_of: datetime
    events: pl.DataFrame
    links: tuple[tuple[str, str, int, str], ...]
    products: pl.DataFrame

    def at(self, earlier: datetime) -> "Known":
        """Go back to an earlier moment: later records vanish, and later links with them."""
        cut = microseconds(earlier)
        links = tuple(link for link in self.links if link[2] <= cut)
        events = self.events.filter(pl.col("recorded_at") <= cut)
        if links or self.links:
            events = _with_customer(events, links)
        return replace(self, as_of=earlier, events=events, links=links)


class History:
    """Everything that is known of every customer, and when it became known."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._engine = store.open_store(url)

    def close(self) -> None:
        """Let go of the store."""
        self._engine.dispose()

    @contextmanager
    def _writing(self) -> Iterator[sa.Connection]:
        with _store_errors("be written"), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def _reading(self) -> Iterator[sa.Connection]:
        with _store_errors("be read"), self._engine.connect() as connection:
            yield connection

    # -- writing

    def append(self, interactions: Iterable[Interaction]) -> int:
        """Append interactions and return how many were new; one whose id is known changes nothing."""
        return self.append_rows([_row(interaction) for interaction in interactions])

    def append_rows(self, rows: Sequence[Mapping[str, Any]]) -> int:
        """Append rows in the shape of `store.events`, in one transaction, and return how many were new."""
        names = {row["reference"] for row in rows}
        with self._writing() as connection:
            store.insert_new(connection, store.references, [_named(name) for name in sorted(names)])
            return store.insert_new(connection, store.events, rows)

    def link(self, found: Iterable[IdentityLink]) -> int:
        """Append links between references and return how many were new."""
        rows = []
        for link in found:
            first, second = link.pair()
            recorded_at = microseconds(link.recorded_at)
            rows.append({"first": first, "second": second, "action": link.action, "recorded_at": recorded_at})
        names = {str(row[side]) for row in rows for side in ("first", "second")}
        with self._writing() as connection:
            store.insert_new(connection, store.references, [_named(name) for name in sorted(names)])
            return store.insert_new(connection, store.links, rows)

    def put_products(self, rows: Sequence[Mapping[str, str]]) -> int:
        """Lay down catalogue rows (`product`, `name`, `type`, `category`, `department`) and return how many were new.

        A known product is replaced.
        """
        known = 0
        with self._writing() as connection:
            for start in range(0, len(rows), 500):
                part = rows[start : start + 500]
                names = [row["product"] for row in part]
                gone = connection.execute(sa.delete(store.products).where(store.products.c.product.in_(names)))
                known += gone.rowcount
                connection.execute(sa.insert(store.products), [dict(row) for row in part])
        return len(rows) - known

    def append_decision(self, decision_id: str, customer: str, made_at: datetime, body: str) -> None:
        """Write a decision down; when this returns, it is on disk."""
        row = {"id": decision_id, "customer": customer, "made_at": microseconds(made_at), "body": body}
        with self._writing() as connection:
            connection.execute(sa.insert(store.decisions), [row])

    # -- reading

    def known_by(self, as_of: datetime) -> Known:
        """Read all that was recorded by a moment, that moment included."""
        cut = microseconds(as_of)
        events = self._frame(f"SELECT {', '.join(COLUMNS)} FROM events WHERE recorded_at <= {cut}")
        products = self._frame("SELECT product, name, type, category, department FROM products")
        links = tuple(link for link in self._links() if link[2] <= cut)
        levels = products.select("product", "type", "category", "department")
        events = events.join(levels, on="product", how="left").with_columns(
            pl.col("type", "category", "department").fill_null("")
        )
        return Known(as_of, _with_customer(events, links), links, products)

    def references_of(self, reference: str, as_of: datetime) -> set[str]:
        """Collect every reference that was known, by a moment, to be the same customer."""
        cut = microseconds(as_of)

        def neighbours(at: str) -> set[str]:
            touching = sa.or_(store.links.c.first == at, store.links.c.second == at)
            actions = self._links(touching & (store.links.c.recorded_at <= cut))
            return {name for pair in standing(actions) for name in pair if name != at}

        return reachable(reference, neighbours)

    def of_customer(self, references: Iterable[str], as_of: datetime) -> list[tuple[Any, ...]]:
        """Fetch a customer's events recorded by a moment: `COLUMNS`, then `type`, `category`, `department`, `body`."""
        table, catalogue = store.events, store.products
        levels = [sa.func.coalesce(catalogue.c[level], "") for level in LEVELS[1:]]
        query = (
            sa.select(*(table.c[name] for name in COLUMNS), *levels, table.c.body)
            .select_from(table.outerjoin(catalogue, catalogue.c.product == table.c.product))
            .where(table.c.reference.in_(sorted(references)), table.c.recorded_at <= microseconds(as_of))
            .order_by(table.c.occurred_at, table.c.recorded_at, table.c.id)
        )
        with self._reading() as connection:
            return [tuple(row) for row in connection.execute(query)]

    def find(self, text: str) -> str | None:
        """Find the reference that a text names, by `type:value` or by a value alone; None when nobody is known by it.

        Raises AmbiguousCustomer when a value alone names several references.
        """
        by_value = sa.or_(store.references.c.reference == text, store.references.c.value == text)
        with self._reading() as connection:
            found = sorted(connection.scalars(sa.select(store.references.c.reference).where(by_value).limit(6)))
        if text in found or len(found) == 1:
            return text if text in found else found[0]
        if found:
            raise AmbiguousCustomer(
                f"expected one customer behind {text!r}, found {', '.join(found)}; name one of them"
            )
        return None

    def customer(self, reference: str, as_of: datetime) -> str:
        """Name the customer that a reference belongs to."""
        return canonical(self.references_of(reference, as_of))

    def decision(self, decision_id: str) -> dict[str, Any] | None:
        """Fetch a decision as it was written, or None."""
        query = sa.select(store.decisions.c.body).where(store.decisions.c.id == decision_id)
        with self._reading() as connection:
            body = connection.scalar(query)
        return None if body is None else dict(json.loads(body))

    def decision_ids(self) -> list[str]:
        """List the decisions, in the order in which they were written."""
        with self._reading() as connection:
            return list(connection.scalars(sa.select(store.decisions.c.id).order_by(store.decisions.c.seq)))

    def newest(self) -> datetime | None:
        """Tell when anything was last recorded; None while the history is empty."""
        latest = sa.union_all(
            sa.select(sa.func.max(store.events.c.recorded_at)),
            sa.select(sa.func.max(store.links.c.recorded_at)),
            sa.select(sa.func.max(store.decisions.c.made_at)),
        )
        with self._reading() as connection:
            moments = [moment for moment in connection.scalars(latest) if moment is not None]
        return from_microseconds(max(moments)) if moments else None

    def counts(self) -> dict[str, int]:
        """Count the events of each kind."""
        query = sa.select(store.events.c.kind, sa.func.count()).group_by(store.events.c.kind)
        with self._reading() as connection:
            return {row[0]: row[1] for row in connection.execute(query)}

    def sources(self) -> list[str]:
        """List the sources that events came from."""
        with self._reading() as connection:
            return sorted(connection.scalars(sa.select(store.events.c.source).distinct()))

    def _links(self, condition: Any = None) -> list[tuple[str, str, int, str]]:
        query = sa.select(*(store.links.c[name] for name in ("first", "second", "recorded_at", "action")))
        with self._reading() as connection:
            return [tuple(row) for row in connection.execute(query if condition is None else query.where(condition))]

    def _frame(self, query: str) -> pl.DataFrame:
        with self._reading() as connection:
            cursor = connection.connection.cursor()
            cursor.execute(query)
            names = [column[0] for column in cursor.description]
            schema = {name: pl.Int64 if name in _WHOLE else pl.String for name in names}
            parts = [pl.DataFrame(schema=schema)]
            while rows := cursor.fetchmany(_ROWS_AT_ONCE):
                parts.append(pl.DataFrame(rows, schema=schema, orient="row"))
            cursor.close()
        return pl.concat(parts)


@contextmanager
def _store_errors(what: str) -> Iterator[None]:
    try:
        yield
    except sa.exc.SQLAlchemyError as error:
        raise StoreError(f"expected the store to {what}; found: {error.__cause__ or error}") from error


def _with_customer(events: pl.DataFrame, links: Sequence[tuple[str, str, int, str]]) -> pl.DataFrame:
    named = components(standing(links))
    return events.with_columns(customer=pl.col("reference").replace(named) if named else pl.col("reference"))


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
        "body": of.body_text(),
    }
