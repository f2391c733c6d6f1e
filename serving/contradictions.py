"""Rules that can't hold together: found by trying every value at which they could turn.

A rule over words and constants turns only where a word crosses a constant, so trying what lies at, just above and just
below each constant, and the unknown, settles whether some rules can all hold. Rules that calculate, call functions or
compare more than two words aren't settled so, and nothing is claimed of them.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, product
from typing import Any

from features.expressions import FUNCTIONS, Expression
from serving.flips import Flipper

_MOST_TRIED = 200_000
_CALCULATES = re.compile(r"[+*/%]|\w\s*-\s*\w|\b(?:" + "|".join(FUNCTIONS) + r")\s*\(")
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")


def contradiction(
    rules: Sequence[Expression], flipper: Flipper, fixed: Mapping[str, Any]
) -> tuple[Expression, ...] | None:
    """Find the smallest set of rules that can't hold together; None where they can, or where it can't be told.

    `fixed` are words whose value is given, such as an offer's kind.
    """
    distinct = list(dict.fromkeys(rules))
    if satisfiable(distinct, flipper, fixed) is not False:
        return None
    sizes = range(1, len(distinct) + 1)
    sets = (some for size in sizes for some in combinations(distinct, size))
    return next(some for some in sets if satisfiable(some, flipper, fixed) is False)


def satisfiable(rules: Sequence[Expression], flipper: Flipper, fixed: Mapping[str, Any]) -> bool | None:
    """Tell whether some rules can all hold; None when it can't be told."""
    plain = [flipper.plain(rule) for rule in rules]
    domains = {word: (value,) for word, value in fixed.items()} | flipper.domains(rules, fixed)
    tried = iter(range(_MOST_TRIED))
    try:
        found = next(_solutions(plain, domains, dict(fixed), tried), None)
    except _TooMany:
        return None
    if found is not None:
        return True
    return None if any(_CALCULATES.search(_QUOTED.sub("''", rule.text)) for rule in plain) else False


class _TooMany(Exception):  # noqa: N818 - it ends a search
    """More was tried than is worth it."""


def _solutions(
    rules: Sequence[Expression], domains: Mapping[str, Sequence[Any]], known: dict[str, Any], tried: Iterator[int]
) -> Iterator[dict[str, Any]]:
    """Go through the values of words for which every rule holds, rule after rule."""
    if not rules:
        yield known
        return
    first, *rest = rules
    free = [word for word in first.words if word not in known]
    for values in product(*(domains.get(word, (None,)) for word in free)):
        if next(tried, None) is None:
            raise _TooMany
        here = {**known, **dict(zip(free, values, strict=True))}
        if first.holds(here):
            yield from _solutions(rest, domains, here, tried)
