"""How often, when and about what a customer may be approached, as the business wrote it in `contact.toml`."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo, available_timezones

from features.events import CHANNELS
from features.glossary import Glossary, fingerprint
from features.tables import Table, meant, read
from serving.offers import KINDS, Offer
from serving.reasons import ReasonCodes
from serving.requests import LADDER

Sentence = Mapping[str, str]
SCOPES = ("offer", "group", "owner", "everything")
LONGEST_DAYS = 400


@dataclass(frozen=True, slots=True)
class Cap:
    """At most `most` proposals in any `days` days of what fits all that is named; an empty name fits everything.

    With `each_offer`, each offer is counted by itself. `tiers` limits it to customers of those tiers.
    """

    id: str
    most: int
    days: int
    offers: tuple[str, ...]
    groups: tuple[str, ...]
    kinds: tuple[str, ...]
    channels: tuple[str, ...]
    tiers: tuple[str, ...]
    each_offer: bool
    sentence: Sentence

    def fits(self, offer: str, group: str, kind: str, channel: str) -> bool:
        """Tell whether a proposal counts."""
        told = ((self.offers, offer), (self.groups, group), (self.kinds, kind), (self.channels, channel))
        return all(not named or one in named for named, one in told)


@dataclass(frozen=True, slots=True)
class Suppression:
    """What isn't proposed for `days` after an offer came to one of the statuses `after`, for any of some reasons."""

    after: tuple[str, ...]
    reasons: tuple[str, ...]
    of: str
    days: int
    sentence: Sentence


@dataclass(frozen=True, slots=True)
class Purpose:
    """What a conversation may be for; over the channels of `needs_yes`, only with the customer's consent.

    Over those of `outbound_needs_yes` only where we begin it.
    """

    name: str
    needs_yes: tuple[str, ...]
    outbound_needs_yes: tuple[str, ...]
    sentence: Sentence

    def asks(self, channel: str, outbound: bool) -> bool:
        """Tell whether a yes is needed over a channel."""
        return channel in self.needs_yes or (outbound and channel in self.outbound_needs_yes)


@dataclass(frozen=True, slots=True)
class QuietHours:
    """The hours of the customer's clock at which we don't begin a conversation; they may pass midnight."""

    start: float
    end: float
    channels: tuple[str, ...]
    sentence: Sentence

    def holds(self, hour: float) -> bool:
        """Tell whether an hour, from 0 to 24, is quiet.

        >>> quiet = QuietHours(21, 8, (), {})
        >>> [quiet.holds(hour) for hour in (20.9, 21, 3, 8)]
        [False, True, True, False]
        """
        if self.start <= self.end:
            return self.start <= hour < self.end
        return hour >= self.start or hour < self.end


@dataclass(frozen=True, slots=True)
class Attention:
    """The fence around customers of some tiers: each owner's budget of proposals to them, within any `days` days.

    Days are those of UTC, today included. An owner without a budget stays outside.
    """

    tiers: tuple[str, ...]
    days: int
    budgets: Mapping[str, int]
    sentence: Sentence


@dataclass(frozen=True)
class ContactPolicy:
    """The whole policy; `hash` is over the file."""

    hold_minutes: float
    zone: str
    quiet: QuietHours | None
    purposes: Mapping[str, Purpose]
    caps: tuple[Cap, ...]
    suppressions: tuple[Suppression, ...]
    attention: Attention | None
    hash: str

    @property
    def longest_days(self) -> float:
        """How far back any cap looks, or a held proposal, in days."""
        return max([self.hold_minutes / 1440, *(cap.days for cap in self.caps)])

    def local(self, moment: datetime, zone: str | None) -> datetime:
        """Tell the customer's clock; one whose zone isn't known lives in the policy's."""
        return moment.astimezone(ZoneInfo(zone if zone in _zones() else self.zone))


def _zones() -> frozenset[str]:
    global _KNOWN  # noqa: PLW0603 - reading the list of zones takes a tenth of a second
    if not _KNOWN:
        _KNOWN = frozenset(available_timezones())
    return _KNOWN


_KNOWN: frozenset[str] = frozenset()


def load_contact(path: Path, glossary: Glossary, offers: Sequence[Offer], reasons: ReasonCodes) -> ContactPolicy:
    """Read `contact.toml` by a playbook's words.

    Raises PlaybookError when it doesn't hold together.
    """
    file = read(path)
    content_hash, reader = fingerprint(file.content), _Reader(glossary, offers, reasons)
    policy = ContactPolicy(
        hold_minutes=file.number("hold_minutes", 1, 1440),
        zone=_zone(file),
        quiet=reader.quiet(file.table("quiet_hours")) if "quiet_hours" in file else None,
        purposes=reader.purposes(file.table("purposes", required=True)),
        caps=tuple(reader.cap(table) for table in file.tables("cap")),
        suppressions=tuple(reader.suppression(table) for table in file.tables("suppression")),
        attention=reader.attention(file.table("attention")) if "attention" in file else None,
        hash=content_hash,
    )
    file.end()
    for offer in offers:
        if offer.purpose not in policy.purposes:
            expected = f"expected a purpose of offer {offer.id} among {', '.join(policy.purposes)}"
            file.refuse(f"{expected}; found {offer.purpose!r}{meant(offer.purpose, policy.purposes)}")
    return policy


def _zone(file: Table) -> str:
    zone = file.text("default_time_zone")
    if zone not in _zones():
        expected = "expected default_time_zone to be a zone such as Asia/Seoul"
        file.refuse(f"{expected}, found {zone!r}{meant(zone, _zones())}")
    return zone


class _Reader:
    def __init__(self, glossary: Glossary, offers: Sequence[Offer], reasons: ReasonCodes) -> None:
        self._languages = glossary.languages
        self._tiers = tuple(glossary.tiers)
        self._offers = tuple(offer.id for offer in offers)
        self._groups = tuple(dict.fromkeys(offer.group for offer in offers if offer.group))
        self._owners = tuple(dict.fromkeys(offer.owner for offer in offers))
        self._codes = tuple(reasons.codes)

    def quiet(self, table: Table) -> QuietHours:
        hours = table.number("from", 0, 24), table.number("to", 0, 24)
        quiet = QuietHours(*hours, table.choices("channels", CHANNELS), table.sentence(self._languages))
        table.end()
        return quiet

    def purposes(self, told: Table) -> dict[str, Purpose]:
        purposes = {}
        for name in told.names():
            table = told.table(name)
            purposes[name] = Purpose(
                name,
                _some(table, "needs_yes", CHANNELS),
                _some(table, "outbound_needs_yes", CHANNELS),
                table.sentence(self._languages),
            )
            table.end()
        return purposes

    def cap(self, table: Table) -> Cap:
        cap = Cap(
            id=table.text("id"),
            most=table.count("most", 0, 10_000),
            days=table.count("days", 1, LONGEST_DAYS),
            offers=_some(table, "offers", self._offers),
            groups=_some(table, "groups", self._groups),
            kinds=_some(table, "kinds", KINDS),
            channels=_some(table, "channels", CHANNELS),
            tiers=_some(table, "tiers", self._tiers),
            each_offer=table.flag("each_offer"),
            sentence=table.sentence(self._languages),
        )
        table.end()
        return cap

    def suppression(self, table: Table) -> Suppression:
        found = Suppression(
            after=table.choices("after", LADDER),
            reasons=_some(table, "reasons", self._codes),
            of=table.choice("of", SCOPES),
            days=table.count("days", 1, LONGEST_DAYS),
            sentence=table.sentence(self._languages),
        )
        table.end()
        return found

    def attention(self, table: Table) -> Attention:
        tiers, days = table.choices("tiers", self._tiers), table.count("days", 1, LONGEST_DAYS)
        sentence, budgets = table.sentence(self._languages), dict[str, int]()
        for programme in table.tables("programme"):
            budgets[programme.choice("owner", self._owners)] = programme.count("most", 0, 10_000_000)
            programme.end()
        table.end()
        return Attention(tiers, days, budgets, sentence)


def _some(table: Table, name: str, known: Collection[str]) -> tuple[str, ...]:
    """Take a list of known names; none where it isn't there, or is empty."""
    return table.choices(name, known) if name in table and table.content[name] else ()
