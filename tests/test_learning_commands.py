"""`holdfast lift` and `policy evaluate` over decisions about real customers, and what really came after them."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from typer.testing import CliRunner, Result

from features.clock import after_history
from features.history import History
from features.home import ROOT, Home
from holdfast import learning
from holdfast.app import app
from holdfast.places import glossary_of
from serving.bundle import fetch
from serving.decision import Decider
from serving.experiment import HOLD_OUT, RANDOM
from serving.opening import open_desk
from serving.requests import Ask, Report
from training.boosting import Fit
from training.card import card
from training.pipeline import train

Trained = tuple[Home, History, dict[str, Any]]
HOUSEHOLDS = 120


@pytest.fixture(scope="module")
def decided(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home in which decisions were made a horizon and a half before its history ends, half by lot, half withheld."""
    place, history, _ = trained
    folder = tmp_path_factory.mktemp("decided")
    shutil.copytree(place.folder, folder, dirs_exist_ok=True)
    home = Home(folder, ROOT / "playbook", f"sqlite:///{folder / 'data' / 'history.db'}", "history")
    desk = open_desk(home, fetch(place)[0], fetch(place)[1])
    known = after_history(history.newest)()
    customers = sorted(set(desk.history.known_by(known).events["customer"]))[:HOUSEHOLDS]
    groups = [RANDOM, HOLD_OUT]
    for day in range(6):
        desk.clock = lambda day=day: known - timedelta(days=26 - day)
        for place_, customer in enumerate(customers):
            desk.decider = Decider.of(desk.playbook, groups[place_ % 2])
            made = desk.decide(Ask(customer=customer, channel="phone", offers=2))
            if made["offers"] and place_ % 4 == 0:
                told = {"decision_id": made["decision_id"], "offer": made["offers"][0]["offer"], "who": "agent"}
                desk.outcome(Report(status="accepted", **told))
    desk.history.close()
    return folder


@pytest.fixture
def ran(decided: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.setenv("HOLDFAST_HOME", str(decided))
    monkeypatch.setenv("HOLDFAST_CLOCK", "history")
    return lambda *words: CliRunner().invoke(app, words)


def test_before_a_horizon_has_passed_there_is_nothing_to_compare(trained: Trained, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOLDFAST_HOME", str(trained[0].folder))
    monkeypatch.setenv("HOLDFAST_CLOCK", "history")
    told = CliRunner().invoke(app, ["lift"])
    assert told.exit_code == 0, told.output
    assert "there is nothing to compare" in " ".join(told.output.split())
    said = CliRunner().invoke(app, ["policy", "evaluate", "--playbook", str(ROOT / "playbook")])
    assert "No decision that chance made is a horizon old yet." in " ".join(said.output.split())


def test_everybody_is_counted_once_in_the_group_that_was_logged(ran: Any) -> None:
    told = ran("lift", "--json")
    assert told.exit_code == 0, told.output
    answer = json.loads(told.stdout)
    counted = answer["sample_ratio"]["counted"]
    assert sum(counted.values()) == answer["people"] == HOUSEHOLDS
    assert counted == {"random": HOUSEHOLDS // 2, "hold_out": HOUSEHOLDS // 2}
    # The playbook plans a fiftieth for the one and nobody for the other: that is an alarm.
    assert answer["sample_ratio"]["mismatch"]
    assert {one["metric"] for one in answer["lifts"]} == {
        "retention", "purchases", "margin", "profit net of incentives",
    }  # fmt: skip


def test_the_table_says_what_is_too_early_and_what_is_wrong_with_the_sizes(ran: Any) -> None:
    told = " ".join(ran("lift").output.split())
    assert "Don't trust the lift" in told
    assert "too early to tell" in told or "Lift over hold_out, per person" in told


def test_another_policy_is_judged_by_what_chance_served(ran: Any) -> None:
    told = ran("policy", "evaluate", "--playbook", str(ROOT / "playbook"), "--json")
    assert told.exit_code == 0, told.output
    answer = json.loads(told.stdout)
    assert answer["gone"] == {}
    assert answer["decisions"] > 100
    assert answer["unsupported"] == 0.0
    assert answer["estimates"] or answer["refusal"].startswith("expected decisions by chance worth at least 100")
    shown = ran("policy", "evaluate", "--playbook", str(ROOT / "playbook")).output
    assert f"{answer['decisions']:,} decisions by chance" in " ".join(shown.split())


def test_a_bundle_that_has_seen_the_decisions_is_said_to_be_flattered(ran: Any) -> None:
    told = ran("policy", "evaluate", "--bundle", "champion", "--json")
    assert told.exit_code == 0, told.output
    (doubt,) = json.loads(told.stdout)["doubts"]
    assert doubt.endswith("so from decisions that it is judged by here: it is flattered")


def test_a_desk_that_is_given_ids_names_its_decisions_by_them(trained: Trained, tmp_path: Path) -> None:
    home = replace(trained[0], database_url=f"sqlite:///{tmp_path / 'history.db'}")
    desk = open_desk(home, *fetch(home), new_id=lambda: UUID(int=7))
    made = desk.decide(Ask(customer="household:1", channel="phone"))
    desk.history.close()
    assert made["decision_id"] == "d-00000000-0000-0000-0000-000000000007"


def test_nothing_to_judge_is_refused(ran: Any) -> None:
    told = ran("policy", "evaluate")
    assert told.exit_code == 1
    assert str(told.exception) == "expected --playbook or --bundle, or both, to judge; found neither"


def test_training_measures_what_chance_made_and_says_how_far_it_is_believed(decided: Path) -> None:
    home = Home(decided, ROOT / "playbook", f"sqlite:///{decided / 'data' / 'history.db'}", "history")
    history = History(home.database_url)
    known = history.known_by(after_history(history.newest)())
    past = learning.past_of(home, history, known.as_of)
    made = train(known, learning.plan_of(glossary_of(home)), Fit(trees=20), lambda *_: None, past=past).manifest
    history.close()
    assert made["effects"]
    assert {one["grade"] for one in made["effects"]} <= {"stated prior", "A", "B", "refused"}
    assert sum(one["made"] for one in made["takers"]) > 20
    assert any("What offers change" in line for line in card(made, ()).splitlines())
