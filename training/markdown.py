"""Tables and numbers as Markdown."""

import math
from collections.abc import Iterable, Sequence


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], texts: int = 1) -> str:
    """Lay rows out under columns, the first ones, which are `texts`, to the left and the numbers to the right.

    >>> print(table(("rule", "AUC"), [("recency", "0.7")]))
    | rule | AUC |
    | --- | ---: |
    | recency | 0.7 |
    """
    head = (columns, ["---" if place < texts else "---:" for place in range(len(columns))])
    return "\n".join("| " + " | ".join(row) + " |" for row in (*head, *rows))


def bullets(sentences: Iterable[str]) -> str:
    """List sentences, each in a line of its own."""
    return "\n".join(f"- {sentence}" for sentence in sentences)


def number(value: float | None, signed: bool = False) -> str:
    """Write a number with four decimals, fewer where it is large; a dash where there is none.

    >>> number(0.12345), number(1234.5), number(0.1, signed=True), number(None)
    ('0.1235', '1,234', '+0.1000', '–')
    """
    if value is None or not math.isfinite(value):
        return "–"
    decimals = 4 if abs(value) < 10 else 1 if abs(value) < 1000 else 0
    return f"{value:{'+' if signed else ''},.{decimals}f}"


def between(low: float | None, high: float | None, signed: bool = False) -> str:
    """Write an interval.

    >>> between(0.1, 0.2), between(None, None)
    ('0.1000 to 0.2000', '–')
    """
    if low is None or high is None or not math.isfinite(high - low):
        return "–"
    return f"{number(low, signed)} to {number(high, signed)}"
