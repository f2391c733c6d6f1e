import json
import re
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from features.clock import from_microseconds, microseconds
from features.contract import CONTRACT
from features.errors import InputError, RegistryError
from features.history import History
from features.home import Home
from features.known import Known
from holdfast.app import app
from holdfast.learning import explained, plan_of
from holdfast.places import glossary_of
from models.bundle import Bundle, load
from models.population import Active
from serving.bundle import fetch
from tests.making import AS_OF
from training import minimum, registry, tuning
from training.backtest import backtest, past_moments
from training.boosting import Fit
from training.cutoffs import Rehearsal
from training.dataset import Window, Windows
from training.outcome import compare, horizon_of
from training.tuning import SURE, Lost, tune

Trained = tuple[Home, History, dict[str, Any]]


def quiet(name: str, done: int, total: int) -> None:
    pass


@pytest.fixture(scope="module")
def known(trained: Trained) -> Known:
    return trained[1].known_by(trained[1].newest() or AS_OF)


@pytest.fixture(scope="module")
def bundle(trained: Trained) -> Bundle:
    return load(*fetch(trained[0]))


@pytest.fixture
def ran(trained: Trained, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOLDFAST_HOME", str(trained[0].folder))
    monkeypatch.setenv("HOLDFAST_CLOCK", "history")
    return lambda *words: CliRunner().invoke(app, words)


def with_manifest(bundle: Bundle, **changed: Any) -> Bundle:
    return replace(bundle, version="2", manifest=bundle.manifest | changed)


@pytest.mark.parametrize("command", ["train", "evaluate", "backtest", "promote"])
def test_every_command_of_learning_shows_an_example_and_speaks_json(command: str):
    told = CliRunner().invoke(app, [command, "--help"]).stdout
    assert f"Example: holdfast {command}" in told
    assert "--json" in told


def test_training_from_cron_is_shown_as_it_is_to_be_written():
    told = CliRunner().invoke(app, ["train", "--help"]).stdout
    assert "Example from cron: 0 3 * * 0 holdfast train --json >> train.log" in told


def test_a_bundle_beside_itself_gains_nothing_and_both_have_seen_the_window(known: Known, bundle: Bundle):
    found = compare(known, bundle, with_manifest(bundle))
    assert {figure.gain for figure in found.figures} == {0.0}
    assert [figure.metric for figure in found.figures] == [
        "AUC", "log loss", "ECE", "normalised Gini", "value in the top fifth", "bias of the total",
    ]  # fmt: skip
    learned = f"learned up to {bundle.as_of:%Y-%m-%d}, so it has seen what came after {found.cutoff:%Y-%m-%d}"
    assert [learned in sentence for sentence in found.unfair] == [True, True]


def test_a_bundle_that_learned_no_later_than_the_window_is_judged_fairly(known: Known, bundle: Bundle):
    cutoff = compare(known, bundle, bundle).cutoff
    found = compare(known, bundle, with_manifest(bundle, as_of=cutoff.isoformat()))
    assert [sentence.startswith("version 2") for sentence in found.unfair] == [False]


def test_bundles_of_different_horizons_are_not_compared(known: Known, bundle: Bundle):
    days = bundle.manifest["horizon"]["days"]
    other = with_manifest(bundle, horizon=bundle.manifest["horizon"] | {"days": 365})
    with pytest.raises(InputError) as refused:
        compare(known, bundle, other)
    assert str(refused.value) == (
        f"expected two versions with the same horizon, churn and value, found churn by silence and revenue over {days}"
        f" days in version {bundle.version} and churn by silence and revenue over 365 days in version 2: they answer"
        " different questions. Judge each by itself: holdfast evaluate 2"
    )


def test_a_version_is_not_compared_with_itself_by_mistake(ran):
    done = ran("evaluate", "--against", "1")
    assert isinstance(done.exception, InputError)
    assert str(done.exception) == "expected two versions, found version 1 twice; give another to --against"


def test_past_moments_lie_a_horizon_apart_and_end_with_the_newest_known(known: Known, bundle: Bundle):
    horizon = horizon_of(known, bundle.manifest)
    newest, *earlier = past_moments(horizon, 3)
    span = timedelta(days=horizon.days)
    assert microseconds(newest + span) == horizon.end
    assert [newest - moment for moment in earlier] == [span * place for place in range(1, len(earlier) + 1)]
    assert newest - earlier[-1] <= timedelta(days=92)


def test_what_came_after_a_past_moment_changes_no_prediction_for_it(known: Known, bundle: Bundle):
    horizon = horizon_of(known, bundle.manifest)
    (moment,) = past_moments(horizon, 0)
    day = 86_400_000_000
    later = pl.col("occurred_at").is_between(microseconds(moment), horizon.end - day, closed="left")
    gone = later & (pl.col("reference").hash(seed=1) % 2 == 0)
    one, other = (
        backtest(version, bundle.manifest, 0, 1, quiet).moments[0]
        for version in (known, replace(known, records=known.records.filter(~gone)))
    )
    # Fewer rows are summed in another order.
    assert (one.risk, one.expected) == pytest.approx((other.risk, other.expected), rel=1e-9)
    assert other.came < 0.8 * one.came
    assert other.lapsed > one.lapsed


def test_a_backtest_of_a_short_history_says_what_is_missing(known: Known, bundle: Bundle):
    manifest = bundle.manifest | {"horizon": {"days": 28, "active_days": 56}}
    early = known.at(from_microseconds(horizon_of(known, manifest).start) + timedelta(days=60))
    found = backtest(early, manifest, 1, 1, quiet)
    assert found.moments == ()
    assert "expected 42 days of history before it to learn from, found 3" in found.skipped[0]


def test_backtest_shows_predicted_beside_what_came(ran, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("training.backtest.past_moments", lambda horizon, months: past_moments(horizon, 0))
    done = ran("backtest", "--months", "1", "--json")
    assert done.exit_code == 0, done.output
    newest, *_ = json.loads(done.stdout)["moments"]
    assert 0.0 < newest["risk"] < 1.0
    assert newest["lapsed"] == pytest.approx(newest["risk"], abs=0.25)
    assert newest["came"] == pytest.approx(newest["expected"], rel=0.5)


def test_too_few_customers_leave_the_default_trees_and_say_so(trained: Trained, known: Known):
    found = tune(known, plan_of(glossary_of(trained[0])), Fit(), 0.05, quiet)
    assert (found.fit, found.kept, found.trials) == (Fit(), False, 0)
    assert found.said.startswith("the later windows hold too little to tune on: ")
    assert found.said.endswith("the default stays")


@pytest.fixture
def few_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, count in (("ACTIVE", 10), ("OF_EACH", 1), ("FEWEST_OF_EACH", 1)):
        monkeypatch.setattr(minimum, name, count)


@pytest.mark.usefixtures("few_are_enough")
def test_tuning_reads_no_label_of_the_test_window(trained: Trained, known: Known, monkeypatch: pytest.MonkeyPatch):
    ends: list[datetime] = []
    at = Windows.at

    def watched(windows: Windows, cutoff: datetime, days: int) -> Window:
        ends.append(cutoff + timedelta(days=days))
        return at(windows, cutoff, days)

    monkeypatch.setattr(Windows, "at", watched)
    found = tune(known, plan_of(glossary_of(trained[0])), Fit(), 0.1, quiet)
    assert max(ends) <= datetime.fromisoformat(trained[2]["cutoffs"]["test"])
    assert found.trials > 0
    assert found.gain is not None
    assert found.error is not None
    assert found.kept == (found.gain > SURE * found.error) == bool(found.fit.parameters)
    told = json.loads(json.dumps(found.as_dict()))
    assert told["trees"] == found.fit.trees
    assert set(told["found"]) >= {"trees", "num_leaves", "learning_rate"}


@pytest.mark.usefixtures("few_are_enough")
@pytest.mark.parametrize(("seen", "unseen", "kept"), [(0.5, 0.95, True), (0.5, 0.985, False), (0.5, 2.0, False)])
def test_what_luck_found_is_not_kept_and_what_holds_on_a_later_window_is(
    trained: Trained, known: Known, monkeypatch: pytest.MonkeyPatch, seen: float, unseen: float, kept: bool
):
    """Trials halve the loss on the window searched on; later one gains surely, by one and a half errors, or loses."""
    judged: list[tuple[datetime, bool]] = []

    def losses(one: Any, days: int, fit: Fit) -> tuple[Lost, Lost]:
        plain = not fit.parameters
        judged.append((one.judged.cutoff, plain))
        share = 1.0 if plain else seen if one.judged.cutoff == judged[0][0] else unseen
        customers = np.arange(100)
        loss = share + (0.0 if plain else 0.1) * np.where(customers % 2 == 0, 1.0, -1.0)
        return Lost(customers, loss), Lost(customers, loss)

    monkeypatch.setattr(tuning, "_losses", losses)
    found = tune(known, plan_of(glossary_of(trained[0])), Fit(), 0.1, quiet)
    assert found.kept is kept
    assert bool(found.fit.parameters) is kept
    assert found.searched_gain == pytest.approx(1 - seen)
    assert found.gain == pytest.approx(1 - unseen)
    searched, confirmed = judged[0][0], judged[-1][0]
    assert searched + timedelta(days=trained[2]["horizon"]["days"]) <= confirmed
    # The later window is looked at twice, when all trials have ended.
    assert [cutoff for cutoff, _ in judged].count(confirmed) == 2
    assert [cutoff for cutoff, _ in judged[-2:]] == [confirmed, confirmed]
    assert found.said.endswith("taken" if kept else "less than 1.65 standard errors, so the default stays")


def test_windows_that_share_days_are_searched_and_confirmed_on_different_customers(known: Known):
    windows = Windows(known, Active("silence", 28), "revenue")
    newest = from_microseconds(horizon_of(known, {"horizon": {"days": 14, "active_days": 28}}).end)
    later, earlier = newest - timedelta(days=28), newest - timedelta(days=35)
    past = (newest - timedelta(days=60), newest - timedelta(days=53))
    search, confirm = tuning._later(windows, Rehearsal(14, ((later, past), (earlier, past))))
    assert (search.judged.cutoff, confirm.judged.cutoff) == (earlier, later)
    assert not set(search.judged.rows.customers) & set(confirm.judged.rows.customers)
    search, confirm = tuning._later(windows, Rehearsal(7, ((later, past), (earlier, past))))
    assert set(search.judged.rows.customers) & set(confirm.judged.rows.customers)


def test_training_says_what_was_chosen_and_what_the_grade_rests_on(trained: Trained):
    made = trained[2]
    said = list(explained(made))
    assert any(line.startswith(f"Churn: [bold]{made['chosen']['churn']['candidate']}[/], ") for line in said)
    assert any(line.startswith("Value: ") for line in said)
    assert {f"Grade: {reason}" for reason in made["grade_reasons"]} <= set(said)
    assert {f"Data: {lack}." for lack in made["minimum"]} <= set(said)


def test_a_refused_bundle_serves_only_for_a_reason(tmp_path):
    place = Home(tmp_path, tmp_path, "", "live")
    registry.register_version(place, "file:nowhere", None, {"grade": "refused", "contract": CONTRACT.definitions})
    with pytest.raises(RegistryError) as refused:
        registry.promote(place, "1")
    assert str(refused.value) == (
        "expected a grade of A, B or C, found refused: its figures are too poor to serve, as holdfast evaluate 1"
        " says. To promote it all the same: holdfast promote 1 --why REASON"
    )
    assert registry.champion(place) is None
    registry.promote(place, "1", why="a rehearsal")
    assert registry.champion(place) is not None


def test_figures_are_logged_under_names_that_the_registry_takes():
    from training.evaluation import interval_figures

    ones = np.ones(10)
    names = registry._metrics(interval_figures(ones, 0 * ones, ones, 1, ones))
    assert len(names) == 3 * 3
    for name in names:
        assert re.fullmatch(r"[\w.:/ -]+", name)
