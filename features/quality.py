"""The quality of what was recorded in a period: how late it came, what it repeats, and what it lacks."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from features.clock import DAY, from_microseconds, microseconds
from features.contract import rows_of
from features.drift import Drift, by_chance, drift_of
from features.errors import InputError, NotEnoughData
from features.known import LEVELS, Known

QUARTER = timedelta(days=91)
_CONTENT = ("customer", "kind", "channel", "product", "quantity", "amount", "occurred_at")
# What others are about (a campaign, an offer, an attribute) stands in no catalogue.
_OF_GOODS = ("purchase", "return")


@dataclass(frozen=True)
class Lateness:
    """How long after they occurred the events of a kind and channel were recorded, in days.

    An event that was corrected counts as recorded when the correction was.
    `late` is the share that came more than a day later, `future` the share that occurred after it was recorded.
    """

    kind: str
    channel: str
    events: int
    median: float
    ninetieth: float
    ninety_ninth: float
    late: float
    future: float


@dataclass(frozen=True)
class Repeats:
    """How many events of a kind have the same content as one recorded before them, and which share that is."""

    kind: str
    events: int
    repeats: int
    share: float


@dataclass(frozen=True)
class Missing:
    """The shares of a kind's events that lack something.

    `catalogue` is the share naming a product of which the catalogue tells nothing, and None for kinds that are not of
    goods; `channel` the share on channel "other"; `amount` the share of purchases for nothing, None for other kinds.
    """

    kind: str
    events: int
    product: float
    catalogue: float | None
    margin: float
    place: float
    channel: float
    amount: float | None


@dataclass(frozen=True)
class Quality:
    """A history's quality between two moments; `drift` compares `before` customers then with `after` customers now.

    `chance` is the stability index that samples of these sizes show when nothing has moved.
    """

    start: datetime
    end: datetime
    events: int
    before: int
    after: int
    chance: float
    lateness: tuple[Lateness, ...]
    repeats: tuple[Repeats, ...]
    missing: tuple[Missing, ...]
    drift: tuple[Drift, ...]


def assess(known: Known, start: datetime | None = None) -> Quality:
    """Report on what was recorded after a start and by the moment of what is known.

    Without a start it is a quarter, or half of the history where that is younger.

    Raises NotEnoughData when nothing or nobody is known at one of the moments, InputError when they are in no order.
    """
    start = _usual_start(known) if start is None else start
    if start >= known.as_of:
        raise InputError(
            f"expected the period's start before its end {known.as_of.isoformat()}, found {start.isoformat()}"
        )
    before, after = rows_of(known.at(start)), rows_of(known)
    if not before.customers:
        raise NotEnoughData(
            f"expected customers with a history by {start.isoformat()} to compare with, found none;"
            f" choose a later --from: the first event was recorded at {_first(known).isoformat()}"
        )
    recorded = known.events.filter(pl.col("recorded_at") > microseconds(start))
    sizes = (len(before.customers), len(after.customers))
    return Quality(
        start, known.as_of, len(recorded), *sizes, by_chance(*sizes),
        lateness_of(recorded), repeats_of(known.events, start), missing_of(recorded), drift_of(before, after),
    )  # fmt: skip


def lateness_of(events: pl.DataFrame) -> tuple[Lateness, ...]:
    """Measure by kind and channel how long after they occurred events were recorded, the most frequent first."""
    days = pl.col("days")
    found = (
        events.with_columns(days=(pl.col("recorded_at") - pl.col("occurred_at")) / DAY)
        .group_by("kind", "channel")
        .agg(
            events=pl.len(), median=days.median(), ninetieth=days.quantile(0.9, "linear"),
            ninety_ninth=days.quantile(0.99, "linear"), late=(days > 1).mean(), future=(days < 0).mean(),
        )
        .sort("events", "kind", "channel", descending=[True, False, False])
    )  # fmt: skip
    return tuple(Lateness(**row) for row in found.iter_rows(named=True))


def repeats_of(events: pl.DataFrame, start: datetime) -> tuple[Repeats, ...]:
    """Count by kind the events recorded after a start that say the same as one recorded before them.

    The same are customer, kind, channel, product, quantity, amount and moment; two like lines of a basket are too.
    """
    found = (
        events.sort("recorded_at")
        .with_columns(repeats=~pl.struct(_CONTENT).is_first_distinct())
        .filter(pl.col("recorded_at") > microseconds(start))
        .group_by("kind")
        .agg(events=pl.len(), repeats=pl.col("repeats").sum(), share=pl.col("repeats").mean())
        .sort("repeats", "kind", descending=[True, False])
    )
    return tuple(Repeats(**row) for row in found.iter_rows(named=True))


def missing_of(events: pl.DataFrame) -> tuple[Missing, ...]:
    """Measure by kind the shares of events that lack something, the most frequent kind first."""
    named = pl.col("product") != ""
    kind = pl.col("kind").first()
    found = (
        events.group_by("kind")
        .agg(
            events=pl.len(), product=named.not_().mean(),
            catalogue=pl.when(kind.is_in(_OF_GOODS)).then((named & (pl.concat_str(LEVELS[1:]) == "")).mean()),
            margin=pl.col("margin").is_null().mean(), place=(pl.col("place") == "").mean(),
            channel=(pl.col("channel") == "other").mean(),
            amount=pl.when(kind == "purchase").then((pl.col("amount") == 0).mean()),
        )
        .sort("events", "kind", descending=[True, False])
    )  # fmt: skip
    return tuple(Missing(**row) for row in found.iter_rows(named=True))


def _first(known: Known) -> datetime:
    first = known.events["recorded_at"].min()
    if not isinstance(first, int):
        raise NotEnoughData(
            f"expected a history to report on, found nothing recorded by {known.as_of.isoformat()};"
            " ingest some with holdfast ingest PATH… --source NAME, or choose a later --to"
        )
    return from_microseconds(first)


def _usual_start(known: Known) -> datetime:
    first = _first(known)
    return max(known.as_of - QUARTER, first + (known.as_of - first) / 2)
