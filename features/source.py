"""A source: how the columns of its files become what happened to whom, as written in `playbook/sources/NAME.toml`."""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from features import shape
from features.errors import SourceError
from features.events import CHANNELS, KINDS

RETURNS = ("none", "negative_quantity", "negative_amount")
RECORDED = ("occurred", "ingested")
FORMATS = ("", "csv", "parquet")
NUMBERS = ("quantity", "amount", "unit_price", "margin", "discount")
TIMES = ("occurred_at", "recorded_at")
# What a table may hold, in the order that a folder is taken in: the fields it must have, and those it may have.
HOLDS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "products": (("product",), ("name", "type", "category", "department")),
    "attributes": (("reference", "occurred_at"), ("recorded_at", "channel", "place")),
    "links": (("reference", "linked", "occurred_at"), ("recorded_at", "action")),
    "interactions": (("reference", "occurred_at", "kind"), ("recorded_at", "channel", "product", "place", *NUMBERS)),
}


@dataclass(frozen=True, slots=True)
class Join:
    """A small file beside the table's own, whose columns are added where the `on` columns agree."""

    file: str
    on: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Attribute:
    """Something learned of a customer: the column that tells it, and its levels from the lowest; none for a number."""

    column: str
    levels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One kind of file in a source.

    `columns` maps a field to the file's columns: several are added up if the field is a number, and joined by a
    space if not. `constants` gives a field one value for every row. `kinds` and `channels` translate the file's
    words (the empty word stands for an empty cell), `prefixes` go before a product or a place. A negative
    quantity or amount makes a purchase a return, as `returns` says.

    Without a `recorded_at` column a row was known when it happened (`recorded = "occurred"`), or from the moment
    of its ingest on (`"ingested"`). `time_format` is as in strptime, or "seconds" or "milliseconds" since 1970;
    without it, times are ISO 8601 or of the file's own time type. `key` names the columns that identify a row,
    and `body` the columns kept as they are. `missing` lists further words for an empty cell. Numbers in text have
    `decimal` before their decimals and `thousands`, if any, between groups of three digits.
    """

    name: str
    files: tuple[str, ...]
    holds: str = "interactions"
    format: str = ""
    separator: str = ","
    encoding: str = "utf-8"
    header: bool = True
    decimal: str = "."
    thousands: str = ""
    missing: tuple[str, ...] = ()
    join: Join | None = None
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    constants: Mapping[str, str] = field(default_factory=dict)
    prefixes: Mapping[str, str] = field(default_factory=dict)
    kinds: Mapping[str, str] = field(default_factory=dict)
    channels: Mapping[str, str] = field(default_factory=dict)
    returns: str = "none"
    recorded: str = "occurred"
    time_format: str = ""
    key: tuple[str, ...] = ()
    body: tuple[str, ...] = ()
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    reference: str = ""
    linked: str = ""

    def needed(self) -> tuple[str, ...]:
        """List the columns that a file, or the file joined to it, must have."""
        mapped = [name for names in self.columns.values() for name in names]
        mapped += [attribute.column for attribute in self.attributes.values()]
        joined = self.join.on if self.join else ()
        return tuple(dict.fromkeys([*mapped, *self.key, *self.body, *joined]))

    def has(self, name: str) -> bool:
        """Tell whether the table gives a field a value."""
        return name in self.columns or name in self.constants


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where files come from, and what they share.

    `time_zone` (IANA) is that of times without one. `reference` is the type of the customer references unless a
    table says otherwise; `region` (ISO 3166) completes phone numbers without a country code. `max_bad_share` is the
    share of a table's rows that may be refused, from 0 to 1.
    """

    name: str
    reference: str
    tables: tuple[Table, ...]
    description: str = ""
    time_zone: str = "UTC"
    region: str | None = None
    max_bad_share: float = 0.01


def find_source(folder: Path, name: str) -> Source:
    """Read the source of that name from `playbook/sources`.

    Raises SourceError when there is none, naming those there are.
    """
    path = folder / f"{name}.toml"
    if not path.is_file():
        known = sorted(other.stem for other in folder.glob("*.toml"))
        found = f"{', '.join(known) or 'none'}{nearest(name, known)}"
        raise SourceError(f"expected a source {name} at {path}; found the sources {found}. Write that file first")
    return read_source(path)


def read_source(path: Path) -> Source:
    """Read and check one source.

    Raises SourceError that names the file, the table, what was expected and what was found.
    """
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SourceError(f"expected {path} to be TOML in UTF-8; found: {error}") from error
    settings = _shaped(found, SOURCE_SHAPE, path.name, ("name", "reference", "table"))
    tables = tuple(_table(one, path.name) for one in settings.pop("table"))
    names = [table.name for table in tables]
    _expect(settings["name"] == path.stem, path.name, f"name to be {path.stem}, as the file's", settings["name"])
    _expect(len(set(names)) == len(names) > 0, path.name, "tables, each with its own name", ", ".join(names) or "none")
    return Source(tables=tables, **settings)


def nearest(name: str, known: Iterable[str]) -> str:
    """Word the nearest known name as a hint, or nothing when none is near.

    >>> nearest("colums", ["columns", "constants"])
    ' (nearest: columns)'
    """
    lowered = {other.lower(): other for other in known}
    close = get_close_matches(name.lower(), lowered, n=1, cutoff=0.5)
    return f" (nearest: {lowered[close[0]]})" if close else ""


def _expect(holds: bool, where: str, expected: str, found: object) -> None:
    if not holds:
        raise SourceError(f"{where}: expected {expected}; found {found}")


def _shaped(found: Mapping[str, Any], wanted: shape.Shape, where: str, required: Iterable[str] = ()) -> dict[str, Any]:
    """Check the keys and the type of each value."""
    for key in found:
        expected = f"only the keys {', '.join(wanted)}"
        _expect(key in wanted, where, expected, f"{key}{nearest(key, wanted)}")
    for key in required:
        _expect(key in found, where, f"the key {key}", f"only {', '.join(found) or 'nothing'}")
    shaped = {}
    for key, value in found.items():
        try:
            shaped[key] = wanted[key](value)
        except ValueError as error:
            raise SourceError(f"{where}: expected {key} to be {error}; found {value!r}") from error
    return shaped


def _table(found: Mapping[str, Any], file: str) -> Table:
    where = f"{file}, table {found.get('name', '(without a name)')}"
    settings = _shaped(found, TABLE_SHAPE, where, ("name", "files"))
    if "join" in settings:
        settings["join"] = Join(**_shaped(settings["join"], JOIN_SHAPE, f"{where}, join", ("file", "on")))
    settings["attributes"] = {
        name: _attribute(one, f"{where}, attribute {name}") for name, one in settings.get("attributes", {}).items()
    }
    table = Table(**settings)
    _check_fields(table, where)
    _check_words(table, where)
    return table


def _attribute(found: Any, where: str) -> Attribute:
    if isinstance(found, str):
        return Attribute(found)
    _expect(isinstance(found, dict), where, "a column's name, or a table with column and levels", repr(found))
    return Attribute(**_shaped(found, ATTRIBUTE_SHAPE, where, ("column",)))


def _check_fields(table: Table, where: str) -> None:
    _expect(table.holds in HOLDS, where, f"holds to be one of {', '.join(HOLDS)}", table.holds)
    required, optional = HOLDS[table.holds]
    for name in (*table.columns, *table.constants):
        hint = f"{name}{nearest(name, required + optional)}"
        _expect(name in required + optional, where, f"the fields {', '.join(required + optional)}", hint)
        _expect(
            not (name in table.columns and name in table.constants), where, f"{name} once", "a column and a constant"
        )
    given = ", ".join((*table.columns, *table.constants)) or "none"
    for name in required:
        _expect(table.has(name), where, f"a column or a constant for {name}", given)
    _expect(
        bool(table.attributes) == (table.holds == "attributes"), where, "attributes just where it holds them", given
    )
    _expect(not (table.has("amount") and table.has("unit_price")), where, "an amount or a unit_price", "both")
    _expect(not table.has("unit_price") or table.has("quantity"), where, "a quantity beside the unit_price", given)
    _expect(
        table.returns == "none" or table.has(table.returns[9:]), where, f"a field for returns = {table.returns}", given
    )
    # A link made "now" would be a new one at every ingest.
    _expect(
        table.holds != "links" or table.recorded == "occurred", where, 'recorded = "occurred" for links', "ingested"
    )
    _expect(table.holds != "links" or bool(table.linked), where, "linked, the other reference's type", "nothing")


def _check_words(table: Table, where: str) -> None:
    for name, choices in (("returns", RETURNS), ("recorded", RECORDED), ("format", FORMATS)):
        _expect(
            getattr(table, name) in choices, where, f"{name} to be one of {', '.join(choices)}", getattr(table, name)
        )
    kinds = [*table.kinds.values(), *(table.constants[name] for name in ("kind",) if name in table.constants)]
    for kind in kinds:
        _expect(kind in KINDS, where, f"the kinds {', '.join(KINDS)}", f"{kind}{nearest(kind, KINDS)}")
    channels = [*table.channels.values(), *(table.constants[name] for name in ("channel",) if name in table.constants)]
    for channel in channels:
        _expect(
            channel in CHANNELS, where, f"the channels {', '.join(CHANNELS)}", f"{channel}{nearest(channel, CHANNELS)}"
        )
    _expect(table.decimal != table.thousands, where, "decimal and thousands to differ", table.decimal)
    for name in table.prefixes:
        _expect(name in ("product", "place"), where, "prefixes for product or place", name)


ATTRIBUTE_SHAPE: shape.Shape = {"column": shape.text, "levels": shape.texts}
JOIN_SHAPE: shape.Shape = {"file": shape.text, "on": shape.texts}
SOURCE_SHAPE: shape.Shape = {
    "name": shape.text,
    "description": shape.words,
    "time_zone": shape.time_zone,
    "reference": shape.reference_type,
    "region": shape.region,
    "max_bad_share": shape.share,
    "table": shape.tables,
}
TABLE_SHAPE: shape.Shape = dict.fromkeys((one.name for one in fields(Table)), shape.words) | {
    "name": shape.text,
    "files": shape.texts,
    "separator": shape.separator,
    "encoding": shape.encoding,
    "header": shape.flag,
    "decimal": shape.decimal,
    "thousands": shape.thousands,
    "missing": shape.texts,
    "join": shape.mapping,
    "columns": shape.columns,
    "constants": shape.constants,
    "prefixes": shape.translations,
    "kinds": shape.translations,
    "channels": shape.translations,
    "key": shape.texts,
    "body": shape.texts,
    "attributes": shape.mapping,
    "reference": shape.reference_type,
    "linked": shape.reference_type,
}
