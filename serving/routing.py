"""Which queue a contact goes to, and before whom: value, risk and intent give a head start, and waiting does the rest.

Contacts are served by their virtual arrival: the moment they came less a head start that is capped. Everybody's
priority then grows with waiting at one pace (Jackson, "Queues with dynamic priority discipline", 1961; with a pace for
each class it is the accumulating priority queue of Stanford, Taylor and Ziedins, 2014). So the order of two contacts
never depends on when it is asked for, and nobody is overtaken by somebody who came more than the cap later.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from features.errors import InputError
from features.expressions import Expression, compile_rule
from features.glossary import Glossary, fingerprint
from features.tables import Table, meant, read
from serving.sentences import ROUTE, ROUTE_PLAIN, say

_INTENT = "context.intent"
_CHANNEL = {"channel", "context.channel"}


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue: who goes there, what its agents must be able to do, and its name; without a rule it takes the rest."""

    id: str
    when: Expression | None
    skills: tuple[str, ...]
    title: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Intent:
    """What a customer may want, the skills that it needs, and the head start that it gives."""

    id: str
    seconds: float
    skills: tuple[str, ...]
    sentence: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class HeadStart:
    """A head start for whoever a rule holds of."""

    when: Expression
    seconds: float
    sentence: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Route:
    """Where a contact goes and when it is due: the earliest `serve_after` is served first.

    `parts` are the head starts that hold, in seconds, before the cap; nobody who comes after `overtaken_until` is
    served before this contact.
    """

    queue: Queue
    skills: tuple[str, ...]
    parts: tuple[tuple[float, Mapping[str, str]], ...]
    head_start: float
    serve_after: datetime
    overtaken_until: datetime


@dataclass(frozen=True)
class Routing:
    """All queues, intents and head starts; `most_seconds` caps the head start, `hash` is over the file."""

    most_seconds: float
    queues: tuple[Queue, ...]
    intents: Mapping[str, Intent]
    head_starts: tuple[HeadStart, ...]
    hash: str

    def intent(self, name: str | None) -> Intent | None:
        """Find an intent by its name; None for none.

        Raises InputError when the playbook doesn't have it.
        """
        if name is not None and name not in self.intents:
            expected = f"expected intent to be one of {', '.join(self.intents)}"
            raise InputError(f"{expected}; found {name!r}{meant(name, self.intents)}")
        return self.intents[name] if name else None

    def route(self, known: Mapping[str, Any], intent: Intent | None, waiting_since: datetime) -> Route:
        """Route a contact of whom some words are known; a rule over something unknown doesn't hold."""
        told = {**known, _INTENT: intent.id if intent else None}
        queue = next(one for one in self.queues if one.when is None or one.when.holds(told))
        parts = tuple(self._parts(told, intent))
        head_start = min(sum(seconds for seconds, _ in parts), self.most_seconds)
        skills = tuple(dict.fromkeys((*queue.skills, *(intent.skills if intent else ()))))
        serve_after = waiting_since - timedelta(seconds=head_start)
        bound = serve_after + timedelta(seconds=self.most_seconds)
        return Route(queue, skills, parts, head_start, serve_after, bound)

    def _parts(self, told: Mapping[str, Any], intent: Intent | None) -> Iterator[tuple[float, Mapping[str, str]]]:
        yield from ((one.seconds, one.sentence) for one in self.head_starts if one.when.holds(told))
        if intent and intent.seconds:
            yield intent.seconds, intent.sentence


def words_of(known: Mapping[str, Any], stands_in: bool, glossary: Glossary) -> Mapping[str, Any]:
    """Take away from the known words the value and all that rests on it where a default `stands_in` for a history."""
    if not stands_in:
        return known
    words = {**known, **{word: None for word in known if word.startswith("value.")}}
    return words | glossary.tell(words)


def written_route(
    route: Route, routing: Routing, language: str, as_of: datetime, waiting_since: datetime
) -> dict[str, Any]:
    """Write a route as JSON values."""
    head_starts = [{"seconds": seconds, "reason": sentence[language]} for seconds, sentence in route.parts]
    waited = max((as_of - waiting_since).total_seconds(), 0.0)
    said = " ".join(sentence[language] for _, sentence in route.parts)
    return {
        "queue": route.queue.id,
        "title": route.queue.title[language],
        "skills": list(route.skills),
        "serve_after": route.serve_after.isoformat(),
        "waiting_since": waiting_since.isoformat(),
        "priority_seconds": waited + route.head_start,
        "head_start_seconds": route.head_start,
        "head_starts": head_starts,
        "most_head_start_seconds": routing.most_seconds,
        "overtaken_until": route.overtaken_until.isoformat(),
        "why": say(
            ROUTE if said else ROUTE_PLAIN, language, title=route.queue.title[language], reasons=said,
            seconds=f"{route.head_start:g}", most=f"{routing.most_seconds:g}",
        ),
    }  # fmt: skip


def load_routing(path: Path, glossary: Glossary) -> Routing:
    """Read `routing.toml` by a glossary's words.

    Raises PlaybookError when it doesn't hold together.
    """
    file = read(path)
    content_hash, most = fingerprint(file.content), file.number("most_head_start_seconds", 0.0, 86_400.0)
    reader = _Reader(glossary, most)
    queues = tuple(map(reader.queue, _named(file, "queue")))
    intents = {one.id: one for one in map(reader.intent, _named(file, "intent"))}
    head_starts = tuple(reader.head_start(table) for table in file.tables("head_start"))
    file.end()
    if not queues or queues[-1].when is not None or any(one.when is None for one in queues[:-1]):
        file.refuse("expected [[queue]]s of which the last alone has no `when`, and takes whoever is left")
    return Routing(most, queues, intents, head_starts, content_hash)


class _Reader:
    def __init__(self, glossary: Glossary, most: float) -> None:
        self._languages, self._most = glossary.languages, most
        self._glossary = glossary

    def queue(self, table: Table) -> Queue:
        when = self._rule(table) if "when" in table else None
        queue = Queue(table.text("id"), when, _skills(table), table.said("title", self._languages))
        table.end()
        return queue

    def intent(self, table: Table) -> Intent:
        intent = Intent(
            table.text("id"), table.number("head_start_seconds", 0.0, self._most), _skills(table),
            table.said("sentence", self._languages),
        )  # fmt: skip
        table.end()
        return intent

    def head_start(self, table: Table) -> HeadStart:
        found = HeadStart(
            self._rule(table), table.number("seconds", 0.0, self._most), table.said("sentence", self._languages)
        )
        table.end()
        return found

    def _rule(self, table: Table) -> Expression:
        when = compile_rule(table.text("when"), self._glossary.vocabulary, table.place)
        if _CHANNEL.intersection(self._glossary.plain(when).words):
            table.refuse(f"expected a rule that is the same on every channel, found {when.text!r}")
        return when


def _skills(table: Table) -> tuple[str, ...]:
    value = table.content.get("skills", [])
    if "skills" not in table or not isinstance(value, list) or not all(isinstance(one, str) and one for one in value):
        table.refuse(f'expected skills to be a list of texts, such as ["retention"]; found {value!r}')
    return tuple(value)


def _named(file: Table, kind: str) -> Iterator[Table]:
    """Take the tables of a kind, each with an id of its own."""
    seen: set[str] = set()
    for table in file.tables(kind):
        name = table.text("id")
        if name in seen:
            table.refuse(f"expected an id of its own, found {name!r} a second time; rename one")
        seen.add(name)
        yield table
