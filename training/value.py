"""Value: what a customer is expected to bring within the horizon, with its interval; chosen, tested, refitted."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from features.feature import Array
from models.value import ValueModel
from training.boosting import Fit
from training.bounding import Bounding
from training.choosing import Choice, choose, rounds, value_loss
from training.costing import Costing, Tried, expenses
from training.cutoffs import Cutoffs
from training.dataset import Moment, Window, Windows
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
    bounding = Bounding(windows, cutoffs, choice, played, fit)
    method, said = bounding.choose(enough)
    tested = ValueModel(twin, bounding.interval(twin, learn, test.process, method))
    serves = ValueModel(served, bounding.interval(served, made, now[1], method))
    if costings:
        tried = bounding.tried(method) or [Tried.of(learn[-1], tested)]
        costs, serving_costs = expenses(costings, tried)
        tested, serves = replace(tested, expense=costs), replace(serves, expense=serving_costs)
    return ValueTrained(serves, choice, said, tested.predict(test.rows.values))


def _everyone(window: Window) -> Window:
    return window


def _brought(window: Window) -> Array:
    return window.brought
