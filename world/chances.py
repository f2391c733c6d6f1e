"""The truth of a period: who leaves, what people bring, and what each offer would change."""

from dataclasses import dataclass

import numpy as np

from features.feature import Array
from world.chance import log_odds, sigmoid
from world.operator import (
    BOUND_DISCOUNT,
    COSTS,
    GIVEN_DISCOUNT,
    ITEM_OF,
    ITEMS,
    OFFERS,
    PLAN_MARGIN,
    SEASONED,
    SELLS,
    USAGE_MARGIN,
    column,
)  # fmt: skip
from world.people import Mood, People

TAKES = 0.9
MORE = 0.25
USAGE_PRICE = 6_000.0
_BASE = -3.85
# Of whoever leaves, half of the period is left on average.
LEFT_OVER = 0.5
_LEAVING_SEASON = (0.10, 0.05, 0.20, 0.0, -0.05, -0.10, 0.0, 0.0, 0.05, 0.0, -0.05, -0.15)
_WORKS_BEST = np.log(0.06 / 0.94)
_WIDTH = 1.3


@dataclass(frozen=True)
class When:
    """A period: its place in the history, the month (1 to 12) in which it begins, and whether the drift is on."""

    period: int
    month: int
    drifted: bool = False


@dataclass(frozen=True)
class Chances:
    """What is true of people in a period, within its 28 days; shapes (people,), (people, types) or (people, offers).

    `hazard` is the probability of leaving when nothing is offered, `value` the margin expected then, in currency, less
    what serving costs. `buys` is the probability of buying each type at least once, when nothing is offered;
    `accepts` that of accepting each offer, `buys_offered` that of buying its item when it is made (of an offer that
    sells nothing: 0), and `leaves_accepting` and `leaves_declining` those of leaving, by the answer.
    `contact_rates` are the expected counts of inquiries, contacts, complaints, visits and campaigns.
    """

    hazard: Array
    value: Array
    rates: Array
    buys: Array
    accepts: Array
    buys_offered: Array
    leaves_accepting: Array
    leaves_declining: Array
    charges: Array
    usage: Array
    contact_rates: Array

    @property
    def leaves(self) -> Array:
        """The probability of leaving under each offer, (people, offers)."""
        # Of what is sold, both answers have one probability.
        return self.accepts * self.leaves_accepting + (1 - self.accepts) * self.leaves_declining

    @property
    def keeps(self) -> Array:
        """By how much each offer raises the probability of staying, (people, offers); below 0 it does harm."""
        found: Array = self.hazard[:, None] - self.leaves
        return found

    @property
    def sells(self) -> Array:
        """By how much each offer raises the probability of buying its item, (people, offers); 0 where it sells none."""
        found: Array = np.where(SELLS, self.buys_offered - self.buys[:, ITEM_OF], 0.0)
        return found

    @property
    def tastes(self) -> Array:
        """Each type's share of the purchases to come, (people, types)."""
        found: Array = self.rates / self.rates.sum(axis=1, keepdims=True)
        return found


def chances(people: People, mood: Mood, when: When) -> Chances:
    """Work out what is true of people in a period."""
    odds = _leaving(people, mood, when)
    hazard, rates = sigmoid(odds), _rates(people, mood, when)
    buys = -np.expm1(-rates)
    accepts, accepting, declining, offered = _offered(people, mood, odds, buys)
    charges = discounted(people, mood)
    usage = USAGE_PRICE * people.usage * np.exp(mood.trend)
    contact_rates = _contact_rates(people, mood)
    recurring = recurring_margin(people, charges, usage)
    typed = (buys * margins(rates)).sum(axis=1)
    value = (1 - LEFT_OVER * hazard) * recurring + typed - contact_rates @ np.array(_COSTS)
    return Chances(hazard, value, rates, buys, accepts, offered, accepting, declining, charges, usage, contact_rates)


def margins(rates: Array) -> Array:
    """What whoever buys a type brings by it: of what is kept, and of the purchases that may follow."""
    found: Array = (1 + MORE * rates) * column("margin") * column("keeps")
    return found


def recurring_margin(people: People, charges: Array, usage: Array) -> Array:
    """The margin of the plan and of usage over a whole period, in currency; both are given as charged."""
    found: Array = charges - people.plan * (1 - PLAN_MARGIN) + usage * USAGE_MARGIN
    return found


def discounted(people: People, mood: Mood) -> Array:
    """The plan's price in the period, less the contract's discount and a given one."""
    share = BOUND_DISCOUNT * (mood.bound > 0) + GIVEN_DISCOUNT * (mood.discount > 0)
    found: Array = people.plan * (1 - share)
    return found


KINDS = ("inquiry", "contact", "complaint", "visit", "campaign")
_COSTS = tuple(COSTS[kind] for kind in KINDS)


def _leaving(people: People, mood: Mood, when: When) -> Array:
    free = mood.bound == 0
    odds = _BASE - 0.55 * mood.content - 1.1 * mood.trend + 0.55 * np.minimum(mood.complaints, 3) + 0.5 * mood.rival
    odds = odds + (0.7 + 0.4 * people.price) * free + 0.9 * (mood.bound == 1) - 0.6 * (mood.discount > 0)
    odds = odds - 0.15 * np.log1p(np.maximum(when.period - people.joined, 0)) + 0.35 * people.hidden
    drift = when.drifted * (0.5 + 0.5 * people.price)
    found: Array = np.clip(odds + _LEAVING_SEASON[when.month - 1] + drift, -9, 2)
    return found


def _rates(people: People, mood: Mood, when: When) -> Array:
    logs = np.zeros(len(ITEMS))
    for place in SEASONED:
        logs[place] = 0.6 * np.cos(2 * np.pi * (when.month - ITEMS[place].peak) / 12)
    if when.drifted:
        logs += column("drifts")
    rates = people.rates * np.exp(logs + (0.2 * mood.content + 0.9 * mood.trend)[:, None]) * (1 - mood.fresh)
    found: Array = np.clip(rates, 1e-6, 3.0)
    return found


def _contact_rates(people: People, mood: Mood) -> Array:
    fuss, unhappy = np.exp(0.6 * people.fuss - 0.18), np.exp(np.clip(-0.9 * mood.content, -2.5, 2))
    visits = 0.02 + 0.02 * np.minimum(mood.complaints, 3)
    return np.stack([0.30 * fuss, 0.22 * fuss, 0.07 * fuss**0.5 * unhappy, visits, np.full(len(people), 0.8)], axis=1)


def _offered(people: People, mood: Mood, odds: Array, buys: Array) -> tuple[Array, Array, Array, Array]:
    """Say for every offer how likely it is accepted, how likely who accepts and declines leaves, and what it sells."""
    fits, wakes = fit(people, mood), np.array([offer.wakes for offer in OFFERS])
    strength = np.array([offer.strength for offer in OFFERS])
    woken = odds[:, None] + wakes * np.maximum(1.6 * sleeps(mood)[:, None] - 0.3, 0)
    woken = woken + np.where(SELLS, 0.35 * sigmoid(2 * mood.complaints - 2)[:, None], 0.0)
    middle = np.exp(-(((odds - _WORKS_BEST) / _WIDTH) ** 2) / 2)[:, None]
    accepting = np.where(SELLS, sigmoid(woken), sigmoid(woken - strength * fits * middle))
    anyway = np.clip(log_odds(buys[:, ITEM_OF]), -9, 9)
    # Those who are undecided can be moved; who hardly would, or would anyway, can't.
    moved = np.exp(-(((anyway + 2.2) / 1.5) ** 2) / 2) * strength * (1.6 * fits - 0.3) - 0.5 * (
        mood.asked[:, None] > 1.2
    )
    offered = np.where(SELLS, sigmoid(anyway + moved), 0.0)
    yes = np.array([offer.says_yes for offer in OFFERS]) + 2.0 * (fits - 0.5) + 0.3 * mood.content[:, None]
    accepts = np.where(SELLS, TAKES * offered, sigmoid(yes))
    return accepts, accepting, sigmoid(woken), offered


def sleeps(mood: Mood) -> Array:
    """How soundly people sleep who could leave and don't think of it: not bound, and not in touch; from 0 to 1."""
    found: Array = np.where(mood.bound == 0, 1.0, 0.3) * np.exp(-mood.contacts)
    return found


def fit(people: People, mood: Mood) -> Array:
    """How well each offer meets what people want, from 0 to 1, (people, offers)."""
    travel, usage, home, devices, family, play = people.traits.T
    trouble = sigmoid(2.0 * mood.complaints - 1.5)
    shown = {
        "roaming_pass": sigmoid(1.2 * travel), "data_pack": sigmoid(1.0 * usage + mood.trend),
        "giga_broadband": sigmoid(home + 0.5 * usage), "tv_cinema": sigmoid(play - 0.8 * people.price),
        "second_sim": sigmoid(1.3 * family), "handset_instalments": sigmoid(devices + 0.4 * people.price),
        "home_security": sigmoid(1.2 * home), "bill_discount": sigmoid(1.5 * people.price + 0.5 * mood.rival),
        "speed_upgrade": sigmoid(usage - 1.5 * mood.trend),
        "handset_upgrade": sigmoid(devices + (mood.bound == 0) - 0.5),
        "travel_bonus": sigmoid(1.5 * travel), "outage_credit": trouble, "complaint_callback": trouble,
        "engineer_first": trouble,
    }  # fmt: skip
    return np.stack([shown[offer.id] for offer in OFFERS], axis=1)
