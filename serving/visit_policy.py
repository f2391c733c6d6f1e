"""What puts a service visit before another, as the business wrote it in `visits.toml`."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from features.errors import InputError
from features.glossary import Glossary, fingerprint
from features.tables import Table, meant, read


@dataclass(frozen=True, slots=True)
class ServiceClass:
    """A class of visits: its place (0 comes first), the hours promised, and the penalty an hour once that is broken."""

    id: str
    place: int
    hours: float | None
    penalty_per_hour: float
    title: Mapping[str, str]

    def due_at(self, requested_at: datetime | None) -> datetime | None:
        """Tell until when a visit is promised; None where nothing is, or nobody knows since when."""
        if self.hours is None or requested_at is None:
            return None
        return requested_at + timedelta(hours=self.hours)


@dataclass(frozen=True, slots=True)
class VisitKind:
    """A kind of visits: by what a day's wait multiplies the odds of leaving (a stated prior), and minutes on site."""

    id: str
    churn_odds_per_day: float
    minutes: float


@dataclass(frozen=True)
class VisitPolicy:
    """All classes in their order and all kinds; the last of each is taken where none is told.

    What waiting costs is counted over `hours_ahead`, so that a promise that breaks this afternoon counts this morning.
    """

    classes: tuple[ServiceClass, ...]
    kinds: Mapping[str, VisitKind]
    hours_ahead: float
    hash: str

    def service_class(self, name: str | None) -> ServiceClass:
        """Find a class by its name.

        Raises InputError when the playbook doesn't have it.
        """
        if name is None:
            return self.classes[-1]
        names = [one.id for one in self.classes]
        if name not in names:
            expected = f"expected service_class to be one of {', '.join(names)}"
            raise InputError(f"{expected}; found {name!r}{meant(name, names)}")
        return self.classes[names.index(name)]

    def kind(self, name: str | None) -> VisitKind:
        """Find a kind by its name; whatever isn't known is of the last kind."""
        return self.kinds.get(name or "", list(self.kinds.values())[-1])


def load_visit_policy(path: Path, glossary: Glossary) -> VisitPolicy:
    """Read `visits.toml`.

    Raises PlaybookError when it doesn't hold together.
    """
    file = read(path)
    content_hash, ahead = fingerprint(file.content), file.number("hours_ahead", 1.0, 168.0)
    classes = tuple(_class(table, place, glossary.languages) for place, table in enumerate(file.tables("class")))
    kinds = {one.id: one for one in map(_kind, file.tables("kind"))}
    file.end()
    if not classes or not kinds:
        file.refuse("expected at least one [[class]] and one [[kind]]")
    if classes[-1].hours is not None:
        last = classes[-1].id
        file.refuse(f"expected the last class, taken where none is told, to promise no hours; found that {last!r} does")
    return VisitPolicy(classes, kinds, ahead, content_hash)


def _class(table: Table, place: int, languages: tuple[str, ...]) -> ServiceClass:
    hours = table.number("hours", 0.0, 8760.0) if "hours" in table else None
    penalty, title = table.number("penalty_per_hour", 0.0, 1e5, 0.0), table.said("title", languages)
    found = ServiceClass(table.text("id"), place, hours, penalty, title)
    table.end()
    return found


def _kind(table: Table) -> VisitKind:
    odds, minutes = table.number("churn_odds_per_day", 1.0, 10.0), table.number("minutes", 1.0, 1440.0)
    found = VisitKind(table.text("id"), odds, minutes)
    table.end()
    return found
