"""Events as columns of numbers, put together from blocks of one kind."""

from dataclasses import dataclass

import numpy as np

from features.clock import DAY, SECOND
from features.events import CHANNELS, KINDS, SCALE
from features.feature import Array
from world.chance import Whole
from world.operator import PERIOD_DAYS

KIND, CHANNEL = tuple(KINDS), CHANNELS
UNKNOWN = np.iinfo(np.int64).min
_SHOP_DAYS, _DESK_DAYS = (1.0, 1.0, 1.0, 1.05, 1.25, 1.5, 1.3), (1.35, 1.15, 1.1, 1.05, 1.05, 0.35, 0.15)
_SHOP_HOURS = (0, 0, 0, 0, 0, 0, 1, 2, 3, 3, 4, 5, 7, 6, 5, 5, 6, 7, 9, 10, 9, 7, 4, 0)
_DESK_HOURS = (0, 0, 0, 0, 0, 0, 0, 1, 3, 9, 11, 10, 7, 9, 10, 9, 8, 6, 3, 2, 1, 0, 0, 0)
_HALF_HOUR = 1800 * SECOND


@dataclass(frozen=True)
class Block:
    """Events as columns of one length: `who` are places among people, `slot` tells by which reference, -1 for nobody's.

    `product` and `place` are places in the lists of the part; measures are ten-thousandths and moments microseconds
    from the period's start on the local clock; a margin of `UNKNOWN` isn't told. `level` is an attribute's, else -1.
    """

    who: Whole
    slot: Whole
    kind: Whole
    channel: Whole
    product: Whole
    place: Whole
    quantity: Whole
    amount: Whole
    margin: Whole
    discount: Whole
    moment: Whole
    level: Whole


def block(
    kind: str | Whole, who: Whole, moment: Whole, channel: str | Whole, product: int | Whole = 0, **given: Array | Whole
) -> Block:  # fmt: skip
    """Make events of one kind (or of a place among `KINDS` each); measures that aren't given are 0, margins unknown."""
    size = len(who)
    return Block(
        who, _full(given.get("slot", 0), size),
        _full(KIND.index(kind) if isinstance(kind, str) else kind, size),
        _full(CHANNEL.index(channel) if isinstance(channel, str) else channel, size),
        _full(product, size), _full(given.get("place", 0), size),
        _scaled(given.get("quantity", 0), size), _scaled(given.get("amount", 0), size),
        _scaled(given["margin"], size) if "margin" in given else _full(UNKNOWN, size),
        _scaled(given.get("discount", 0), size), moment, _full(given.get("level", -1), size),
    )  # fmt: skip


def _full(value: int | Array | Whole, size: int) -> Whole:
    return np.broadcast_to(np.asarray(value).astype(np.int64), size)


def _scaled(value: int | Array | Whole, size: int) -> Whole:
    return _full(np.round(np.asarray(value) * SCALE), size)


def moments(random: np.random.Generator, left_on: Array, shop: bool, promoted: bool = False) -> Whole:
    """Draw when in the period each event happens, before the day is over on which its person leaves, if they do.

    Days go by the week, and by promotions; hours by whether one shops, or talks to people at desks.
    """
    days = np.tile(_SHOP_DAYS if shop else _DESK_DAYS, PERIOD_DAYS // 7)
    if shop and promoted:
        days[7:21] *= 1.6
    reached = np.concatenate([[0.0], np.cumsum(days) / days.sum()])
    last = np.minimum((left_on * PERIOD_DAYS).astype(np.int64), PERIOD_DAYS - 1) + 1
    day = np.searchsorted(reached, random.random(len(left_on)) * reached[last], side="right") - 1
    hours = np.cumsum(_SHOP_HOURS if shop else _DESK_HOURS)
    hour = np.searchsorted(hours, random.random(len(left_on)) * hours[-1], side="right")
    second = (random.random(len(left_on)) * 3600).astype(np.int64)
    return np.asarray(day * DAY + hour * 2 * _HALF_HOUR + second * SECOND)


def end_of(left_on: Array) -> Whole:
    """Tell when contracts end: half an hour before the midnight of the day, after all else."""
    day = np.minimum((left_on * PERIOD_DAYS).astype(np.int64), PERIOD_DAYS - 1)
    return np.asarray(day * DAY + 47 * _HALF_HOUR)


def joined(blocks: list[Block], starts: list[int]) -> Block:
    """Put blocks together, each after the start of its period."""
    columns = {
        name: np.concatenate([getattr(each, name) for each in blocks])
        for name in Block.__dataclass_fields__
        if name != "moment"
    }
    moved = np.concatenate([each.moment + start for each, start in zip(blocks, starts, strict=True)])
    return Block(moment=moved, **columns)


def ordered(events: Block) -> Block:
    """Order events by person and moment; those of one moment stay as they were made."""
    # One whole number holds both: people of a part are few, and moments are whole seconds.
    order = np.argsort((events.who << 34) + events.moment // SECOND, kind="stable")
    return Block(**{name: getattr(events, name)[order] for name in Block.__dataclass_fields__})
