"""The fields of a batch of rows: each with its value, and with a sentence for every row where it can't be taken.

The checks are plain Polars expressions. Pandera was weighed: it checks a column that already has its type, while
most of what goes wrong with a file goes wrong in giving a column its type, and its findings would have to be matched
back to rows and worded anyway.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from features import moments
from features.cells import as_scaled, as_text, json_text, plain
from features.clock import microseconds
from features.errors import InputError
from features.events import LARGEST, SCALE
from features.identity import CONTACT_TYPES, reference
from features.source import Source, Table

LONGEST = 200
SHOWN = 60
# NUL is no text to PostgreSQL, and the unit separator joins the parts of an id.
CONTROL = "[\x00\x1f]"


@dataclass(frozen=True, slots=True)
class Field:
    """A field's value, and sentences that are null in the rows where all is well."""

    value: pl.Expr
    faults: tuple[pl.Expr, ...] = ()

    def or_fault(self, *more: pl.Expr) -> "Field":
        """Add faults, before those there are."""
        return Field(self.value, (*more, *self.faults))

    def having(self, value: pl.Expr) -> "Field":
        """Put another value in, under the same faults."""
        return Field(value, self.faults)


def fault(wrong: pl.Expr, expected: str, found: pl.Expr) -> pl.Expr:
    """Word what is wrong with a row, where it is."""
    shown = found.cast(pl.String).fill_null("").str.slice(0, SHOWN)
    return pl.when(wrong).then(pl.concat_str(pl.lit(f"expected {expected}, found '"), shown, pl.lit("'")))


class Fields:
    """The fields that a table's mapping finds in one batch."""

    def __init__(self, frame: pl.DataFrame, table: Table, source: Source, now: datetime) -> None:
        self.frame, self.table, self.source, self.now = frame, table, source, now

    def column(self, name: str) -> pl.Expr:
        """Take a column as text."""
        return as_text(self.frame.schema, name, self.table.missing)

    def text(self, field: str) -> pl.Expr:
        """Take a field as text; several columns are joined by a space."""
        if field in self.table.constants:
            return pl.lit(self.table.constants[field])
        parts = [self.column(name) for name in self.table.columns.get(field, ())]
        joined = pl.concat_str(pl.lit(None, pl.String), *parts, separator=" ", ignore_nulls=True)
        return parts[0] if len(parts) == 1 else pl.when(joined != "").then(joined)

    def absent(self, field: str) -> pl.Expr:
        """Word that a field is missing, where it is."""
        found = self.text(field)
        return fault(found.is_null(), f"a value for {field}", found)

    def name(self, field: str) -> Field:
        """Take the name of a thing: a product, a place, a category."""
        value = pl.concat_str(pl.lit(self.table.prefixes.get(field, "")), self.text(field))
        long = fault(value.str.len_chars() > LONGEST, f"{field} of at most {LONGEST} characters", value)
        control = fault(value.str.contains(CONTROL), f"{field} without control characters", value)
        return Field(value.fill_null(""), (long, control))

    def reference(self, field: str, kind: str) -> Field:
        """Take a reference as `type:value`; null where there is none."""
        named, found = self.name(field), self.text(field)
        if kind not in CONTACT_TYPES:
            return named.having(pl.concat_str(pl.lit(f"{kind}:"), found))
        value = found.replace_strict(self._standard(found, kind), default=None, return_dtype=pl.String)
        wrong = fault(
            found.is_not_null() & value.is_null(), f"{field} to be a {kind} (region {self.source.region})", found
        )
        return Field(value, (*named.faults, wrong))

    def _standard(self, found: pl.Expr, kind: str) -> dict[str, str]:
        """Bring each different phone number or address of the batch to its standard form."""
        standard = {}
        for text in self.frame.select(found.alias("found"))["found"].drop_nulls().unique():
            try:
                standard[text] = str(reference(f"{kind}:{text}", self.source.region))
            except InputError:
                continue
        return standard

    def word(self, field: str, known: Sequence[str], translations: Mapping[str, str], default: str = "") -> Field:
        """Take one of the known words, translated if the table says how; an empty cell is the empty word."""
        if field not in self.table.columns:
            return Field(pl.lit(self.table.constants.get(field, default)))
        words = dict(translations) or {word: word for word in known}
        found = self.text(field).fill_null("")
        value = found.replace_strict(words, default=None, return_dtype=pl.String)
        return Field(value, (fault(value.is_null(), f"{field} to be one of {', '.join(words)}", found),))

    def number(self, field: str) -> Field:
        """Take a number in ten-thousandths, null where every column is empty; several columns are added up."""
        if field in self.table.constants:
            return Field(as_scaled(pl.lit(self.table.constants[field])))
        parts = [self.numeric(name, field) for name in self.table.columns.get(field, ())]
        if not parts:
            return Field(pl.lit(None, pl.Int64))
        values = [part.value for part in parts]
        value = pl.when(pl.any_horizontal([one.is_not_null() for one in values])).then(pl.sum_horizontal(values))
        over = fault(value.abs() > LARGEST * SCALE, f"{field} to add up to at most {LARGEST}", value / SCALE)
        return Field(value, (*(one for part in parts for one in part.faults), over))

    def numeric(self, name: str, field: str) -> Field:
        """Take one column as a number in ten-thousandths."""
        numeric = self.frame.schema[name].is_numeric()
        found = pl.col(name) if numeric else plain(self.column(name), self.table.decimal, self.table.thousands)
        value = as_scaled(found)
        expected = f"{field} to be a number between -{LARGEST} and {LARGEST}"
        return Field(value, (fault(found.is_not_null() & value.is_null(), expected, pl.col(name)),))

    def priced(self) -> Field:
        """Take the amount as the quantity at the unit price."""
        price, quantity = self.number("unit_price"), self.number("quantity").value
        exact = (price.value / SCALE) * quantity
        over = fault(exact.abs() > LARGEST * SCALE, f"unit_price times quantity of at most {LARGEST}", exact / SCALE)
        return Field(exact.round().cast(pl.Int64, strict=False), (*price.faults, over))

    def moment(self, field: str) -> Field:
        """Take a moment in microseconds: from 1900 until a day after the ingest."""
        zone, time_format = self.source.time_zone, self.table.time_format
        if field in self.table.constants:
            return Field(pl.lit(microseconds(moments.constant(self.table.constants[field], zone)), pl.Int64))
        name, *more = self.table.columns[field]
        dtype = self.frame.schema[name]
        if more or not isinstance(dtype, (pl.Date, pl.Datetime)):
            found, dtype = self.text(field), pl.String()
        else:
            found = pl.col(name)
        last = self.now + timedelta(days=1)
        value = moments.moment(found, dtype, time_format, zone)
        wrong = found.is_not_null() & (value.is_null() | (value > last))
        expected = f"{field} to be a time ({time_format or 'ISO 8601'}) from 1900 to {last:%Y-%m-%d}"
        return Field(value.dt.epoch("us"), (self.absent(field), fault(wrong, expected, found)))

    def recorded(self, occurred: Field) -> Field:
        """Take the moment that a row was known from: its column's, else as the table's `recorded` says."""
        if self.table.has("recorded_at"):
            return self.moment("recorded_at")
        ingested = pl.lit(microseconds(self.now), pl.Int64)
        return Field(ingested if self.table.recorded == "ingested" else occurred.value)

    def key(self) -> Field:
        """Take what identifies a row: the key's columns, joined by the unit separator; null without a key."""
        if not self.table.key:
            return Field(pl.lit(None, pl.String))
        parts = {name: self.column(name) for name in self.table.key}
        faults = [fault(part.is_null(), f"a value for {name}, of the key", part) for name, part in parts.items()]
        return Field(pl.concat_str(list(parts.values()), separator="\x1f"), tuple(faults))

    def body(self) -> Field:
        """Take the columns kept as they are, as JSON."""
        return Field(json_text({name: self.column(name) for name in self.table.body}))
