"""Churn risk: the probability that an active customer buys nothing within the horizon; chosen, tested, refitted."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from features.feature import Array
from models.additive import Additive
from training.boosting import Fit
from training.choosing import Choice, choose, churn_loss, rounds
from training.cutoffs import Cutoffs
from training.dataset import Moment, Window, Windows
from training.ladder import ChurnLadder
from training.minimum import Allowed


@dataclass(frozen=True)
class ChurnTrained:
    """What serves, how it was chosen, and its twin's risks in the test window: shape (n,), NaN where not active."""

    served: Additive
    choice: Choice
    tested: Array


def train_churn(
    windows: Windows, made: Sequence[Window], cutoffs: Cutoffs, now: Moment, enough: Allowed, fit: Fit
) -> ChurnTrained:  # fmt: skip
    """Choose on later windows, fit a twin for the test (the last window), and fit again with the test for now."""
    days, names = cutoffs.horizon.days, enough.among(ChurnLadder.needs)
    played = rounds(windows, cutoffs, ChurnLadder, names, fit, _active, _lapsed)
    choice = choose(played, names, churn_loss, cutoffs.rehearses_whole)
    active = [window.of_active for window in made]
    *learn, test = active
    twin = choice.fitted(ChurnLadder(learn, test.rows, test.process, days, fit))
    risk = np.full(len(made[-1].active), np.nan)
    risk[made[-1].active] = twin.predict(test.rows.values)
    rows = now[0].keep(windows.active.holds(now[0].values))
    served = choice.fitted(ChurnLadder(active, rows if len(rows.customers) else test.rows, now[1], days, fit))
    return ChurnTrained(served, choice, risk)


def _active(window: Window) -> Window:
    return window.of_active


def _lapsed(window: Window) -> Array:
    return window.lapsed
