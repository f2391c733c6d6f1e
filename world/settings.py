"""What world is wanted: how many people, for how long, by which seed, and from when on it drifts."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from features.clock import DAY, microseconds
from features.errors import InputError
from world.chances import When
from world.operator import PERIOD_DAYS

MANIFEST = "manifest.json"
PEOPLE_A_PART = 4_000
FIRST_NUMBER = 1_000_000
OFFSET_SECONDS, ABROAD_SECONDS = 32_400, 28_800
# A Monday, at midnight where the operator is.
END = datetime(2026, 11, 1, 15, tzinfo=UTC)
# What a person tells in a month on average, those who have left and haven't come yet counted in.
EVENTS_A_MONTH = 6.5


@dataclass(frozen=True)
class Settings:
    """A world; the same settings make the same world, part by part.

    Raises InputError for fewer than one person, less than six months, or a drift outside of the history.
    """

    people: int
    months: int = 24
    seed: int = 7
    drift: datetime | None = None

    def __post_init__(self) -> None:
        if self.people < 1 or self.months < 6:
            raise InputError(
                f"expected a person or more over 6 months or more, found {self.people:,} over {self.months}"
            )
        if self.seed < 0:
            raise InputError(f"expected a seed of 0 or more, found {self.seed}")
        if self.drift is not None and not self.start <= self.drift < END:
            raise InputError(
                f"expected a drift from {self.start:%Y-%m-%d} until before {END:%Y-%m-%d}, found {self.drift:%Y-%m-%d}"
            )

    @classmethod
    def read(cls, folder: Path) -> "Settings":
        """Read by which settings a world was made.

        Raises InputError where there is none.
        """
        try:
            told = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
            drift = datetime.fromisoformat(told["drift"]) if told["drift"] else None
            return cls(told["people"], told["months"], told["seed"], drift)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"expected a simulated world at {folder}, found no {MANIFEST} to read: {error!r}; make one: holdfast"
                " simulate world"
            ) from error

    @property
    def periods(self) -> int:
        """How many periods of 28 days the history has."""
        return round(self.months * 365.25 / 12 / PERIOD_DAYS)

    @property
    def start(self) -> datetime:
        """When the first period begins."""
        return END - timedelta(days=PERIOD_DAYS * self.periods)

    @property
    def parts(self) -> int:
        """How many parts the world has."""
        return -(-self.people // PEOPLE_A_PART)

    def begins(self, period: int) -> int:
        """When a period begins, in microseconds."""
        return microseconds(self.start) + period * PERIOD_DAYS * DAY

    def when(self, period: int) -> When:
        """Place a period; the drift is on from the first that begins at its date or later."""
        began = self.start + timedelta(days=PERIOD_DAYS * period)
        local = began + timedelta(seconds=OFFSET_SECONDS)
        return When(period, local.month, self.drift is not None and began >= self.drift)


def people_for(events: int, months: int) -> int:
    """Say how many people tell about so many events."""
    return max(1, round(events / (EVENTS_A_MONTH * months)))
