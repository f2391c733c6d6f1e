"""Many rules told at once, and rules rewritten so that they rest on words alone."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import zen

from features.expressions import KEYWORDS, Expression, spans


class Sheet:
    """Many rules, told in one call of the evaluator: each as `Expression.holds` would tell it by itself.

    A call costs some microseconds and a rule in it a fifth of one, so a thousand offers' rules are told as fast as ten
    are one by one.
    """

    def __init__(self, rules: Iterable[Expression]) -> None:
        self.rules = tuple(rules)
        self.words = tuple(dict.fromkeys(word for rule in self.rules for word in rule.words))
        # Under names without a group, which the evaluator is handed as one flat table.
        names = {word: f"w{number}" for number, word in enumerate(self.words)}
        self._names = tuple(names.values())
        texts = (_replaced(guarded(rule), names.get) for rule in self.rules)
        self._compiled = zen.compile_expression(f"[{', '.join(texts)}]")

    def tell(self, known: Mapping[str, Any]) -> list[bool | None]:
        """Tell every rule, in their order; None where it can't be told."""
        context = dict(zip(self._names, map(known.get, self.words), strict=True))
        try:
            answers = self._compiled.evaluate(context)
        except Exception:
            # One rule, or a number that zen can't hold, fails them all: then each is told by itself.
            return [rule.holds(known) for rule in self.rules]
        return [answer if isinstance(answer, bool) else None for answer in answers]


def guarded(rule: Expression) -> str:
    """Write a rule as one that is null where a word is unknown that the rule doesn't take care of itself."""
    needed = " or ".join(f"{word} == null" for word in rule.words if word not in rule.guarded)
    return f"(({needed}) ? null : ({rule.text}))" if needed else f"({rule.text})"


def inlined(rule: Expression, terms: Mapping[str, Expression]) -> Expression:
    """Write a rule without the terms that it uses: each is replaced by what it means, at whatever remove.

    The result answers as the rule would, and rests on words alone; all of them are taken care of within.
    """
    text = _plain(rule, terms)
    words = tuple(dict.fromkeys(word for _, _, word in spans(text) if word not in KEYWORDS))
    return Expression(text, words, frozenset(words), zen.compile_expression(text))


def _plain(rule: Expression, terms: Mapping[str, Expression]) -> str:
    return _replaced(guarded(rule), lambda word: _plain(terms[word], terms) if word in terms else None)


def _replaced(text: str, instead: Callable[[str], str | None]) -> str:
    """Write other words into a text; `instead` tells what for one, None to leave it."""
    parts, end = [], 0
    for start, stop, word in spans(text):
        other = instead(word)
        if other is not None:
            parts += [text[end:start], other]
            end = stop
    return "".join([*parts, text[end:]])
