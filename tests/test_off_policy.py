"""What another policy would have brought: right on average, as sure as said, and refused where the log can't say."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.off_policy import Estimate, Logged, evaluate

ACTIONS = 4


def pilot(seed: int, decisions: int = 2_000) -> tuple[Logged, float]:
    """Decisions drawn evenly from four actions, and the true value of another policy, which goes by a feature."""
    random = np.random.default_rng(seed)
    customers = random.integers(0, decisions // 2, decisions)
    rows = random.normal(size=(decisions, 4))
    served = random.integers(0, ACTIONS, decisions)
    theirs = np.where(rows[:, 1] > 0, 2, 0)
    own = random.normal(size=decisions // 2)[customers]
    rewards = np.exp(0.8 * random.normal(size=decisions)) + rows[:, 0] + own + 0.3 * served + rows[:, 1] * (served == 2)
    # Of the half with a positive feature, action 2 adds 0.6 and the mean of a positive normal, sqrt(2 / pi).
    value = np.exp(0.32) + 0.5 * (0.6 + np.sqrt(2 / np.pi))
    arms = {str(action): 1 / ACTIONS for action in range(ACTIONS)}
    logged = Logged(
        rows, tuple(map(str, served)), np.full(decisions, 1 / ACTIONS), (arms,) * decisions,
        tuple({str(action): 1.0} for action in theirs), rewards, tuple(map(str, customers)),
    )  # fmt: skip
    return logged, float(value)


def told(logged: Logged) -> dict[str, Estimate]:
    return {one.estimator: one for one in evaluate(logged, 7).estimates}


def test_all_three_estimates_hold_the_truth_as_often_as_they_say() -> None:
    held, widths = Counter[str](), Counter[str]()
    for seed in range(60):
        logged, value = pilot(seed)
        for name, one in told(logged).items():
            held[name] += one.low <= value <= one.high
            widths[name] += one.high - one.low
    assert all(held[name] >= 53 for name in ("IPS", "SNIPS", "DR"))
    assert widths["DR"] < widths["SNIPS"] < widths["IPS"]


def test_of_the_policy_that_decided_every_estimate_is_about_what_was_brought() -> None:
    logged, _ = pilot(3)
    same = replace(logged, others=logged.arms)
    found = told(same)
    assert found["IPS"].value == pytest.approx(float(logged.rewards.mean()))
    assert found["SNIPS"].value == pytest.approx(float(logged.rewards.mean()))
    for one in found.values():
        assert one.gain_low <= 0 <= one.gain_high


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10**6), st.floats(-100, 100))
def test_a_constant_added_to_every_reward_is_added_to_snips(seed: int, constant: float) -> None:
    logged, _ = pilot(seed, 600)
    more = replace(logged, rewards=logged.rewards + constant)
    assert told(more)["SNIPS"].value == pytest.approx(told(logged)["SNIPS"].value + constant, abs=1e-6)


def test_a_log_told_twice_is_no_more_certain() -> None:
    logged, _ = pilot(5, 1_000)
    twice = Logged(
        np.tile(logged.rows, (2, 1)), logged.actions * 2, np.tile(logged.probabilities, 2), logged.arms * 2,
        logged.others * 2, np.tile(logged.rewards, 2), logged.customers * 2,
    )  # fmt: skip
    for name in ("IPS", "SNIPS"):
        once, again = told(logged)[name], told(twice)[name]
        assert again.high - again.low == pytest.approx(once.high - once.low, rel=1e-9)


def test_what_was_never_served_there_is_refused() -> None:
    logged, _ = pilot(1)
    found = evaluate(replace(logged, others=({"new": 0.3, "1": 0.7},) * len(logged.actions)), 7)
    assert found.estimates == ()
    assert found.refusal == (
        "expected at most 5% of what it does to be something that was never served there, found 30%: let more be drawn"
        " by lot (random, in learning.toml), under rules that allow it"
    )


def test_too_few_decisions_are_refused() -> None:
    logged, _ = pilot(1, 120)
    found = evaluate(logged, 7)
    assert found.estimates == ()
    assert found.refusal is not None
    assert found.refusal.startswith("expected decisions by chance worth at least 100 of its own, found ")


def test_weights_that_rest_on_a_few_decisions_are_refused() -> None:
    logged, _ = pilot(1)
    skewed = np.where(np.arange(2_000) < 5, 0.0001, 0.9)
    assert evaluate(replace(logged, probabilities=skewed), 7).refusal is not None


def test_an_empty_log_says_nothing() -> None:
    nothing = Logged(np.zeros((0, 4)), (), np.zeros(0), (), (), np.zeros(0), ())
    assert evaluate(nothing, 7).refusal is not None
