"""A batch of a file's rows as what the source maps them to, with the reasons for each row that can't be taken."""

import polars as pl

from features.cells import ROW
from features.events import CHANNELS, KINDS, SCALE
from features.fields import Field, Fields, fault
from features.identity import ACTIONS
from features.source import HOLDS, NUMBERS

REASON, LEVEL, WORDING = "reason", "level of ", "wording of "
SALES = ("purchase", "return")


def converted(fields: Fields) -> pl.DataFrame:
    """Convert a batch; `reason` is empty in the rows that can be taken, and joins all the faults of the others."""
    mapped = MAPPED[fields.table.holds](fields)
    faults = [one for field in mapped.values() for one in field.faults]
    reason = pl.concat_str(pl.lit(None, pl.String), *faults, separator="; ", ignore_nulls=True)
    return fields.frame.select(ROW, **{name: field.value for name, field in mapped.items()}, **{REASON: reason})


def _interactions(fields: Fields) -> dict[str, Field]:
    kind = fields.word("kind", tuple(KINDS), fields.table.kinds)
    back = _is_return(fields, kind.value)
    return {
        **_common(fields),
        "kind": kind.having(pl.when(back).then(pl.lit("return")).otherwise(kind.value)),
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
        "channel": fields.word("channel", CHANNELS, fields.table.channels, "other"),
        "place": fields.name("place"),
        "key": fields.key(),
    }


def _who(fields: Fields) -> Field:
    kind = fields.table.reference or fields.source.reference
    return fields.reference("reference", kind).or_fault(fields.absent("reference"))


def _measures(fields: Fields, kind: pl.Expr) -> dict[str, Field]:
    """Take the numbers; the amount is the quantity at the unit price where the table has one."""
    found = {name: fields.number(name) for name in NUMBERS}
    if fields.table.has("unit_price"):
        found["amount"] = fields.priced()
    for name in ("quantity", "amount", "unit_price"):
        # An empty cell in a sale, taken as nothing, would lower every sum unseen.
        if fields.table.has(name):
            absent = pl.when(kind.is_in(SALES)).then(fields.absent(name))
            found[name] = found[name].or_fault(absent)
    return found


def _is_return(fields: Fields, kind: pl.Expr) -> pl.Expr:
    if fields.table.returns == "none":
        return kind == "return"
    sign = fields.number(fields.table.returns.removeprefix("negative_")).value.fill_null(0)
    return (kind == "return") | ((kind == "purchase") & (sign < 0))


def _signed(measures: dict[str, Field], back: pl.Expr) -> dict[str, Field]:
    """Store a return's quantity and amount negative; its margin and discount turn with its amount."""
    quantity, amount, discount = (measures[name].value.fill_null(0) for name in ("quantity", "amount", "discount"))
    turned = pl.when(back & (amount > 0)).then(-1).otherwise(1)
    values = {
        "quantity": pl.when(back).then(-quantity.abs()).otherwise(quantity),
        "amount": pl.when(back).then(-amount.abs()).otherwise(amount),
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
    return Field(value, (fault(wrong, f"{name} to be one of {', '.join(levels)}", found),))


def _products(fields: Fields) -> dict[str, Field]:
    required, optional = HOLDS["products"]
    mapped = {name: fields.name(name) for name in (*required, *optional)}
    product, name = mapped["product"], mapped["name"]
    named = pl.when(name.value == "").then(product.value).otherwise(name.value)
    return mapped | {"product": product.or_fault(fields.absent("product")), "name": name.having(named)}


def _links(fields: Fields) -> dict[str, Field]:
    left, right = _who(fields), fields.reference("linked", fields.table.linked)
    occurred = fields.moment("occurred_at")
    return {
        "reference": left,
        "linked": right.or_fault(fault(left.value == right.value, "two different references", left.value)),
        "occurred_at": occurred,
        "recorded_at": fields.recorded(occurred),
        "action": fields.word("action", ACTIONS, {}, "link"),
    }


MAPPED = {"interactions": _interactions, "attributes": _attributes, "products": _products, "links": _links}
