"""The shapes that a playbook's values may have.

Each function but `nearest` returns the value in the form that the code uses, or raises ValueError saying what was
expected.
"""

import codecs
import re
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from typing import Any
from zoneinfo import ZoneInfo

import phonenumbers

Shape = Mapping[str, Callable[[Any], Any]]


def nearest(name: str, known: Iterable[str]) -> str:
    """Word the nearest known name as a hint, or nothing when none is near.

    >>> nearest("colums", ["columns", "constants"])
    ' (nearest: columns)'
    """
    lowered = {other.lower(): other for other in known}
    close = get_close_matches(name.lower(), lowered, n=1, cutoff=0.5)
    return f" (nearest: {lowered[close[0]]})" if close else ""


def _need(holds: bool, expected: str) -> None:
    if not holds:
        raise ValueError(expected)


def words(value: Any) -> str:
    """Take text, the empty one too."""
    _need(isinstance(value, str), "text")
    return str(value)


def text(value: Any) -> str:
    """Take text that isn't empty."""
    _need(isinstance(value, str) and bool(value.strip()), "text that isn't empty")
    return str(value)


def texts(value: Any) -> tuple[str, ...]:
    """Take one text or a list of them.

    >>> texts("a"), texts(["a", "b"])
    (('a',), ('a', 'b'))
    """
    listed = [value] if isinstance(value, str) else value
    _need(isinstance(listed, list) and bool(listed), "text or a list of texts")
    _need(all(isinstance(one, str) and one for one in listed), "text or a list of texts")
    return tuple(listed)


def flag(value: Any) -> bool:
    """Take true or false."""
    _need(isinstance(value, bool), "true or false")
    return bool(value)


def share(value: Any) -> float:
    """Take a number from 0 to 1."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    _need(number and 0 <= value <= 1, "a number from 0 to 1")
    return float(value)


def mapping(value: Any) -> dict[str, Any]:
    """Take a table."""
    _need(isinstance(value, dict), "a table of names and values")
    return dict(value)


def tables(value: Any) -> list[dict[str, Any]]:
    """Take a list of tables."""
    _need(isinstance(value, list) and all(isinstance(one, dict) for one in value), "[[table]] sections")
    return list(value)


def columns(value: Any) -> dict[str, tuple[str, ...]]:
    """Take a table from fields to one column's name or a list of them."""
    return {name: texts(one) for name, one in mapping(value).items()}


def constants(value: Any) -> dict[str, str]:
    """Take a table from fields to texts or numbers; a number is kept as its text, a date as ISO 8601."""
    found = mapping(value)
    _need(not any(isinstance(one, (bool, dict, list)) for one in found.values()), "a table of texts, numbers and dates")
    return {name: str(one) for name, one in found.items()}


def translations(value: Any) -> dict[str, str]:
    """Take a table from texts to texts."""
    return {name: words(one) for name, one in mapping(value).items()}


def separator(value: Any) -> str:
    """Take the one character that separates cells, or "whitespace" for runs of it."""
    _need(isinstance(value, str) and (len(value) == 1 or value == "whitespace"), 'one character, or "whitespace"')
    return str(value)


def decimal(value: Any) -> str:
    """Take the sign before the decimals."""
    _need(value in (".", ","), '"." or ","')
    return str(value)


def thousands(value: Any) -> str:
    """Take the sign between groups of three digits."""
    _need(value in ("", ",", ".", "'", " "), "one of , . ' or a space")
    return str(value)


def encoding(value: Any) -> str:
    """Take an encoding that Python knows."""
    try:
        return codecs.lookup(words(value)).name
    except LookupError as error:
        raise ValueError("an encoding such as utf-8, cp949 or latin-1") from error


def time_zone(value: Any) -> str:
    """Take an IANA time zone."""
    try:
        return ZoneInfo(text(value)).key
    except (OSError, LookupError, ValueError) as error:
        raise ValueError("a time zone such as Asia/Seoul or UTC") from error


def reference_type(value: Any) -> str:
    """Take the type of a reference, the word before its colon."""
    _need(isinstance(value, str) and re.fullmatch(r"[a-z][a-z0-9_]*", value) is not None, "a word such as household")
    return str(value)


def region(value: Any) -> str:
    """Take a region that phone numbers belong to."""
    _need(value in phonenumbers.SUPPORTED_REGIONS, "a region such as KR")
    return str(value)
