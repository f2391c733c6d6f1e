"""The smallest change that would let an offer through its rules.

A rule turns where a word crosses a number, or becomes a text, that the rule compares it with; so only those few values
are tried, the nearest first. What is found has been tried on all of the offer's rules.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import combinations, islice, pairwise
from typing import Any

from features.definitions import BY_NAME
from features.expressions import KEYWORDS, Expression, placed, spans
from features.feature import shown
from features.glossary import Glossary
from features.sheets import Sheet
from serving import sentences
from serving.stops import Change, Flip

# What no caller, customer or day can change.
FIXED = ("offer.kind", "offer.last_reason", "churn.horizon_days", "churn.active_days")
_MOST_PAIRS = 60
_ATOM = re.compile(r"\b(?:and|or|not)\b|(?<!\?)\?(?!\?)|:")
_NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+)?(?![\w.])")
_QUOTED = re.compile(r"'([^']*)'|\"([^\"]*)\"")
_NUMBERS = (int, float)
_SHARES = ("churn.risk", "churn.rank", "value.rank")


@dataclass(frozen=True, eq=False)
class _Turning:
    """A rule without terms, with the values at which each of its words may turn it, and the words it is compared to.

    `settled` are, for a rule of one word, those of its values for which it holds; None for any other rule.
    """

    plain: Expression
    values: Mapping[str, tuple[Any, ...]]
    beside: Mapping[str, tuple[str, ...]]
    settled: tuple[str, tuple[Any, ...]] | None


class Flipper:
    """Finds flips by one glossary's words; what a rule turns on is worked out once."""

    def __init__(self, glossary: Glossary) -> None:
        self._glossary = glossary
        self._turnings: dict[Expression, _Turning] = {}
        self._sheet = lru_cache(maxsize=4_096)(self._made)
        self._nearest = lru_cache(maxsize=4_096)(self._searched)

    def flip(self, bound: Sequence[Expression], failing: Sequence[Expression], known: Mapping[str, Any]) -> Flip | None:
        """Find what would let failing rules hold; None where no change of two words a rule does.

        `bound` are the rules that share words with others: a change mustn't undo any of them.
        """
        changes: dict[str, Any] = {}
        for rule in failing:
            found = self._turned(self._turning(rule), known, changes)
            if found is None or found.keys() & changes.keys():
                return None
            changes |= found
        undoes = any(not changes.keys().isdisjoint(self._turning(rule).values) for rule in bound)
        if undoes and not self._stands((*bound, *failing), known, changes):
            return None
        told = tuple(Change(word, known.get(word), value) for word, value in changes.items())
        return Flip(partial(_said, told), told)

    def plain(self, rule: Expression) -> Expression:
        """Write a rule without terms."""
        return self._turning(rule).plain

    def turning(self, rule: Expression) -> tuple[str, ...]:
        """List the words that may be changed to turn a rule."""
        return tuple(self._turning(rule).values)

    def domains(self, rules: Iterable[Expression], fixed: Mapping[str, Any]) -> dict[str, tuple[Any, ...]]:
        """List for each word the values at which some rules may turn, and the unknown."""
        found: dict[str, dict[Any, None]] = {}
        for turning in map(self._turning, rules):
            for word, values in turning.values.items():
                others = [_sample(self._glossary, other, fixed) for other in turning.beside[word]]
                near = [value for other in others for value in _near(word, other)]
                found.setdefault(word, {None: None}).update(dict.fromkeys([*values, *near]))
            for word in turning.plain.words:
                if word in FIXED:
                    found.setdefault(word, dict.fromkeys([fixed.get(word, _sample(self._glossary, word, fixed))]))
        return {word: (*values, *_between(values)) for word, values in found.items()}

    def _turned(self, turning: _Turning, known: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any] | None:
        """Find the fewest, then the nearest, words that make a rule hold; nothing when the changes so far do."""
        words = turning.plain.words
        if changes and not changes.keys().isdisjoint(words):
            now = {word: changes.get(word, known.get(word)) for word in words}
            context = turning.plain.context(now)
            return {} if context is None or turning.plain.told(context) else self._tried(turning, now, context)
        values = tuple(map(known.get, words))
        # With their kinds, as 1 equals True.
        return self._nearest(turning, values, tuple(map(type, values)))

    def _searched(self, turning: _Turning, values: tuple[Any, ...], _: tuple[type, ...]) -> dict[str, Any] | None:
        plain, now = turning.plain, dict(zip(turning.plain.words, values, strict=True))
        if turning.settled is None:
            context = plain.context(now)
            return {} if context is None else self._tried(turning, now, context)
        word, holding = turning.settled
        nearest = min(holding, key=partial(self._cost, word, now[word]), default=None)
        return None if nearest is None else {word: nearest}

    def _tried(self, turning: _Turning, now: Mapping[str, Any], context: dict[str, Any]) -> dict[str, Any] | None:
        plain = turning.plain
        singles = sorted(self._candidates(turning, now), key=lambda one: one[0])
        for _, word, value in singles:
            if _holds(plain, context, {word: value}, now):
                return {word: value}
        pairs = sorted(
            ((one[0] + other[0], {one[1]: one[2], other[1]: other[2]}) for one, other in combinations(singles, 2)),
            key=lambda pair: pair[0],
        )
        tried = (change for _, change in islice(pairs, _MOST_PAIRS) if len(change) == 2)
        return next((change for change in tried if _holds(plain, context, change, now)), None)

    def _candidates(self, turning: _Turning, now: Mapping[str, Any]) -> Iterator[tuple[float, str, Any]]:
        for word, values in turning.values.items():
            others = (value for other in turning.beside[word] for value in _near(word, now.get(other)))
            for value in (*values, *others):
                if value != now[word]:
                    yield self._cost(word, now[word], value), word, value

    def _cost(self, word: str, now: Any, value: Any) -> float:
        if isinstance(now, _NUMBERS) and isinstance(value, _NUMBERS):
            return abs(now - value) / max(abs(now), abs(value), 1e-9)
        options = self._glossary.vocabulary.words.get(word)
        if isinstance(options, tuple) and now in options and value in options:
            return abs(options.index(now) - options.index(value)) / len(options)
        return 1.0

    def _turning(self, rule: Expression) -> _Turning:
        found = self._turnings.get(rule)
        if found is None:
            plain = self._glossary.plain(rule)
            values, beside = _turning_points(plain)
            wider = {word: (*told, *self._otherwise(word, told)) for word, told in values.items()}
            found = self._turnings[rule] = _Turning(plain, wider, beside, _settled(plain, wider, beside))
        return found

    def _otherwise(self, word: str, told: Sequence[Any]) -> list[str]:
        """What a text may be besides those that a rule names."""
        if not any(isinstance(value, str) for value in told):
            return []
        options = self._glossary.vocabulary.words.get(word)
        return [one for one in (options if isinstance(options, tuple) else ("other",)) if one not in told]

    def _stands(self, rules: tuple[Expression, ...], known: Mapping[str, Any], changes: Mapping[str, Any]) -> bool:
        sheet = self._sheet(rules)
        return all(sheet.tell({word: changes.get(word, known.get(word)) for word in sheet.words}))

    def _made(self, rules: tuple[Expression, ...]) -> Sheet:
        return Sheet(self._turning(rule).plain for rule in rules)


def _sample(glossary: Glossary, word: str, fixed: Mapping[str, Any]) -> Any:
    """A value that a word may have: what is fixed, else the vocabulary's sample; None for texts and the unknown."""
    sample = fixed.get(word, glossary.vocabulary.words.get(word))
    return None if isinstance(sample, tuple) else sample


def _settled(
    plain: Expression, values: Mapping[str, tuple[Any, ...]], beside: Mapping[str, tuple[str, ...]]
) -> tuple[str, tuple[Any, ...]] | None:
    """List the values for which a rule of one word holds, in the order in which they are written; None for others."""
    if len(plain.words) != 1 or len(values) != 1 or any(beside.values()):
        return None
    (word,) = values
    return word, tuple(value for value in values[word] if plain.holds({word: value}))


def _between(values: Iterable[Any]) -> list[float]:
    """What lies between numbers, below the smallest and above the largest."""
    numbers = sorted({float(value) for value in values if isinstance(value, int | float)})
    middles = [(one + other) / 2 for one, other in pairwise(numbers)]
    return [numbers[0] - 1, *middles, numbers[-1] + 1] if numbers else []


def _holds(plain: Expression, context: dict[str, Any], change: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Tell whether a rule holds of a context with a change, and leave the context as it was."""
    _lay(context, change)
    holds = plain.told(context)
    _lay(context, {word: now[word] for word in change})
    return holds is True


def _lay(context: dict[str, Any], change: Mapping[str, Any]) -> None:
    for word, value in change.items():
        group, name = placed(word)
        (context[group] if group else context)[name] = value


def _near(word: str, value: Any) -> tuple[Any, ...]:
    """A value, and what lies just above and below it where it is a number."""
    if value is None:
        return ()
    if isinstance(value, bool) or not isinstance(value, int | float):
        return (value,)
    step = 1.0 if _whole(word) else 0.01
    return value, round(value + step, 6), round(value - step, 6)


def _turning_points(plain: Expression) -> tuple[dict[str, tuple[Any, ...]], dict[str, tuple[str, ...]]]:
    values: dict[str, list[Any]] = {word: [] for word in plain.words if word not in FIXED}
    words: dict[str, list[str]] = {word: [] for word in values}
    for atom in _atoms(plain.text):
        named = [word for _, _, word in spans(atom) if word not in KEYWORDS]
        numbers = [float(found) for found in _NUMBER.findall(_QUOTED.sub("''", atom))]
        texts = [one or other for one, other in _QUOTED.findall(atom)]
        for word in named:
            if word in values and "null" not in atom:
                values[word] += [*numbers, *texts] or ([True, False] if named == [word] else [])
                words[word] += [other for other in named if other != word]
    near = {word: [value for one in told for value in _near(word, one)] for word, told in values.items()}
    return _once(near), _once(words)


def _once(listed: Mapping[str, Iterable[Any]]) -> dict[str, tuple[Any, ...]]:
    return {word: tuple(dict.fromkeys(told)) for word, told in listed.items()}


def _atoms(text: str) -> list[str]:
    """Part a rule at its connectives, leaving quoted texts whole."""
    bare = _QUOTED.sub(lambda found: "'" + "_" * (len(found.group()) - 2) + "'", text)
    parts, end = [], 0
    for found in _ATOM.finditer(bare):
        parts.append(text[end : found.start()])
        end = found.end()
    return [*parts, text[end:]]


def _whole(word: str) -> bool:
    group, _, name = word.partition(".")
    return group == "features" and name in BY_NAME and BY_NAME[name].unit in ("count", "level", "days")


def _said(changes: Sequence[Change], language: str) -> str:
    return sentences.FLIP[language].format(changes=", ".join(_named(change, language) for change in changes))


def _named(change: Change, language: str) -> str:
    now = _shown(change.word, change.now, language)
    return sentences.say(sentences.NOW, language, said=_needed(change.word, change.needed, language), now=now)


@lru_cache(maxsize=10_000)
def _needed(word: str, value: Any, language: str) -> str:
    group, _, name = word.partition(".")
    if group == "features" and name in BY_NAME:
        return BY_NAME[name].sentence(float(value))[language]
    named = sentences.WORDS.get(word) or dict.fromkeys(("en", "ko"), name.replace("_", " "))
    return f"{named[language]}: {_shown(word, value, language)}"


def _shown(word: str, value: Any, language: str) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return sentences.YES_NO[language][0 if value else 1]
    if word in _SHARES:
        return f"{value:.0%}"
    group, _, name = word.partition(".")
    if group == "features" and name in BY_NAME:
        return shown(float(value), BY_NAME[name].unit)
    return f"{value:,.2f}".rstrip("0").rstrip(".") if isinstance(value, int | float) else str(value)
