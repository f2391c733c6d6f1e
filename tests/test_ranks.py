"""The last rung: where too little happened to learn from, customers are ranked, and nothing more is claimed.

The histories here are made: 130 customers of steady habits, three of whom stop; in the poorer one five more do, late.
"""

import json
import random
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from features.clock import after_history
from features.contract import CONTRACT, rows_of
from features.errors import HoldfastError, InputError, NotEnoughData, RegistryError
from features.history import History
from features.home import ROOT, Home
from features.identity import Reference
from features.packed import pack
from holdfast import learning
from holdfast.app import app
from models.bundle import Models, load, write
from models.linear import Linear
from models.ranks import Ranks, ranks_among
from serving.answers import DecisionAnswer
from serving.bundle import fetch
from serving.desk import Desk
from serving.opening import open_desk
from serving.requests import Ask, Visit
from serving.scorer import Scorer
from serving.visit_answers import VisitsAnswer
from tests.making import AS_OF, CATALOGUE, happened
from tests.test_models import EVERY, MANIFEST, value
from training import registry
from training.evaluation import judge
from training.grading import grade_ranks
from training.metrics import CHURN_METRICS
from training.ranks import COUNT

Ranked = tuple[Home, dict[str, Any]]
NEEDS_A_PROBABILITY = {"double_fuel_points", "stay_voucher"}


def steady(home: Path, customers: int, amounts: bool, late: int = 0) -> Home:
    """A home whose customers buy every two to nine days for 200 days; three stop after 140, some `late`, after 185."""
    place = Home(home, ROOT / "playbook", f"sqlite:///{home / 'data' / 'history.db'}", "history")
    draw, bought = random.Random(1), []
    for customer in range(customers):
        day, pace = draw.uniform(0, 10), draw.uniform(2, 9)
        while day < (140 if customer < 3 else 185 if customer < 3 + late else 200):
            amount = draw.uniform(5, 50) * (1 + customer % 4) if amounts else 0.0
            when = AS_OF - timedelta(days=200 - day)
            reference, product = Reference("customer", f"c{customer}"), f"p{draw.randrange(6)}"
            bought.append(
                happened(len(bought), reference=reference, product=product, amount=amount, occurred_at=when)
            )  # fmt: skip
            day += pace * draw.uniform(0.5, 1.5)
    with closing(History(place.database_url)) as history:
        history.put_products(CATALOGUE)
        history.append(bought, None)
    return place


def trained_in(place: Home) -> Ranked:
    with closing(History(place.database_url)) as history:
        made = learning.make_bundle(place, history, after_history(history.newest)(), 7, 1, lambda *_: None)
    return place, made


@pytest.fixture(scope="module")
def ranked(tmp_path_factory: pytest.TempPathFactory) -> Ranked:
    return trained_in(steady(tmp_path_factory.mktemp("ranked"), 130, amounts=True))


@pytest.fixture(scope="module")
def without_amounts(tmp_path_factory: pytest.TempPathFactory) -> Ranked:
    return trained_in(steady(tmp_path_factory.mktemp("without"), 130, amounts=False, late=5))


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    def run(home: Home, *words: str) -> Result:
        monkeypatch.setenv("HOLDFAST_HOME", str(home.folder))
        monkeypatch.setenv("HOLDFAST_CLOCK", "history")
        done = CliRunner().invoke(app, words)
        assert done.exception is None or isinstance(done.exception, HoldfastError | SystemExit), done.exception
        return done

    return run


@pytest.fixture
def desk(ranked: Ranked) -> Iterator[Desk]:
    made = open_desk(ranked[0], *fetch(ranked[0]))
    yield made
    made.history.close()


@pytest.fixture
def poorer_desk(without_amounts: Ranked) -> Iterator[Desk]:
    made = open_desk(without_amounts[0], *fetch(without_amounts[0]))
    yield made
    made.history.close()


# -- what is learned


def test_the_manifest_and_the_card_say_ranks_only_and_why(ranked: Ranked):
    _, made = ranked
    assert set(made["ranks_only"]) == {"churn"}
    why = made["ranks_only"]["churn"]
    assert why == (
        "ranks only: probabilities of leaving need 20 active customers who lapsed and as many who came back, found 3"
        " and 130 in the past windows"
    )
    assert why in made["minimum"]
    assert made["chosen"]["churn"]["candidate"] == "decayed count"
    assert made["chosen"]["value"]["candidate"] == "decayed spend"
    assert {figure["model"] for figure in made["figures"]} == {"value", "next_purchase"}
    card = next(ranked[0].mlruns.rglob("model_card.md")).read_text(encoding="utf-8")
    assert f"| churn gives | {why} |" in card


def test_the_grade_is_c_at_most_and_says_why(ranked: Ranked):
    _, made = ranked
    assert made["grade"] == "C"
    assert made["promoted"]
    said = "Churn: ranks only, so that nothing but an order can be judged; it is C at most."
    assert said in made["grade_reasons"]
    assert "Churn: not even the order can be judged; too little happened in the test window." in made["grade_reasons"]


def test_an_order_is_judged_as_one_where_some_lapsed_beside_the_rule_that_needs_no_labels(without_amounts: Ranked):
    _, made = without_amounts
    judged = {figure["metric"]: figure for figure in made["figures"] if figure["model"] == "churn"}
    assert set(judged) == {"AUC", "average precision", "lift of the top fifth"}
    assert {figure["best_baseline"] for figure in judged.values()} == {"recency"}
    assert 0.0 < judged["AUC"]["ours"] < 1.0
    (standing,) = (reason for reason in made["grade_reasons"] if reason.startswith("Churn: AUC"))
    assert "the best simple rule, “recency”" in standing


def test_an_order_that_is_surely_worse_than_chance_is_refused():
    lapsed = np.repeat([0.0, 1.0], [40, 15])
    area = {"AUC": CHURN_METRICS["AUC"]}
    for order, expected in ((lapsed, "C"), (-lapsed, "refused")):
        figures = judge("churn", area, lapsed, order + np.linspace(0, 0.1, 55), {}, seed=1)
        assert grade_ranks(figures, {"churn", "value"}).grade == expected


def test_under_a_hundred_customers_are_refused_with_what_is_missing(tmp_path: Path, ran: Callable[..., Result]):
    done = ran(steady(tmp_path, 99, amounts=True), "train")
    assert isinstance(done.exception, NotEnoughData)
    assert str(done.exception).startswith("expected purchases of at least 100 customers by 2024-03-01, found 99;")


def test_ranks_never_take_the_place_of_probabilities_without_a_reason(tmp_path: Path):
    place = Home(tmp_path, tmp_path, "", "live")
    for ranks in ("", "churn", "churn, value", ""):
        tags = {"grade": "C", "contract": CONTRACT.definitions, "ranks_only": ranks}
        registry.register_version(place, "file:nowhere", None, tags)
    registry.promote(place, "1")
    with pytest.raises(RegistryError) as refused:
        registry.promote(place, "2")
    assert str(refused.value) == (
        "expected probabilities and amounts, as the champion (version 1) has; found ranks only of churn. To promote it"
        " all the same: holdfast promote 2 --why REASON"
    )
    registry.promote(place, "2", why="a trial")
    with pytest.raises(RegistryError, match="found ranks only of value"):
        registry.promote(place, "3")
    assert registry.promote(place, "4") == "2"


# -- what is said


def test_the_screen_of_a_decision_says_ranks_only(ranked: Ranked, ran: Callable[..., Result]):
    done = ran(ranked[0], "decide", "c5")
    assert done.exit_code == 0, done.exception
    said = " ".join(done.stdout.split())
    assert "Ranks only: too few customers have left or come back so far to tell the probability of leaving." in said
    assert "of active customers within 14 days (ranks only: no probability)" in said
    assert "USD of revenue expected in 14 days" in said
    assert "Not stay_voucher: Ranks only: the probability or the amount that this needs isn't known." in said
    assert "Basis scores look 14 days ahead; active is who bought within the last 28 days; learned up to" in said


def test_an_answer_ranks_and_withholds_what_needs_a_probability(desk: Desk):
    answer = desk.decide(Ask(customer="c5", channel="phone"))
    DecisionAnswer.model_validate(answer)
    scores = answer["scores"]
    assert scores["churn_risk"] is None
    assert 0.0 <= scores["churn_rank"] <= 1.0
    assert scores["ranks_only"] == ["churn"]
    assert scores["expected_value"] > 0
    assert answer["note"].startswith("Ranks only: ")
    assert [reason["feature"] for reason in answer["reasons"]["churn"]] == [COUNT]
    assert not {"at_risk", "worth_retaining"} & {term["term"] for term in answer["terms"]}
    withheld = {one["offer"]: one["reason"] for one in answer["withheld"]}
    assert {withheld[offer] for offer in NEEDS_A_PROBABILITY} == {
        "Ranks only: the probability or the amount that this needs isn't known."
    }
    assert withheld["diaper_club"] == "Not enough is known of this customer."
    korean = desk.decide(Ask(customer="c5", channel="phone", language="ko"))
    assert korean["note"].startswith("순위만 제공됩니다.")


def test_without_amounts_value_is_a_rank_too(poorer_desk: Desk, without_amounts: Ranked, ran: Callable[..., Result]):
    assert set(without_amounts[1]["ranks_only"]) == {"churn", "value"}
    assert without_amounts[1]["grade"] == "C"
    answers = [poorer_desk.decide(Ask(customer=f"c{number}", channel="phone")) for number in range(130)]
    for answer in answers:
        DecisionAnswer.model_validate(answer)
        assert [answer["scores"][name] for name in ("expected_value", "value_low", "value_high")] == [None] * 3
    ordered = sorted(answers, key=lambda answer: -answer["scores"]["value_rank"])
    assert [one["tier"] for one in ordered[:6]] == ["top"] * 6
    assert [one["tier"] for one in ordered[-60:]] == ["base"] * 60
    said = " ".join(ran(without_amounts[0], "decide", "c7").stdout.split())
    assert "of customers in 14 days (ranks only: no amount)" in said
    stranger = poorer_desk.decide(Ask(customer="nobody", channel="phone"))
    assert stranger["scores"]["expected_value"] is None
    assert 0.0 <= stranger["scores"]["value_rank"] <= 1.0


@pytest.mark.parametrize("which", ["desk", "poorer_desk"])
def test_visits_are_ordered_by_what_there_is(which: str, request: pytest.FixtureRequest):
    desk: Desk = request.getfixturevalue(which)
    answer = desk.prioritise([Visit(visit_id=f"v{number}", customer=f"c{number}") for number in range(20)])
    VisitsAnswer.model_validate(answer)
    name = "expected_value" if which == "desk" else "value_rank"
    worth = [one[name] for one in answer["visits"]]
    assert worth == sorted(worth, reverse=True)
    assert {one["value_at_risk"] for one in answer["visits"]} == {None}
    assert any("of active customers (ranks only)" in one["why"] for one in answer["visits"])
    assert answer["basis"]["horizon_days"] == 14


@pytest.mark.parametrize("which", ["ranked", "without_amounts"])
def test_the_whole_base_is_ranked_as_each_customer_is(which: str, request: pytest.FixtureRequest):
    place: Home = request.getfixturevalue(which)[0]
    scorer = Scorer(load(*fetch(place)))
    with closing(History(place.database_url)) as history:
        known = history.known_by(scorer.bundle.as_of)
        base = pl.concat(scorer.score_base(known))
        for row in base.iter_rows(named=True):
            events = pack(history.of_customer([row["customer"]], known.as_of), known.as_of)
            scores, _ = scorer.score(events, known.as_of)
            for name in ("churn_rank", "value_rank", "expected_value"):
                assert getattr(scores, name) == pytest.approx(row[name], abs=1e-6), name
            assert (scores.tier, scores.churn_risk) == (row["tier"], row["churn_risk"])
    active = base.filter(pl.col("active"))
    counts = rows_of(known).column(COUNT)[base["active"].to_numpy()]
    less = [(counts > count).mean() for count in counts]
    np.testing.assert_allclose(active["churn_rank"], less, atol=1e-6)
    assert base.filter(~pl.col("active"))["churn_rank"].null_count() == len(base) - len(active) > 0


def test_scoring_says_ranks_only(ranked: Ranked, ran: Callable[..., Result], tmp_path: Path):
    words = ("score", "--to", str(tmp_path / "base.parquet"))
    said = " ".join(ran(ranked[0], *words).stdout.split())
    assert f"Churn: {ranked[1]['ranks_only']['churn']}." in said
    assert json.loads(ran(ranked[0], *words, "--json").stdout)["ranks_only"] == ranked[1]["ranks_only"]


def test_ranks_are_not_held_against_probabilities_but_evaluated(ranked: Ranked, ran: Callable[..., Result]):
    done = ran(ranked[0], "backtest")
    assert isinstance(done.exception, InputError)
    assert str(done.exception).startswith("expected probabilities and amounts from the bundle, found ranks only of ch")
    told = ran(ranked[0], "evaluate", "--json")
    assert told.exit_code == 0, told.exception
    assert json.loads(told.stdout)["ranks_only"] == ranked[1]["ranks_only"]


def test_the_document_of_the_service_says_ranks_only():
    for shape in (DecisionAnswer, VisitsAnswer):
        told = json.dumps(shape.model_json_schema())
        assert "Ranks only: the share of active customers with less risk" in told


# -- the law of ranks


def rows(counts: list[float]) -> Any:
    made = np.zeros((len(counts), len(CONTRACT.names)))
    made[:, CONTRACT.places[COUNT]] = counts
    return made


ORDER = Linear((COUNT,), (1.0,), (1.0,), (-1.0,), 0.0)
COUNTS = st.lists(st.integers(0, 60).map(lambda eighths: eighths / 8), min_size=1, max_size=80)


@given(COUNTS, COUNTS)
def test_a_rank_is_the_share_of_the_base_with_less_risk_and_rises_with_it(base: list[float], others: list[float]):
    ranks = ranks_among(ORDER, rows(base))
    less = [np.mean(np.array(base) > count) for count in base]
    np.testing.assert_allclose(ranks.rank(rows(base)), less, atol=1e-6)
    told = ranks.rank(rows(sorted(others, reverse=True)))
    assert ((told >= 0) & (told <= 1)).all()
    assert (np.diff(told) >= 0).all()


def test_of_a_large_base_a_rank_is_right_to_a_thousandth_and_its_knots_are_few():
    draw = np.random.default_rng(1)
    counts = np.concatenate([draw.gamma(1.0, 5.0, 20_000), np.full(9_000, 3.0), np.zeros(1_000)])
    ranks = ranks_among(ORDER, rows(counts.tolist()))
    less = 1 - np.searchsorted(np.sort(counts), counts, side="right") / len(counts)
    assert np.abs(ranks.rank(rows(counts.tolist())) - less).max() <= 0.0011
    assert len(ranks.knots) <= 2_002


@pytest.mark.parametrize("both", [True, False])
def test_ranks_that_are_loaded_are_those_that_were_written(tmp_path: Path, both: bool):
    ranks = ranks_among(ORDER, rows([0.1, 1 / 3, 2.0, 2.0]))
    write(tmp_path, Models(ranks, ranks if both else value("trees"), None), MANIFEST)
    loaded = load(tmp_path).models
    assert loaded.churn == ranks
    assert isinstance(loaded.value, Ranks) is both
    write(tmp_path / "other", Models(EVERY, ranks, None), MANIFEST)
    assert load(tmp_path / "other").models.value == ranks
