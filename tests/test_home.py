"""A home is the same from whatever folder a process reads its environment in: workers run in another than commands."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from features.engines import file_of
from features.errors import InputError
from features.history import History
from features.home import ROOT, home
from serving.bundle import file_of as registry_of
from serving.run import environment
from tests.desks import stocked

PREPARED = "import os; from serving import deployment; deployment.prepare(); print(dict(os.environ))"
PLACES = ("DATABASE_URL", "ERASURE_KEY", "HOME", "PLAYBOOK", "BUNDLE")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that a command runs in, with an environment that says nothing yet."""
    for name in PLACES:
        monkeypatch.delenv(f"HOLDFAST_{name}", raising=False)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


def named(monkeypatch: pytest.MonkeyPatch, registry: str = "", **given: str) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", registry)
    for name, value in given.items():
        monkeypatch.setenv(f"HOLDFAST_{name}", value)


def test_files_that_are_not_named_whole_are_those_of_the_folder_that_the_command_runs_in(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named(monkeypatch, "sqlite:///runs/mlflow.db", DATABASE_URL="sqlite:///shop.db?timeout=5",
          ERASURE_KEY="keys/erasure.key", HOME="home", PLAYBOOK="words")  # fmt: skip
    found = home()
    assert file_of(found.database_url) == here / "shop.db"
    assert found.database_url.endswith("shop.db?timeout=5")
    assert registry_of(found) == here / "runs" / "mlflow.db"
    assert found.erasure_key == here / "keys" / "erasure.key"
    assert (found.folder, found.playbook) == (here / "home", here / "words")


def test_workers_are_told_whole_names_and_find_the_same_home(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    named(monkeypatch, "sqlite:///mlflow.db", DATABASE_URL="sqlite:///shop.db", ERASURE_KEY="erasure.key", HOME="home")
    found = home()
    for name, value in environment(found, None, 1, "7").items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(ROOT)
    again = home()
    assert (again, again.erasure_key) == (found, here / "erasure.key")
    assert file_of(again.database_url) == here / "shop.db"


@pytest.mark.parametrize(
    "address",
    ["sqlite://", "sqlite:///", "sqlite:///:memory:", "sqlite:////srv/shop.db", "sqlite:///file:shop?mode=ro&uri=true",
     "postgresql://me:secret@db/shop", "http://registry:5000"],
)  # fmt: skip
def test_what_names_no_file_of_this_folder_stays_as_it_is(
    address: str, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named(monkeypatch, address, DATABASE_URL=address)
    found = home()
    assert (found.database_url, found.registry_url) == (address, address)


def test_a_folder_that_cannot_stand_in_an_address_is_refused(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / "what?").mkdir()
    monkeypatch.chdir(here / "what?")
    named(monkeypatch, DATABASE_URL="sqlite:///shop.db")
    with pytest.raises(InputError, match=r"expected a store whose path can stand in a database's address, found '\?'"):
        home()


def test_a_supervisor_that_no_command_of_ours_started_names_places_whole_for_its_workers(here: Path) -> None:
    given = {"HOLDFAST_DATABASE_URL": "sqlite:///shop.db", "HOLDFAST_BUNDLE": "kept", "PYTHONPATH": str(ROOT)}
    told = subprocess.run(
        [sys.executable, "-c", PREPARED],
        env=os.environ | given, cwd=here, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert f"'HOLDFAST_DATABASE_URL': 'sqlite:///{here}/shop.db'" in told
    assert f"'HOLDFAST_BUNDLE': '{here}/kept'" in told


def test_a_process_beside_the_service_reads_the_store_that_the_command_reads(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a process of its own, in the folder that workers and the follower run in."""
    named(monkeypatch, DATABASE_URL="sqlite:///shop.db", HOME="home")
    history = stocked(History(home().database_url))
    history.close()
    asking = """
from features.history import History
from features.home import home
print(History(home().database_url).counts())
"""
    told = subprocess.run(
        [sys.executable, "-c", asking], env=environment(home(), None, 1, "7"), cwd=ROOT, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    assert "'purchase': 9" in told.stdout
