"""An archive back into a store: what `write_archive` wrote, or whatever has its form."""

from collections.abc import Callable
from json import dumps

import polars as pl

from features.archive import LINKS, PRODUCTS, Archive
from features.clock import from_microseconds
from features.history import History
from features.identity import IdentityLink, Reference
from features.versions import Row, Written

Progress = Callable[[str, int, int], None]
_ROWS_AT_ONCE = 50_000
_TOLD = (
    "id", "source", "reference", "kind", "channel", "product", "place", "quantity", "amount", "margin", "discount",
    "occurred_at", "recorded_at", "utc_offset", "wording",
)  # fmt: skip


def restore(history: History, archive: Archive, on_progress: Progress) -> Written:
    """Take an archive's products, links and every version of its events into a store, and count the events.

    What is known already changes nothing. Versions count from the moments that the archive gives them.
    """
    history.put_products(archive.table(PRODUCTS).to_dicts())
    history.link(
        IdentityLink(Reference.of(first), Reference.of(second), from_microseconds(recorded_at), action)
        for first, second, recorded_at, action in archive.table(LINKS).iter_rows()
    )
    done, total, written = 0, archive.count(), Written(0, 0, 0)
    for name in archive.events:
        for rows in archive.table(name).sort("recorded_at").iter_slices(_ROWS_AT_ONCE):
            written += history.append_rows(stored(rows), None)
            done += len(rows)
            on_progress("Taking the archive", done, total)
    return written


def stored(rows: pl.DataFrame) -> list[Row]:
    """Shape an archive's rows as the store's; a wording goes back into its body."""
    made = rows.select(_TOLD).with_columns(source_reference=pl.lit("archive")).to_dicts()
    for row in made:
        wording = row.pop("wording")
        row["body"] = dumps({"value": wording}, ensure_ascii=False) if wording else ""
    return made
