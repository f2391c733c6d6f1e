"""Placing the horizon so that some leave, and some stay."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from features.clock import microseconds
from features.history import History
from models.population import Active
from tests.test_horizon import START, shoppers
from training.cutoffs import Cutoffs
from training.dataset import Windows
from training.horizon import Horizon
from training.placing import place_cutoffs

Placed = tuple[Horizon, Cutoffs, list[str], Windows]
Placing = Callable[..., Placed]


@pytest.fixture
def placing(history: History) -> Placing:
    """Place the horizon of `days` over shoppers who come back `every` so many days."""

    def place(
        every: int, days: int, *, fixed: int | None = None, active: int | None = None, kind: str = "silence"
    ) -> Placed:  # fmt: skip
        known = shoppers(history, 40, every, days=100).known_by(START + timedelta(days=100))
        span = (microseconds(START + timedelta(days=day)) for day in (0, 100))
        horizon = Horizon(days, active or 2 * days, *span, "by hand")
        windows = Windows(known, Active(kind, horizon.active_days), "revenue")
        return *place_cutoffs(windows, horizon, fixed, active, lambda name, done, total: None), windows

    return place


def test_a_horizon_that_nobody_lapses_in_is_shortened_by_a_step(placing: Placing):
    horizon, cutoffs, said, windows = placing(every=7, days=28)
    assert (horizon.days, horizon.active_days, windows.active.days) == (14, 28, 28)
    assert cutoffs.horizon == timedelta(days=14)
    assert said == ["0.0 % of the active lapsed within 28 days: the horizon was moved to 14 days"]
    assert horizon.why == "by hand; 0.0 % of the active lapsed within 28 days, so one step was taken"


def test_a_horizon_that_everyone_lapses_in_is_lengthened_by_a_step(placing: Placing):
    horizon, cutoffs, said, windows = placing(every=60, days=14)
    assert (horizon.days, horizon.active_days, windows.active.days) == (28, 56, 56)
    assert cutoffs.horizon == timedelta(days=28)
    assert said == ["100.0 % of the active lapsed within 14 days: the horizon was moved to 28 days"]


def test_a_horizon_in_which_some_lapse_stays(placing: Placing):
    horizon, _, said, _ = placing(every=60, days=28)
    assert (horizon.days, horizon.why, said) == (28, "by hand", [])


@pytest.mark.parametrize(("every", "days", "fixed"), [(7, 28, 28), (60, 14, 14), (7, 14, None), (400, 28, None)])
def test_a_horizon_that_is_fixed_or_at_the_end_of_the_steps_stays_and_says_so(
    placing: Placing, every: int, days: int, fixed: int | None
):
    horizon, cutoffs, said, _ = placing(every, days, fixed=fixed)
    assert (horizon.days, horizon.active_days, cutoffs.horizon) == (days, 2 * days, timedelta(days=days))
    (one,) = said
    assert one.endswith("which leaves little to learn from; the horizon stays")


def test_a_rule_of_the_active_that_is_fixed_stays_when_the_horizon_moves(placing: Placing):
    horizon, _, _, windows = placing(every=7, days=28, active=40)
    assert (horizon.days, horizon.active_days, windows.active.days) == (14, 40, 40)


def test_a_horizon_in_which_no_contract_ends_is_lengthened(placing: Placing):
    """More contracts end in a longer time, while fewer customers are silent for it."""
    horizon, _, _, _ = placing(every=7, days=14, kind="contract")
    assert horizon.days == 28
