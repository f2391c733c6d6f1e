"""Who the simulated people are, and how they stand when a period begins; most of it never shows."""

from dataclasses import dataclass, fields, replace
from typing import TypeVar

import numpy as np
import polars as pl

from features.feature import Array
from world.chance import Flags, Whole, normal, poisson, uniform, uniforms
from world.operator import DISTRICTS, ITEMS, PLANS, TRAITS, column

_WHO = 1
_TASTE_NOISE = 0.8
Columns = TypeVar("Columns", bound="_Arrays")


@dataclass(frozen=True)
class _Arrays:
    """Columns of one length; the first dimension of each is people."""

    def keep(self: Columns, which: Flags) -> Columns:
        """Keep some people."""
        return type(self)(**{field.name: getattr(self, field.name)[which] for field in fields(self)})

    def frame(self) -> pl.DataFrame:
        """Lay the columns out as a table, those of two dimensions as arrays."""
        return pl.DataFrame({field.name: getattr(self, field.name) for field in fields(self)})

    @classmethod
    def read(cls: type[Columns], frame: pl.DataFrame) -> Columns:
        """Take the columns from a table."""
        return cls(**{field.name: frame[field.name].to_numpy() for field in fields(cls)})


@dataclass(frozen=True)
class People(_Arrays):
    """What stays with a person; arrays of shape (people,), `traits` (people, traits) and `rates` (people, types).

    `joined` is the period of joining, below 0 for those who were there before the first. `price` is how much they mind
    it, `fuss` how readily they get in touch, `ease` how content they are by nature and `hidden` what moves them to
    leave and never shows: all of mean 0 and variance 1. `rates` are purchases in 28 days before seasons and moods.
    """

    number: Whole
    joined: Whole
    price: Array
    fuss: Array
    ease: Array
    hidden: Array
    late: Array
    plan: Array
    usage: Array
    abroad: Flags
    traits: Array
    rates: Array

    def __len__(self) -> int:
        return len(self.number)


@dataclass(frozen=True)
class Mood(_Arrays):
    """How each person stands when a period begins; arrays of shape (people,), `fresh` (people, types).

    `here` tells who has a contract, `bound` for how many periods more it binds, `discount` for how many a given
    discount runs. `content` is how content they are, `trend` the logarithm of usage against their usual one, `rival`
    what draws them elsewhere; `complaints`, `contacts` and `asked` fade counts of complaints, contacts and proposals.
    `fresh` is how far the last purchase of each type still sates.
    """

    here: Flags
    bound: Whole
    discount: Whole
    district: Whole
    content: Array
    trend: Array
    rival: Array
    complaints: Array
    contacts: Array
    asked: Array
    fresh: Array

    def put(self, which: Flags, other: "Mood") -> "Mood":
        """Take some people's columns from elsewhere."""
        columns = {}
        for field in fields(self):
            mine, theirs = getattr(self, field.name), getattr(other, field.name)
            columns[field.name] = np.where(which.reshape(-1, *[1] * (mine.ndim - 1)), theirs, mine)
        return Mood(**columns)

    def joining(self, now: Flags) -> "Mood":
        """Let those in whose period it is begin."""
        return replace(self, here=self.here | now)


def drawn(seed: int, numbers: Whole, periods: int) -> People:
    """Draw people; seven in ten are there when the first period begins, the others join later."""
    scores = {
        name: normal(seed, numbers, _WHO, place) for place, name in enumerate(("price", "fuss", "ease", "hidden"))
    }
    traits = np.stack([normal(seed, numbers, _WHO, 10 + place) for place in range(len(TRAITS))], axis=1)
    rates = _rates(seed, numbers, traits)
    before = uniform(seed, numbers, _WHO, 20) < 0.7
    spread = uniform(seed, numbers, _WHO, 21)
    joined = np.where(before, -1 - (-30 * np.log1p(-spread)).astype(np.int64), (spread * periods).astype(np.int64))
    rank = np.clip(0.6 * traits[:, 1] + 0.8 * normal(seed, numbers, _WHO, 22), -2, 2)
    return People(
        number=numbers, joined=joined, **scores,
        late=uniform(seed, numbers, _WHO, 23) ** 6 * 0.6,
        plan=np.array(PLANS)[np.clip((rank + 2.0) * 1.25, 0, 4).astype(np.int64)],
        usage=np.exp(0.5 * traits[:, 1] + 0.3 * normal(seed, numbers, _WHO, 24)),
        abroad=uniform(seed, numbers, _WHO, 25) < 0.02,
        traits=traits, rates=rates,
    )  # fmt: skip


def first_mood(seed: int, people: People) -> Mood:
    """Stand people at the beginning of the first period, or of the one in which they join."""
    numbers, none = people.number, np.zeros(len(people))
    bound = (uniform(seed, numbers, _WHO, 30) * 26).astype(np.int64)
    bound = np.where(
        people.joined >= 0, 13 + 13 * (bound % 2), np.where(uniform(seed, numbers, _WHO, 31) < 0.6, bound, 0)
    )
    return Mood(
        here=people.joined < 0, bound=bound, discount=np.zeros(len(people), np.int64),
        district=(uniform(seed, numbers, _WHO, 32) * DISTRICTS).astype(np.int64),
        content=0.6 * people.ease + 0.5 * normal(seed, numbers, _WHO, 33),
        trend=none, rival=0.7 * normal(seed, numbers, _WHO, 34), complaints=none,
        contacts=poisson(uniform(seed, numbers, _WHO, 35), np.exp(0.5 * people.fuss)).astype(np.float64),
        asked=none, fresh=np.zeros((len(people), len(ITEMS))),
    )  # fmt: skip


def _rates(seed: int, numbers: Whole, traits: Array) -> Array:
    """Draw how often each type is bought: by traits, and by a taste of one's own."""
    loads = np.array([item.loads for item in ITEMS])
    noise = np.log(-np.log1p(-uniforms(seed, numbers, len(ITEMS), _WHO, 40)) + 1e-9)
    logs = traits @ loads.T + _TASTE_NOISE * (noise + 0.5772)
    spread = (loads**2).sum(axis=1) + _TASTE_NOISE**2 * np.pi**2 / 6
    found: Array = np.minimum(column("rate") * np.exp(logs - spread / 2), 3.0)
    return found
