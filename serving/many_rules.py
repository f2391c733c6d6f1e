"""All offers' rules told of many customers at once, as `Rulebook` tells them of one."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from features.clock import microseconds
from features.expressions import Expression
from features.feature import Array
from features.glossary import Glossary
from serving.crowd import Coded, Codes, Column, Crowd
from serving.encounters import Encounters
from serving.offers import LAYERS, Offer
from serving.question import Question
from serving.telling import FAILS, HOLDS, UNTOLD, Answers, taken, tell

Stops = npt.NDArray[np.int16]
NONE = 0
_TRUTHS = {HOLDS: True, FAILS: False, UNTOLD: None}


class Told:
    """What one playbook's rules say of a crowd, when everybody is asked the same over one channel."""

    def __init__(self, glossary: Glossary, crowd: Crowd, encounters: Encounters, question: Question) -> None:
        self._crowd, self._encounters, self._question = crowd, encounters, question
        self._terms = {term.name: term for term in glossary.terms}
        self._glossary = glossary
        said = {"channel": question.channel} | {f"context.{name}": value for name, value in question.context.items()}
        self._columns: dict[str, Column | None] = {word: Coded.same(value, len(crowd)) for word, value in said.items()}

    def column(self, word: str) -> Column | None:
        """Give a word's column, terms included."""
        if word not in self._columns:
            if word in self._terms:
                term = self._terms[word]
                # Of itself a rule only compares; written without the terms that it rests on, it calculates.
                nested = any(other in self._terms for other in term.when.words)
                when = self._glossary.plain(term.when) if nested else term.when
                self._columns[word] = _yes_no(self._once(("term", term.hash), when, self.column))
            else:
                self._columns[word] = self._of_base(word)
        return self._columns[word]

    def answers(self, when: Expression, offer: Offer) -> Answers:
        """Tell a rule of an offer of everybody."""
        of_offer = any(word.startswith("offer.") for word in when.words)
        meaning = tuple(self._terms[word].hash for word in when.words if word in self._terms)
        about: dict[str, Column] = {"offer.kind": Coded.same(offer.kind, len(self._crowd))}
        key = ("rule", when, meaning, offer.kind if of_offer else "")
        told = self._once(key, when, lambda word: about[word] if word in about else self.column(word))
        return self._anew(when, offer, told) if of_offer else told

    def weights(self, offer: Offer) -> Array:
        """Weigh an offer by what the conversation is about: its first weight that holds, else 1."""
        found = np.ones(len(self._crowd))
        for weight in reversed(offer.context_weights):
            found[self.answers(weight.when, offer) == HOLDS] = weight.weight
        return found

    def stopped(self, offer: Offer, numbered: Callable[[str, str], int]) -> Stops:
        """Tell which rule stops an offer first, by the number of its layer and text; NONE where none does."""
        stops = np.zeros(len(self._crowd), dtype=np.int16)
        layered = [(layer, rule) for layer in LAYERS for rule in offer.rules[layer]]
        for layer, rule in reversed(layered):
            stops[self.answers(rule.when, offer) != HOLDS] = numbered(layer, rule.when.text)
        return stops

    def _once(self, key: Any, rule: Expression, column: Callable[[str], Column | None]) -> Answers:
        """Tell a rule unless another playbook that shares it has."""
        kept = (key, self._question.channel)
        if kept not in self._crowd.told:
            self._crowd.told[kept] = tell(rule, column, len(self._crowd))
        answers: Answers = self._crowd.told[kept]
        return answers

    def _of_base(self, word: str) -> Column | None:
        key = ("word", word)
        if key not in self._crowd.told:
            self._crowd.told[key] = self._crowd.column(word)
        column: Column | None = self._crowd.told[key]
        return column

    def _anew(self, when: Expression, offer: Offer, told: Answers) -> Answers:
        """Tell a rule that speaks of its offer again of those who have a past with it."""
        places, about = self._encounters.words(offer.id, microseconds(self._question.as_of))
        if not len(places):
            return told
        about["offer.kind"] = Coded.same(offer.kind, len(places))
        again = tell(when, lambda word: about[word] if word in about else self._taken(word, places), len(places))
        changed = told.copy()
        changed[places] = again
        return changed

    def _taken(self, word: str, places: Codes) -> Column | None:
        column = None if word.startswith("offer.") else self.column(word)
        return None if column is None else taken(column, places)


def _yes_no(answers: Answers) -> Coded:
    return Coded((answers + 1).astype(np.int64), tuple(_TRUTHS[sign] for sign in (UNTOLD, FAILS, HOLDS)))
