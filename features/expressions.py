"""The one evaluator of the playbook's rules: zen expressions over words that are known to exist.

Anything unknown makes a rule unknown, which is neither yes nor no: a rule that speaks of a word with `??`
or compares it with `null` takes care of the unknown itself.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import zen

from features.errors import PlaybookError
from features.tables import meant

OPEN_GROUPS = ("attributes", "context")
FUNCTIONS = (
    "abs", "ceil", "contains", "endsWith", "floor", "len", "lower", "matches", "max", "min", "round", "startsWith",
    "sum", "upper",
)  # fmt: skip
KEYWORDS = {"and", "or", "not", "in", "true", "false", "null"}
_TEXT = re.compile(r"'[^']*'|\"[^\"]*\"")
_WORD = re.compile(r"(?<![\w.])[^\W\d]\w*(?:\.[^\W\d]\w*)*(\s*\()?")
_FOREIGN = re.compile(r"[^\w\s.,()\[\]<>=!+\-*/%?:]")
_INDEX = re.compile(r"(?:(?!\b(?:in|and|or|not))\b\w+|[)\]])\[")
_ASSIGNMENT = re.compile(r"(?<![=!<>])=(?!=)")
_GUARD = r"(?<![\w.]){0}\s*(?:\?\?|[=!]=\s*null\b)|\bnull\s*[=!]=\s*{0}(?![\w.])"


@dataclass(frozen=True)
class Vocabulary:
    """The words that rules may use, each with a sample: a number, a yes or no, or the texts it may be.

    Words of the open groups (`attributes.`, `context.`) are free, since customers and callers bring them.
    """

    words: Mapping[str, float | bool | tuple[str, ...]]

    def __contains__(self, word: str) -> bool:
        group, dot, name = word.partition(".")
        return word in self.words or (group in OPEN_GROUPS and bool(dot) and "." not in name)

    def plus(self, words: Mapping[str, float | bool | tuple[str, ...]]) -> "Vocabulary":
        """Add words."""
        return Vocabulary({**self.words, **words})


@dataclass(frozen=True)
class Expression:
    """A rule: its text, the words it uses, and those whose absence it takes care of itself."""

    text: str
    words: tuple[str, ...]
    guarded: frozenset[str]
    _compiled: Any = field(repr=False, compare=False)

    def __hash__(self) -> int:
        return hash(self.text)

    @cached_property
    def _places(self) -> tuple[tuple[str, str], ...]:
        return tuple(placed(word) for word in self.words)

    def holds(self, known: Mapping[str, Any]) -> bool | None:
        """Tell whether the rule holds; None when it can't be told.

        `known` maps words such as `churn.risk` to values; a word that is missing or None is unknown.
        """
        context = self.context(known)
        return None if context is None else self.told(context)

    def context(self, known: Mapping[str, Any]) -> dict[str, Any] | None:
        """Lay the rule's words out for the evaluator; None when one is unknown that it doesn't take care of."""
        context: dict[str, Any] = {}
        for word, (group, name) in zip(self.words, self._places, strict=True):
            value = known.get(word)
            if value is None and word not in self.guarded:
                return None
            if group:
                context.setdefault(group, {})[name] = value
            else:
                context[name] = value
        return context

    def told(self, context: Mapping[str, Any]) -> bool | None:
        """Tell whether the rule holds of words laid out by `context`; None when it can't be told."""
        try:
            answer = self._compiled.evaluate(context)
        except Exception:
            # zen raises a RuntimeError for a rule that it can't tell, and a plain one for a number that it can't hold.
            return None
        return answer if isinstance(answer, bool) else None

    def unknown(self, known: Mapping[str, Any]) -> tuple[str, ...]:
        """List the words that keep the rule from being told."""
        return tuple(word for word in self.words if known.get(word) is None and word not in self.guarded)


def placed(word: str) -> tuple[str, str]:
    """Part a word into its group, or "" where it has none, and its name."""
    group, dot, name = word.partition(".")
    return (group, name) if dot else ("", word)


def spans(text: str) -> Iterator[tuple[int, int, str]]:
    """Go through the words of a text that are neither quoted nor functions: start, end, word."""
    bare = _TEXT.sub(lambda found: " " * len(found.group()), text)
    for found in _WORD.finditer(bare):
        if not found.group(1):
            yield found.start(), found.end(), found.group()


def compile_rule(text: str, vocabulary: Vocabulary, place: str) -> Expression:
    """Read a rule and check that it can be told from the known words.

    Raises PlaybookError, naming `place`, on an unknown word or function, a text that a word can't be, an
    expression that zen can't read, or one that doesn't answer yes or no.
    """
    texts, bare = [found[1:-1] for found in _TEXT.findall(text)], _TEXT.sub("''", text)
    if problem := _problem(bare.replace("''", "")):
        raise PlaybookError(f"{place}: {problem}, in {text!r}")
    words = _words(bare, vocabulary, text, place)
    guarded = frozenset(word for word in words if re.search(_GUARD.format(re.escape(word)), bare))
    try:
        expression = Expression(text, words, guarded, zen.compile_expression(text))
    except RuntimeError as error:
        raise PlaybookError(f"{place}: expected an expression, found {text!r}: {_first_line(error)}") from error
    if not any(word.partition(".")[0] in OPEN_GROUPS for word in words):
        _check_texts(texts, expression, vocabulary, place)
        _try(expression, vocabulary, place)
    return expression


def _problem(bare: str) -> str:
    if foreign := _FOREIGN.search(bare):
        return f"expected words, numbers, quoted texts and operators, found {foreign.group()!r}"
    if _ASSIGNMENT.search(bare):
        return "expected == to compare, found ="
    if _INDEX.search(bare):
        return "expected a word with a dot, such as context.topic, found ["
    return ""


def _words(bare: str, vocabulary: Vocabulary, text: str, place: str) -> tuple[str, ...]:
    words: dict[str, None] = {}
    for found in _WORD.finditer(bare):
        called, word = bool(found.group(1)), found.group().rstrip("( \t\n")
        if word in KEYWORDS:
            continue
        known = FUNCTIONS if called else vocabulary
        if word not in known:
            near = meant(word, FUNCTIONS if called else vocabulary.words)
            kind = "function" if called else "word"
            raise PlaybookError(f"{place}: expected a known {kind}, found {word!r}, in {text!r}{near}")
        if not called:
            words[word] = None
    return tuple(words)


def _check_texts(texts: list[str], expression: Expression, vocabulary: Vocabulary, place: str) -> None:
    may = [sample for word in expression.words if isinstance(sample := vocabulary.words[word], tuple)]
    known = [text for sample in may for text in sample]
    for text in texts:
        if known and text not in known:
            expected = f"expected one of {', '.join(known)}; found {text!r}"
            raise PlaybookError(f"{place}: {expected}, in {expression.text!r}{meant(text, known)}")


def _try(expression: Expression, vocabulary: Vocabulary, place: str) -> None:
    for sample in (True, False):
        values = {word: vocabulary.words[word] for word in expression.words}
        known = {
            word: value[0] if isinstance(value, tuple) else sample if isinstance(value, bool) else value
            for word, value in values.items()
        }
        if expression.holds(known) is None:
            kinds = ", ".join(f"{word} = {value!r}" for word, value in known.items())
            raise PlaybookError(f"{place}: expected yes or no from {expression.text!r}, found neither when {kinds}")


def _first_line(error: RuntimeError) -> str:
    line = str(error).partition("\n")[0]
    try:
        return str(json.loads(line)["source"])
    except (ValueError, KeyError, TypeError):
        return line
