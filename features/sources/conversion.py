"""A batch of a file's rows as what the source maps them to, with the reasons for each row that can't be taken."""

from functools import reduce
from operator import or_

import polars as pl

from features.events import CHANNELS, SCALE, TOLD
from features.identity import ACTIONS
from features.sources.cells import ROW, where
from features.sources.fields import Fault, Field, Fields
from features.sources.mapping import HOLDS, NUMBERS

REASON, LEVEL, WORDING = "reason", "level of ", "wording of "
SALES = ("purchase", "return")


def converted(fields: Fields) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Part a batch into the rows that can be taken, with their fields, and the others, with all that is wrong."""
    mapped = MAPPED[fields.table.holds](fields)
    faults = [one for field in mapped.values() for one in field.faults]
    numbers = fields.frame[ROW]
    bad = reduce(or_, [one.wrong.fill_null(False) for one in faults], numbers < 0)
    good = pl.DataFrame({ROW: numbers, **{name: field.value for name, field in mapped.items()}}).filter(~bad)
    if not bad.any():
        return good, pl.DataFrame(schema={ROW: pl.Int64, REASON: pl.String})
    reason = pl.concat_str([one.sentences(bad) for one in faults], separator="; ", ignore_nulls=True)
    return good, pl.select(numbers.filter(bad).alias(ROW), reason.alias(REASON))


def _interactions(fields: Fields) -> dict[str, Field]:
    kind = fields.word("kind", TOLD, fields.table.kinds)
    back = _is_return(fields, kind.value)
    return {
        **_common(fields),
        "kind": kind.having(where(back, pl.lit("return"), kind.value)),
        "product": fields.name("product"),
        **_signed(_measures(fields, kind.value), back),
        "body": fields.body(),
    }


def _common(fields: Fields) -> dict[str, Field]:
    """Take who, when, where, and what identifies the row."""
    who, occurred = _who(fields), fields.moment("occurred_at")
    return {
        "reference": who,
        "occurred_at": occurred,
        "recorded_at": fields.recorded(occurred),
        "utc_offset": fields.utc_offset(occurred),
        "channel": fields.word("channel", CHANNELS, fields.table.channels, "other"),
        "place": fields.name("place"),
        "key": fields.key(),
    }


def _who(fields: Fields) -> Field:
    who = fields.reference("reference", fields.table.reference or fields.source.reference)
    return who.having(who.value, fields.absent("reference"))


def _measures(fields: Fields, kind: pl.Series) -> dict[str, Field]:
    """Take the numbers; the amount is the quantity at the unit price where the table has one."""
    found = {name: fields.number(name) for name in NUMBERS}
    if fields.table.has("unit_price"):
        found["amount"] = fields.priced()
    if fields.table.has("cost"):
        found["margin"] = _margin(found, kind.is_in(SALES))
    # An empty cell in a sale, taken as nothing, would lower every sum unseen.
    sales = kind.is_in(SALES)
    for name, price in (("quantity", "quantity"), ("amount", "unit_price"), ("amount", "amount")):
        found[name] = found[name].having(found[name].value, fields.unfilled(price, sales))
    return found


def _is_return(fields: Fields, kind: pl.Series) -> pl.Series:
    if fields.table.returns == "none":
        return kind == "return"
    sign = fields.number(fields.table.returns.removeprefix("negative_")).value.fill_null(0)
    return (kind == "return") | ((kind == "purchase") & (sign < 0))


def _margin(measures: dict[str, Field], sale: pl.Series) -> Field:
    """Make a margin of a cost: in a sale the amount less the cost, elsewhere minus the cost."""
    amount, cost = (measures[name].value for name in ("amount", "cost"))
    # A sale that is given back may name its cost below 0, as its amount.
    back = where(sale, amount < 0).fill_null(False)
    below = Fault((cost < 0) & ~back, "cost of 0 or more", cost / SCALE)
    brought = where(sale, amount).fill_null(0)
    return measures["cost"].having(brought - where(back, -cost.abs(), cost), below)


def _signed(measures: dict[str, Field], back: pl.Series) -> dict[str, Field]:
    """Store a return's quantity and amount negative; its margin and discount turn with its amount."""
    quantity, amount, discount = (measures[name].value.fill_null(0) for name in ("quantity", "amount", "discount"))
    turned = where(back & (amount > 0), pl.lit(-1), pl.lit(1))
    values = {
        "quantity": where(back, -quantity.abs(), quantity),
        "amount": where(back, -amount.abs(), amount),
        "margin": measures["margin"].value * turned,
        "discount": discount * turned,
    }
    return {name: measures[name].having(value) for name, value in values.items()}


def _attributes(fields: Fields) -> dict[str, Field]:
    mapped = _common(fields)
    for name, attribute in fields.table.attributes.items():
        mapped[LEVEL + name] = _level(fields, name, attribute.column, attribute.levels)
        mapped[WORDING + name] = Field(fields.column(attribute.column))
    return mapped


def _level(fields: Fields, name: str, column: str, levels: tuple[str, ...]) -> Field:
    """Take an attribute's number, or its place among the declared levels, counted from nought."""
    if not levels:
        return fields.numeric(column, name)
    found = fields.column(column)
    ranks = {level: rank * SCALE for rank, level in enumerate(levels)}
    value = found.replace_strict(ranks, default=None, return_dtype=pl.Int64)
    wrong = found.is_not_null() & value.is_null()
    return Field(value, (Fault(wrong, f"{name} to be one of {', '.join(levels)}", found),))


def _products(fields: Fields) -> dict[str, Field]:
    required, optional = HOLDS["products"]
    mapped = {name: fields.name(name) for name in (*required, *optional)}
    product, name = mapped["product"], mapped["name"]
    mapped["product"] = product.having(product.value, fields.absent("product"))
    mapped["name"] = name.having(where(name.value == "", product.value, name.value))
    return mapped


def _links(fields: Fields) -> dict[str, Field]:
    left, right = _who(fields), fields.reference("linked", fields.table.linked)
    occurred = fields.moment("occurred_at")
    same = Fault((left.value == right.value).fill_null(False), "two different references", left.value)
    return {
        "reference": left,
        "linked": right.having(right.value, same),
        "occurred_at": occurred,
        "recorded_at": fields.recorded(occurred),
        "action": fields.word("action", ACTIONS, {}, "link"),
    }


MAPPED = {"interactions": _interactions, "attributes": _attributes, "products": _products, "links": _links}
