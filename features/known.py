"""What was known at a moment, of everybody or of some: records, the links behind them, and the products sold."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property

import polars as pl

from features.clock import microseconds
from features.identity import components, standing

LEVELS = ("product", "type", "category", "department")


@dataclass(frozen=True)
class Known:
    """What was known at a moment: records with a `customer` column, the links behind it, and the products sold.

    `records` holds the history's `COLUMNS`, `wording` (of attributes, else empty), `superseded_at` (null where it
    wasn't by then), `customer`, `type`, `category` and `department`, a row for each version recorded by the moment;
    moments are microseconds and measures ten-thousandths, all whole numbers. A frame without `superseded_at` is taken
    to hold what stands, and one without `wording` no wordings.
    """

    as_of: datetime
    records: pl.DataFrame
    links: tuple[tuple[str, str, int, str], ...]
    products: pl.DataFrame

    def __post_init__(self) -> None:
        if "superseded_at" not in self.records.columns:
            always = self.records.with_columns(superseded_at=pl.lit(None, pl.Int64))
            object.__setattr__(self, "records", always)
        if "wording" not in self.records.columns:
            object.__setattr__(self, "records", self.records.with_columns(wording=pl.lit("")))

    @cached_property
    def events(self) -> pl.DataFrame:
        """The records that stand: neither superseded by a later version, nor withdrawn."""
        stands = self.records.select(pl.col("superseded_at").is_null() & (pl.col("kind") != "void")).to_series()
        return self.records if stands.all() else self.records.filter(stands)

    def at(self, earlier: datetime) -> "Known":
        """Go back to an earlier moment: later records vanish, and later links with them."""
        cut = microseconds(earlier)
        links = tuple(link for link in self.links if link[2] <= cut)
        records = ended_by(self.records.filter(pl.col("recorded_at") <= cut), cut)
        if links or self.links:
            records = with_customer(records, links)
        return replace(self, as_of=earlier, records=records, links=links)

    def only(self, customers: Iterable[str]) -> "Known":
        """Keep some customers."""
        return replace(self, records=self.records.filter(_among(customers)))

    def without(self, customers: Iterable[str]) -> "Known":
        """Leave some customers out."""
        return replace(self, records=self.records.filter(~_among(customers)))


def _among(customers: Iterable[str]) -> pl.Expr:
    return pl.col("customer").is_in(pl.Series(list(customers), dtype=pl.String).implode())


def ended_by(records: pl.DataFrame, cut: int) -> pl.DataFrame:
    """Forget the ends that weren't known yet."""
    end = pl.col("superseded_at")
    return records.with_columns(superseded_at=pl.when(end <= cut).then(end))


def with_levels(records: pl.DataFrame, products: pl.DataFrame) -> pl.DataFrame:
    """Add the type, category and department of each record's product, as the catalogue has them."""
    levelled = records.join(products.select(LEVELS), on="product", how="left")
    return levelled.with_columns(pl.col(*LEVELS[1:]).fill_null(""))


def with_customer(records: pl.DataFrame, links: Sequence[tuple[str, str, int, str]]) -> pl.DataFrame:
    """Add whom each record's reference belongs to by some links."""
    named = components(standing(links))
    return records.with_columns(customer=pl.col("reference").replace(named) if named else pl.col("reference"))
