"""Value where the sources tell what customers cost: from files to a decision, on a made business."""

import csv
import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from features.clock import after_history
from features.contract import CONTRACT, FeatureMatrix
from features.errors import SourceError
from features.history import History
from features.home import Home, home
from features.known import Known
from holdfast.app import app
from models.bundle import load
from models.manifest import manifest_of
from serving.bundle import fetch
from serving.scorer import Scorer
from serving.tiers import changes, records_of
from tests.costly import SOURCE, business, calls_much, pays_late, playbook, without_amounts
from tests.ingesting import quarantined, rows, shop, taken, written
from tests.making import AS_OF, filled, happened
from training import costing, labels
from training.backtest import backtest
from training.boosting import Fit
from training.choosing import value_loss
from training.costing import CostLadder
from training.costs import KINDS, Costs
from training.dataset import Window
from training.markdown import number
from training.minimum import Allowed
from training.outcome import compare
from training.registry import champion, versions

PRICED = """
[[table]]
name = "sales"
files = ["sales*.csv"]
kinds = { S = "purchase", C = "contact", V = "visit", W = "write_off" }
returns = "negative_amount"
columns = { reference = "customer", occurred_at = "at", kind = "what", amount = "paid", cost = "cost" }
"""
HEADER = "what,customer,at,paid,cost"
WEEK, FOUR_WEEKS = timedelta(days=7), timedelta(days=28)


class Road:
    """One home in which commands are run, and what each printed as JSON."""

    def __init__(
        self, folder: Path, patch: pytest.MonkeyPatch, costs: bool, assumed: str = "", source: str = SOURCE
    ) -> None:  # fmt: skip
        book = playbook(folder / "book", assumed, source)
        for name, value in (("HOME", folder), ("PLAYBOOK", book), ("CLOCK", "history")):
            patch.setenv(f"HOLDFAST_{name}", str(value))
        # MLflow leaves the address that it used last in the environment.
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        (folder / "files").mkdir()
        self.run("ingest", str(business(folder / "files", costs)), "--source", "made")
        self.made = self.run("train")
        self.home: Home = home()

    def run(self, *words: str) -> Any:
        done = CliRunner().invoke(app, [*words, "--json"])
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    def shown(self, *words: str) -> str:
        done = CliRunner().invoke(app, list(words))
        assert done.exit_code == 0, done.output
        return " ".join(done.output.split())

    def known(self) -> Known:
        with closing(History(self.home.database_url)) as history:
            return history.known_by(after_history(history.newest)())

    def document(self, name: str) -> str:
        import mlflow

        run = champion(self.home).run_id
        return Path(mlflow.artifacts.download_artifacts(run_id=run, artifact_path=name)).read_text(encoding="utf-8")


def version_document(place: Home, version: str, name: str) -> str:
    import mlflow

    run = next(one for one in versions(place) if str(one.version) == version).run_id
    return Path(mlflow.artifacts.download_artifacts(run_id=run, artifact_path=name)).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def patch() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patched:
        yield patched


@pytest.fixture(scope="module")
def road(tmp_path_factory: pytest.TempPathFactory, patch: pytest.MonkeyPatch) -> Road:
    return Road(tmp_path_factory.mktemp("costly"), patch, costs=True)


def test_a_cost_is_kept_as_a_margin(history: History, tmp_path: Path):
    told = ("S,7,2017-01-01,10,6", "S,7,2017-01-02,-10,6", "S,7,2017-01-03,-10,-6", "S,7,2017-01-04,10,",
            "C,7,2017-01-05,,4", "V,7,2017-01-06,,", "W,7,2017-01-07,,25")  # fmt: skip
    (report,) = taken(history, shop(tmp_path, PRICED), written(tmp_path / "sales.csv", HEADER, *told))
    assert report.quarantined == 0
    assert sorted(rows(history, "events", "occurred_at", "kind", "margin")) == [
        (1483228800000000 + day * 86_400_000_000, kind, margin)
        for day, (kind, margin) in enumerate(
            [("purchase", 40_000), ("return", -40_000), ("return", -40_000), ("purchase", None),
             ("contact", -40_000), ("visit", None), ("write_off", -250_000)]
        )
    ]  # fmt: skip


def test_a_cost_below_nothing_is_refused_with_its_row(history: History, tmp_path: Path):
    path = written(tmp_path / "sales.csv", HEADER, "C,7,2017-01-01,,-4", "S,7,2017-01-01,9,much")
    (report,) = taken(history, shop(tmp_path, PRICED, "max_bad_share = 1"), path)
    assert [row[2] for row in quarantined(report.quarantine)[1:]] == [
        "expected cost of 0 or more, found '-4.0'",
        "expected cost to be a number between -1000000000 and 1000000000, found 'much'",
    ]


def test_a_mapping_names_a_margin_or_a_cost(tmp_path: Path):
    with pytest.raises(SourceError, match="expected a margin or a cost; found both"):
        shop(tmp_path, PRICED.replace('cost = "cost"', 'cost = "cost", margin = "cost"'))


def costly(history: History) -> History:
    """A call that cost 4, one that doesn't say, a visit that doesn't say, and a bill given up, a week each apart."""
    told = (("contact", -4.0), ("contact", None), ("visit", None), ("write_off", -25.0), ("write_off", 30.0))
    return filled(
        history,
        [
            happened(number, kind=kind, margin=margin, occurred_at=AS_OF + number * WEEK)
            for number, (kind, margin) in enumerate(told)
        ],
    )


def test_standard_costs_stand_in_only_where_a_source_tells_none(history: History):
    known = costly(history).known_by(AS_OF + 9 * WEEK)
    assert Costs.of(known, {}) == Costs({"cost_to_serve": pytest.approx(1 / 3), "credit_loss": 1.0}, {})
    standard = {"contact": 9.0, "visit": 60.0, "inquiry": 2.0, "campaign": 0.0}
    costs = Costs.of(known, standard)
    assert costs.assumed == {"contact": 9.0, "visit": 60.0}
    came = costs.came(known, ("customer:a", "customer:b"), AS_OF, 9 * WEEK)
    # What was won back of the bills is more than was lost.
    assert {name: one.tolist() for name, one in came.items()} == {"cost_to_serve": [73.0, 0.0], "credit_loss": [0, 0]}
    short = labels.cost(known, ("customer:a",), AS_OF, 4 * WEEK, KINDS["credit_loss"], {})
    assert short.tolist() == [25.0]


def test_without_costs_in_sources_or_glossary_none_are_held(history: History):
    known = filled(history, [happened(1, kind="visit"), happened(2)]).known_by(AS_OF)
    assert Costs.of(known, {}) == Costs()
    assert Costs.of(known, {"visit": 60.0}) == Costs({"cost_to_serve": 0.0}, {"visit": 60.0})


def test_value_counts_what_the_sources_hold_and_says_so(road: Road):
    value = road.made["value"]
    assert value["said"] == "margin − cost to serve − credit loss"
    assert value["told"] == {"cost_to_serve": 1.0, "credit_loss": 1.0}
    assert value["assumed"] == {}
    assert road.made["chosen"]["cost_to_serve"]["candidate"] == "regression on contacts"
    assert {rung["candidate"] for rung in road.made["chosen"]["credit_loss"]["ladder"]} == {
        "mean", "regression on contacts",
    }  # fmt: skip


def test_the_net_value_of_the_test_window_is_ranked_and_covered(road: Road):
    found = {figure["metric"]: figure["ours"] for figure in road.made["figures"] if figure["model"] == "value"}
    assert found["normalised Gini"] > 0.4
    assert found["bias of the total"] < 0.3
    # Half of them bring and cost nothing, which every interval holds.
    assert 0.78 < found["within the 80 % interval"] < 0.95
    assert found["within the 80 % interval in the top fifth"] > 0.78


def test_scores_break_the_value_down_as_the_decision_does(road: Road):
    base = pl.read_parquet(road.run("score")["file"])
    assert (base["expected_value"] + base["cost_to_serve"] + base["credit_loss"] - base["brought"]).abs().max() < 1e-9
    numbers = [int(name.removeprefix("customer:")) for name in base["customer"]]
    much, late = (pl.Series([told(number) for number in numbers]) for told in (calls_much, pays_late))
    assert _mean(base, "cost_to_serve", much) > 3 * _mean(base, "cost_to_serve", ~much)
    assert _mean(base, "expected_value", much) < _mean(base, "expected_value", ~much)
    assert _mean(base, "credit_loss", late) > 2 * _mean(base, "credit_loss", ~late)
    for row in base.sample(5, seed=1).iter_rows(named=True):
        scores = road.run("decide", row["customer"])["scores"]
        told = scores["value_breakdown"]
        assert told["measure"] == "margin − cost to serve − credit loss"
        assert scores["expected_value"] == pytest.approx(row["expected_value"], rel=0.02, abs=0.05)
        parts = told["brought"] - told["cost_to_serve"] - told["credit_loss"]
        assert scores["expected_value"] == pytest.approx(parts, rel=1e-9)


def _mean(base: pl.DataFrame, column: str, which: pl.Series) -> float:
    mean = base.filter(which)[column].mean()
    assert isinstance(mean, float)
    return mean


def test_a_decision_shows_what_a_value_is_made_up_of(road: Road):
    shown = road.shown("decide", "0")
    assert "of margin − cost to serve − credit loss expected in" in shown
    assert "cost to serve −" in shown


def test_the_documents_list_who_moves_between_revenue_and_value(road: Road):
    card = road.document("model_card.md")
    assert "Ranked by margin − cost to serve − credit loss in place of revenue" in card
    assert "in the top tier by revenue aren't in the top tier by value" in card
    assert "### Cost to serve: regression on contacts" in card
    moving = list(csv.DictReader(road.document("movers.csv").splitlines()))
    falling = [row for row in moving if row["tier_by_revenue"] == "top"]
    assert falling
    assert all(row["tier_by_revenue"] != row["tier_by_value"] for row in moving)
    # Whoever falls furthest calls much or was given up on.
    number = int(moving[0]["customer"].partition(":")[2])
    assert calls_much(number) or pays_late(number)


def test_costs_survive_the_bundle(road: Road):
    bundle = load(*fetch(road.home))
    assert bundle.models.value.expense is not None
    assert list(bundle.models.value.expense.models) == ["cost_to_serve", "credit_loss"]
    assert bundle.models.value.expense.interval.start is None


def test_evaluate_and_backtest_judge_the_net_value(road: Road):
    bundle, known = load(*fetch(road.home)), road.known()
    (past,) = backtest(known, bundle.manifest, 0, 1, lambda name, done, total: None).moments
    assert past.expected == pytest.approx(past.came, rel=0.4)
    brought = labels.value(known, tuple(known.events["customer"].unique()), past.cutoff, FOUR_WEEKS, "margin").sum()
    assert past.came < 0.95 * brought
    compared = {(one.model, one.metric): one for one in compare(known, bundle, bundle).figures}
    assert compared["value", "normalised Gini"].gain == 0


def test_assumed_costs_are_said_wherever_the_value_is(tmp_path: Path, patch: pytest.MonkeyPatch):
    stated = "\n[assumptions.cost_to_serve]\ncontact = 5\nvisit = 30\n"
    with pytest.MonkeyPatch.context() as inner:
        road = Road(tmp_path, inner, costs=False, assumed=stated)
        assert road.made["value"] == {
            "said": "margin − cost to serve", "told": {"cost_to_serve": 0.0}, "assumed": {"contact": 5.0, "visit": 30.0}
        }  # fmt: skip
        answer = road.run("decide", "0")
        assert answer["assumptions"]["cost_to_serve"] == {"contact": 5.0, "visit": 30.0}
        assert answer["scores"]["value_breakdown"]["credit_loss"] is None
        assert "Assumed: a visit costs 30.00 USD" in road.shown("decide", "0")
        assert "a visit is assumed to cost 30.00 USD" in road.document("model_card.md")


def test_a_business_that_learns_of_its_costs_later_is_trained_again_beside_its_champion(tmp_path: Path):
    with pytest.MonkeyPatch.context() as inner:
        road = Road(tmp_path, inner, costs=False)
        assert road.made["value"]["said"] == "margin"
        told = tmp_path / "told"
        told.mkdir()
        header, *talks = (business(told) / "talks.csv").read_text(encoding="utf-8").splitlines()
        (told / "sales.csv").unlink()
        (told / "bills.csv").unlink()
        written(told / "talks.csv", header, *(f"told{talk}" for talk in talks))
        road.run("ingest", str(told), "--source", "made")
        made = road.run("train")
        assert made["value"]["said"] == "margin − cost to serve"
        text = version_document(road.home, made["version"], "comparison.md")
        assert f"| cost_to_serve candidate | none | {made['chosen']['cost_to_serve']['candidate']} |" in text
        # Both answer another question, so that nobody is called better.
        assert "They answer different questions and can't be compared" in text


def test_beside_its_champion_a_bundle_has_the_figures_of_its_own_card(road: Road):
    made = road.run("train")
    bundle = manifest_of(fetch(road.home, made["version"])[0])
    gini = next(one["ours"] for one in bundle["figures"] if one["metric"] == "normalised Gini")
    text = version_document(road.home, made["version"], "comparison.md")
    assert f"normalised Gini is {number(gini)} against" in text


def test_costs_beside_a_value_that_is_only_ranked_are_taken_from_nothing(tmp_path: Path):
    with pytest.MonkeyPatch.context() as inner:
        road = Road(tmp_path, inner, costs=True, source=without_amounts(SOURCE))
        assert set(road.made["ranks_only"]) == {"value"}
        assert any("for want of amounts" in reason for reason in road.made["grade_reasons"])
        answer = road.run("decide", "0")
        assert answer["scores"]["expected_value"] is None
        assert answer["scores"]["value_breakdown"] is None
        said = road.shown("decide", "0")
        assert "(ranks only: no amount)" in said
        assert "Decision d-" in said
        scored = pl.read_parquet(road.run("score")["file"])
        assert scored.select("expected_value", "cost_to_serve", "brought").null_count().row(0) == (len(scored),) * 3
        assert "an order of customers alone" in road.document("model_card.md")


def test_scoring_sets_the_tiers_of_record_once_and_decisions_keep_them(road: Road):
    first = road.run("score")
    base = pl.read_parquet(first["file"])
    again = road.run("score")
    assert again["tiers_changed"] == 0
    known, scorer = road.known(), Scorer(load(*fetch(road.home)))
    assert records_of(known) == dict(base.select("customer", "tier").iter_rows())
    # A customer just above a floor, whose tier of record lies just below it, keeps that one online as in batch.
    floor = scorer.tiers.floors[2]
    above = base.filter(pl.col("expected_value").is_between(floor, 1.09 * floor))["customer"].to_list()
    far = base.filter(pl.col("expected_value") > 1.2 * floor)["customer"].to_list()
    lowered = base.filter(pl.col("customer").is_in([*above, *far])).with_columns(tier=pl.lit("base"))
    with closing(History(road.home.database_url)) as history:
        now = after_history(history.newest)()
        history.append(changes(replace(known, as_of=now), lowered, now), None)
    later = (now + timedelta(seconds=1)).isoformat()
    scored = pl.read_parquet(road.run("score", "--as-of", later)["file"])
    tiers = dict(scored.select("customer", "tier").iter_rows())
    assert above
    assert {tiers[name] for name in above} == {"base"}
    assert "base" not in {tiers[name] for name in far}
    for name in (above[0], far[0]):
        answer = road.run("decide", name)
        assert answer["tier"] == tiers[name]
        # A tier of record is no news of a customer.
        assert (
            answer["ages"]["events"] == known.events.filter(pl.col("customer") == name, pl.col("kind") != "tier").height
        )


def test_scoring_a_past_moment_leaves_the_tiers_of_record_alone(road: Road):
    before = len(road.known().events)
    assert road.run("score", "--as-of", "2023-06-01T00:00:00+00:00")["tiers_changed"] is None
    assert len(road.known().events) == before


def priced(customers: int, costing: int) -> list[Window]:
    """Windows in which, of some customers, a contact costs five; `value` is that cost."""
    rng, places = np.random.default_rng(8), [CONTRACT.places[name] for name in ("contacts_28", "contacts_91")]
    rows = np.zeros((customers, len(CONTRACT.names)))
    rows[:costing, places] = rng.integers(1, 9, costing)[:, None]
    cost = 5.0 * rng.poisson(rows[:, places[1]] / 3)
    names, who = tuple(f"customer:{place}" for place in range(customers)), np.ones(customers, dtype=bool)
    return [Window(AS_OF, FeatureMatrix(AS_OF, names, rows), None, who, who * 0.0, cost)]


def test_a_cost_is_learned_by_trees_and_by_a_regression_and_its_mean_is_kept():
    (window,) = windows = priced(600, 400)
    ladder = CostLadder(windows, window.rows, None, 28, Fit())
    lost = {
        name: value_loss(window.value, ladder.model(name).scores(window.rows.values)).mean()
        for name in CostLadder.needs
    }
    assert lost["regression on contacts"] < lost["mean"]
    assert lost["LightGBM"] < lost["mean"]
    assert ladder.model("mean").predict(window.rows.values) == pytest.approx(window.value.mean())


def test_few_customers_who_cost_anything_allow_simple_candidates_only():
    enough = Allowed(True, True, True, (), {})
    assert costing.candidates(priced(600, 400), enough) == tuple(CostLadder.needs)
    assert costing.candidates(priced(600, 100), enough) == ("mean", "regression on contacts")
    assert costing.candidates(priced(600, 10), enough) == ("mean",)
    assert costing.candidates(priced(600, 400), replace(enough, trees=False)) == ("mean", "regression on contacts")
