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
# What goes on a name, on either side of it: customer:7 isn't named in customer:77, nor in customer:7-b.
_ON = r"[\w@+:/-]"
_TEXT, _WORD = re.compile(r'"([^"]+)"'), re.compile(r"[^\s\"',;(){}\[\]<>]+")


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
        names = "|".join(f"(?i:{re.escape(name)})" if "@" in name else re.escape(name) for name in self.spellings)
        return re.compile(rf"(?<!{_ON})(?:{names})(?!{_ON}|\.\w)")

    def within(self, text: str) -> bool:
        """Tell whether a text names the person.

        >>> [Names(["customer:7"]).within(text) for text in ('{"who": "customer:7"}', "customer:77")]
        [True, False]
        """
        return bool(self.references) and self._pattern.search(text) is not None

    def within_bytes(self, content: bytes) -> bool:
        """Tell whether the text of a file names the person, whatever else is in it."""
        return any(name.encode() in content for name in self.spellings) and self.within(
            content.decode(errors="replace")
        )

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
    """List what in the body of an event may be somebody's reference: whole texts of JSON, and words.

    >>> sorted(likely_in('{"by": "email:A@b.c or +12024561111"}') & {"email:a@b.c", "phone:+12024561111"})
    ['email:a@b.c', 'phone:+12024561111']
    """
    found = {*_TEXT.findall(text), *(word.rstrip(".") for word in _WORD.findall(text))}
    found |= {f"phone:{one}" for one in found if one.startswith("+")}
    found |= {f"email:{one.removeprefix('email:').lower()}" for one in found if "@" in one}
    return {one for one in found if ":" in one}


def texts_of(table: sa.Table) -> list[str]:
    """List the columns of a table that hold texts."""
    return [column.name for column in table.columns if isinstance(column.type, sa.Text)]
