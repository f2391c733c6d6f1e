"""Value: what a customer is expected to bring within the horizon, with its interval; chosen, tested, refitted."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from features.feature import Array
from models.additive import Additive
from models.value import Interval, ValueModel
from training.boosting import Fit
from training.choosing import Choice, Round, choose, rounds, value_loss
from training.costing import Costing, Tried, expenses
from training.cutoffs import Cutoffs
from training.dataset import Moment, Window, Windows
from training.interval import Bounds, choose_interval, conform, fit_bounds, spread_alike
from training.ladder import ValueLadder
from training.minimum import Allowed


@dataclass(frozen=True)
class ValueTrained:
    """What serves, how it was chosen, and its twin's expectation, low and high in the test window, shape (n,) each.

    The last three are of the net value: what is brought less the costs that are held.
    """

    served: ValueModel
    choice: Choice
    interval_said: str
    tested: tuple[Array, Array, Array]


def train_value(
    windows: Windows, made: Sequence[Window], cutoffs: Cutoffs, now: Moment, enough: Allowed, fit: Fit,
    costings: Sequence[Costing] = (),
) -> ValueTrained:  # fmt: skip
    """Choose on later windows, fit a twin for the test (the last window), and fit again with the test for now."""
    days, names = cutoffs.horizon.days, enough.among(ValueLadder.needs)
    played = rounds(windows, cutoffs, ValueLadder, names, fit, _everyone, _brought)
    choice = choose(played, names, value_loss, cutoffs.rehearses_whole)
    *learn, test = made
    twin = choice.fitted(ValueLadder(learn, test.rows, test.process, days, fit))
    served = choice.fitted(ValueLadder(made, *now, days, fit))
    bounding = _Bounding(windows, cutoffs, choice, played, fit)
    use, said = bounding.choose(enough)
    tested = ValueModel(twin, bounding.interval(twin, learn, use))
    serves = ValueModel(served, bounding.interval(served, made, use))
    if costings:
        tried = bounding.tried(use) or [Tried.of(learn[-1], tested)]
        costs, serving_costs = expenses(costings, tried)
        tested, serves = replace(tested, expense=costs), replace(serves, expense=serving_costs)
    return ValueTrained(serves, choice, said, tested.predict(test.rows.values))


@dataclass(frozen=True)
class _Bounding:
    """Finds intervals from the later windows, or from those learned from where there are none."""

    windows: Windows
    cutoffs: Cutoffs
    choice: Choice
    played: Sequence[Round]
    fit: Fit

    def choose(self, enough: Allowed) -> tuple[bool, str]:
        if not self.played:
            return False, "bounds are shares of the expectation: no later window to compare on"
        if not enough.trees:
            return False, "bounds are shares of the expectation: too little data for quantile trees"
        return choose_interval(self.played, self._expected, self._bounds)

    def interval(self, model: Additive, learned: Sequence[Window], use: bool) -> Interval:
        if not self.played:
            return spread_alike(model, learned)
        bounds: Sequence[Bounds | None] = self._bounds if use else [None] * len(self.played)
        return conform(self.played, self._expected, bounds, fit_bounds(learned, self.fit) if use else None)

    def tried(self, use: bool) -> list[Tried]:
        """What was expected at each later window, within bounds of its own."""
        bounds: Sequence[Bounds | None] = self._bounds if use else [None] * len(self.played)
        found = []
        for played, expected, bound in zip(self.played, self._expected, bounds, strict=True):
            interval = conform(self.played, self._expected, bounds, bound)
            found.append(Tried(played.window, expected, *interval.around(expected, played.window.rows.values)))
        return found

    @cached_property
    def _expected(self) -> list[Array]:
        return [
            self.choice.adjustment.of(played.models[self.choice.level][self.choice.candidate]).predict(
                played.window.rows.values
            )
            for played in self.played
        ]

    @cached_property
    def _bounds(self) -> list[Bounds]:
        assert self.cutoffs.rehearsal is not None
        days = self.cutoffs.rehearsal.days
        return [
            fit_bounds([self.windows.at(moment, days) for moment in earlier], self.fit)
            for _, earlier in self.cutoffs.rehearsal.rounds
        ]


def _everyone(window: Window) -> Window:
    return window


def _brought(window: Window) -> Array:
    return window.brought
