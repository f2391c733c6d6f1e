"""`holdfast health` over real households: its page, its JSON, its picture, its status, and what it says of nothing."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from typer.testing import CliRunner, Result

from features.clock import after_history
from features.history import History
from features.home import ROOT, Home
from holdfast import health
from holdfast.app import app
from holdfast.health_picture import picture
from models.manifest import manifest_of
from serving.bundle import fetch
from training.checks import VERDICTS

Trained = tuple[Home, History, dict[str, Any]]
PARTS = {"name", "found", "threshold", "verdict", "do", "figures"}


@pytest.fixture
def ran(trained: Trained, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Result]:
    """Run a command on the trained home, whose files go elsewhere."""
    monkeypatch.setenv("HOLDFAST_HOME", str(trained[0].folder))
    monkeypatch.setenv("HOLDFAST_CLOCK", "history")
    monkeypatch.setattr(health.Home, "data", tmp_path / "data")
    return lambda *words: CliRunner().invoke(app, words)


@pytest.fixture(scope="module")
def later(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The report on the champion, as if it had learned six weeks before the history ends."""
    place, history, _ = trained
    folder, version = fetch(place)
    elsewhere = replace(place, folder=tmp_path_factory.mktemp("report"))
    now = after_history(history.newest)()
    manifest = manifest_of(folder) | {"as_of": (now - timedelta(days=42)).isoformat()}
    asked = health._Asked(elsewhere, history, folder, version, manifest, now - timedelta(days=42), now)
    return health._answer(asked)


def test_a_bundle_that_has_just_learned_is_too_early_to_judge_and_says_from_when_on(trained: Trained, ran: Any):
    done = ran("health", "--json")
    assert done.exit_code == 0, done.output
    answer = json.loads(done.stdout)
    checks = {check["name"]: check for check in answer["checks"]}
    due = datetime.fromisoformat(trained[2]["as_of"]) + timedelta(days=trained[2]["horizon"]["days"])
    assert checks["predictions (base)"]["verdict"] == "too early"
    assert checks["predictions (base)"]["found"] == (
        f"No horizon has passed; it can be told from {due:%Y-%m-%d %H:%M} UTC on."
    )
    assert checks["feature drift"]["verdict"] == "too early"
    assert answer["verdict"] == "well"
    assert (answer["command"], answer["commands"]) == (None, [])


def test_every_line_of_the_json_has_the_same_parts_and_a_command_where_there_is_something_to_do(later: dict[str, Any]):
    assert set(later) == {
        "version", "bundle", "learned", "since", "as_of", "verdict", "command", "commands", "checks", "files",
    }  # fmt: skip
    for check in later["checks"]:
        assert set(check) == PARTS
        assert check["verdict"] in ("well", "watch", "act", "too early")
        assert bool(check["do"]) == (check["verdict"] in ("watch", "act"))
    json.dumps(later, allow_nan=False)


def test_the_base_is_judged_as_of_the_bundles_moment_and_as_of_the_newest_whose_horizon_has_passed(
    trained: Trained, later: dict[str, Any]
):
    days = trained[2]["horizon"]["days"]
    learned = datetime.fromisoformat(later["learned"])
    newest = learned + timedelta(days=days * (42 // days - 1))
    totals = [check for check in later["checks"] if check["name"].startswith("value total")]
    wanted = dict.fromkeys(f"value total (base, {moment:%Y-%m-%d})" for moment in (learned, newest))
    assert [check["name"] for check in totals] == list(wanted)
    assert all(0.3 < check["figures"]["ratio"]["of"] < 3.0 for check in totals)


def test_prometheus_is_left_what_came_against_what_was_said_and_how_far_features_moved(later: dict[str, Any]):
    families = text_string_to_metric_families(Path(later["files"][2]).read_text())
    told = {(one.name, *sorted(one.labels.values())): one.value for family in families for one in family.samples}
    checks = {check["name"]: check for check in later["checks"]}
    newest = [name for name in checks if name.startswith("churn rate (base")][-1]
    assert told["holdfast_prediction_ratio", "base", "churn"] == checks[newest]["figures"]["ratio"]["of"]
    assert told["holdfast_prediction_observed", "base", "churn"] == checks[newest]["figures"]["observed"]
    assert told["holdfast_health_verdict", "", "age"] == VERDICTS.index(checks["age"]["verdict"])
    drifted = {name[1] for name in told if name[0] == "holdfast_feature_drift_index"}
    assert drifted == {feature["feature"] for feature in checks["feature drift"]["figures"]["features"]}
    assert told["holdfast_health_as_of_timestamp_seconds",] == datetime.fromisoformat(later["as_of"]).timestamp()


def test_picture_and_numbers_are_written_whole_and_dated(later: dict[str, Any]):
    drawn, numbers, _ = (Path(file) for file in later["files"])
    assert drawn.parent.name == "health"
    assert drawn.stem == numbers.stem == f"{datetime.fromisoformat(later['as_of']):%Y-%m-%dT%H%M%S}"
    assert json.loads(numbers.read_text(encoding="utf-8"))["checks"] == later["checks"]
    svg = drawn.read_text(encoding="utf-8")
    assert svg.startswith("<svg")
    assert all(word in svg for word in ("population stability index", later["learned"][:10], later["as_of"][:10]))
    assert sorted(file.suffix for file in drawn.parent.iterdir()) == [".json", ".prom", ".svg"]


def test_a_picture_of_nothing_says_so(later: dict[str, Any]):
    assert "no horizon has passed" in picture(later | {"checks": []})


def test_other_words_than_at_training_end_with_status_1_and_the_command_that_follows(
    ran: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    words = tmp_path / "playbook"
    words.mkdir()
    for file in (ROOT / "playbook").glob("*.toml"):
        text = file.read_text(encoding="utf-8")
        (words / file.name).write_text(text.replace("tier_band = 0.1", "tier_band = 0.2"), encoding="utf-8")
    monkeypatch.setenv("HOLDFAST_PLAYBOOK", str(words))
    done = ran("health")
    assert done.exit_code == 1
    assert "act       glossary: Training took other words: tier_band was 0.1, is 0.2." in done.stdout
    assert "Verdict: act. Next: holdfast train" in done.stdout
    told = ran("health", "--json")
    assert (told.exit_code, json.loads(told.stdout)["command"]) == (1, "holdfast train")


def test_a_home_without_a_champion_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOLDFAST_HOME", str(tmp_path))
    done = CliRunner().invoke(app, ["health"])
    assert done.exit_code == 0, done.output
    assert done.stdout == "No bundle is in charge, so there is nothing to look after yet. Train one: holdfast train\n"
    answer = json.loads(CliRunner().invoke(app, ["health", "--json"]).stdout)
    assert (answer["verdict"], answer["version"], answer["checks"]) == ("too early", None, [])


def test_a_champion_that_cannot_be_read_is_something_to_act_on_and_no_empty_home(
    trained: Trained, ran: Any, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("serving.bundle.found_hash", lambda path: "another")
    done = ran("health", "--json")
    answer = json.loads(done.stdout)
    assert (done.exit_code, answer["verdict"], answer["commands"]) == (1, "act", ["holdfast train"])
    assert answer["found"].startswith("The bundle in charge can't be read: expected bundle 1 with hash ")


def test_without_decisions_every_line_on_them_says_that_there_are_none(later: dict[str, Any]):
    found = {check["name"]: check["found"] for check in later["checks"] if check["verdict"] == "too early"}
    assert found["predictions (decisions)"] == "This bundle has decided nothing so far."
    assert found["effects"] == "No offer has been made."
    assert found["acceptance"] == "0 offers are known to have been made; 50 of one offer are needed."
    assert found["exploration"] == "No decision has told its arms so far."
    assert found["groups"] == "No decision belongs to a group so far."


def test_the_command_shows_an_example():
    told = CliRunner().invoke(app, ["health", "--help"]).stdout
    assert "Example: holdfast health" in told
    assert "--json" in told
