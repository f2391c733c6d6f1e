"""A lived period as events: charges, purchases, bills, conversations, visits, campaigns, offers, moves and ends."""

from collections.abc import Iterator

import numpy as np

from features.clock import DAY, SECOND
from features.events import REASONS as SORTS
from features.feature import Array
from world.blocks import CHANNEL, KIND, Block, block, end_of, moments
from world.chance import Flags, Whole, uniforms
from world.chances import KINDS
from world.operator import (
    CHARGES,
    COSTS,
    IDS,
    ITEMS,
    OFFERS,
    PERIOD_DAYS,
    PLAN_MARGIN,
    PRODUCTS_A_TYPE,
    REASONS,
    USAGE_MARGIN,
    column,
    product,
)
from world.people import People
from world.response import CODES
from world.step import Lived

_FAVOURITE = 50
_PRICES = np.array([1.0, 0.9, 1.1, 1.25])
_SALE, _ON_SALE = 0.2, 0.6
_CONTACT_CHANNELS = ("phone", "chat", "app", "web", "email", "store", "mail", "partner")
_CONTACT_SHARES = np.cumsum((0.42, 0.16, 0.14, 0.09, 0.08, 0.08, 0.02, 0.01))
_SHOP_CHANNELS, _SHOP_SHARES = ("app", "web", "store", "phone", "partner"), np.cumsum((0.45, 0.25, 0.18, 0.08, 0.04))
TOPICS = ("bill", "contract", "network", "roaming", "moving", "renewal", "repair", "installation")
_PRODUCTS = tuple(product(place, number) for place in range(len(ITEMS)) for number in range(PRODUCTS_A_TYPE))
SUBJECTS = ("", *CHARGES, *_PRODUCTS, *IDS, *SORTS, *TOPICS)
_AT = {name: place for place, name in enumerate(SUBJECTS)}


def promoted(period: int) -> bool:
    """Whether the period has weeks of promotions; every third has."""
    return period % 3 == 2


def happenings(random: np.random.Generator, seed: int, people: People, period: Lived) -> Iterator[Block]:
    """Go through the events of a period, in blocks of one kind."""
    here = np.flatnonzero(period.here)
    yield from _charges(random, people, period, here)
    yield from _purchases(random, seed, people, period, here)
    yield from _conversations(random, people, period, here)
    yield from _offers(random, period, here)
    yield from _moves(random, period, here)
    left = here[period.responses.left[here]]
    yield block(
        "end",
        left,
        end_of(period.responses.left_on[left]),
        _drawn(random, len(left), _CONTACT_CHANNELS, _CONTACT_SHARES),
    )


def _charges(random: np.random.Generator, people: People, period: Lived, here: Whole) -> Iterator[Block]:
    did, part = period.responses, period.responses.left_on[here]
    charge, listed = period.chances.charges[here] * part, people.plan[here] * part
    # Each bill has its day of the period; what is used goes onto it.
    due = np.minimum(people.number[here] * 7 % 25, (part * (PERIOD_DAYS - 1)).astype(np.int64))
    day = due * DAY + 6 * 3600 * SECOND
    yield block(
        "purchase", here, day, "other", _AT["plan"], quantity=np.ones(len(here)), amount=charge,
        margin=charge - listed * (1 - PLAN_MARGIN), discount=listed - charge,
    )  # fmt: skip
    spent = did.usage[here]
    yield block(
        "purchase", here, day, "other", _AT["usage"], quantity=np.ones(len(here)), amount=spent,
        margin=spent * USAGE_MARGIN,
    )  # fmt: skip
    late = random.random(len(here)) < people.late[here]
    kind = np.where(late, KIND.index("late_payment"), KIND.index("payment"))
    bill = charge + spent
    yield block(kind, here, moments(random, part, False), "other", amount=bill)


def _purchases(random: np.random.Generator, seed: int, people: People, period: Lived, here: Whole) -> Iterator[Block]:
    did, sale = period.responses, promoted(period.when.period)
    rows, types = np.nonzero(did.purchases[here])
    many = did.purchases[here[rows], types]
    who, kinds = np.repeat(here[rows], many), np.repeat(types, many)
    favourites = (uniforms(seed, people.number, len(ITEMS), _FAVOURITE) * PRODUCTS_A_TYPE).astype(np.int64)[who, kinds]
    other = (random.random(len(who)) * PRODUCTS_A_TYPE).astype(np.int64)
    number = np.where(random.random(len(who)) < 0.7, favourites, other)
    subject = _AT[_PRODUCTS[0]] + kinds * PRODUCTS_A_TYPE + number
    price = column("price")[kinds] * _PRICES[number]
    moment = moments(random, did.left_on[who], True, sale)
    cheap = (random.random(len(who)) < _ON_SALE * (0.5 + 0.5 * (people.price[who] > 0))) & sale
    channel = _drawn(random, len(who), _SHOP_CHANNELS, _SHOP_SHARES)
    shop = np.where(channel == CHANNEL.index("store"), period.mood.district[who] + 1, 0)
    yield block(
        "purchase", who, moment, channel, subject, place=shop, quantity=np.ones(len(who)),
        amount=price * (1 - _SALE * cheap), margin=column("margin")[kinds], discount=price * _SALE * cheap,
    )  # fmt: skip
    couponed = np.flatnonzero(cheap & (people.price[who] > 0.5))
    yield block("coupon", who[couponed], moment[couponed], channel[couponed], subject[couponed])
    yield _returns(did.returns, who, kinds, moment, channel, subject, price * (1 - _SALE * cheap))


def _returns(
    returns: Whole, who: Whole, kinds: Whole, moment: Whole, channel: Whole, subject: Whole, paid: Array
) -> Block:  # fmt: skip
    """Give back the first of a person's purchases of a type, within two hours of it."""
    pair = who * len(ITEMS) + kinds
    order = np.argsort(pair, kind="stable")
    first = np.r_[True, pair[order][1:] != pair[order][:-1]] if len(pair) else np.zeros(0, dtype=bool)
    place = np.arange(len(order)) - np.maximum.accumulate(np.where(first, np.arange(len(order)), 0))
    back = order[place < returns[who[order], kinds[order]]]
    ones = -np.ones(len(back))
    # The same moment: a later one might lie in the next period, or after the end.
    return block(
        "return", who[back], moment[back], channel[back], subject[back], quantity=ones, amount=-paid[back],
        margin=-column("margin")[kinds[back]],
    )  # fmt: skip


def _conversations(random: np.random.Generator, people: People, period: Lived, here: Whole) -> Iterator[Block]:
    did = period.responses
    for place, kind in enumerate(KINDS):
        who = np.repeat(here, did.contacts[here, place])
        channel: str | Whole = _drawn(random, len(who), _CONTACT_CHANNELS, _CONTACT_SHARES)
        slot = np.where((channel == CHANNEL.index("phone")) & (random.random(len(who)) < 0.5), -1, 0)
        topic = _AT["bill"] + (random.random(len(who)) * 4).astype(np.int64)
        if kind == "visit":
            channel, topic, slot = "field", np.full(len(who), _AT["repair"]), np.zeros(len(who), np.int64)
        if kind == "campaign":
            channel, topic, slot = "email", np.zeros(len(who), np.int64), np.zeros(len(who), np.int64)
        cost = np.full(len(who), -COSTS[kind])
        home = period.mood.district[who] + 1 if kind == "visit" else np.zeros(len(who))
        moment = moments(random, did.left_on[who], False)
        yield block(kind, who, moment, channel, topic, slot=slot, margin=cost, place=home)
    renewed = here[period.renewed[here]]
    yield block(
        "contact",
        renewed,
        moments(random, did.left_on[renewed], False),
        "app",
        _AT["renewal"],
        margin=np.zeros(len(renewed)),
    )


def _offers(random: np.random.Generator, period: Lived, here: Whole) -> Iterator[Block]:
    did = period.responses
    who = here[did.actions[here] >= 0]
    offer, moment = _AT[IDS[0]] + did.actions[who], moments(random, did.left_on[who], False)
    channel = np.array([CHANNEL.index(each.channel) for each in OFFERS])[did.actions[who]]
    yield block("offer_presented", who, moment, channel, offer)
    yes = did.accepted[who]
    answer = np.where(yes, KIND.index("offer_accepted"), KIND.index("offer_declined"))
    yield block(answer, who, moment + 60 * SECOND, channel, offer)
    sort = np.array([_AT[REASONS[code]] for code in CODES])[did.reasons[who[~yes]]]
    yield block("reason", who[~yes], moment[~yes] + 60 * SECOND, channel[~yes], sort)


def _moves(random: np.random.Generator, period: Lived, here: Whole) -> Iterator[Block]:
    """Movers tell of it, and an engineer comes to the new home; what that costs is the movers' own."""
    moved: Flags = (period.after.district != period.mood.district)[here] & ~period.responses.left[here]
    who = here[moved]
    free, told = np.zeros(len(who)), moments(random, np.ones(len(who)), False)
    yield block("contact", who, told, "phone", _AT["moving"], margin=free)
    came = moments(random, np.ones(len(who)), False)
    yield block("visit", who, came, "field", _AT["installation"], margin=free, place=period.after.district[who] + 1)


def _drawn(random: np.random.Generator, size: int, names: tuple[str, ...], reached: Array) -> Whole:
    places = np.array([CHANNEL.index(name) for name in names])
    return np.asarray(
        places[np.searchsorted(reached / reached[-1], random.random(size), side="right").clip(max=len(names) - 1)]
    )
