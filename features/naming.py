"""Whether a text names a person, and the text without the name."""

import json
import re
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any, NamedTuple

import sqlalchemy as sa

from features import store
from features.identity import CONTACT_TYPES

NOBODY = "erased"
_AT_ONCE = 50
# Before a name in JSON there may stand the letter of an escape, such as of a new line.
_ESCAPED = r"(?<=\\[bfnrt])|(?<=\\[bfnrt][@+:/.-])|(?<=\\u[0-9a-fA-F]{4})"
# What goes on a name, on either side of it: customer:7 isn't named in customer:77, nor in customer:7-b.
_WHOLE = rf"(?:{_ESCAPED}|(?<!\w)(?<!\w[@+:/-]))(?:NAMES)(?!\w|[@+:/.-]\w)"
# A phone number is the same after whatever word, and before the particles of Korean; so is an address.
_PHONE = rf"(?:(?<!\w)(?i:phone):)?(?:{_ESCAPED}|(?<![\d+]))(?:NAMES)(?!\d)"
_EMAIL = rf"(?:(?<!\w)(?i:email):)?(?:{_ESCAPED}|(?<![A-Za-z0-9_+])(?<!\w[.-]))(?i:NAMES)(?![A-Za-z0-9_-]|\.\w)"
_CONTACTS = {"phone": _PHONE, "email": _EMAIL}
_WORDS = (re.compile(r"[\s\"',;(){}\[\]<>]+"), re.compile(r"(?:[^\w@+:/.-]|[@+:/.-]{2,})+"), re.compile(r"[^\w@+:/-]+"))
_NUMBER = re.compile(r"(?<!\d)\+\d{7,15}(?!\d)")
_ADDRESSES = (re.compile(r"[^\s\"',;(){}\[\]<>:|=/?!&]+@[\w.-]+"), re.compile(r"[A-Za-z0-9_.+-]+@[A-Za-z0-9_.-]+"))


class Mention(NamedTuple):
    """A row of a table that has the primary key `key`, and one of its columns whose text names somebody."""

    table: sa.Table
    key: tuple[Any, ...]
    column: str
    text: str


class Names:
    """References of a person, and how they may stand in a text: whole, and contact details without their type, too."""

    def __init__(self, references: Iterable[str]) -> None:
        self.references = frozenset(references)

    @cached_property
    def spellings(self) -> tuple[str, ...]:
        """All spellings, the longest first."""
        found = set(self.references)
        found |= {name.partition(":")[2] for name in self.references if name.partition(":")[0] in CONTACT_TYPES}
        found |= {json.dumps(name, ensure_ascii=ascii)[1:-1] for name in set(found) for ascii in (True, False)}
        return tuple(sorted(found, key=lambda name: (-len(name), name)))

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        found: dict[str, list[str]] = {}
        for name in self.spellings:
            kind, _, value = name.partition(":")
            form = _CONTACTS.get(kind) or (_PHONE if name.startswith("+") else _EMAIL if "@" in name else _WHOLE)
            found.setdefault(form, []).append(re.escape(value if kind in _CONTACTS else name))
        return re.compile("|".join(form.replace("NAMES", "|".join(names)) for form, names in found.items()))

    def within(self, text: str) -> bool:
        """Tell whether a text names the person.

        >>> [Names(["customer:7"]).within(text) for text in ('{"who": "customer:7"}', "customer:77")]
        [True, False]
        """
        return bool(self.references) and self._pattern.search(text) is not None

    def within_bytes(self, content: bytes) -> bool:
        """Tell whether the text of a file names the person, whatever else is in it."""
        lowered = content.lower()
        likely = any(name.lower().encode() in lowered for name in self.spellings)
        return likely and self.within(content.decode(errors="replace"))

    def without(self, text: str) -> str:
        """Leave the names out of a text.

        >>> Names(["phone:+12024561111"]).without("call +12024561111.")
        'call erased.'
        """
        return self._pattern.sub(NOBODY, text) if self.references else text

    def mentions(self, connection: sa.Connection, table: sa.Table, after: int | None = None) -> Iterator[Mention]:
        """Find the texts of a table that name the person; only in rows numbered after `after`, if it is given."""
        keys, names = [column.name for column in table.primary_key], texts_of(table)
        query = sa.select(*(table.c[name] for name in [*keys, *names]))
        query = query if after is None else query.where(table.c.seq > after)
        for start in range(0, len(self.spellings), _AT_ONCE):
            some = self.spellings[start : start + _AT_ONCE]
            likely = sa.or_(*(table.c[name].icontains(one, autoescape=True) for one in some for name in names))
            for row in (row for rows in store.tuples(connection, query.where(likely)) for row in rows):
                for name, text in zip(names, row[len(keys) :], strict=True):
                    if self.within(text):
                        yield Mention(table, row[: len(keys)], name, text)


def likely_in(text: str) -> set[str]:
    """List what in a text, such as the body of an event, may be somebody's reference: whole texts of JSON, and words.

    >>> sorted(likely_in('{"by": "mailto:A@b.c|+12024561111?"}') & {"email:a@b.c", "phone:+12024561111"})
    ['email:a@b.c', 'phone:+12024561111']
    """
    if not _marked(text):
        return set()
    found = {one for told in _told(text) if _marked(told) for one in _likely(told)}
    return {one for one in found if ":" in one}


def _marked(text: str) -> bool:
    """Tell whether a text has a sign that every reference has."""
    return ":" in text or "@" in text or "+" in text


def _likely(text: str) -> Iterator[str]:
    yield text
    for words in _WORDS:
        yield from (word.strip("@+:/.-?!") for word in words.split(text))
    yield from (f"phone:{one}" for one in _NUMBER.findall(text))
    for form in _ADDRESSES:
        yield from (f"email:{one.strip('+.-').lower()}" for one in form.findall(text))


def _told(text: str) -> Iterator[str]:
    """Go through the texts in a body, keys too; a text that isn't JSON is the only one."""
    try:
        waiting = [json.loads(text)]
    except ValueError:
        waiting = [text]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            yield one
        elif isinstance(one, dict):
            waiting += [*one, *one.values()]
        elif isinstance(one, list):
            waiting += one


def texts_of(table: sa.Table) -> list[str]:
    """List the columns of a table that hold texts."""
    return [column.name for column in table.columns if isinstance(column.type, sa.Text)]
