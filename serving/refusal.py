"""How a request that doesn't fit is told, in a sentence, what was expected and what was found."""

from collections.abc import Mapping, Sequence
from typing import Any, get_args

from pydantic import BaseModel, RootModel, ValidationError

from features.tables import meant

_SHOWN_FAULTS, _SHOWN_CHARACTERS = 3, 60
_PATTERNS = {
    r"^[^\x00-\x1f\x7f]*$": "a text without control characters",
    r"^[a-z][a-z0-9_-]*$": "small letters, digits, _ and -",
}
_REWORDED = (
    ("Input should be ", ""),
    ("String should have ", "a text of "),
    ("List should have ", "a list of "),
    ("Dictionary should have ", "an object of "),
    (" after validation", ""),
    ("a valid string", "a text"),
    ("a valid integer", "a whole number"),
    ("a valid number", "a number"),
    ("a valid array", "a list"),
    ("a valid list", "a list"),
    ("a valid dictionary", "an object"),
    ("greater than or equal to", "at least"),
    ("less than or equal to", "at most"),
)


def refusal(model: type[BaseModel], error: ValidationError) -> str:
    """Say what was expected of a request of this model; at most three faults are told."""
    faults = error.errors(include_url=False)
    said = "; ".join(_fault(model, fault) for fault in faults[:_SHOWN_FAULTS])
    return f"{said}; and {len(faults) - _SHOWN_FAULTS} more" if len(faults) > _SHOWN_FAULTS else said


def _fault(model: type[BaseModel], fault: Mapping[str, Any]) -> str:
    kind, place = fault["type"], fault["loc"]
    if kind == "json_invalid":
        return f"expected a body in JSON; found: {fault['ctx']['error']}"
    if kind == "missing":
        return f"{_at(place[:-1])}expected {place[-1]}, found nothing by that name"
    if kind == "extra_forbidden":
        known = _fields(model, place[:-1])
        return f"{_at(place[:-1])}expected only {', '.join(known)}; found {place[-1]!r}{meant(str(place[-1]), known)}"
    return f"{_at(place)}expected {_expected(fault)}; found {found(fault['input'])}"


def _expected(fault: Mapping[str, Any]) -> str:
    if fault["type"] == "string_pattern_mismatch":
        return _PATTERNS.get(fault["ctx"]["pattern"], f"a text like {fault['ctx']['pattern']}")
    message = str(fault["msg"]).removeprefix("Value error, ").partition(", not ")[0]
    for said, reworded in _REWORDED:
        message = message.replace(said, reworded)
    return message


def found(value: object) -> str:
    """Show what was found, in few characters.

    >>> found(None), found([1, 2]), found("x" * 70)[-4:]
    ('null', 'a list of 2', "xx…'")
    """
    if value is None:
        return "null"
    if isinstance(value, list | tuple):
        return f"a list of {len(value)}"
    if isinstance(value, dict):
        return f"an object of {len(value)}"
    if isinstance(value, str) and len(value) > _SHOWN_CHARACTERS:
        value = value[: _SHOWN_CHARACTERS - 1] + "…"
    return repr(value)


def _at(place: Sequence[int | str]) -> str:
    said = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place)
    return f"{said.removeprefix('.')}: " if said else ""


def _fields(model: type[BaseModel], place: Sequence[int | str]) -> list[str]:
    """List the fields that a model has at a place within it."""
    inner: Any = model.model_fields["root"].annotation if issubclass(model, RootModel) else model
    for part in place:
        inner = get_args(inner)[0] if isinstance(part, int) else inner.model_fields[part].annotation
    return list(inner.model_fields)
