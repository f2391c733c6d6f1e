"""What we know of a customer and an item together, for ranking next purchases; in batch and online, by one measurement.

The population's side comes from an `ItemTable` made at one moment.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import polars as pl

from features.candidates import CANDIDATE_DEFINITION, Lines, candidates
from features.clock import DAY, microseconds
from features.events import KINDS
from features.feature import Array
from features.items import ITEM_DEFINITION, ItemTable, Whole, bought, item_table
from features.known import Known
from features.packed import CustomerEvents
from features.pairs import PAIR_FEATURES

__all__ = [
    "PAIR_DEFINITION",
    "PAIR_FEATURES",
    "ItemTable",
    "Pairs",
    "PlacedPairs",
    "Purchases",
    "item_table",
    "pairs_of",
    "pairs_of_customer",
]

# The first number counts changes of what the features mean.
PAIR_DEFINITION = (4, PAIR_FEATURES, CANDIDATE_DEFINITION, ITEM_DEFINITION)
_PAIRED = ("owner", "item", "values")
_PURCHASE = list(KINDS).index("purchase")
CUSTOMERS_AT_ONCE = 250  # bounds the memory of a chunk's customers by all items


@dataclass(frozen=True)
class Pairs:
    """Candidate items of many customers at one moment; `values` has shape (pairs, `PAIR_FEATURES`)."""

    customers: npt.NDArray[np.str_]
    items: npt.NDArray[np.str_]
    values: Array


@dataclass(frozen=True)
class PlacedPairs:
    """Candidate items of some customers, by the customer's place and the item's among all that were bought.

    In the order of both; `values` has shape (pairs, `PAIR_FEATURES`).
    """

    owner: Whole
    item: Whole
    values: Array

    def of(self, which: npt.NDArray[np.bool_]) -> "PlacedPairs":
        """Keep some pairs."""
        return PlacedPairs(self.owner[which], self.item[which], self.values[which])


@dataclass(frozen=True)
class Purchases:
    """The purchase lines of some customers at one moment, laid out once, to list candidates of a few at a time.

    `items` are the names of the table's items and then of those that it lacks. `buyers` are the places of those of the
    customers who bought an item, in order; a line's `owner` is a place among the buyers.
    """

    table: ItemTable
    as_of: int
    items: npt.NDArray[np.object_]
    buyers: Whole
    owner: Whole
    item: Whole
    day: Whole
    amount: Whole

    @classmethod
    def of(cls, known: Known, table: ItemTable, customers: Sequence[str]) -> "Purchases":
        """Lay out the lines of some customers, who are all different."""
        mine = pl.DataFrame({"customer": customers}, schema={"customer": pl.String}).with_row_index("mine")
        rows = bought(known, table.level).join(mine, on="customer")
        items = [*table.items, *_strange(rows["item"].unique().to_list(), table)]
        places = pl.DataFrame({"item": items}, schema={"item": pl.String}).with_row_index("place")
        lines = rows.join(places, on="item").sort("mine")
        whole = (lines[name].to_numpy().astype(np.int64) for name in ("mine", "place", "day", "amount"))
        owner, *rest = whole
        buyers, owner = np.unique(owner, return_inverse=True)
        names = places["item"].to_numpy()
        return cls(table, microseconds(known.as_of), names, buyers, owner, *rest)

    @cached_property
    def places(self) -> dict[str, int]:
        """Where each item stands."""
        return {item: place for place, item in enumerate(self.items.tolist())}

    @cached_property
    def order(self) -> Whole:
        """Where each item would stand by its name."""
        return np.argsort(np.argsort(self.items.astype(str)))

    def pairs(self, start: int, end: int) -> PlacedPairs:
        """List and measure the candidates of the customers from one place to before another; only buyers have any."""
        first, last = np.searchsorted(self.buyers, [start, end]).tolist()
        part = slice(*np.searchsorted(self.owner, [first, last]).tolist())
        owner, size = self.owner[part] - first, last - first
        lines = Lines(owner, self.item[part], self.day[part], self.amount[part], size, len(self.items))
        mine, item, values = candidates(lines, self.table, self.as_of)
        return PlacedPairs(self.buyers[mine + first], item, values)


def pairs_of(known: Known, table: ItemTable, customers: Sequence[str] | None = None) -> Pairs:
    """List and measure candidates in batch, of everyone who bought an item or of some of them."""
    everyone = bought(known, table.level)["customer"].to_list() if customers is None else customers
    names = pl.Series(sorted(set(everyone)), dtype=pl.String).to_numpy()
    purchases = Purchases.of(known, table, names.tolist())
    starts = range(0, max(len(names), 1), CUSTOMERS_AT_ONCE)
    parts = [purchases.pairs(start, start + CUSTOMERS_AT_ONCE) for start in starts]
    owner, item, values = (np.concatenate([getattr(part, name) for part in parts]) for name in _PAIRED)
    return Pairs(names[owner], purchases.items[item], values)


def pairs_of_customer(events: CustomerEvents, table: ItemTable, as_of: int) -> tuple[list[str], Array]:
    """List and measure one customer's candidates, online; the same items and numbers as in batch."""
    events, known = events.before(as_of), len(table.items)
    texts = events.texts[table.level]
    named = [place for place in np.flatnonzero(events.kind == _PURCHASE).tolist() if texts[place]]
    item = np.array([table.places.get(texts[place], -1) for place in named], dtype=np.int64)
    lacking = np.flatnonzero(item < 0).tolist()
    strange = _strange([texts[named[place]] for place in lacking], table)
    item[lacking] = [known + strange.index(texts[named[place]]) for place in lacking]
    lines = Lines(
        np.zeros(len(named), dtype=np.int64),
        item,
        events.occurred_at[named] // DAY,
        events.whole["amount"][named],
        1,
        known + len(strange),
    )
    _, chosen, values = candidates(lines, table, as_of)
    return [table.items[place] if place < known else strange[place - known] for place in chosen.tolist()], values


def _strange(items: Sequence[str], table: ItemTable) -> list[str]:
    """The items that a table lacks, such as those sold first after it was made, by name."""
    return sorted({item for item in items if item not in table.places})
