"""What we know of a customer and an item together, for ranking next purchases; in batch and online, by one measurement.

The population's side comes from an `ItemTable` made at one moment.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from features.candidates import CANDIDATE_DEFINITION, Lines, candidates
from features.clock import DAY, microseconds
from features.events import KINDS
from features.feature import Array
from features.history import Known
from features.items import ITEM_DEFINITION, ItemTable, Whole, bought, item_table
from features.packed import CustomerEvents
from features.pairs import PAIR_FEATURES

__all__ = ["PAIR_DEFINITION", "PAIR_FEATURES", "ItemTable", "Pairs", "item_table", "pairs_of", "pairs_of_customer"]

# The first number counts changes of what the features mean.
PAIR_DEFINITION = (4, PAIR_FEATURES, CANDIDATE_DEFINITION, ITEM_DEFINITION)
_PURCHASE = list(KINDS).index("purchase")
_CUSTOMERS_AT_ONCE = 250  # bounds the memory of a chunk's customers by all items


@dataclass(frozen=True)
class Pairs:
    """Candidate items of many customers at one moment; `values` has shape (pairs, `PAIR_FEATURES`)."""

    customers: npt.NDArray[np.str_]
    items: npt.NDArray[np.str_]
    values: Array


def pairs_of(known: Known, table: ItemTable, customers: Sequence[str] | None = None) -> Pairs:
    """List and measure candidates in batch, of everyone who bought an item or of some of them."""
    mine = pl.lit(True) if customers is None else pl.col("customer").is_in(list(customers))
    rows = bought(known, table.level).filter(mine)
    items = [*table.items, *_strange(rows["item"].unique().to_list(), table)]
    places = pl.DataFrame({"item": items}, schema={"item": pl.String}).with_row_index("place")
    placed = rows.join(places, on="item").with_columns(owner=pl.col("customer").rank("dense") - 1).sort("owner")
    names = placed["customer"].unique().sort().to_numpy()
    owners, found, values = zip(*_chunks(placed, len(names), table, len(items), microseconds(known.as_of)), strict=True)
    chosen = np.array(items, dtype=object)[np.concatenate(found)]
    return Pairs(names[np.concatenate(owners)], chosen, np.concatenate(values))


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


def _chunks(
    placed: pl.DataFrame, customers: int, table: ItemTable, items: int, as_of: int
) -> Iterator[tuple[Whole, Whole, Array]]:
    owner, place, day, amount = (
        placed[name].to_numpy().astype(np.int64) for name in ("owner", "place", "day", "amount")
    )
    for start in range(0, max(customers, 1), _CUSTOMERS_AT_ONCE):
        end = min(start + _CUSTOMERS_AT_ONCE, customers)
        part = slice(*np.searchsorted(owner, [start, end]))
        lines = Lines(owner[part] - start, place[part], day[part], amount[part], end - start, items)
        mine, chosen, values = candidates(lines, table, as_of)
        yield mine + start, chosen, values
