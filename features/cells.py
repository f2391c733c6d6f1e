"""The cells of one column, as text and as numbers, whatever type the file gave them."""

import json
from collections.abc import Mapping, Sequence

import polars as pl

from features.errors import SourceError
from features.events import LARGEST, SCALE

ROW = "row number"


def as_text(schema: Mapping[str, pl.DataType], name: str, missing: Sequence[str] = ()) -> pl.Expr:
    """Take a column as text: without the space around it, null if empty, whole numbers without a decimal point.

    Raises SourceError when the column holds what has no text.
    """
    dtype, found = schema[name], pl.col(name)
    if dtype.is_nested() or dtype in (pl.Binary, pl.Object):
        raise SourceError(f"expected column {name} to hold text, numbers or times; found {dtype}")
    if dtype.is_float():
        found = found.fill_nan(None)
        whole = found.cast(pl.Int64, strict=False)
        shown = pl.when(whole == found).then(whole.cast(pl.String)).otherwise(found.cast(pl.String))
    else:
        shown = found.cast(pl.String).str.strip_chars()
    return pl.when(~shown.is_in(["", *missing])).then(shown)


def plain(found: pl.Expr, decimal: str, thousands: str) -> pl.Expr:
    """Take the grouping out of numbers in text, where it is where it belongs, and make the decimal sign a point.

    >>> cells = pl.Series("cell", ["1.234,5", "1.5", "7"])
    >>> cells.to_frame().select(plain(pl.col("cell"), ",", "."))["cell"].to_list()
    ['1234.5', '1.5?', '7']
    """
    if thousands:
        grouped = rf"^[+-]?\d{{1,3}}([{thousands}]\d{{3}})+([{decimal}]\d*)?$"
        ungrouped = found.str.replace_all(thousands, "", literal=True)
        found = pl.when(found.str.contains(grouped)).then(ungrouped).otherwise(found)
    if decimal == ".":
        return found
    # A point that groups nothing here is a mistake: it must not pass for the decimal one.
    swapped = found.str.replace(decimal, ".", literal=True)
    return pl.when(found.str.contains(".", literal=True)).then(found + "?").otherwise(swapped)


def as_scaled(found: pl.Expr) -> pl.Expr:
    """Count the ten-thousandths in numbers or their text; null where it is no number, or too large a one."""
    number = found.cast(pl.Float64, strict=False)
    fits = number.is_finite() & (number.abs() <= LARGEST)
    return pl.when(fits).then((number * SCALE).round().cast(pl.Int64, strict=False))


def json_text(values: Mapping[str, pl.Expr]) -> pl.Expr:
    """Write texts as one JSON object, its keys in order, as `Interaction.body_text` does; nothing without values.

    >>> pl.select(json_text({"city": pl.lit("서울"), "basket": pl.lit(7).cast(pl.String)})).item()
    '{"basket": "7", "city": "서울"}'
    """
    parts: list[pl.Expr] = []
    for name in sorted(values):
        parts += [pl.lit(f"{', ' if parts else '{'}{json.dumps(name, ensure_ascii=False)}: "), _quoted(values[name])]
    return pl.concat_str(*parts, pl.lit("}")) if parts else pl.lit("")


def _quoted(value: pl.Expr) -> pl.Expr:
    whole = pl.struct(value.alias("")).struct.json_encode()
    return whole.str.strip_prefix('{"":').str.strip_suffix("}")
