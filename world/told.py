"""What people say of themselves when they join: attributes with their levels, and wishes about being contacted."""

from collections.abc import Iterator

import numpy as np

from features.clock import SECOND
from world.blocks import Block, block
from world.chance import Whole, normal, uniform
from world.people import People

_TOLD = 4
_AGES = ("19-24", "25-34", "35-44", "45-54", "55-64", "65+")
# Each attribute with its levels, the trait (or none) that it shows, and how well it does.
ATTRIBUTES: dict[str, tuple[tuple[str, ...], int, float]] = {
    "travel": (("never", "yearly", "monthly", "weekly"), 0, 0.9),
    "lines": (("1", "2", "3", "4", "5+"), 4, 0.9),
    "household_size": (("1", "2", "3", "4", "5+"), 4, 0.8),
    "kids_count": (("0", "1", "2", "3+"), 4, 0.6),
    "home_ownership": (("Renter", "Probable Renter", "Probable Homeowner", "Homeowner"), 2, 0.8),
    "age": (_AGES, 5, -0.6),
    "income": (("low", "middle", "high", "very high"), 3, 0.4),
    "time_zone": (("Asia/Seoul", "Asia/Singapore"), -1, 0.0),
}
WORDS = tuple(word for levels, _, _ in ATTRIBUTES.values() for word in levels)
PURPOSES = ("marketing", "retention")
NAMES = (*ATTRIBUTES, *PURPOSES)
_CONSENT = {"email": 0.7, "app": 0.75, "phone": 0.6, "chat": 0.55}


def told(seed: int, people: People, who: Whole, first: int) -> Iterator[Block]:
    """Go through what some people tell at a period's start; subjects are `NAMES` from the place `first` on."""
    nine = np.full(len(who), 9 * 3600 * SECOND)
    words = 0
    for place, (levels, trait, _) in enumerate(ATTRIBUTES.values()):
        level = people.abroad[who].astype(np.int64)
        if trait >= 0:
            level = _level(seed, people, who, place)
        yield block(
            "attribute", who, nine, "web", first + place, quantity=level.astype(np.float64), level=words + level
        )
        words += len(levels)
    for place, (channel, share) in enumerate(_CONSENT.items()):
        yes = uniform(seed, people.number[who], _TOLD, 20 + place) < share
        yield block("consent", who, nine, channel, first + len(ATTRIBUTES), quantity=yes.astype(np.float64))
    refuses = who[uniform(seed, people.number[who], _TOLD, 30) < 0.04]
    no = np.zeros(len(refuses))
    yield block("consent", refuses, nine[: len(refuses)], "phone", first + len(ATTRIBUTES) + 1, quantity=no)


def _level(seed: int, people: People, who: Whole, place: int) -> Whole:
    """Cut what shows of a trait into levels of which the lower ones are the more usual."""
    levels, trait, share = tuple(ATTRIBUTES.values())[place]
    shown = share * people.traits[who, trait] + np.sqrt(1 - share**2) * normal(seed, people.number[who], _TOLD, place)
    return np.asarray(np.clip((shown + 0.9) / 2.6 * len(levels), 0, len(levels) - 1).astype(np.int64))
