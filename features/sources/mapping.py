"""How one kind of file maps to what the history holds: its fields, and where each comes from."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from zoneinfo import available_timezones

from features.events import CHANNELS, LARGEST, TOLD
from features.sources.moments import EARLIEST, constant
from features.sources.shape import nearest

NUMBERS = ("quantity", "amount", "unit_price", "margin", "cost", "discount")
TIMES = ("occurred_at", "recorded_at")
# What a table may hold, in the order that a folder is taken in: the fields it must have, and those it may have.
HOLDS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "products": (("product",), ("name", "type", "category", "department")),
    "attributes": (("reference", "occurred_at"), ("recorded_at", "time_zone", "channel", "place")),
    "links": (("reference", "linked", "occurred_at"), ("recorded_at", "action")),
    "interactions": (
        ("reference", "occurred_at", "kind"),
        ("recorded_at", "time_zone", "channel", "product", "place", *NUMBERS),
    ),
}
CHOICES: dict[str, tuple[str, ...]] = {
    "holds": tuple(HOLDS),
    "format": ("", "csv", "parquet"),
    "returns": ("none", "negative_quantity", "negative_amount"),
    "recorded": ("occurred", "ingested"),
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

    `columns` maps a field to the file's columns: several are added up if the field is a number, and joined by a space
    if not. `constants` gives a field one value for every row. A `cost` is kept as a margin: in a sale the amount less
    the cost, elsewhere minus the cost. `kinds` and `channels` translate the file's words (the empty word stands for an
    empty cell), `prefixes` go before a product or a place. A negative quantity or amount makes a purchase a return, as
    `returns` says.

    Without a `recorded_at` column a row was known when it happened (`recorded = "occurred"`), or from the moment
    of its ingest on (`"ingested"`). `time_format` is as in strptime, or "seconds" or "milliseconds" since 1970;
    without it, times are ISO 8601 or of the file's own time type. `time_zone` is the customer's own, whose clock
    features of days and hours go by; without it, that is the source's. `key` names the columns that identify a row,
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


# A demand on a mapping: whether it is met, what was expected, and what was found.
Demand = tuple[bool, str, object]


def demands(table: Table) -> Iterator[Demand]:
    """Tell what a mapping has to fulfil; a demand may rest on those before it."""
    yield from _of_words(table)
    yield from _of_fields(table)
    yield from _of_measures(table)
    yield from _of_constants(table)


def _of_words(table: Table) -> Iterator[Demand]:
    for name, choices in CHOICES.items():
        found = getattr(table, name)
        yield found in choices, f"{name} to be one of {', '.join(filter(None, choices))}", repr(found)
    for name, words, known in (("kind", table.kinds, TOLD), ("channel", table.channels, CHANNELS)):
        always = [table.constants[name]] if name in table.constants else []
        for word in [*words.values(), *always]:
            yield word in known, f"{name} to be one of {', '.join(known)}", f"{word}{nearest(word, known)}"
    for name in table.prefixes:
        yield name in ("product", "place"), "prefixes for product or place", name


def _of_fields(table: Table) -> Iterator[Demand]:
    required, optional = HOLDS[table.holds]
    known, given = required + optional, [*table.columns, *table.constants]
    for name in given:
        yield name in known, f"only the fields {', '.join(known)}", f"{name}{nearest(name, known)}"
        yield given.count(name) == 1, f"a column or a constant for {name}", "both"
    for name in required:
        yield table.has(name), f"a column or a constant for {name}", f"only {', '.join(given) or 'nothing'}"
    told = f"{len(table.attributes)} where it holds {table.holds}"
    yield bool(table.attributes) == (table.holds == "attributes"), "attributes where a table holds them", told
    links = table.holds == "links"
    yield links or not table.linked, "linked only where a table holds links", table.linked
    yield not links or bool(table.linked), "linked, the type of the other reference", "none"
    # A link known from "now" on would be a new one at every ingest.
    yield not links or table.recorded == "occurred", 'recorded = "occurred" for links', table.recorded


def _of_measures(table: Table) -> Iterator[Demand]:
    yield table.decimal != table.thousands, "decimal and thousands to differ", table.decimal
    priced = table.has("unit_price")
    yield not (priced and table.has("amount")), "an amount or a unit_price", "both"
    yield not priced or table.has("quantity"), "a quantity beside the unit_price", "none"
    yield not (table.has("cost") and table.has("margin")), "a margin or a cost", "both"
    measure = table.returns.removeprefix("negative_")
    yield measure == "none" or table.has(measure), f"a field {measure}, for returns", "none"


def _of_constants(table: Table) -> Iterator[Demand]:
    for name in set(NUMBERS) & set(table.constants):
        expected = f"the constant {name} to be a number of at most {LARGEST}"
        yield _is_number(table.constants[name]), expected, table.constants[name]
    for name in set(TIMES) & set(table.constants):
        yield _is_time(table.constants[name]), f"the constant {name} to be a time in ISO 8601", table.constants[name]
    if zone := table.constants.get("time_zone"):
        yield zone in available_timezones(), "the constant time_zone to be one such as Europe/Berlin", zone


def _is_number(text: str) -> bool:
    try:
        return abs(float(text)) <= LARGEST
    except ValueError:
        return False


def _is_time(text: str) -> bool:
    try:
        return constant(text, "UTC") > EARLIEST
    except ValueError:
        return False
