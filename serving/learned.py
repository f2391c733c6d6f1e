"""What outcomes have taught of the offers: how often each is taken up, and what it changes."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt

from features.feature import Array
from features.responses import Responses
from models.effects import COEFFICIENTS, Effect, Effects
from serving.experiment import Experiment
from serving.offers import Offer

STATED, COUNTED, PARTLY, MEASURED = (
    "stated priors", "stated priors, takers counted", "partly measured", "measured",
)  # fmt: skip
Places = npt.NDArray[np.int64]


class Learned:
    """What is believed of some offers, in their order: the stated priors, and what outcomes have made of them.

    The share of takers is the stated one times a factor that has a gamma distribution: `prior_takers` and the takers
    seen, over `prior_takers` and the takers that were stated (a Poisson's conjugate; Gelman et al. 2013, Bayesian Data
    Analysis, 2.6). What an offer changes goes with its takers, until it is measured itself.
    """

    def __init__(self, offers: Sequence[Offer], experiment: Experiment, effects: Effects, responses: Responses) -> None:
        self.seq = responses.seq
        taken = np.array([responses.taken.get(offer.id, 0) for offer in offers], dtype=np.float64)
        stated = np.array([responses.stated.get(offer.id, 0) for offer in offers], dtype=np.float64) / 1e6
        self._shape, self._rate = experiment.prior_takers + taken, experiment.prior_takers + stated
        self._factor = self._shape / self._rate
        self._uncertainty = experiment.prior_uncertainty
        self._spread = np.hypot(self._uncertainty, 1.0 / np.sqrt(self._shape))
        self._effects, self._staying = _measured(effects.wished, offers), _measured(effects.staying, offers)
        self.told = [_said(effects.wished.get(offer.id), offer.id in responses.tried) for offer in offers]

    def at(
        self, places: Places, stated: Array, stated_change: Array, anyway: Array, row: Array
    ) -> tuple[Array, Array, Array]:  # fmt: skip
        """Tell of the offers at some places the share of takers, what they change, and how unsure that is.

        `stated` and `stated_change` are what the playbook says of them, `anyway` the probability of what is wished for
        without them, each of shape (places,), `row` the customer's features; the last returned is a standard deviation.
        """
        propensity, change, spread = self._moved(places, stated, stated_change)
        for at, effect in _found(self._effects, places):
            one = slice(at, at + 1)
            means, deviations = effect.change(row[None, :], stated_change[one], anyway[one])
            change[at], spread[at] = means[0], deviations[0]
        return propensity, change, spread

    def many(
        self, place: int, stated: Array, stated_change: Array, anyway: Array, rows: Array
    ) -> tuple[Array, Array, Array]:  # fmt: skip
        """Tell of one offer what `at` tells, for many customers; `rows` has shape (customers, features)."""
        propensity, change, spread = self._moved(place, stated, stated_change)
        effect = self._effects.get(place)
        if effect is not None:
            change, spread = effect.change(rows, stated_change, anyway)
        return propensity, change, spread

    def _moved(self, at: Places | int, stated: Array, stated_change: Array) -> tuple[Array, Array, Array]:
        """Let the takers that were counted move what is stated."""
        factor, change = self._factor[at], stated_change * self._factor[at]
        return np.minimum(stated * factor, 1.0), change, np.abs(change) * self._spread[at]

    def staying(self, places: Places, stays: float, row: Array) -> tuple[Array, Array]:
        """Tell by how much more likely whoever is offered an item stays, and how unsure that is; 0 until measured.

        `stays` is how likely the customer stays when nothing is offered.
        """
        change, spread = np.zeros(len(places)), np.zeros(len(places))
        for at, effect in _found(self._staying, places):
            means, deviations = effect.change(row[None, :], np.zeros(1), np.array([stays]))
            change[at], spread[at] = means[0], deviations[0]
        return change, spread

    def staying_of_many(self, place: int, stays: Array, rows: Array) -> tuple[Array, Array]:
        """Tell of one offer what `staying` tells, for many customers; `rows` has shape (customers, features)."""
        effect, nothing = self._staying.get(place), np.zeros(len(rows))
        return (nothing, nothing) if effect is None else effect.change(rows, nothing, stays)

    def drawn(
        self, places: Places, expected: tuple[Array, Array], stated_change: Array, anyway: Array, stays: float,
        row: Array, random: np.random.Generator, draws: int,
    ) -> tuple[Array, Array, Array]:  # fmt: skip
        """Draw shares of takers, changes and those of staying as they might truly be; each of shape (draws, places).

        `expected` are the first two as `at` tells them, `anyway` and `stays` what it and `staying` are told.
        """
        propensity, change = expected
        shape, size = self._shape[places], (draws, len(places))
        factor, normals = random.gamma(shape, 1.0 / shape, size), random.standard_normal((*size, COEFFICIENTS))
        changes = change * factor * (1.0 + self._uncertainty * normals[:, :, 0])
        for at, effect in _found(self._effects, places):
            one = slice(at, at + 1)
            changes[:, at] = effect.draws(row[None, :], stated_change[one], anyway[one], normals[:, at, :])[:, 0]
        staying = np.zeros(size)
        for at, effect in _found(self._staying, places):
            beliefs = random.standard_normal((draws, COEFFICIENTS))
            staying[:, at] = effect.draws(row[None, :], np.zeros(1), np.array([stays]), beliefs)[:, 0]
        return np.minimum(propensity * factor, 1.0), changes, staying

    def said(self, places: Places) -> tuple[str, ...]:
        """Say of the offers at some places where their effects are from."""
        return tuple([self.told[place] for place in places.tolist()])

    @cached_property
    def summary(self) -> str:
        """Say of all offers together where their effects are from."""
        return summary(self.told)


def _measured(effects: Mapping[str, Effect], offers: Sequence[Offer]) -> dict[int, Effect]:
    """Map the places of the offers whose effects are measured to them."""
    return {place: effects[offer.id] for place, offer in enumerate(offers) if offer.id in effects}


def _found(measured: Mapping[int, Effect], places: Places) -> list[tuple[int, Effect]]:
    """List what is measured of the offers at some places, each with where it stands among them."""
    if not measured:
        return []
    return [(at, measured[place]) for at, place in enumerate(places.tolist()) if place in measured]


def summary(told: Iterable[str]) -> str:
    """Say of several offers together where their effects are from.

    >>> summary([STATED, MEASURED]), summary([STATED, STATED]), summary([STATED, COUNTED])
    ('partly measured', 'stated priors', 'stated priors, takers counted')
    """
    found = set(told)
    return found.pop() if len(found) == 1 else PARTLY if found & {PARTLY, MEASURED} else COUNTED


def _said(effect: Effect | None, tried: bool) -> str:
    if effect is not None:
        return MEASURED if effect.mature else PARTLY
    return COUNTED if tried else STATED
