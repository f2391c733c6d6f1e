"""By which references people are known: accounts, first and second numbers, shared and recycled ones."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from features.clock import DAY
from world.chance import Flags, Whole, uniform
from world.people import People
from world.settings import Settings
from world.truth import name_of

_NAMES = 3
_SECOND, _SHARED, _RECYCLED, _REST = 0.2, 0.1, 0.3, 3
ACCOUNT, FIRST, SECOND, SHARED = range(4)
NEVER = 10**6
LINKS = {"first": pl.String, "second": pl.String, "recorded_at": pl.Int64, "action": pl.String}


@dataclass(frozen=True)
class Names:
    """The references of a part's people, and the links between them.

    `references` and `owners` (whom they belong to in the end) have four places for each person, by `ACCOUNT`,
    `FIRST`, `SECOND` and `SHARED`. `second_from` is the period from which a second number is used, `shares` who may
    call from a number that the household shares.
    """

    references: list[str]
    owners: list[str]
    links: pl.DataFrame
    second_from: Whole
    shares: Flags

    @classmethod
    def accounts(cls, people: People) -> "Names":
        """Know everybody by their account alone."""
        names, size = 4 * [name_of(number) for number in people.number.tolist()], len(people)
        none = pl.DataFrame(schema=LINKS)
        return cls(names, names, none, np.full(size, NEVER), np.zeros(size, dtype=bool))

    def slots(self, random: np.random.Generator, who: Whole, period: int) -> Whole:
        """Choose the numbers that callers call from."""
        chance = random.random(len(who))
        second = (chance < 0.25) & (self.second_from[who] <= period)
        shared = (chance > 0.85) & self.shares[who]
        return np.where(second, SECOND, np.where(shared, SHARED, FIRST))


def named(settings: Settings, people: People, left_in: Whole) -> Names:
    """Name people; `left_in` is the period in which each one left, far ahead where they stayed.

    A number that somebody left behind goes to somebody who joins three periods later or more: it is unlinked from the
    one on the day before, and linked to the other.
    """
    numbers, first_of = people.number, _recycled(settings, people, left_in)
    accounts = [name_of(number) for number in numbers.tolist()]
    first = [f"phone:+8210{number:08d}" for number in numbers[first_of].tolist()]
    second = [f"phone:+8210{number + 50_000_000:08d}" for number in numbers.tolist()]
    # The numbers of a pair of neighbours differ in their last bit: the even one holds the line that both call from.
    shared = [f"phone:+822{number + 30_000_000:08d}" for number in (numbers // 2).tolist()]
    shares = uniform(settings.seed, numbers // 2, _NAMES, 1) < _SHARED
    second_from = _second_from(settings, people, left_in)
    begins = [settings.begins(period) for period in np.maximum(people.joined, 0).tolist()]
    recycled = np.flatnonzero(first_of != np.arange(len(people)))
    holders = np.flatnonzero(shares & (numbers % 2 == 0))
    links = [(accounts[n], first[n], begins[n], "link") for n in range(len(people))]
    links += [(accounts[n], shared[n], begins[n], "link") for n in holders]
    links += [(accounts[first_of[n]], first[n], begins[n] - DAY, "unlink") for n in recycled]
    # A second number is used for a day before anybody finds whose it is.
    twice = np.flatnonzero(second_from < NEVER)
    links += [(accounts[n], second[n], settings.begins(int(second_from[n])) + DAY, "link") for n in twice]
    owners = dict(zip(first, accounts, strict=True)) | {first[n]: accounts[n] for n in recycled}
    owners |= {shared[n]: accounts[n] for n in holders} | {second[n]: accounts[n] for n in twice}
    references = [*accounts, *first, *second, *shared]
    table = pl.DataFrame(links, schema=LINKS, orient="row")
    return Names(references, [owners.get(name, name) for name in references], table, second_from, shares)


def _second_from(settings: Settings, people: People, left_in: Whole) -> Whole:
    """Draw from which period on each person has a second number, in time to use it; `NEVER` for most."""
    has = uniform(settings.seed, people.number, _NAMES, 2) < _SECOND
    later = (uniform(settings.seed, people.number, _NAMES, 3) * 8).astype(np.int64)
    found = np.maximum(people.joined, 0) + 1 + later
    return np.where(has & (found < np.minimum(left_in, settings.periods)), found, NEVER)


def _recycled(settings: Settings, people: People, left_in: Whole) -> Whole:
    """Find whose number each person gets: their own, or once the number of somebody who had left before they joined."""
    found = np.arange(len(people))
    gone = iter(np.argsort(left_in, kind="stable").tolist())
    joiners = (people.joined > 0) & (uniform(settings.seed, people.number, _NAMES, 4) < _RECYCLED)
    taken = set[int]()
    leaver = next(gone)
    for joiner in sorted(np.flatnonzero(joiners).tolist(), key=lambda place: int(people.joined[place])):
        while leaver in taken:
            leaver = next(gone, leaver)
        if left_in[leaver] + _REST > people.joined[joiner] or leaver == joiner:
            continue
        found[joiner] = leaver
        # Nobody gets a number for the third time.
        taken |= {leaver, joiner}
    return found
