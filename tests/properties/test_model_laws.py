"""The laws of fitted models: reasons add up, the buying process is the one that it says, bounds keep their order."""

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.contract import CONTRACT, FeatureMatrix
from features.feature import Array
from models import ways
from models.additive import Additive, Part, mean_of
from models.contrast import TREATED, Contrast, RegressionContrast
from models.hurdle import Hurdle
from models.lifetime import INPUTS, Lifetime, Process, history_of
from models.linear import Linear
from models.regression import Regression
from models.simulation import Simulation
from models.tree import Tree, trees_of
from models.trees import Trees
from models.value import Interval, QuantileTrees
from tests.making import AS_OF
from training.boosting import Fit, boost
from training.choosing import LEVELS
from training.dataset import Window
from training.ladder import ChurnLadder
from training.lifetime import FEWEST_REPEATERS, fit_process, lifetime

OBJECTIVES = {"identity": "l2", "logit": "cross_entropy", "log": "tweedie"}
WIDTH = len(CONTRACT.names)
PLACES = [CONTRACT.places[name] for name in INPUTS]
TRUE = Process(r=0.6, alpha=20.0, a=0.7, b=2.5, p=6.0, q=4.0, gamma=15.0)
NAMES = ("days_since_purchase", "spend", "purchase_days_91", "tenure_days")
LINEAR = Linear(NAMES, (2.0, 3.0, 1.0, 4.0), (1.0, 2.0, 0.5, 1.5), (0.7, -0.2, -0.4, 0.1), 0.3)


def rows_at_random(seed: int, count: int = 60, unknown: float = 0.2) -> Array:
    """Draw rows with unknown values, and with plausible numbers where the process looks."""
    rng = np.random.default_rng(seed)
    rows = np.where(rng.random((count, WIDTH)) < unknown, np.nan, rng.normal(0, 50, (count, WIDTH)))
    rows[:, PLACES] = np.column_stack(
        [rng.integers(1, 30, count), rng.uniform(0, 400, count), rng.uniform(0, 800, count), rng.gamma(1, 300, count)]
    )
    return rows


@cache
def booster(objective: str, leaves: int = 7, seed: int = 1) -> Trees:
    """Fit small trees on made rows; with `leaves` of 1, trees that can't split."""
    rows = rows_at_random(seed, 400)
    rng = np.random.default_rng(seed)
    score = rows[:, PLACES[1]] / 200 - np.nan_to_num(rows[:, 5]) / 50 + rng.normal(0, 0.5, len(rows))
    label = (score > np.median(score)).astype(np.float64) if objective == "binary" else np.exp(score / 2)
    shape = {"min_data_in_leaf": 10 if leaves > 1 else 10_000, "num_leaves": max(leaves, 2), "feature_fraction": 0.9}
    settled = boost({"objective": objective}, rows, label, CONTRACT.names, Fit(trees=12, parameters=shape))
    assert (len(trees_of(settled.booster)[0].leaves) > 1) == (leaves > 1)
    return settled


@cache
def contrast(link: str = "identity") -> Contrast:
    """Fit trees that know of a treatment, which matters where a column is high."""
    rows = rows_at_random(2, 600)
    treated = np.random.default_rng(2).integers(0, 2, 600).astype(np.float64)
    came = (treated * (rows[:, PLACES[1]] > 200) + rows[:, PLACES[1]] / 900) / (1.0 if link == "identity" else 2.0)
    shape = {"min_data_in_leaf": 10, "feature_fraction": 1.0}
    told = np.column_stack([rows, treated])
    settled = Fit(trees=12, parameters=shape)
    return Contrast(boost({"objective": OBJECTIVES[link]}, told, came, (*CONTRACT.names, TREATED), settled), link)


def regressions(link: str) -> RegressionContrast:
    """Two regressions that hardly differ in one column, and turn in another."""
    scale = (3, 40), (-60.0, -70.0), (60.0, 70.0), (1.0, -2.0), (40.0, 50.0)
    return RegressionContrast(link, Regression(*scale, (0.4, -0.3)), Regression(*scale, (0.399, 0.3)), (-0.4, -0.6))


def parts() -> dict[str, Part]:
    """Every kind of part."""
    typical = (3.0, 60.0, 200.0, 150.0)
    return {
        "trees": booster("binary"),
        "one leaf": booster("binary", leaves=1),
        "linear": LINEAR,
        "lapse": Lifetime(TRUE, 60.0, "lapse", typical),
        "spend": Lifetime(TRUE, 60.0, "spend", typical),
        "hurdle": Hurdle(booster("binary"), booster("gamma")),
        "hurdle of one leaf": Hurdle(booster("binary", leaves=1), booster("gamma", leaves=1)),
        "contrast": contrast(),
        "contrast of odds": contrast("logit"),
        "contrast of logs": contrast("log"),
        "regressions of odds": regressions("logit"),
        "regressions of logs": regressions("log"),
        "regression": Regression((3, 40), (-60.0, -70.0), (60.0, 70.0), (1.0, -2.0), (40.0, 50.0), (0.4, -0.3)),
    }


def adds_up(model: Part | Additive, rows: Array) -> None:
    divided = model.contributions(rows)
    assert divided.shape == (len(rows), WIDTH + 1)
    np.testing.assert_allclose(divided.sum(axis=1), model.scores(rows), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("kind", list(parts()))
@settings(max_examples=10)
@given(st.integers(0, 10**6), st.sampled_from([0.0, 0.3, 1.0]))
def test_the_contributions_of_every_part_add_up_to_its_score(kind: str, seed: int, unknown: float):
    rows = rows_at_random(seed, unknown=unknown)
    rows[0] = np.nan
    adds_up(parts()[kind], rows)


@settings(max_examples=15)
@given(
    st.integers(0, 10**6),
    st.lists(st.tuples(st.sampled_from(list(parts())), st.floats(-1.5, 1.5)), min_size=1, max_size=5),
    st.floats(-2, 2),
    st.floats(0.3, 1.5),
    st.floats(-2, 2),
)
def test_sums_of_parts_and_their_means_and_adjustments_add_up_too(
    seed: int, chosen: list[tuple[str, float]], intercept: float, slope: float, shift: float
):
    rows, known = rows_at_random(seed, 20), parts()
    model = Additive(
        "logit", tuple(known[kind] for kind, _ in chosen), tuple(weight for _, weight in chosen), intercept
    )
    adjusted, mean = model.adjusted(slope, shift), mean_of([model, Additive("logit", (LINEAR,), (1.0,))])
    if max(np.abs(one.scores(rows)).max() for one in (model, adjusted, mean)) < 30:
        for one in (model, adjusted, mean):
            adds_up(one, rows)
        np.testing.assert_allclose(adjusted.scores(rows), slope * model.scores(rows) + shift, rtol=1e-9, atol=1e-9)
        halves = (model.scores(rows) + LINEAR.scores(rows)) / 2
        np.testing.assert_allclose(mean.scores(rows), halves, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("link", list(OBJECTIVES))
def test_a_contrast_gives_what_makes_the_treatment_matter_its_share(link: str):
    rows = rows_at_random(5, 200)
    divided = contrast(link).contributions(rows)
    assert np.ptp(divided[:, -1]) == pytest.approx(0, abs=1e-12)
    assert divided[:, PLACES[1]].std() > 0.9 * contrast(link).scores(rows).std() > 0.02


def test_regressions_on_the_odds_expect_what_their_odds_say():
    scale = (0,), (-9.0,), (9.0,), (0.0,), (1.0,)
    part = RegressionContrast("logit", Regression(*scale, (np.log(3),)), Regression(*scale, (0.0,)), (0.0, 0.0))
    assert part.scores(np.array([[1.0], [-1.0], [0.0], [np.nan]])) == pytest.approx([0.25, -0.25, 0.0, 0.0])


def test_contributions_that_leave_out_a_split_would_not_add_up(monkeypatch: pytest.MonkeyPatch):
    walk = ways._walk

    def forgetful(tree: Tree, place: int, way: Array, table: Array) -> None:
        forgot = np.where(np.arange(len(way)) == PLACES[1], 0.0, way)
        walk(tree, place, forgot if place < 0 else way, table)

    monkeypatch.setattr(ways, "_walk", forgetful)
    with pytest.raises(AssertionError):
        adds_up(Trees(booster("binary").booster), rows_at_random(1))


def test_a_features_share_in_trees_is_what_its_splits_change():
    trees = boost(
        {"objective": "regression", "lambda_l2": 0.0, "boost_from_average": False, "learning_rate": 1.0},
        np.eye(WIDTH)[np.repeat([0, 1], 100)], np.repeat([5.0, 1.0], 100), CONTRACT.names,
        Fit(trees=1, parameters={"num_leaves": 2, "feature_fraction": 1.0, "bagging_fraction": 1.0}),
    )  # fmt: skip
    first, second = trees.contributions(np.eye(WIDTH)[:2])
    split = int(np.flatnonzero(first[:-1])[0])
    assert np.flatnonzero(first).tolist() == np.flatnonzero(second).tolist() == [split, WIDTH]
    assert (first[split], first[-1]) == pytest.approx((2.0, 3.0))
    assert (second[split], second[-1]) == pytest.approx((-2.0, 3.0))


@given(st.integers(0, 10**6))
def test_only_what_the_process_looks_at_has_a_share_and_the_typical_row_has_none(seed: int):
    typical = (3.0, 60.0, 200.0, 150.0)
    part = Lifetime(TRUE, 60.0, "lapse", typical)
    rows = rows_at_random(seed, 10)
    assert not np.delete(part.contributions(rows), [*PLACES, WIDTH], axis=1).any()
    assert np.abs(part.contributions(rows)[:, CONTRACT.places["spend"]]).max() < 1e-12
    rows[:, PLACES] = typical
    assert np.abs(part.contributions(rows)[:, :-1]).max() < 1e-12


def test_who_buys_every_day_for_years_has_finite_scores_and_shares():
    rows = rows_at_random(1, 3)
    rows[:, PLACES] = [(900, 1, 1_000, 9e3), (1_500, 0, 3_000, 1e5), (3_600, 30, 3_650, 1e6)]
    for days in (28.0, 365.0):
        for says in ("lapse", "spend"):
            part = Lifetime(Process(0.5, 10.0, 0.8, 2.5, 6.0, 4.0, 15.0), days, says, (2.0, 30.0, 60.0, 50.0))
            assert np.isfinite(part.contributions(rows)).all()
            adds_up(part, rows)


_HISTORY = st.tuples(st.integers(0, 400), st.floats(0, 1), st.floats(1, 2_000))
_PROCESS = st.builds(
    Process,
    r=st.floats(0.05, 5), alpha=st.floats(1, 300), a=st.floats(0.05, 5), b=st.floats(0.1, 10),
    p=st.floats(0.5, 10), q=st.floats(1.2, 10), gamma=st.floats(1, 100),
)  # fmt: skip


@given(_PROCESS, st.lists(_HISTORY, min_size=1, max_size=20), st.floats(1, 365))
def test_the_chance_of_a_lapse_falls_with_the_horizon_and_with_it_purchases_rise(
    process: Process, histories: list[tuple[int, float, float]], days: float
):
    repeats, share, age = (np.array(part, dtype=np.float64) for part in zip(*histories, strict=True))
    last = np.where(repeats > 0, share * age, 0.0)
    sooner, later = (process.lapses(repeats, last, age, horizon) for horizon in (days, 2 * days))
    assert ((sooner >= 0) & (sooner <= 1) & (later >= 0)).all()
    assert (later <= sooner + 1e-12).all()
    few, more = (process.purchases(repeats, last, age, horizon) for horizon in (days, 2 * days))
    assert (more >= few - 1e-6 * (1 + few)).all()
    # One buys at least once with the chance of not lapsing, so that many are expected at least (Markov).
    assert (few >= (1 - sooner) - 1e-6 * (1 + few)).all()


def simulate(process: Process, customers: int, days: float, seed: int) -> tuple[Array, Array, Array]:
    """Let customers buy and leave; returns rows, the purchase days of the time after, and the spend of a purchase."""
    rng = np.random.default_rng(seed)
    age = rng.integers(100, 400, customers).astype(np.float64)
    rate, leaving = rng.gamma(process.r, 1 / process.alpha, customers), rng.beta(process.a, process.b, customers)
    clock, last, repeats, after = np.zeros((4, customers))
    here = rng.random(customers) >= leaving
    while here.any():
        clock[here] += rng.exponential(1 / rate[here])
        before, then = here & (clock <= age), here & (clock > age) & (clock <= age + days)
        repeats[before] += 1
        last[before] = clock[before]
        after[then] += 1
        here = (before | then) & (rng.random(customers) >= leaving)
    size = rng.gamma(process.q, 1 / process.gamma, customers)
    spent = rng.gamma(process.p * (repeats + 1), 1 / size)
    rows = np.full((customers, WIDTH), np.nan)
    rows[:, PLACES] = np.column_stack([repeats + 1, np.where(repeats > 0, age - last, age), age, spent])
    return rows, after, process.p / size


@cache
def simulated() -> tuple[Array, Array, Array]:
    return simulate(TRUE, 20_000, 60.0, 1)


def off(happened: Array, expected: Array) -> float:
    """How many standard errors what happened lies from what was expected."""
    missed = happened - expected
    return float(missed.mean() / (missed.std() / np.sqrt(len(missed))))


@pytest.mark.parametrize("days", [20.0, 60.0])
def test_what_the_process_says_is_what_simulated_customers_do(days: float):
    rows, after, _ = simulated() if days == 60.0 else simulate(TRUE, 20_000, days, 2)
    repeats, last, age = history_of(rows[:, PLACES])
    lapse, purchases = (ask(repeats, last, age, days) for ask in (TRUE.lapses, TRUE.purchases))
    lapsed = (after == 0).astype(np.float64)
    groups = [np.ones(len(rows), dtype=bool), repeats == 0, (repeats > 0) & (repeats < 4), repeats >= 4]
    groups += [lapse > np.quantile(lapse, 0.8), lapse < np.quantile(lapse, 0.2)]
    for group in groups:
        assert abs(off(lapsed[group], lapse[group])) < 4
        assert abs(off(after[group], purchases[group])) < 4


def test_what_a_customer_may_bring_is_spread_as_simulated_customers_bring():
    rows, after, size = simulated()
    rng = np.random.default_rng(4)
    brought = rng.gamma(TRUE.p * after) * size / TRUE.p
    repeats = rows[:, PLACES[0]] - 1
    for level in (0.3, 0.6, 0.8, 0.9):
        ends = Simulation(TRUE, 60.0, (level, level)).ends(rows[:4_000])[0]
        for group in (repeats[:4_000] >= 0, repeats[:4_000] >= 2):
            beyond = (brought[:4_000][group] > ends[group]).mean()
            # Who brings nothing with more than this chance has a quantile of 0, beyond which fewer lie.
            sure = ends[group] > 0
            held = (brought[:4_000][group] <= ends[group])[sure].mean() if sure.any() else level
            assert held == pytest.approx(level, abs=0.035)
            assert beyond <= 1 - level + 0.03


def test_nobodys_simulated_bounds_depend_on_who_stands_beside():
    rows = simulated()[0][:50]
    together = np.array(Simulation(TRUE, 60.0, (0.1, 0.9)).ends(rows))
    alone = np.array([np.concatenate(Simulation(TRUE, 60.0, (0.1, 0.9)).ends(rows[at : at + 1])) for at in range(50)])
    assert np.array_equal(together.T, alone)
    assert (together[1] > 0).any()


def test_another_process_than_the_true_one_is_caught_by_the_simulation():
    rows, after, _ = simulated()
    repeats, last, age = history_of(rows[:, PLACES])
    longer = TRUE.lapses(repeats, last, age, 66.0)
    assert abs(off((after == 0).astype(np.float64), longer)) > 4


def test_the_spend_expected_of_a_purchase_is_what_simulated_customers_spend():
    rows, _, size = simulated()
    days, spent = rows[:, PLACES[0]], rows[:, PLACES[3]]
    expected = TRUE.spend(days, spent / days)
    for group in (days == 1, days > 1, spent / days > np.median(spent / days)):
        assert abs(off(size[group], expected[group])) < 4


def matrix(rows: Array) -> FeatureMatrix:
    return FeatureMatrix(AS_OF, tuple(f"customer:{place}" for place in range(len(rows))), rows)


def test_fitting_finds_the_process_that_customers_were_made_with():
    found = fit_process(matrix(simulated()[0]))
    assert found is not None
    for name in ("r", "alpha", "a", "b", "p", "q", "gamma"):
        assert getattr(found, name) == pytest.approx(getattr(TRUE, name), rel=0.2), name


def test_a_level_is_moved_by_its_share_of_the_way_to_the_process():
    rows, after, _ = simulated()
    rows, value = rows[:2_000], np.zeros(2_000)
    # Every other lapse is left out, so that what is learned is far below the process.
    lapsed = (after[:2_000] == 0) * (np.arange(2_000) % 2.0)
    learned = Window(AS_OF, matrix(rows), TRUE, np.ones(2_000, dtype=bool), lapsed, value)
    ladder = ChurnLadder([learned], matrix(rows), TRUE, 60, Fit())
    moved = [ladder.levelled("RFM logistic", share) for share in LEVELS.values()]
    means = [float(model.predict(rows).mean()) for model in moved]
    assert means[0] == pytest.approx(lapsed.mean(), abs=0.01)
    assert means[0] + 0.1 < means[1] < means[2] - 0.1
    assert means[2] == pytest.approx(float(ladder.model("BG/NBD").predict(rows).mean()), abs=1e-6)
    scores = [model.scores(rows) for model in moved]
    np.testing.assert_allclose(scores[1], (scores[0] + scores[2]) / 2, rtol=1e-9, atol=1e-9)


def test_under_200_repeat_buyers_no_process_is_fitted():
    rows = simulated()[0]
    often = np.flatnonzero(rows[:, PLACES[0]] > 1)
    once = np.flatnonzero(rows[:, PLACES[0]] == 1)[:150]
    few, enough = (np.concatenate([often[:count], once]) for count in (FEWEST_REPEATERS - 1, FEWEST_REPEATERS))
    assert fit_process(matrix(rows[few])) is None
    assert fit_process(matrix(rows[enough])) is not None


def test_customers_who_spend_nothing_have_no_process():
    rows = simulated()[0][:2_000].copy()
    rows[:, PLACES[3]] = 0.0
    assert fit_process(matrix(rows)) is None


def test_shares_are_measured_from_the_customer_in_the_middle():
    rows = simulated()[0][:101]
    assert lifetime(TRUE, matrix(rows), 60.0, "spend").typical == tuple(np.median(rows[:, PLACES], axis=0))


_SHARES = st.lists(st.floats(-3, 5), min_size=3, max_size=3).map(tuple)


_STARTS = ("shares", "trees", "simulation")


@given(st.integers(0, 10**6), _SHARES, _SHARES, st.floats(1e-6, 100), st.sampled_from(_STARTS))
def test_an_interval_lies_around_its_expectation_and_above_zero(
    seed: int, below: tuple[float, ...], above: tuple[float, ...], typical: float, kind: str
):
    rows = rows_at_random(seed, 30)
    expected = np.random.default_rng(seed).gamma(0.3, 100, 30)
    starts = (None, QuantileTrees(booster("gamma"), booster("gamma", seed=2)), Simulation(TRUE, 28.0, (0.1, 0.9)))
    start = starts[_STARTS.index(kind)]
    low, high = Interval(typical, (0.0, 2.0, 5.0), below, above, start).around(expected, rows)
    assert ((low >= 0) & (low <= expected) & (expected <= high)).all()


@pytest.mark.parametrize("draw", [np.zeros, lambda n: np.full(n, 1e6)])
def test_an_interval_holds_its_last_shares_beyond_its_knots(draw: Callable[[int], Array]):
    interval = Interval(1.0, (1.0, 2.0), (-0.5, -0.2), (0.5, 2.0), None)
    expected = draw(2)
    low, high = interval.around(expected, rows_at_random(1, 2))
    share_low, share_high = (-0.5, 0.5) if expected[0] == 0 else (-0.2, 2.0)
    assert low == pytest.approx(np.maximum(share_low * (expected + 1), 0.0).clip(max=expected))
    assert high == pytest.approx(np.maximum(share_high * (expected + 1), expected))
