"""What the body of an event tells: so far an attribute's wording."""

import json

import polars as pl


def wording_of(body: str) -> str:
    """Read an attribute's wording from the body that it was told with; empty where there is none.

    >>> wording_of('{"value": "35-44"}'), wording_of('{"value": 3}'), wording_of("")
    ('35-44', '', '')
    """
    value = json.loads(body).get("value") if body else None
    return value if isinstance(value, str) else ""


def reason_of(body: str) -> str:
    """Read why an offer wasn't taken from the body that it was told with; empty where there is no reason.

    >>> reason_of('{"reason": "price"}'), reason_of("")
    ('price', '')
    """
    return str(json.loads(body).get("reason") or "") if body else ""


def worded(frame: pl.DataFrame) -> pl.DataFrame:
    """Replace the bodies in the column `wording` by the wordings in them."""
    bodies = frame["wording"].unique()
    said = pl.Series([wording_of(body) for body in bodies], dtype=pl.String)
    return frame.with_columns(wording=pl.col("wording").replace_strict(bodies, said)) if len(frame) else frame
