"""Converted rows as the store's rows, each with an id that a second ingest makes again.

With a key, the id is made of the source, the table and the key: a row that comes again, in whatever file, adds
nothing if it says the same; if it says something else, it corrects what was known. Without one, it is made of all that
the row was mapped to and its ordinal among the same rows of its file, so that twins survive; a row that comes again in
another file is taken for the same, and none is ever a correction.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import polars as pl

from features.events import event_id
from features.sources.cells import ROW, json_text
from features.sources.conversion import LEVEL, WORDING
from features.sources.mapping import Table
from features.sources.source import Source
from features.versions import CONTENT

STORED = ("id", "source", "source_reference", "recorded_at", *CONTENT)
# A row without a key stays the same row when only its clock was mended.
IDENTIFYING = tuple(name for name in CONTENT if name != "utc_offset")
PARTS = "parts of the id"


class Records:
    """Makes the store's rows of one file, from its first batch to its last.

    Without a key it remembers 16 bytes of every distinct row: about 150 bytes of memory each as Python keeps them,
    so a file of more than some ten million distinct rows wants a key.
    """

    def __init__(self, source: Source, table: Table, file: str) -> None:
        self._source, self._table, self._file = source, table, file
        self._seen: Counter[bytes] = Counter()

    def events(self, good: pl.DataFrame) -> list[dict[str, Any]]:
        """Make the rows of `store.events` from interactions or attributes that can be taken."""
        if self._table.holds == "attributes":
            good = _levels(good, list(self._table.attributes))
        rows = good.with_columns(source=pl.lit(self._source.name), source_reference=self._pointer())
        return self._identified(rows).select(STORED).to_dicts()

    def _pointer(self) -> pl.Expr:
        """Point to where a row came from: its key, or its file and row."""
        if self._table.key:
            return pl.concat_str(
                pl.lit(f"{self._table.name}/"), pl.col("key").str.replace_all("\x1f", "/", literal=True)
            )
        return pl.concat_str(pl.lit(f"{self._table.name}/{self._file}:"), pl.col(ROW))

    def _identified(self, rows: pl.DataFrame) -> pl.DataFrame:
        attributes = self._table.holds == "attributes"
        names: tuple[str, ...] = IDENTIFYING
        if self._table.key:
            names = ("key", "product") if attributes else ("key",)
        elif "recorded_at" in self._table.columns:
            names = (*IDENTIFYING, "recorded_at")
        parts = [pl.col(name).cast(pl.String).fill_null("") for name in names]
        texts = rows.select(pl.concat_str(parts, separator="\x1f").alias(PARTS))[PARTS].to_list()
        # The same attribute twice on one day says nothing new, so only interactions have twins.
        ids = self._ids(texts) if self._table.key or attributes else self._twins(texts)
        return rows.with_columns(pl.Series("id", ids, pl.String))

    def _ids(self, texts: Sequence[str]) -> list[str]:
        start = f"{self._source.name}\x1f{self._table.name}\x1f"
        return [event_id(start + text) for text in texts]

    def _twins(self, texts: Sequence[str]) -> list[str]:
        numbered = []
        for text, one in zip(texts, self._ids(texts), strict=True):
            digest = bytes.fromhex(one)
            numbered.append(f"{text}\x1f{self._seen[digest]}")
            self._seen[digest] += 1
        return self._ids(numbered)


def _levels(good: pl.DataFrame, names: Sequence[str]) -> pl.DataFrame:
    """Lay a row of attributes out as one event for each that it tells."""
    told = []
    for name in names:
        rows = good.filter(pl.col(LEVEL + name).is_not_null())
        told.append(
            rows.with_columns(
                kind=pl.lit("attribute"),
                product=pl.lit(name),
                quantity=pl.col(LEVEL + name),
                amount=pl.lit(0, pl.Int64),
                margin=pl.lit(None, pl.Int64),
                discount=pl.lit(0, pl.Int64),
                body=json_text({"value": rows[WORDING + name]}, rows.height),
            )
        )
    return pl.concat(told)
