"""Events as tables in the columns of an archive."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import polars as pl

from features.clock import SECOND
from world.blocks import CHANNEL, KIND, UNKNOWN, Block, joined, ordered
from world.chance import Whole
from world.happenings import SUBJECTS, happenings
from world.names import Names
from world.operator import DISTRICTS
from world.people import People
from world.settings import ABROAD_SECONDS, OFFSET_SECONDS, Settings
from world.step import Lived
from world.told import NAMES, WORDS, told

SOURCE = "simulated"
_LATE_SHARE, _LATE_SECONDS = 0.04, 130_000.0
_PROMPT = np.isin(
    KIND, ("end", "offer_presented", "offer_accepted", "offer_declined", "reason", "attribute", "consent")
)
_PLACES = ("", *(f"district {number}" for number in range(1, DISTRICTS + 1)))


def events_of(
    settings: Settings, people: People, periods: Sequence[Lived], names: Names, seeds: tuple[int, ...], prefix: str
) -> pl.DataFrame:  # fmt: skip
    """Tell lived periods as events, in order by person and moment; what isn't recorded by their end is left out.

    `seeds` are of what doesn't change what people do: hours, channels, the product within a type. Ids begin with
    `prefix`.
    """
    random = np.random.default_rng(seeds)
    blocks, starts = list[Block](), list[int]()
    for period in periods:
        for made in _told(random, settings, people, period, names):
            blocks.append(made)
            starts.append(settings.begins(period.when.period))
    events = ordered(joined(blocks, starts))
    offset = np.where(people.abroad, ABROAD_SECONDS, OFFSET_SECONDS)[events.who]
    # The periods' days are those of the operator's own clock.
    occurred = events.moment
    late = (random.random(len(occurred)) < _LATE_SHARE) & ~_PROMPT[events.kind]
    delay = (random.exponential(_LATE_SECONDS, len(occurred)) * late).astype(np.int64) * SECOND
    frame = _frame(events, names, len(people), occurred, occurred + delay, offset)
    frame = frame.filter(pl.col("recorded_at") < settings.begins(periods[-1].when.period + 1))
    ids = pl.format("{}-{}", pl.lit(prefix), pl.int_range(pl.len()))
    return frame.with_columns(id=ids, source=pl.lit(SOURCE))


def _told(
    random: np.random.Generator, settings: Settings, people: People, period: Lived, names: Names
) -> Iterator[Block]:  # fmt: skip
    number = period.when.period
    joins = np.flatnonzero(period.here & ((people.joined == number) | ((number == 0) & (people.joined < 0))))
    yield from told(settings.seed, people, joins, len(SUBJECTS))
    for made in happenings(random, settings.seed, people, period):
        slots = np.where(made.slot < 0, names.slots(random, made.who, number), 0)
        yield replace(made, slot=slots)


def _frame(
    events: Block, names: Names, people: int, occurred: Whole, recorded: Whole, offset: Whole
) -> pl.DataFrame:  # fmt: skip
    reference = events.slot * people + events.who
    margin = pl.Series(events.margin)
    return pl.DataFrame(
        {
            "reference": _named(names.references, reference),
            "customer": _named(names.owners, reference),
            "kind": _named(KIND, events.kind),
            "channel": _named(CHANNEL, events.channel),
            "product": _named((*SUBJECTS, *NAMES), events.product),
            "place": _named(_PLACES, events.place),
            "quantity": events.quantity,
            "amount": events.amount,
            "margin": margin.set(margin == UNKNOWN, None),
            "discount": events.discount,
            "occurred_at": occurred,
            "recorded_at": recorded,
            "utc_offset": offset,
            "wording": _named((*WORDS, ""), np.where(events.level < 0, len(WORDS), events.level)),
            "superseded_at": pl.repeat(None, len(occurred), dtype=pl.Int64, eager=True),
        }
    )


def _named(names: Sequence[str], places: Whole) -> pl.Series:
    return pl.Series(names, dtype=pl.String).gather(pl.Series(places.astype(np.uint32)))
