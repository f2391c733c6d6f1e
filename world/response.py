"""What people do in a period, given what each is offered: drawn once for a seed, and known in expectation."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from features.errors import InputError
from features.feature import Array
from world.chance import Flags, Whole, normal, poisson, uniform, uniforms
from world.chances import KINDS, LEFT_OVER, MORE, TAKES, Chances, recurring_margin
from world.operator import COSTS, IDS, ITEM_OF, ITEMS, OFFERS, REASONS, SELLS, USAGE_MARGIN, column
from world.people import Mood, People
from world.truth import Truth

SILENCE = ""
CODES = tuple(REASONS)
_WAVERS = 0.15


@dataclass(frozen=True)
class Money:
    """What offers cost and bring, in currency, each of shape (offers,), in the order of the offers asked about.

    `margin` is earned with an item that is kept, `credit` the loss expected of what is lent to a taker; `horizons` is
    how many periods' value someone counts for who stays, 0 for the period alone.
    """

    incentive: Array
    margin: Array
    credit: Array
    horizons: float = 0.0


@dataclass(frozen=True)
class Responses:
    """What people did; arrays of shape (people,), `purchases` and `returns` (people, types), `contacts` (.., kinds).

    `actions` are places among `IDS`, -1 for silence; `reasons` are places among `CODES`, -1 where nothing was declined.
    `left_on` is the part of the period after which who `left` left, else 1. `usage` was charged and `margin` is what
    came, in currency, less what serving cost and before incentives.
    """

    actions: Whole
    accepted: Flags
    reasons: Whole
    left: Flags
    left_on: Array
    purchases: Whole
    returns: Whole
    usage: Array
    contacts: Whole
    margin: Array

    @property
    def bought(self) -> Flags:
        """Whether each person bought the item that was offered."""
        found: Flags = (
            (self.actions >= 0)
            & SELLS[self.actions]
            & (self.purchases[np.arange(len(self.actions)), ITEM_OF[self.actions]] > 0)
        )
        return found

    @property
    def incentives(self) -> Array:
        """What was paid to those who accepted, in currency, at the operator's own terms."""
        costs = np.array([offer.incentive for offer in OFFERS])
        return np.where(self.accepted, costs[self.actions], 0.0)


def respond(truth: Truth, actions: Sequence[str], seed: int, decision: int = 0) -> Responses:
    """Draw what people do within 28 days, each offered one thing or nothing ("").

    The same seed, person and decision draw the same, whatever the others are offered; and what one would do under
    another offer rests on the same draws, so that answers can be compared. Raises InputError for an unknown offer.
    """
    occasion = (truth.when.period << 20) + decision
    return acted(truth.people, truth.mood, truth.chances, places_of(actions, len(truth)), seed, occasion)


def places_of(actions: Sequence[str], people: int) -> Whole:
    """Find the offers' places, -1 for silence.

    Raises InputError for an offer that isn't the operator's, or another number of actions than of people.
    """
    places = {SILENCE: -1} | {name: place for place, name in enumerate(IDS)}
    if unknown := set(actions) - set(places):
        raise InputError(f"expected offers among {', '.join(IDS)}, or '' for silence; found {sorted(unknown)[0]!r}")
    if len(actions) != people:
        raise InputError(f"expected an action for each of {people:,} people, found {len(actions):,}")
    return np.array([places[action] for action in actions], dtype=np.int64)


def acted(people: People, mood: Mood, found: Chances, actions: Whole, seed: int, decision: int) -> Responses:
    """Draw what people do, given the places of what they are offered."""

    def chance(what: int) -> Array:
        return uniform(seed, people.number, decision, what)

    def each(count: int, what: int) -> Array:
        return uniforms(seed, people.number, count, decision, what)

    made, every = actions >= 0, np.arange(len(people))
    first = each(len(ITEMS), 1) < _buying(found, actions)
    took = first[every, ITEM_OF[actions]] & (chance(2) < TAKES)
    accepted = made & np.where(SELLS[actions], took, chance(3) < found.accepts[every, actions])
    left = chance(4) < _leaving(found, actions, accepted)
    left_on = np.where(left, chance(5), 1.0)
    purchases, returns = _counted(people, first, found.rates, seed, decision)
    usage = found.usage * left_on * np.exp(_WAVERS * normal(seed, people.number, decision, 8) - _WAVERS**2 / 2)
    contacts = poisson(each(len(KINDS), 9), found.contact_rates)
    reasons = np.where(made & ~accepted, _reasons(people, mood, chance(10)), -1)
    plan = recurring_margin(people, found.charges, np.zeros(len(people))) * left_on
    margin = plan + usage * USAGE_MARGIN + (purchases - returns) @ column("margin")
    margin = margin - contacts @ np.array([COSTS[kind] for kind in KINDS])
    return Responses(actions, accepted, reasons, left, left_on, purchases, returns, usage, contacts, margin)


def _buying(found: Chances, actions: Whole) -> Array:
    """The probability of buying each type, that which is offered by what the offer makes of it."""
    buys, offered = found.buys.copy(), np.flatnonzero((actions >= 0) & SELLS[actions])
    buys[offered, ITEM_OF[actions[offered]]] = found.buys_offered[offered, actions[offered]]
    return buys


def _leaving(found: Chances, actions: Whole, accepted: Flags) -> Array:
    """The probability of leaving, by what is offered and by the answer."""
    every = np.arange(len(actions))
    by_answer = np.where(accepted, found.leaves_accepting[every, actions], found.leaves_declining[every, actions])
    return np.where(actions >= 0, by_answer, found.hazard)


def expected_profit(truth: Truth, offers: Sequence[str] = IDS, money: Money | None = None) -> Array:
    """Say what every action is truly expected to bring in 28 days, in currency, of shape (people, 1 + offers).

    The first column is silence. It is the margin that comes, less incentives and expected losses on credit, and, where
    `money.horizons` isn't 0, what those who stay are worth in later periods. Without `money` the operator's own terms
    count, and the period alone.
    """
    places, found = places_of(offers, len(offers)), truth.chances
    money = money or terms(offers)
    leaves = np.column_stack([found.hazard, found.leaves[:, places]])
    recurring = recurring_margin(truth.people, found.charges, found.usage)[:, None]
    later = money.horizons * found.value[:, None]
    stays = (found.hazard[:, None] - leaves) * (LEFT_OVER * recurring + later)
    each = (1 + MORE * found.rates) * column("keeps")
    sold = found.sells[:, places] * np.where(SELLS[places], each[:, ITEM_OF[places]], 0.0) * money.margin
    spent = found.accepts[:, places] * (money.incentive + money.credit)
    return found.value[:, None] + stays + np.column_stack([np.zeros(len(truth)), sold - spent])


def terms(offers: Sequence[str] = IDS, horizons: float = 0.0, loss_rate: float = 0.0) -> Money:
    """Take offers' terms from the operator; `loss_rate` is the share of credit that is lost."""
    asked = [OFFERS[IDS.index(name)] for name in offers]
    prices = {item.type: item.margin for item in ITEMS} | {"": 0.0}
    return Money(
        np.array([offer.incentive for offer in asked]),
        np.array([prices[offer.item] for offer in asked]),
        np.array([offer.credit * loss_rate for offer in asked]),
        horizons,
    )


def _counted(people: People, first: Flags, rates: Array, seed: int, decision: int) -> tuple[Whole, Whole]:
    """Draw how many of each type are bought where one is, and how many of them are given back."""
    rows, types = np.nonzero(first)
    # The few that are bought are drawn alone, of as many people as there are purchases.
    pairs = people.number[rows] * len(ITEMS) + types
    many = 1 + poisson(uniform(seed, pairs, decision, 6), MORE * rates[rows, types])
    back = np.zeros(len(rows), dtype=np.int64)
    for number in range(1, int(many.max(initial=0)) + 1):
        given = uniform(seed, pairs, decision, 7, number) < 1 - column("keeps")[types]
        back += (number <= many) & given
    purchases, returns = np.zeros(first.shape, dtype=np.int64), np.zeros(first.shape, dtype=np.int64)
    purchases[rows, types], returns[rows, types] = many, back
    return purchases, returns


def _reasons(people: People, mood: Mood, chance: Array) -> Whole:
    """Choose why one declines: mostly what weighs most, as far as one says it."""
    weights = np.exp(
        np.stack(
            [1.2 * people.price, 1.3 * mood.rival - 0.5, -1.2 * mood.content - 0.7, np.full(len(people), 0.6),
             np.where(mood.bound > 0, 0.0, -1.0), np.zeros(len(people))], axis=1,
        )
    )  # fmt: skip
    reached = np.cumsum(weights, axis=1) / weights.sum(axis=1, keepdims=True)
    return np.asarray((chance[:, None] > reached).sum(axis=1).clip(max=len(CODES) - 1))
