"""What comes after a decision: responses as events that continue the history, and the truth of the next period."""

import polars as pl

from world.frames import events_of
from world.names import Names
from world.response import Responses
from world.settings import Settings
from world.step import Lived, settled
from world.truth import Truth


def continued(settings: Settings, truth: Truth, did: Responses, offers_told: bool = True) -> pl.DataFrame:
    """Tell what people did in the 28 days after a decision, in an archive's columns, by person and moment.

    `offers_told` False leaves out the offers and their answers, where whoever decided writes them down. What is
    recorded only after the 28 days is left out, too. Everybody goes by their account.
    """
    period = _lived(settings, truth, did)
    seeds = (settings.seed, truth.when.period, int(truth.people.number.sum()))
    prefix = f"{settings.seed}-after-{truth.when.period}"
    events = events_of(settings, truth.people, [period], Names.accounts(truth.people), seeds, prefix)
    if offers_told:
        return events
    return events.filter(~pl.col("kind").str.starts_with("offer_") & (pl.col("kind") != "reason"))


def following(settings: Settings, truth: Truth, did: Responses) -> Truth:
    """Say what is true in the next period of those who stayed."""
    after = _lived(settings, truth, did).after
    return Truth(truth.people.keep(after.here), after.keep(after.here), settings.when(truth.when.period + 1))


def _lived(settings: Settings, truth: Truth, did: Responses) -> Lived:
    return settled(settings.seed, truth.people, truth.mood, truth.chances, truth.when, did)
