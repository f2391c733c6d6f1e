"""The whole base in the playbook's words: every customer's scores and situation, many at a time."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from features.contract import told_of
from features.feature import Array
from features.glossary import Glossary
from features.known import Known
from features.wordings import wordings_of
from serving.scorer import Chunk, Scorer
from serving.scores import Scores
from serving.situation import UNKNOWN, Situation, words_of


@dataclass(frozen=True, slots=True)
class Member:
    """One customer of the base: the scores, and what is known in words, the terms included.

    The words are those of nobody asking: no channel, and nothing said.
    """

    customer: str
    scores: Scores
    known: Mapping[str, Any]
    row: Array = field(default_factory=lambda: UNKNOWN, compare=False)

    def asked(self, as_of: datetime, channel: str, context: Mapping[str, Any], glossary: Glossary) -> Situation:
        """Put the customer into the situation of somebody asking over a channel, who was never approached before."""
        said = {f"context.{name}": value for name, value in context.items()}
        known = {**self.known, "channel": channel, **said}
        return Situation(as_of, channel, self.scores, known | glossary.tell(known), row=self.row)


class Audience:
    """Everybody with a history, by one scorer and one glossary."""

    def __init__(self, scorer: Scorer, glossary: Glossary) -> None:
        self._scorer = scorer
        self._glossary = glossary

    def members(self, known: Known) -> Iterator[Member]:
        """Go through every customer of what is known."""
        wordings = wordings_of(known)
        for chunk in self._scorer.chunks(known):
            yield from self.of_chunk(chunk, wordings)

    def of_chunk(self, chunk: Chunk, wordings: Mapping[str, Mapping[str, str]]) -> Iterator[Member]:
        """Go through the customers of a chunk; `wordings` are everybody's attributes."""
        everyone = zip(chunk.rows.customers, self._scorer.scores_of(chunk), chunk.rows.values, strict=True)
        for customer, scores, row in everyone:
            words = words_of(scores, told_of(row), wordings.get(customer, {}), None, {})
            yield Member(customer, scores, words | self._glossary.tell(words), row)


def tell_all(glossary: Glossary, columns: Mapping[str, Sequence[Any]], count: int) -> dict[str, list[bool | None]]:
    """Tell every term of many customers; `columns` maps words to a value a customer, None where unknown.

    It is the same evaluator as for one customer, asked once a customer.
    """
    words = [word for word in glossary.words if word in columns]
    rows = zip(*(columns[word] for word in words), strict=True) if words else iter([()] * count)
    told = [tuple(glossary.tell(dict(zip(words, row, strict=True))).values()) for row in rows]
    return {term.name: [row[place] for row in told] for place, term in enumerate(glossary.terms)}
