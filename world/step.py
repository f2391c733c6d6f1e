"""How people change from one period to the next, by what happened to them in it."""

from dataclasses import dataclass

import numpy as np

from features.feature import Array
from world.chance import Flags, Whole, normal, uniform
from world.chances import KINDS, Chances, When
from world.operator import DISTRICTS, IDS, OFFERS, SELLS, TYPES, column
from world.people import Mood, People
from world.response import Responses, acted

_STEP = 2
_OUTAGE, _MOVES, _RENEWS, _ASKED = 0.03, 0.006, 0.07, 0.22
_YEAR = 13
_BINDS = tuple(TYPES.index(name) for name in ("BROADBAND GIGA", "HANDSET"))
_GIVES = tuple(IDS.index(name) for name in ("bill_discount", "handset_upgrade"))


@dataclass(frozen=True)
class Lived:
    """A period that was lived: how people stood, what was true, what they did, and how they stood after it.

    `here` tells whom it concerns, `renewed` who bound themselves anew, of shape (people,).
    """

    when: When
    mood: Mood
    chances: Chances
    responses: Responses
    after: Mood
    renewed: Flags

    @property
    def here(self) -> Flags:
        """Who had a contract when the period began."""
        return self.mood.here


def asked(seed: int, people: People, when: When) -> Whole:
    """Draw what was offered in the past: to about a fifth of people one offer, each as likely; else nothing."""
    made = uniform(seed, people.number, _STEP, 1, when.period) < _ASKED
    which = (uniform(seed, people.number, _STEP, 2, when.period) * len(OFFERS)).astype(np.int64)
    return np.where(made, which, -1)


def lived(seed: int, people: People, mood: Mood, found: Chances, when: When, actions: Whole) -> Lived:
    """Live a period with what is offered; whoever isn't here does nothing that counts."""
    did = acted(people, mood, found, actions, seed, when.period)
    return settled(seed, people, mood, found, when, did)


def settled(seed: int, people: People, mood: Mood, found: Chances, when: When, did: Responses) -> Lived:
    """Let what people did change how they stand."""
    renewed = _renewed(seed, people, mood, did, when)
    return Lived(when, mood, found, did, _after(seed, people, mood, did, when, renewed), renewed)


def _after(seed: int, people: People, mood: Mood, did: Responses, when: When, renewed: Flags) -> Mood:

    def noise(what: int) -> Array:
        return normal(seed, people.number, _STEP, what, when.period)

    complaints = did.contacts[:, KINDS.index("complaint")]
    pleased = did.accepted & ~SELLS[did.actions]
    content: Array = 0.78 * mood.content + 0.15 * people.ease - 0.30 * np.minimum(complaints, 2) + 0.15 * pleased
    content = content - 0.6 * _outage(seed, mood.district, when) + 0.30 * noise(10)
    bought = did.purchases > did.returns
    return Mood(
        here=mood.here & ~did.left,
        bound=_bound(mood, did, bought, renewed),
        discount=np.where(did.accepted & (did.actions == _GIVES[0]), 6, np.maximum(mood.discount - 1, 0)),
        district=_moved(seed, people, mood, when),
        content=np.clip(content, -3, 3),
        trend=np.clip(0.75 * mood.trend + 0.16 * content + 0.10 * noise(12), -1.8, 0.9),
        rival=0.8 * mood.rival + 0.42 * noise(14),
        complaints=0.5 * mood.complaints + complaints,
        contacts=0.6 * mood.contacts + did.contacts[:, :2].sum(axis=1),
        asked=0.6 * mood.asked + (did.actions >= 0),
        fresh=np.where(bought, column("lasts"), mood.fresh * np.where(column("lasts") > 0.98, 1, column("lasts"))),
    )


def _bound(mood: Mood, did: Responses, bought: Flags, renewed: Flags) -> Whole:
    bound = np.where(renewed, _YEAR, np.maximum(mood.bound - 1, 0))
    long = bought[:, _BINDS].any(axis=1) | (did.accepted & (did.actions == _GIVES[1]))
    return np.where(long, 2 * _YEAR, bound)


def _renewed(seed: int, people: People, mood: Mood, did: Responses, when: When) -> Flags:
    willing = _RENEWS * np.exp(np.clip(0.5 * mood.content + 0.3 * people.price, -1.5, 1.0))
    found: Flags = (mood.bound <= 1) & ~did.left & (uniform(seed, people.number, _STEP, 3, when.period) < willing)
    return found


def _moved(seed: int, people: People, mood: Mood, when: When) -> Whole:
    moves = uniform(seed, people.number, _STEP, 4, when.period) < _MOVES
    return np.where(moves, (mood.district + 1 + people.number % 7) % DISTRICTS, mood.district)


def _outage(seed: int, district: Whole, when: When) -> Array:
    """Tell in whose district the network failed; the same for all who live there."""
    found: Array = (uniform(seed, district, _STEP, 5, when.period) < _OUTAGE).astype(np.float64)
    return found
