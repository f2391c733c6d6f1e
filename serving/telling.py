"""A rule told of many customers at once, once for each combination of what it reads, by the one evaluator.

A rule that only compares a number with constants can't tell apart two numbers between the same two of them, so it is
told of one customer for each such cell; texts, terms and tiers have few values anyway. What is told is always a real
customer's words. A rule that calculates is told once for every distinct combination of its numbers.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from features.expressions import KEYWORDS, Expression, spans
from features.feature import Array
from serving.crowd import Coded, Codes, Column

HOLDS, FAILS, UNTOLD = 1, 0, -1
Answers = npt.NDArray[np.int8]
Steps = tuple[tuple[float, ...], tuple[str, ...]]
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
_CONNECTIVE = re.compile(r"\b(?:and|or|not)\b")
_NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+)?(?![\w.])")
_PLAIN = set("()[],<>=!? \t\n")
_FEW, _LARGE = 16, 2**40
# Numbers as near to a constant as this share of it are told each by itself: the evaluator calculates in decimals.
_NEAR = 1e-9


def tell(rule: Expression, column: Callable[[str], Column | None], count: int) -> Answers:
    """Tell a rule of so many customers, given each word's column: HOLDS, FAILS, or UNTOLD where it can't be told."""
    columns = {word: found for word in rule.words if (found := column(word)) is not None}
    combined, size = np.zeros(count, dtype=np.int64), 1
    for word, found in columns.items():
        codes, many = _codes(found, _cuts(rule, word, columns))
        combined, size = combined * many + codes, size * many
        if size > _LARGE:
            kept, combined = np.unique(combined, return_inverse=True)
            size = len(kept)
    _, first, place = np.unique(combined, return_index=True, return_inverse=True)
    told = [rule.holds({word: value_at(found, at) for word, found in columns.items()}) for at in first.tolist()]
    signs = np.array([UNTOLD if answer is None else int(answer) for answer in told], dtype=np.int8)
    return signs[place]


def value_at(column: Column, place: int) -> Any:
    """Give one customer's value as a situation holds it; None where unknown."""
    if isinstance(column, Coded):
        return column.values[column.codes[place]]
    number = float(column[place])
    return None if np.isnan(number) else number


def taken(column: Column, places: Codes) -> Column:
    """Give the column of some of its customers."""
    return Coded(column.codes[places], column.values) if isinstance(column, Coded) else column[places]


@lru_cache(maxsize=10_000)
def steps(rule: Expression) -> dict[str, Steps]:
    """List, for each word that a rule only compares, the constants and the words that it is compared with.

    A word that is missing is calculated with, or may be: of it nothing is known but its value.
    """
    bare = _QUOTED.sub(lambda found: " " * len(found.group()), rule.text)
    found: dict[str, tuple[list[float], list[str]]] = {word: ([], []) for word in rule.words}
    calculated = set(rule.words) if ":" in bare else set()
    for atom in _CONNECTIVE.split(bare):
        named = [(start, end, word) for start, end, word in spans(atom) if word not in KEYWORDS]
        words = [word for _, _, word in named]
        rest = _NUMBER.sub("", _without(atom))
        if not set(rest) <= _PLAIN:
            calculated.update(words)
        for word in words:
            if word in found:
                found[word][0].extend(float(number) for number in _NUMBER.findall(atom))
                found[word][1].extend(other for other in words if other != word)
    return {word: (tuple(c), tuple(b)) for word, (c, b) in found.items() if word not in calculated}


def _without(atom: str) -> str:
    """Leave the words out of a text; a function's name stays."""
    parts, end = [], 0
    for start, stop, _ in spans(atom):
        parts.append(atom[end:start])
        end = stop
    return "".join([*parts, atom[end:]])


def _cuts(rule: Expression, word: str, columns: dict[str, Column]) -> Array | None:
    """Find the numbers between which a rule can't tell a word's values apart; None where any two may differ."""
    known = steps(rule).get(word)
    if known is None:
        return None
    cuts = list(known[0])
    for other in known[1]:
        beside = columns.get(other)
        if isinstance(beside, Coded) and len(beside.values) <= _FEW:
            cuts += [value for value in beside.values if isinstance(value, int | float)]
        elif beside is not None:
            return None
    return np.unique(np.array(cuts, dtype=np.float64))


def _codes(column: Column, cuts: Array | None) -> tuple[Codes, int]:
    """Number the values that a rule may tell apart; returns the numbers, and how many there may be."""
    if isinstance(column, Coded):
        return column.codes, len(column.values)
    if cuts is None:
        kept, place = np.unique(column, return_inverse=True)
        return place, len(kept)
    cells = np.searchsorted(cuts, column, "left") + np.searchsorted(cuts, column, "right")
    cells[np.isnan(column)] = unknown = 2 * len(cuts) + 1
    near = np.flatnonzero(_nears(column, cuts, cells))
    kept, place = np.unique(column[near], return_inverse=True)
    cells[near] = unknown + 1 + place
    return cells, unknown + 1 + len(kept)


def _nears(column: Array, cuts: Array, cells: Codes) -> npt.NDArray[np.bool_]:
    """Mark what lies next to a constant without being it."""
    if not len(cuts):
        return np.zeros(len(column), dtype=bool)
    below, above = cuts[np.clip(cells // 2 - 1, 0, len(cuts) - 1)], cuts[np.clip(cells // 2, 0, len(cuts) - 1)]
    gap = np.minimum(np.abs(column - below), np.abs(column - above))
    scale = np.maximum(np.maximum(np.abs(below), np.abs(above)), 1.0)
    near: npt.NDArray[np.bool_] = (gap < _NEAR * scale) & (cells % 2 == 0)
    return near
