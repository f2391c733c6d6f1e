"""Tiers that hold still: a customer keeps the tier of record while the value stays near its floors."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from features.clock import microseconds
from features.consent import objects
from features.events import KINDS, Interaction, event_id
from features.identity import Reference
from features.known import Known
from features.packed import CustomerEvents

_TIER = list(KINDS).index("tier")


@dataclass(frozen=True)
class Tiers:
    """Each tier's name and smallest value, best first; `band` is the share of a floor by which a value may miss it."""

    names: tuple[str, ...]
    floors: tuple[float, ...]
    band: float

    @classmethod
    def read(cls, manifest: Mapping[str, Any]) -> "Tiers":
        """Take a bundle's tiers."""
        names, floors = zip(*((tier["name"], tier["floor"]) for tier in manifest["tiers"]), strict=True)
        return cls(names, floors, manifest["tier_band"])

    def of(self, value: float, kept: str | None = None) -> str:
        """Name the tier of a value, given the tier of record: None, or one that isn't known, has no say.

        >>> tiers = Tiers(("top", "base"), (100.0, 0.0), 0.1)
        >>> [tiers.of(value, "top") for value in (91.0, 89.0)], [tiers.of(value, "base") for value in (109.0, 111.0)]
        (['top', 'base'], ['base', 'top'])
        """
        return str(kept) if kept in self.names and self._keeps(self.names.index(kept), value) else self.plain(value)

    def plain(self, value: float) -> str:
        """Name the tier by the floors alone; the last one takes what lies below it, too."""
        reached = (name for name, floor in zip(self.names[:-1], self.floors, strict=False) if value >= floor)
        return next(reached, self.names[-1])

    def _keeps(self, place: int, value: float) -> bool:
        above = place > 0 and value >= self.floors[place - 1] + self._slack(place - 1)
        below = place < len(self.names) - 1 and value < self.floors[place] - self._slack(place)
        return not (above or below)

    def _slack(self, place: int) -> float:
        return self.band * abs(self.floors[place])


def record_of(events: CustomerEvents) -> str | None:
    """Name one customer's tier of record; None without one, and where they asked not to be profiled."""
    told: list[int] = (events.kind == _TIER).nonzero()[0].tolist()
    if not told or objects(events):
        return None
    return max((events.occurred_at[at], events.recorded_at[at], events.product[at]) for at in told)[2]


def records_of(known: Known) -> dict[str, str]:
    """Name everybody's tier of record, of those who have one."""
    told = known.events.filter((pl.col("kind") == "tier") & (pl.col("occurred_at") < microseconds(known.as_of)))
    newest = told.sort("occurred_at", "recorded_at", "product").group_by("customer", maintain_order=True).last()
    return dict(newest.select("customer", "product").iter_rows())


def changes(known: Known, scored: pl.DataFrame, recorded_at: datetime) -> Iterator[Interaction]:
    """Set the tier of record of whoever has bought and was scored into another; `scored` has customers and tiers.

    The tiers are those of the moment of what is known, and known from `recorded_at` on.
    """
    past = pl.col("occurred_at") < microseconds(known.as_of)
    records, bought = records_of(known), known.events.filter(past, pl.col("kind") == "purchase")["customer"]
    buyers = scored.filter(pl.col("customer").is_in(bought.unique().implode()))
    for customer, tier in buyers.select("customer", "tier").iter_rows():
        if records.get(customer) != tier:
            yield _record(customer, tier, known.as_of, recorded_at)


def _record(customer: str, tier: str, moment: datetime, recorded_at: datetime) -> Interaction:
    return Interaction(
        id=event_id("tier", customer, moment.isoformat()),
        source="holdfast",
        source_reference="score",
        reference=Reference.of(customer),
        kind="tier",
        occurred_at=moment,
        recorded_at=recorded_at,
        product=tier,
    )
