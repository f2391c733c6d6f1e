"""A term means one thing: in a decision, over the whole base, in what is written of it, and in a report."""

import json
from typing import Any

import polars as pl
import pytest
from typer.testing import CliRunner

from features.definitions import NAMES
from features.glossary import load_glossary
from features.history import History
from features.home import Home
from holdfast.app import app
from models.bundle import load
from serving.audience import Audience, Member
from serving.bundle import fetch
from serving.decision import Decider
from serving.opening import open_desk
from serving.requests import Ask
from serving.scorer import Scorer


@pytest.fixture(scope="module")
def base(trained: tuple[Home, History, dict[str, Any]]) -> tuple[Home, Any, list[Member]]:
    place, history, _ = trained
    as_of = open_desk(place, *fetch(place)).clock()
    playbook = load_glossary(place.playbook / "glossary.toml", NAMES)
    scorer = Scorer(load(*fetch(place)))
    return place, as_of, list(Audience(scorer, playbook).members(history.known_by(as_of)))


def near(value: float | None) -> Any:
    return None if value is None else pytest.approx(value, rel=1e-9)


def test_every_term_and_score_of_every_customer_is_the_same_online_and_in_batch(
    base: tuple[Home, Any, list[Member]],
) -> None:
    place, as_of, members = base
    desk = open_desk(place, *fetch(place))
    decider = Decider.of(desk.playbook)
    assert len(members) >= 100
    names = [term.name for term in desk.playbook.glossary.terms]
    seen: dict[str, set[bool | None]] = {name: set() for name in names}
    for member in members:
        known = desk._known(member.customer, as_of)
        online = decider.situation(Ask(customer=member.customer, channel="phone"), known).known
        assert {name: member.known[name] for name in names} == {name: online[name] for name in names}
        assert member.scores.tier == known.scores.tier
        for score in ("churn_risk", "expected_value", "value_low", "value_high"):
            assert getattr(member.scores, score) == near(getattr(known.scores, score))
        assert member.scores.next_purchases[0].item == known.scores.next_purchases[0].item
        for name in names:
            seen[name].add(member.known[name])
    # The base has customers on both sides of most terms, so that this can fail.
    assert sum({True, False} <= told for told in seen.values()) >= len(names) // 2
    desk.history.close()


def test_the_scores_that_are_written_and_the_report_say_the_same(
    base: tuple[Home, Any, list[Member]], tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, as_of, members = base
    for name, value in {
        "HOLDFAST_HOME": str(place.folder), "HOLDFAST_CLOCK": "history", "MLFLOW_TRACKING_URI": place.tracking_uri,
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    target = tmp_path / "base.parquet"
    written = CliRunner().invoke(app, ["score", "--to", str(target), "--as-of", as_of.isoformat(), "--json"])
    assert written.exit_code == 0, written.exception
    scores = pl.read_parquet(target)
    told = dict(scores.select("customer", "terms").iter_rows())
    glossary = load_glossary(place.playbook / "glossary.toml", NAMES)
    for member in members:
        assert told[member.customer] == [term.name for term in glossary.terms if member.known[term.name]]
    assert set(scores["glossary"]) == {glossary.hash}
    report = CliRunner().invoke(app, ["playbook", "terms", "--json"])
    assert report.exit_code == 0, report.exception
    counted = {row["term"]: row["customers"] for row in json.loads(report.stdout)["terms"]}
    exploded = scores.explode("terms")["terms"].drop_nulls().value_counts()
    assert {name: count for name, count in counted.items() if count} == dict(exploded.iter_rows())
