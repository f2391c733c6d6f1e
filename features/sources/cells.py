"""The cells of one column, as text and as numbers, whatever type the file gave them."""

import json
from collections.abc import Mapping, Sequence

import polars as pl

from features.errors import SourceError
from features.events import LARGEST, SCALE

ROW = "row number"


def where(mask: pl.Series, then: pl.Series | pl.Expr, otherwise: pl.Series | pl.Expr | None = None) -> pl.Series:
    """Choose between two columns, row by row; where the mask is null, the second is chosen."""
    return pl.select(pl.when(mask).then(then).otherwise(otherwise).alias("")).to_series()


def as_text(found: pl.Series, missing: Sequence[str] = ()) -> pl.Series:
    """Take a column as text: without the space around it, null if empty, whole numbers without a decimal point.

    Raises SourceError when the column holds what has no text.

    >>> as_text(pl.Series([7.0, 2.5, None])).to_list()
    ['7', '2.5', None]
    """
    dtype = found.dtype
    if dtype.is_nested() or dtype in (pl.Binary, pl.Object):
        raise SourceError(f"expected column {found.name} to hold text, numbers or times; found {dtype}")
    if dtype.is_float():
        whole = found.cast(pl.Int64, strict=False)
        shown = where(whole == found, whole.cast(pl.String), found.fill_nan(None).cast(pl.String))
    elif isinstance(dtype, pl.Datetime):
        # Whatever unit a file counts in, so that a key reads the same.
        shown = found.dt.cast_time_unit("us").cast(pl.String)
    else:
        shown = found.cast(pl.String).str.strip_chars()
    return where(shown.is_in(["", *missing]), pl.lit(None, pl.String), shown)


def plain(found: pl.Series, decimal: str, thousands: str) -> pl.Series:
    """Take the grouping out of numbers in text, where it is where it belongs, and make the decimal sign a point.

    >>> plain(pl.Series(["1.234,5", "1.5", "7"]), ",", ".").to_list()
    ['1234.5', '1.5?', '7']
    """
    if thousands:
        grouped = found.str.contains(rf"^[+-]?\d{{1,3}}([{thousands}]\d{{3}})+([{decimal}]\d*)?$")
        found = where(grouped, found.str.replace_all(thousands, "", literal=True), found)
    if decimal == ".":
        return found
    # A point that groups nothing here is a mistake: it must not pass for the decimal one.
    pointed = found.str.contains(".", literal=True)
    return where(pointed, found + "?", found.str.replace(decimal, ".", literal=True))


def as_scaled(found: pl.Series) -> pl.Series:
    """Count the ten-thousandths in numbers or their text; null where it is no number, or too large a one.

    >>> as_scaled(pl.Series(["1.1", "NaN", "1e12", "x"])).to_list()
    [11000, None, None, None]
    """
    number = found.cast(pl.Float64, strict=False)
    # Polars holds NaN for the largest number of all.
    return (where(number.abs() <= LARGEST, number) * SCALE).round().cast(pl.Int64)


def json_text(values: Mapping[str, pl.Series], height: int) -> pl.Series:
    """Write texts as one JSON object, its keys in order, as `Interaction.body_text` does; nothing without values.

    >>> json_text({"city": pl.Series(["서울"]), "basket": pl.Series(["7"])}, 1).to_list()
    ['{"basket": "7", "city": "서울"}']
    """
    if not values:
        return pl.repeat("", height, dtype=pl.String, eager=True)
    parts: list[pl.Series | pl.Expr] = []
    for name in sorted(values):
        parts += [pl.lit(f"{', ' if parts else '{'}{json.dumps(name, ensure_ascii=False)}: "), _quoted(values[name])]
    return pl.select(pl.concat_str(*parts, pl.lit("}"))).to_series()


def _quoted(value: pl.Series) -> pl.Series:
    whole = value.to_frame("").to_struct().struct.json_encode()
    return whole.str.strip_prefix('{"":').str.strip_suffix("}")
