"""Who serves after whom: promotions, rollbacks and challengers, and aliases that were moved in MLflow itself."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from features.contract import CONTRACT
from features.errors import RegistryError
from features.home import Home
from holdfast.app import app
from training import registry


@pytest.fixture(scope="module")
def registered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry's database with five versions; the third has a worse grade."""
    folder = tmp_path_factory.mktemp("registered")
    made = Home(folder, folder, "", "live")
    for grade in "BBCBB":
        registry.register_version(made, "file:nowhere", None, {"grade": grade, "contract": CONTRACT.definitions})
    return made.mlruns / "mlflow.db"


@pytest.fixture
def place(registered: Path, tmp_path: Path) -> Home:
    """A home with a copy of it: making one takes seconds."""
    made = Home(tmp_path, tmp_path, "", "live")
    made.mlruns.mkdir()
    shutil.copy(registered, made.mlruns)
    return made


def tags(place: Home, version: str) -> dict[str, str]:
    found = next(one for one in registry.versions(place) if str(one.version) == version)
    return dict(found.tags)


def serving(place: Home) -> str | None:
    found = registry.champion(place)
    return None if found is None else str(found.version)


def test_a_rollback_goes_back_and_a_second_goes_back_two(place: Home) -> None:
    for version in ("1", "2", "4", "4"):
        registry.promote(place, version)
    assert registry.rollback(place, why="wrong offers") == ("2", "4")
    assert tags(place, "2")[registry.REASON] == "rolled back from version 4: wrong offers"
    assert tags(place, "4")["rolled_back_because"] == "wrong offers"
    assert registry.rollback(place) == ("1", "2")
    assert tags(place, "1")[registry.REASON] == "rolled back from version 2"
    assert serving(place) == "1"
    with pytest.raises(RegistryError) as refused:
        registry.rollback(place)
    assert str(refused.value) == (
        "expected a champion before this one, found 1; to choose another: holdfast promote VERSION"
    )


def test_a_rollback_after_a_promotion_after_a_rollback_goes_the_way_back(place: Home) -> None:
    for version in ("1", "2"):
        registry.promote(place, version)
    registry.rollback(place)
    registry.promote(place, "4")
    assert registry.rollback(place) == ("1", "4")


def test_what_was_moved_in_mlflow_itself_is_gone_back_from(place: Home) -> None:
    registry.promote(place, "1")
    client = registry._client(place)
    client.set_registered_model_alias(registry.MODEL, registry.CHAMPION, "2")
    assert registry.rollback(place) == ("1", "2")
    client.set_registered_model_alias(registry.MODEL, registry.CHAMPION, "4")
    registry.promote(place, "5")
    assert [registry.rollback(place)[0] for _ in range(2)] == ["4", "1"]
    client.delete_registered_model_alias(registry.MODEL, registry.CHAMPION)
    assert registry.rollback(place) == ("1", None)


def test_a_version_that_was_deleted_is_passed_over(place: Home) -> None:
    for version in ("1", "2", "4"):
        registry.promote(place, version)
    registry._client(place).delete_model_version(registry.MODEL, "2")
    assert registry.rollback(place) == ("1", "4")
    registry.promote(place, "5")
    registry._client(place).delete_model_version(registry.MODEL, "5")
    assert registry.rollback(place) == ("1", None)


def test_a_reason_holds_for_the_promotion_that_it_was_given_for(place: Home) -> None:
    registry.promote(place, "1")
    registry.promote(place, "3", why="a trial")
    assert tags(place, "3")[registry.REASON] == "a trial"
    registry.promote(place, "4")
    with pytest.raises(RegistryError, match="expected a grade of B or better"):
        registry.promote(place, "3")
    registry.promote(place, "1")
    registry.promote(place, "3", why="another")
    registry.promote(place, "5")
    registry.rollback(place)
    assert serving(place) == "3"
    registry.promote(place, "4")
    registry.promote(place, "5")
    assert registry.REASON not in tags(place, "5")


def test_a_challenger_is_set_changed_promoted_and_cleared(place: Home) -> None:
    registry.promote(place, "1")
    with pytest.raises(RegistryError, match="expected another version than the champion as its challenger, found 1"):
        registry.challenge(place, "1")
    with pytest.raises(RegistryError, match="expected a registered version, found '9'"):
        registry.challenge(place, "9")
    assert registry.challenge(place, "3") is None
    assert registry.challenge(place, "4") == "3"
    registry.promote(place, "4")
    assert registry.challenge(place, None) is None


def test_the_commands_say_what_they_did(place: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLDFAST_HOME", str(place.folder))

    def run(*words: str, fails: bool = False) -> Any:
        done = CliRunner().invoke(app, words)
        assert (done.exit_code != 0) == fails, done.output
        return str(done.exception) if fails else " ".join(done.stdout.split()), " ".join(done.stderr.split())

    taken = "Running services take it up within 10 seconds, if it passes their checks."
    assert run("promote", "1") == ("Version 1 is the champion now.", taken)
    assert run("promote", "2") == ("Version 2 is the champion now; before it was version 1.", taken)
    assert run("rollback", "--why", "odd") == ("Version 1 is the champion again; before it was version 2.", taken)
    assert json.loads(run("promote", "4", "--json")[0]) == {"champion": "4", "before": "1"}
    assert json.loads(run("challenge", "5", "--json")[0]) == {"challenger": "5", "before": None}
    assert run("challenge", fails=True)[0] == "expected a version, or --none; found neither"
    assert run("challenge", "5", "--none", fails=True)[0] == "expected a version, or --none; found both"
