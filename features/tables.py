"""Read the playbook's TOML, naming the place of whatever doesn't fit."""

import difflib
import tomllib
from collections.abc import Collection, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any, NoReturn

from features.errors import PlaybookError

_REQUIRED: Any = object()


class Table:
    """One table of a playbook file: each value is taken once, by name, and `end` refuses what nobody took.

    `place` says where the table stands, as in "offers.toml, offer ground_coffee".
    """

    def __init__(self, content: Mapping[str, Any], place: str) -> None:
        self.place = place
        self.content = content
        self._taken: dict[str, None] = {}

    def __contains__(self, name: str) -> bool:
        self._taken[name] = None
        return name in self.content

    def names(self) -> tuple[str, ...]:
        """List the names in the table, as written."""
        return tuple(self.content)

    def refuse(self, problem: str) -> NoReturn:
        """Raise PlaybookError at this place."""
        raise PlaybookError(f"{self.place}: {problem}")

    def text(self, name: str, default: str = _REQUIRED) -> str:
        """Take a text; only a default may be empty."""
        value = self._take(name, default)
        if not isinstance(value, str) or not (value.strip() or value == default):
            self.refuse(f"expected {name} to be a text, found {value!r}")
        return value

    def number(self, name: str, low: float, high: float, default: float = _REQUIRED) -> float:
        """Take a number within bounds, both included."""
        value = self._take(name, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            self.refuse(f"expected {name} to be a number from {low:g} to {high:g}, found {value!r}")
        return float(value)

    def whole(self, name: str, low: int, high: int) -> int | None:
        """Take a whole number within bounds, or None when it isn't there."""
        value = self._take(name, None)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high):
            self.refuse(f"expected {name} to be a whole number from {low} to {high}, found {value!r}")
        return value

    def count(self, name: str, low: int, high: int) -> int:
        """Take a whole number within bounds that must be there."""
        self._take(name)
        return self.whole(name, low, high) or 0

    def flag(self, name: str) -> bool:
        """Take a yes or no; an absent one is no."""
        value = self._take(name, False)
        if not isinstance(value, bool):
            self.refuse(f"expected {name} to be true or false, found {value!r}")
        return value

    def day(self, name: str) -> date | None:
        """Take a date, or None when it isn't there."""
        value = self._take(name, None)
        if value is not None and type(value) is not date:
            self.refuse(f"expected {name} to be a date such as 2018-03-31 (without quotes), found {value!r}")
        return value

    def choice(self, name: str, known: Collection[str], default: str = _REQUIRED) -> str:
        """Take one of the known names."""
        value = self.text(name, default)
        if value not in known:
            self.refuse(f"expected {name} to be one of {', '.join(known)}; found {value!r}{meant(value, known)}")
        return value

    def choices(self, name: str, known: Collection[str]) -> tuple[str, ...]:
        """Take a list of known names, at least one, each once."""
        values = self._take(name)
        if not isinstance(values, list) or not values or len(set(map(str, values))) < len(values):
            self.refuse(f"expected {name} to list some of {', '.join(known)}, each once; found {values!r}")
        for value in values:
            if value not in known:
                self.refuse(f"expected {name} among {', '.join(known)}; found {value!r}{meant(str(value), known)}")
        return tuple(values)

    def table(self, name: str, required: bool = False) -> "Table":
        """Take a table within; an absent one is empty unless it is required."""
        value = self._take(name, _REQUIRED if required else {})
        if not isinstance(value, Mapping):
            self.refuse(f"expected {name} to be a table, found {value!r}")
        return Table(value, f"{self.place}, {name}")

    def tables(self, name: str) -> Iterator["Table"]:
        """Take a list of tables, none if absent; each is placed by its number, from 1."""
        values = self._take(name, [])
        if not isinstance(values, list) or not all(isinstance(value, Mapping) for value in values):
            self.refuse(f"expected {name} to be a list of tables, found {values!r}")
        for number, value in enumerate(values, start=1):
            yield Table(value, f"{self.place}, {name} {number}")

    def sentence(self, languages: Collection[str]) -> dict[str, str]:
        """Take one text for every language."""
        return {language: self.text(language) for language in languages}

    def said(self, name: str, languages: Collection[str]) -> dict[str, str]:
        """Take a table that has one text for every language, and nothing else."""
        within = self.table(name, required=True)
        said = within.sentence(languages)
        within.end()
        return said

    def end(self) -> None:
        """Refuse the names that nobody took."""
        for name in self.content:
            if name not in self._taken:
                known = tuple(self._taken)
                self.refuse(f"expected only {', '.join(known)}; found {name!r}{meant(name, known)}")

    def _take(self, name: str, default: Any = _REQUIRED) -> Any:
        self._taken[name] = None
        value = self.content.get(name, default)
        if value is _REQUIRED:
            self.refuse(f"expected {name}, found nothing by that name; add it{meant(name, self.content)}")
        return value


def meant(name: str, known: Collection[str]) -> str:
    """Suggest the nearest known names, or nothing.

    >>> meant("chrun.risk", ("churn.risk", "value.tier"))
    '; did you mean churn.risk?'
    """
    near = difflib.get_close_matches(name, sorted(known), n=3, cutoff=0.6)
    return f"; did you mean {' or '.join(near)}?" if near else ""


def read(path: Path) -> Table:
    """Read a playbook file.

    Raises PlaybookError when it isn't there or isn't TOML.
    """
    try:
        return Table(tomllib.loads(path.read_text(encoding="utf-8")), path.name)
    except OSError as error:
        raise PlaybookError(f"expected a playbook file at {path}; found: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PlaybookError(f"expected TOML in {path}; found: {error}") from error
