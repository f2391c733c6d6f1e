"""Expecting costs: for each that the history holds, the simplest candidate that nobody clearly beats."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from types import MappingProxyType

import numpy as np

from features.contract import CONTRACT
from features.feature import Array
from models.additive import Additive
from models.value import Expense, ValueModel
from training.boosting import Fit, boost
from training.choosing import Choice, Round, choose, rounds, value_loss
from training.cutoffs import Cutoffs
from training.dataset import Moment, Window, Windows
from training.interval import conform
from training.ladder import TWEEDIE, Ladder
from training.metrics import COVERAGE
from training.minimum import FEWEST_OF_EACH, OF_EACH, Allowed

_LEAST, _BEYOND = 1e-9, 2.0
_MEAN, _REGRESSION, _TREES = "mean", "regression on contacts", "LightGBM"
_CONTACTS = (
    "contacts_28", "contacts_91", "contacts_364", "complaints_91", "complaints_364", "inquiries_91", "inquiries_364",
    "visits_91", "contacts_phone_91", "late_payments_91", "late_payments_364", "returns_91",
    "purchase_days_91", "spend_91",
)  # fmt: skip


@dataclass(frozen=True)
class Costing:
    """One cost's model that serves, its twin, its likes at each later window, and how it was chosen."""

    name: str
    served: Additive
    twin: Additive
    later: tuple[Additive, ...]
    choice: Choice


@dataclass(frozen=True)
class Tried:
    """What was expected to be brought in a window not learned from, and its bounds, each of shape (customers,)."""

    window: Window
    brought: Array
    low: Array
    high: Array

    @classmethod
    def of(cls, window: Window, model: ValueModel) -> "Tried":
        """Try a model of what is brought."""
        return cls(window, *model.predict(window.rows.values))

    def short(self, cost: Array, most: Array) -> Array:
        """Tell which share of the costs' upper bound the lower bound must fall by to hold the value that came.

        `cost` is expected, `most` its bound, of shape (customers,) each. Told of those alone who may well cost more
        than is expected; beyond 1 where no share would do.
        """
        share = np.maximum(self.low - self.window.net, 0.0) / np.maximum(most, _LEAST)
        share[self.window.net > self.high] = _BEYOND
        return np.asarray(share[most > cost])


class CostLadder(Ladder):
    """Candidates for the log of a cost, which stands as the windows' value; fitted on everyone who ever bought."""

    needs = MappingProxyType({_MEAN: frozenset[str](), _REGRESSION: frozenset[str](), _TREES: frozenset({"trees"})})

    @cached_property
    def mean(self) -> Additive:
        """The same of everyone."""
        return Additive("log", (), (), float(np.log(max(self._cost.mean(), _LEAST))))

    @cached_property
    def regression_on_contacts(self) -> Additive:
        """A Tweedie regression on contacts and payments, with a log link."""
        return self._regression(_CONTACTS, self._cost)

    @cached_property
    def lightgbm(self) -> Additive:
        """Small trees on every feature."""
        return Additive("log", (boost(TWEEDIE, self._values, self._cost, CONTRACT.names, self._fit),), (1.0,))

    @cached_property
    def _cost(self) -> Array:
        return np.concatenate([window.brought for window in self._windows])


def train_costs(
    windows: Windows, made: Sequence[Window], cutoffs: Cutoffs, now: Moment, enough: Allowed, fit: Fit
) -> tuple[Costing, ...]:
    """Choose, for each cost that is held, on later windows; fit a twin for the test (the last), and again for now."""
    return tuple(_trained(name, windows, made, cutoffs, now, enough, fit) for name in made[-1].costs)


def _trained(
    name: str, windows: Windows, made: Sequence[Window], cutoffs: Cutoffs, now: Moment, enough: Allowed, fit: Fit
) -> Costing:
    days, priced = cutoffs.horizon.days, _priced(name)
    *learn, test = (priced(window) for window in made)
    names = candidates(learn, enough)
    played = rounds(windows, cutoffs, CostLadder, names, fit, priced, _brought)
    # Where nothing differs in a later window, none but the simplest is known to be any good.
    choice = choose(played, names if played else names[:1], value_loss, cutoffs.rehearses_whole)
    later = [choice.model_of(one) for one in played] or _unplayed(windows, cutoffs, priced, choice, fit)
    return Costing(
        name,
        choice.fitted(CostLadder([*learn, test], *now, days, fit)),
        choice.fitted(CostLadder(learn, test.rows, test.process, days, fit)),
        tuple(later),
        choice,
    )


def _unplayed(
    windows: Windows, cutoffs: Cutoffs, priced: Callable[[Window], Window], choice: Choice, fit: Fit
) -> list[Additive]:
    """Fit the choice for each later window on which nothing differed, so that candidates weren't compared there."""
    if cutoffs.rehearsal is None:
        return []
    days = cutoffs.rehearsal.days
    return [
        choice.fitted(CostLadder([priced(windows.at(one, days)) for one in earlier], *windows.rows(moment), days, fit))
        for moment, earlier in cutoffs.rehearsal.rounds
    ]


def expenses(costings: Sequence[Costing], tried: Sequence[Tried]) -> tuple[Expense, Expense]:
    """Find bounds of all costs, and of values, on windows not learned from; returns the twins' and those that serve.

    Where no window is left, the last one learned from stands in; such bounds are a little narrow.
    """
    models = [
        [one.later[place] if len(one.later) == len(tried) else one.twin for one in costings]
        for place in range(len(tried))
    ]
    costs = [_expected(of, one.window) for of, one in zip(models, tried, strict=True)]
    interval = conform([Round(one.window, one.window.cost, {}) for one in tried], costs, [None] * len(tried), None)
    short = np.concatenate(
        [
            one.short(cost, interval.around(cost, one.window.rows.values)[1])
            for one, cost in zip(tried, costs, strict=True)
        ]
    )
    share = min(float(np.quantile(short, COVERAGE)), 1.0) if len(short) else 1.0
    twins, served = ({one.name: getattr(one, which) for one in costings} for which in ("twin", "served"))
    return Expense(twins, interval, share), Expense(served, interval, share)


def _expected(models: Sequence[Additive], window: Window) -> Array:
    rows = window.rows.values
    return np.asarray(sum((model.predict(rows) for model in models), np.zeros(len(rows))))


def candidates(learn: Sequence[Window], enough: Allowed) -> tuple[str, ...]:
    """Keep the candidates that the customers who cost anything are enough for, the simplest first."""
    costing = {customer for window in learn for customer in window.keep(window.brought > 0).rows.customers}
    if len(costing) < FEWEST_OF_EACH:
        return (_MEAN,)
    return replace(enough, trees=enough.trees and len(costing) >= OF_EACH).among(CostLadder.needs)


def _priced(name: str) -> Callable[[Window], Window]:
    return lambda window: replace(window, value=window.costs[name])


def _brought(window: Window) -> Array:
    return window.brought
