"""What is chosen on later windows, and what a history is large enough for."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.contract import CONTRACT, FeatureMatrix
from features.feature import Array
from models.additive import Additive
from models.value import Interval
from tests.making import AS_OF
from training.boosting import Fit
from training.choosing import Choice, Round, choose, churn_loss, paired, value_loss
from training.cutoffs import Cutoffs
from training.dataset import Window
from training.horizon import Horizon
from training.interval import LEVELS, Start, choose_interval, conform, fit_bounds, pinball
from training.ladder import ChurnLadder, ValueLadder
from training.metrics import COVERAGE
from training.minimum import Allowed, allowed

CANDIDATES = ("simple", "middle", "complex")
WIDTH = len(CONTRACT.names)


@dataclass(frozen=True)
class Column:
    """A part that says what stands in a column of the row."""

    place: int

    def scores(self, rows: Array) -> Array:
        return rows[:, self.place]

    def contributions(self, rows: Array) -> Array:
        return np.zeros((len(rows), WIDTH + 1))


def window(rows: Array, lapsed: Array, value: Array | None = None, active: Array | None = None) -> Window:
    matrix = FeatureMatrix(AS_OF, tuple(f"customer:{place}" for place in range(len(rows))), rows)
    who = np.ones(len(rows), dtype=bool) if active is None else active.astype(bool)
    return Window(AS_OF, matrix, None, who, lapsed, np.ones(len(rows)) if value is None else value)


def played(scores: Sequence[Array], levels: Sequence[str] = ("learned",), truth: Array | None = None) -> Round:
    """A later window in which each candidate says a column; those of the second level stand after the first's."""
    rows = np.zeros((len(scores[0]), WIDTH))
    rows[:, : len(scores)] = np.column_stack(scores)
    happened = np.zeros(len(rows)) if truth is None else truth
    count = len(scores) // len(levels)
    models = {
        level: {
            name: Additive("logit", (Column(at * count + place),), (1.0,))
            for place, name in enumerate(CANDIDATES[:count])
        }
        for at, level in enumerate(levels)
    }
    return Round(window(rows, happened), happened, models)


def as_said(truth: Array, scores: Array) -> Array:
    """A loss that is the score itself, so that a window holds the losses that a test wants."""
    return scores


def chosen(rounds: Sequence[Round], count: int) -> Choice:
    return choose(rounds, CANDIDATES[:count], as_said, whole=len(rounds) > 1)


def spread(mean: float) -> Array:
    """100 numbers with this mean, in units of the mean's standard error."""
    noise = np.tile([-1.0, 1.0], 50)
    return noise + mean * paired(noise, np.arange(100))[1]


@pytest.mark.parametrize(("gain", "taken"), [(-3.0, 0), (0.0, 0), (0.9, 0), (1.1, 1), (4.0, 1)])
def test_the_simpler_stays_unless_it_loses_by_more_than_a_standard_error(gain: float, taken: int):
    choice = chosen([played([np.full(100, 5.0), 5.0 - spread(gain)])], 2)
    assert choice.candidate == CANDIDATES[taken]
    simple, middle = choice.ladder
    assert (simple.gain, simple.said) == (None, "the simplest")
    assert middle.gain is not None
    assert middle.error is not None
    assert middle.gain / middle.error == pytest.approx(gain, abs=1e-9)
    assert middle.loss == pytest.approx(5.0 - middle.gain)
    assert middle.said == ("better than simple by more than a standard error" if taken else "simple stays")


def test_each_candidate_must_beat_the_one_that_stands_and_not_the_simplest():
    first, second = spread(2.0), spread(2.5)
    choice = chosen([played([np.full(100, 5.0), 5.0 - first, 5.0 - second])], 3)
    assert choice.candidate == "complex"
    near = chosen([played([np.full(100, 5.0), 5.0 - first, 5.0 - first - spread(0.5)])], 3)
    assert near.candidate == "middle"
    assert near.ladder[2].said == "middle stays"


def test_without_later_windows_the_most_complex_is_taken_and_nothing_adjusted():
    choice = choose([], CANDIDATES, churn_loss, whole=True)
    assert (choice.candidate, choice.level, choice.ladder) == ("complex", "learned", ())
    assert (choice.adjustment.slope, choice.adjustment.shift) == (1.0, 0.0)
    assert choice.adjustment.said == "the history is too short for later windows to choose on"


@pytest.mark.parametrize(("gain", "level"), [(-2.0, "learned"), (0.9, "learned"), (1.1, "process")])
def test_the_process_gives_the_level_only_if_it_is_better(gain: float, level: str):
    both = played([np.full(100, 5.0), 5.0 - spread(gain)], ("learned", "process"))
    choice = chosen([both, both], 1)
    # Two windows of the same customers count each customer once: no surer than one window.
    assert choice.level == level
    assert choice.level_said.endswith("taken" if level == "process" else "left")


def test_of_two_levels_that_are_better_the_best_is_taken():
    levels = ("learned", "halfway", "process")
    for halfway, process, taken in ((3.0, 2.0, "halfway"), (2.0, 3.0, "process"), (0.5, 0.9, "learned")):
        parts = [np.full(100, 5.0), 5.0 - spread(halfway), 5.0 - spread(process)]
        assert chosen([played(parts, levels)] * 2, 1).level == taken


def test_where_no_window_of_the_real_horizon_tells_the_level_is_halfway_to_the_process():
    levels = ("learned", "halfway", "process")
    best_learned = played([np.full(100, 1.0), np.full(100, 5.0), np.full(100, 9.0)], levels)
    choice = choose([best_learned] * 2, ("simple",), as_said, whole=False)
    assert (choice.level, choice.candidate) == ("halfway", "simple")
    assert choice.level_said.startswith("the later windows have a shorter horizon: halfway")
    unseen = choose([], ("BG/NBD", "complex"), as_said, whole=True)
    assert (unseen.level, unseen.candidate) == ("halfway", "complex")
    alone = choose([played([np.full(100, 1.0)])], ("simple",), as_said, whole=False)
    assert alone.level == "learned"
    assert alone.level_said.endswith("no process to take a level from")


def test_a_level_that_one_window_lacks_is_not_taken():
    both = played([np.full(100, 5.0), np.full(100, 1.0)], ("learned", "process"))
    assert chosen([both, both], 1).level == "process"
    choice = chosen([both, played([np.full(100, 5.0)])], 1)
    assert (choice.level, choice.level_said) == ("learned", "no process to take a level from")


def lapses(seed: int, stretch: float) -> Round:
    """A window of 2,000 whose odds of a lapse are said `stretch` times too far from even."""
    rng = np.random.default_rng(seed)
    odds = rng.normal(0, 1.5, 2_000)
    lapsed = (rng.random(2_000) < 1 / (1 + np.exp(-odds))).astype(np.float64)
    return played([stretch * odds], truth=lapsed)


def test_recalibration_is_kept_when_it_wins_on_both_windows():
    choice = choose([lapses(1, 2.0), lapses(2, 2.0)], ("simple",), churn_loss, whole=True)
    assert choice.adjustment.slope == pytest.approx(0.5, abs=0.05)
    assert choice.adjustment.said.endswith("kept")


@pytest.mark.parametrize("stretches", [(1.0, 1.0), (2.0, 1.0), (1.0, 2.0), (2.0, 0.5)])
def test_recalibration_that_does_not_win_on_both_windows_is_left_out(stretches: tuple[float, float]):
    rounds = [lapses(place, stretch) for place, stretch in enumerate(stretches, 1)]
    adjustment = choose(rounds, ("simple",), churn_loss, whole=True).adjustment
    assert (adjustment.slope, adjustment.shift) == (1.0, 0.0)
    assert adjustment.said.endswith("left out")


def test_nothing_is_recalibrated_on_a_shorter_horizon():
    adjustment = choose([lapses(1, 2.0), lapses(2, 2.0)], ("simple",), churn_loss, whole=False).adjustment
    assert (adjustment.slope, adjustment.shift) == (1.0, 0.0)
    assert adjustment.said == "no recalibration: the later windows have a shorter horizon"


@given(st.lists(st.floats(-10, 10), min_size=2, max_size=30), st.integers(2, 4))
def test_a_customers_rows_told_again_make_nothing_surer(differences: list[float], times: int):
    once = paired(np.array(differences), np.arange(len(differences)))
    again = paired(np.tile(differences, times), np.tile(np.arange(len(differences)), times))
    assert again == pytest.approx(once, abs=1e-9)


@given(st.floats(0.05, 0.95), st.floats(0.01, 500))
def test_losses_are_least_where_the_prediction_is_the_mean(rate: float, mean: float):
    for loss, best, truths, weights in (
        (churn_loss, np.log(rate / (1 - rate)), np.array([0.0, 1.0]), np.array([1 - rate, rate])),
        (value_loss, np.log(mean), np.array([0.0, 2 * mean]), np.array([0.5, 0.5])),
    ):
        lost = [float(loss(truths, np.full(2, best + off)) @ weights) for off in (0.0, -0.1, 0.1)]
        assert lost[0] < min(lost[1:])


def brought(seed: int, count: int = 4_000) -> tuple[Round, Array]:
    """A window whose value spreads around its expectation more where that is small."""
    rng = np.random.default_rng(seed)
    expected = np.exp(rng.normal(3, 1, count))
    value = rng.gamma(1 + expected / 20, expected / (1 + expected / 20))
    return Round(window(np.zeros((count, WIDTH)), np.zeros(count), value), value, {}), expected


def test_shares_by_group_cover_four_in_five_of_every_group():
    learned, later = brought(1), brought(2)
    interval = conform([learned[0]], [learned[1]], [None], None)
    for round, expected in (learned, later):
        low, high = interval.around(expected, round.window.rows.values)
        covered = (round.truth >= low) & (round.truth <= high)
        assert covered.mean() == pytest.approx(COVERAGE, abs=0.03)
        for group in np.array_split(np.argsort(expected), 8):
            assert covered[group].mean() == pytest.approx(COVERAGE, abs=0.07)


def test_one_share_for_all_would_not_cover_every_group():
    round, expected = brought(1)
    by_group = conform([round], [expected], [None], None)
    middle = len(by_group.knots) // 2
    alike = Interval(
        by_group.typical, by_group.knots[:1], by_group.below[middle:][:1], by_group.above[middle:][:1], None
    )
    low, high = alike.around(expected, round.window.rows.values)
    covered = (round.truth >= low) & (round.truth <= high)
    lowest, *_, highest = np.array_split(np.argsort(expected), 8)
    assert max(abs(covered[group].mean() - COVERAGE) for group in (lowest, highest)) > 0.07


def restless(seed: int, matters: bool) -> Round:
    """A window in which a feature tells whose value spreads, if it `matters`."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(0, 1, (1_200, WIDTH))
    wild = rows[:, 3] > 0 if matters else rng.random(1_200) > 0.5
    value = np.maximum(100 + np.where(wild, 60, 2) * rng.normal(0, 1, 1_200), 0.0)
    return Round(window(rows, np.zeros(1_200), value), value, {})


@pytest.mark.parametrize("matters", [True, False])
def test_the_method_with_the_least_pinball_loss_on_later_windows_bounds(matters: bool):
    rounds = [restless(seed, matters) for seed in (1, 2)]
    fit = Fit(trees=40, parameters={"learning_rate": 0.2, "num_leaves": 4})
    methods: dict[str, list[Start]] = {
        "shares": [None] * 2,
        "trees": [fit_bounds([restless(seed, matters).window], fit) for seed in (3, 4)],
    }
    method, said = choose_interval(rounds, [np.full(1_200, 100.0)] * 2, methods)
    assert method == ("trees" if matters else "shares")
    shares, trees = (float(part.split()[0]) for part in said.removeprefix("pinball loss ").split(", "))
    assert (trees < shares) == matters
    assert said.endswith(" with trees")


def zeros(seed: int, share: float, scale: float = 1.0) -> Round:
    """A window of 4,000 of whom a share bring nothing, and the others 100 on average, times a scale."""
    rng = np.random.default_rng(seed)
    value = scale * np.where(rng.random(4_000) < share, 0.0, rng.gamma(4, 25, 4_000))
    return Round(window(np.zeros((4_000, WIDTH)), np.zeros(4_000), value), value, {})


def about(mean: float) -> Array:
    """Expectations for 4,000 customers that hardly differ."""
    return mean + np.linspace(-0.01, 0.01, 4_000)


def held(interval: Interval, round: Round, expected: Array) -> tuple[float, float]:
    """How often an interval holds, and how wide it is."""
    low, high = interval.around(expected, round.window.rows.values)
    return float(((round.truth >= low) & (round.truth <= high)).mean()), float((high - low).mean())


def test_where_many_bring_nothing_the_interval_starts_at_nothing_and_still_holds_four_in_five():
    expected = about(60.0)
    interval = conform([zeros(1, 0.4)], [expected], [None], None)
    low, high = interval.around(expected, np.zeros((4_000, WIDTH)))
    assert low.max() == 0
    assert high.mean() == pytest.approx(np.quantile(zeros(3, 0.4).truth, COVERAGE), rel=0.03)
    assert held(interval, zeros(2, 0.4), expected)[0] == pytest.approx(COVERAGE, abs=0.02)


def test_the_narrowest_is_narrower_than_one_that_leaves_as_many_on_either_side():
    later, expected = zeros(2, 0.0), about(100.0)
    covered, width = held(conform([zeros(1, 0.0)], [expected], [None], None), later, expected)
    assert covered == pytest.approx(COVERAGE, abs=0.02)
    assert width < np.subtract(*np.quantile(later.truth, LEVELS[::-1]))


def test_what_swings_between_windows_widens_the_bounds_until_each_is_kept():
    expected = about(100.0)

    def bounds(*scales: float) -> Interval:
        rounds = [zeros(seed, 0.0, scale) for seed, scale in enumerate(scales, 1)]
        return conform(rounds, [expected] * len(rounds), [None] * len(rounds), None)

    calm, restless = bounds(1.0, 1.0), bounds(0.8, 1.25)
    for scale in (0.8, 1.25):
        assert held(restless, zeros(5, 0.0, scale), expected)[0] > COVERAGE - 0.02
    assert held(calm, zeros(5, 0.0, 1.25), expected)[0] < COVERAGE - 0.1
    assert held(calm, zeros(5, 0.0, 1.0), expected)[0] == pytest.approx(COVERAGE, abs=0.03)


@pytest.mark.parametrize("level", LEVELS)
def test_the_pinball_loss_is_least_at_the_quantile(level: float):
    truth = np.random.default_rng(1).gamma(2, 30, 2_000)
    best = float(np.quantile(truth, level))
    lost = [pinball(truth, np.full(2_000, bound), level) for bound in (best, 0.8 * best, 1.2 * best)]
    assert lost[0] == min(lost)


HORIZON = Horizon(28, 56, 0, 400 * 86_400_000_000, "")
PLENTY = Cutoffs(tuple(AS_OF + timedelta(days=7 * n) for n in range(4)), AS_OF, timedelta(days=28), None)
FEW_CUTOFFS = replace(PLENTY, learn=PLENTY.learn[:3])


def past(active: int = 1_000, lapsed: int = 300, value: float = 1.0) -> list[Window]:
    """Four windows to learn from and a test of the same customers: so many active, so many of whom lapse."""
    who = np.arange(1_200) < active
    made = window(np.zeros((1_200, WIDTH)), (np.arange(1_200) < lapsed) * 1.0, np.full(1_200, value), who)
    return [made] * 5


def names(enough: Allowed) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return enough.among(ChurnLadder.needs), enough.among(ValueLadder.needs)


def test_a_history_with_plenty_allows_every_candidate_and_totals():
    enough = allowed(past(), True, PLENTY, HORIZON)
    assert enough == Allowed(True, True, True, (), {})
    assert names(enough) == (tuple(ChurnLadder.needs), tuple(ValueLadder.needs))


@pytest.mark.parametrize(
    ("windows", "cutoffs", "horizon", "said"),
    [
        (past(active=999), PLENTY, HORIZON, "active customers: found 999, and LightGBM needs 1,000"),
        (past(lapsed=199), PLENTY, HORIZON, "whichever are fewer: found 199, and LightGBM needs 200"),
        (past(lapsed=801), PLENTY, HORIZON, "whichever are fewer: found 199, and LightGBM needs 200"),
        (past(), FEW_CUTOFFS, HORIZON, "cutoffs to learn from: found 3, and LightGBM needs 4"),
        (past(), PLENTY, replace(HORIZON, days=140), "days of history: found 400, and LightGBM needs 420"),
    ],
)  # fmt: skip
def test_each_condition_of_trees_drops_the_trees_alone_and_says_so(
    windows: list[Window], cutoffs: Cutoffs, horizon: Horizon, said: str
):
    enough = allowed(windows, True, cutoffs, horizon)
    assert names(enough) == (("decayed count", "RFM logistic", "BG/NBD", "logistic"), ("decayed spend", "BG/NBD"))
    (reason,) = enough.said
    assert reason.endswith(said)
    assert enough.totals


def test_one_customer_at_many_cutoffs_counts_once():
    enough = allowed(past(active=400, lapsed=100), True, PLENTY, HORIZON)
    assert any(said.startswith("active customers: found 400") for said in enough.said)
    assert any("whichever are fewer: found 100" in said for said in enough.said)


def test_without_a_process_what_is_made_of_it_is_dropped_and_the_trees_stay():
    enough = allowed(past(), False, PLENTY, HORIZON)
    assert names(enough) == (
        ("decayed count", "RFM logistic", "logistic", "LightGBM"), ("decayed spend", "Tweedie", "hurdle", "blend"),
    )  # fmt: skip
    (reason,) = enough.said
    assert "200 repeat buyers" in reason


def test_totals_are_claimed_from_thirteen_months_on():
    day = 86_400_000_000
    year, more = (allowed(past(), True, PLENTY, replace(HORIZON, end=days * day)) for days in (395, 396))
    assert not year.totals
    assert more.totals
    assert year.said == (
        "totals are not claimed: a year's seasons need 13 months of history, found 395 days",
    )  # fmt: skip
    assert names(year) == names(more)


@pytest.mark.parametrize("part", ["past windows", "last window"])
@pytest.mark.parametrize("lapsed", [19, 981])
def test_too_few_of_a_kind_leave_ranks_of_risk_and_the_simplest_value(part: str, lapsed: int):
    # Four windows to learn from hold the same customers, who count once.
    enough = allowed(spoilt(past(lapsed=lapsed)[0], part), True, PLENTY, HORIZON)
    assert set(enough.ranks) == {"churn"}
    assert enough.ranks["churn"].startswith("ranks only: probabilities of leaving need 20 active customers who lapsed")
    assert enough.ranks["churn"].endswith(f"found {lapsed} and {1000 - lapsed} in the {part}")
    assert enough.said[0] == enough.ranks["churn"]
    assert (enough.trees, enough.process) == (False, False)
    assert enough.among(ValueLadder.needs) == ("decayed spend",)


@pytest.mark.parametrize("part", ["past windows", "last window"])
def test_without_amounts_value_is_ranked_and_risk_keeps_its_probabilities(part: str):
    enough = allowed(spoilt(past(value=-1.0)[0], part), True, PLENTY, HORIZON)
    assert set(enough.ranks) == {"value"}
    assert enough.ranks["value"].endswith(f"(does the mapping name the amount?), found none in the {part}")
    assert enough.among(ChurnLadder.needs) == tuple(ChurnLadder.needs)


def spoilt(bad: Window, part: str) -> list[Window]:
    return [bad] * 4 + past()[-1:] if part == "past windows" else [*past()[:4], bad]
