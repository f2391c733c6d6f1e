"""Opening what a command needs from the environment: the home, the history, the clock, the playbook."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING

from features.clock import Clock, chosen, moment
from features.definitions import NAMES
from features.glossary import Glossary, load_glossary
from features.history import History
from features.home import Home, home
from features.responses import Responses

if TYPE_CHECKING:
    from serving.scorer import Scorer


@contextmanager
def opened() -> Iterator[tuple[Home, History, Clock]]:
    """Open the home, its history and its clock, and close the history afterwards."""
    place = home()
    history = History(place.database_url, place.erasure_key)
    try:
        yield place, history, chosen(place.clock, history.newest)
    finally:
        history.close()


def responses_of_now() -> Responses:
    """Count what came of offers so far."""
    with opened() as (_, history, _):
        return history.decisions.responses(Responses())


def moment_or_now(text: str | None, clock: Clock) -> datetime:
    """Read a moment from an option, or ask the clock."""
    return clock() if text is None else moment(text)


def glossary_of(place: Home) -> Glossary:
    """Read the home's glossary."""
    return load_glossary(place.playbook / "glossary.toml", NAMES)


def scorer_of(place: Home, wanted: str = "champion") -> "Scorer":
    """Load a registered bundle by its version or alias, ready to score.

    Raises RegistryError when it isn't there.
    """
    # LightGBM and the registry take seconds to import.
    from models.bundle import load
    from serving.bundle import fetch
    from serving.scorer import Scorer

    return Scorer(load(*fetch(place, wanted)))
