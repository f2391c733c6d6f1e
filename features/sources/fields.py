"""The fields of a batch of rows: each with its value, and with what is wrong in the rows where it can't be taken.

The checks are plain Polars. Pandera was weighed: it checks a column that already has its type, while most of what
goes wrong with a file goes wrong in giving a column its type, and its findings would have to be matched back to rows
and worded anyway.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import reduce
from operator import and_, or_
from typing import Any

import polars as pl

from features.clock import microseconds
from features.errors import InputError
from features.events import LARGEST, SCALE
from features.identity import CONTACT_TYPES, reference
from features.sources import moments
from features.sources.cells import as_scaled, as_text, json_text, plain, where
from features.sources.mapping import Table
from features.sources.source import Source

LONGEST = 200
SHOWN = 60
# NUL is no text to PostgreSQL, and the unit separator joins the parts of an id.
CONTROL = "[\x00\x1f]"


@dataclass(frozen=True, slots=True)
class Fault:
    """Which rows are wrong, what was expected of them, and what they hold."""

    wrong: pl.Series
    expected: str
    found: pl.Series

    def sentences(self, rows: pl.Series) -> pl.Series:
        """Word the fault in those of the masked rows that have it."""
        shown = self.found.filter(rows).cast(pl.String).fill_null("").str.slice(0, SHOWN)
        words = pl.concat_str(pl.lit(f"expected {self.expected}, found '"), shown, pl.lit("'"))
        return where(self.wrong.filter(rows), words)


@dataclass(frozen=True, slots=True)
class Field:
    """A field's value in each row, and its faults."""

    value: pl.Series
    faults: tuple[Fault, ...] = ()

    def having(self, value: pl.Series, *more: Fault) -> "Field":
        """Put another value in, with more faults."""
        return Field(value, (*more, *self.faults))


class Fields:
    """The fields that a table's mapping finds in one batch."""

    def __init__(self, frame: pl.DataFrame, table: Table, source: Source, now: datetime) -> None:
        self.frame, self.table, self.source, self.now = frame, table, source, now
        self._texts: dict[str, pl.Series] = {}

    def always(self, value: Any, dtype: type[pl.DataType]) -> pl.Series:
        """Repeat one value in every row."""
        return pl.repeat(value, self.frame.height, dtype=dtype, eager=True)

    def column(self, name: str) -> pl.Series:
        """Take a column as text."""
        if name not in self._texts:
            self._texts[name] = as_text(self.frame[name], self.table.missing)
        return self._texts[name]

    def text(self, field: str) -> pl.Series:
        """Take a field as text; several columns are joined by a space."""
        names = self.table.columns.get(field, ())
        if len(names) == 1:
            return self.column(names[0])
        if not names:
            return self.always(self.table.constants.get(field), pl.String)
        parts = [self.column(name) for name in names]
        joined = pl.select(pl.concat_str(parts, separator=" ", ignore_nulls=True)).to_series()
        return where(joined != "", joined)

    def absent(self, field: str) -> Fault:
        """Find the rows where a field is missing."""
        found = self.text(field)
        return Fault(found.is_null(), f"a value for {field}", found)

    def name(self, field: str) -> Field:
        """Take the name of a thing: a product, a place, a category."""
        value = self.text(field)
        if field in self.table.prefixes:
            value = self.table.prefixes[field] + value
        long = Fault(value.str.len_chars() > LONGEST, f"{field} of at most {LONGEST} characters", value)
        control = Fault(value.str.contains(CONTROL), f"{field} without control characters", value)
        return Field(value.fill_null(""), (long, control))

    def reference(self, field: str, kind: str) -> Field:
        """Take a reference as `type:value`; null where there is none."""
        named, found = self.name(field), self.text(field)
        if kind not in CONTACT_TYPES:
            return named.having(f"{kind}:" + found)
        value = found.replace_strict(self._standard(found, kind), default=None, return_dtype=pl.String)
        return named.having(value, Fault(found.is_not_null() & value.is_null(), f"{field} to be of type {kind}", found))

    def _standard(self, found: pl.Series, kind: str) -> dict[str, str]:
        """Bring each different phone number or address of the batch to its standard form."""
        standard = {}
        for text in found.drop_nulls().unique():
            try:
                standard[text] = str(reference(f"{kind}:{text}", self.source.region))
            except InputError:
                continue
        return standard

    def word(self, field: str, known: Sequence[str], translations: Mapping[str, str], default: str = "") -> Field:
        """Take one of the known words, translated if the table says how; an empty cell is the empty word."""
        if field not in self.table.columns:
            return Field(self.always(self.table.constants.get(field, default), pl.String))
        words = dict(translations) or {word: word for word in known}
        found = self.text(field).fill_null("")
        value = found.replace_strict(words, default=None, return_dtype=pl.String)
        return Field(value, (Fault(value.is_null(), f"{field} to be one of {', '.join(words)}", found),))

    def number(self, field: str) -> Field:
        """Take a number in ten-thousandths, null where every column is empty; several columns are added up."""
        names = self.table.columns.get(field, ())
        if not names:
            return Field(as_scaled(self.text(field)))
        parts = [self.numeric(name, field) for name in names]
        faults = [one for part in parts for one in part.faults]
        value = parts[0].value
        if len(parts) > 1:
            told = reduce(or_, [part.value.is_not_null() for part in parts])
            value = where(told, pl.sum_horizontal([part.value for part in parts]))
            faults.append(
                Fault(value.abs() > LARGEST * SCALE, f"{field} to add up to at most {LARGEST}", value / SCALE)
            )
        return Field(value, tuple(faults))

    def numeric(self, name: str, field: str) -> Field:
        """Take one column as a number in ten-thousandths."""
        found = self._figures(name)
        value = as_scaled(found)
        expected = f"{field} to be a number between -{LARGEST} and {LARGEST}"
        return Field(value, (Fault(found.is_not_null() & value.is_null(), expected, self.frame[name]),))

    def _figures(self, name: str) -> pl.Series:
        if self.frame.schema[name].is_numeric():
            return self.frame[name]
        return plain(self.column(name), self.table.decimal, self.table.thousands)

    def unfilled(self, field: str, rows: pl.Series) -> Fault:
        """Find those of the masked rows where every column of a number is empty."""
        empty = [self._figures(name).is_null() for name in self.table.columns.get(field, ())]
        return Fault(reduce(and_, empty, rows & bool(empty)), f"a value for {field}", self.always("", pl.String))

    def priced(self) -> Field:
        """Take the amount as the quantity at the unit price."""
        price = self.number("unit_price")
        exact = (price.value / SCALE) * self.number("quantity").value
        over = exact.abs() > LARGEST * SCALE
        fault = Fault(over, f"unit_price times quantity of at most {LARGEST}", exact / SCALE)
        return price.having(where(~over, exact).round().cast(pl.Int64), fault)

    def moment(self, field: str) -> Field:
        """Take a moment in microseconds: from 1900 until a day after the ingest."""
        zone, time_format = self.source.time_zone, self.table.time_format
        if field in self.table.constants:
            return Field(self.always(microseconds(moments.constant(self.table.constants[field], zone)), pl.Int64))
        name, *more = self.table.columns[field]
        native = not more and isinstance(self.frame.schema[name], (pl.Date, pl.Datetime))
        found = self.frame[name] if native else self.text(field)
        last = self.now + timedelta(days=1)
        value = moments.moment(found, time_format, zone)
        wrong = found.is_not_null() & (value.is_null() | (value > last).fill_null(True))
        expected = f"{field} to be a time ({time_format or 'ISO 8601'}) from 1900 to {last:%Y-%m-%d}"
        return Field(value.dt.epoch("us"), (self.absent(field), Fault(wrong, expected, found)))

    def recorded(self, occurred: Field) -> Field:
        """Take the moment that a row was known from: its column's, else as the table's `recorded` says."""
        if self.table.has("recorded_at"):
            return self.moment("recorded_at")
        if self.table.recorded == "ingested":
            return Field(self.always(microseconds(self.now), pl.Int64))
        return Field(occurred.value)

    def utc_offset(self, occurred: Field) -> Field:
        """Take the seconds by which the local clock was ahead of UTC: in the row's own time zone, else the source's."""
        zones = self.text("time_zone") if self.table.has("time_zone") else self.always(None, pl.String)
        zones = zones.fill_null(self.source.time_zone)
        value = moments.ahead(occurred.value.cast(pl.Datetime("us", "UTC")), zones)
        wrong = value.is_null() & occurred.value.is_not_null()
        return Field(value, (Fault(wrong, "time_zone to be one such as Europe/Berlin", zones),))

    def key(self) -> Field:
        """Take what identifies a row: the key's columns, joined by the unit separator; null without a key."""
        if not self.table.key:
            return Field(self.always(None, pl.String))
        parts = {name: self.column(name) for name in self.table.key}
        faults = [Fault(part.is_null(), f"a value for {name}, of the key", part) for name, part in parts.items()]
        return Field(pl.select(pl.concat_str(list(parts.values()), separator="\x1f")).to_series(), tuple(faults))

    def body(self) -> Field:
        """Take the columns kept as they are, as JSON."""
        return Field(json_text({name: self.column(name) for name in self.table.body}, self.frame.height))
