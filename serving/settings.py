"""Numbers that the environment sets, within bounds."""

import os

from features.errors import InputError


def number(name: str, default: float, least: float, most: float, unit: str = "") -> float:
    """Read a number; one that isn't set, or is empty, is the default.

    Raises InputError when it is no number, or out of bounds.
    """
    text = os.environ.get(name) or f"{default}"
    try:
        found = float(text)
    except ValueError:
        found = float("nan")
    if not least <= found <= most:
        raise InputError(f"expected {name} from {least:g} to {most:g}{unit}, found {text!r}")
    return found
