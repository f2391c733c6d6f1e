"""A part of a world: some thousand people, their truth, their events and links, from the seed alone."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from world.chance import Whole
from world.chances import chances
from world.frames import events_of
from world.names import NEVER, named
from world.people import Mood, People, drawn, first_mood
from world.settings import FIRST_NUMBER, PEOPLE_A_PART, Settings
from world.step import Lived, asked, lived
from world.truth import Truth


@dataclass(frozen=True)
class Part:
    """A part: everybody's truth at the end of the history, what was lived, and the events and links as tables."""

    people: People
    periods: tuple[Lived, ...]
    mood: Mood
    truth: Truth
    events: pl.DataFrame
    links: pl.DataFrame


def make(settings: Settings, place: int) -> Part:
    """Make one part of a world, whatever the others are."""
    people, periods, mood = live(settings, place)
    left_in = left_in_of(periods, len(people))
    names = named(settings, people, left_in)
    events = events_of(settings, people, periods, names, (settings.seed, place), f"{settings.seed}-{place}")
    truth = Truth(people.keep(mood.here), mood.keep(mood.here), settings.when(settings.periods))
    return Part(people, periods, mood, truth, events, names.links)


def live(settings: Settings, place: int) -> tuple[People, tuple[Lived, ...], Mood]:
    """Let a part's people live through the history."""
    first = FIRST_NUMBER + place * PEOPLE_A_PART
    last = min(first + PEOPLE_A_PART, FIRST_NUMBER + settings.people)
    people = drawn(settings.seed, np.arange(first, last), settings.periods)
    beginning, periods = first_mood(settings.seed, people), list[Lived]()
    mood = beginning
    for number in range(settings.periods):
        when = settings.when(number)
        mood = mood.joining(people.joined == number)
        actions = asked(settings.seed, people, when)
        periods.append(lived(settings.seed, people, mood, chances(people, mood, when), when, actions))
        mood = periods[-1].after
        # Who hasn't come yet begins as they were drawn.
        mood = mood.put(people.joined > number, beginning)
    return people, tuple(periods), mood


def left_in_of(periods: tuple[Lived, ...], size: int) -> Whole:
    """Find the period in which each person left; far ahead where they stayed."""
    found = np.full(size, NEVER)
    for period in periods:
        found[period.here & period.responses.left] = period.when.period
    return found
