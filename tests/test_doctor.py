"""`holdfast doctor` finds what is broken, says what to do, and changes nothing."""

import json
import os
import socket
import sqlite3
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from features.clock import live
from features.history import History
from features.home import ROOT, Home
from features.revisions import REVISION
from features.soundness import examine
from holdfast import machine, standing
from holdfast.app import app
from holdfast.diagnosis import BAD, GOOD, POOR
from serving.run import Server
from tests.making import BOTH, happened

ENGINES = BOTH
NAMES = [
    "Python", "packages", "time zones", "threads", "memory", "home", "disk", "store", "clock", "keys", "erasures",
    "backups", "playbook", "bundle", "health", "service",
]  # fmt: skip
Trained = tuple[Home, History, dict[str, Any]]


@pytest.fixture
def place(tmp_path: Path, new_url: Callable[[], str]) -> Home:
    """A home with a store that holds one purchase."""
    url = new_url()
    history = History(url)
    history.append([happened(1)], None)
    history.close()
    return Home(tmp_path, ROOT / "playbook", url, "live")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def doctor(place: Home, monkeypatch: pytest.MonkeyPatch, *words: str) -> Any:
    monkeypatch.setenv("HOLDFAST_HOME", str(place.folder))
    monkeypatch.setenv("HOLDFAST_DATABASE_URL", place.database_url)
    return CliRunner().invoke(app, ["doctor", "--port", str(free_port()), *words])


def test_a_sound_installation_has_a_line_a_check_and_status_0(trained: Trained, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOLDFAST_CLOCK", "history")
    done = doctor(trained[0], monkeypatch, "--json")
    told = {check["name"]: check for check in json.loads(done.stdout)["checks"]}
    assert list(told) == NAMES
    assert [check for check in told.values() if check["state"] == BAD] == []
    assert done.exit_code == 0
    assert told["store"]["found"] == f"{trained[0].database_url}, version {REVISION}, whole"
    assert told["bundle"]["found"].startswith(f"version {trained[2]['version']}, grade ")
    assert told["packages"]["state"] in (GOOD, POOR)


def test_nothing_is_made_by_looking_and_what_is_missing_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    empty = Home(tmp_path / "empty", ROOT / "playbook", f"sqlite:///{tmp_path}/empty/data/history.db", "live")
    done = doctor(empty, monkeypatch)
    assert done.exit_code == 1
    said = done.stdout.replace("\n", " ")
    assert "! store: nothing at " in said
    assert "→ holdfast ingest FILES --source NAME" in said
    assert "✗ bundle: expected a registry at " in said
    assert not (tmp_path / "empty").exists()


def test_a_sound_store_is_called_whole_on_either_engine(place: Home):
    assert standing.Looked(place).store()[0] == GOOD


def test_a_store_of_another_version_has_to_be_carried_forwards(place: Home, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(standing, "REVISION", "9999")
    state, found, do = standing.Looked(place).store()
    assert (state, do) == (BAD, "stop the service, then: holdfast migrate")
    assert found.endswith(f"version {REVISION}; this Holdfast needs 9999")


def test_a_server_that_only_reads_is_told(postgres: Any):
    url = postgres.url()
    History(url).close()
    assert standing.Looked(home_on(f"{url}%20-cdefault_transaction_read_only%3Don")).store()[0] == BAD
    assert standing.Looked(home_on(url)).store()[0] == GOOD


def home_on(url: str) -> Home:
    return Home(Path("nowhere"), ROOT / "playbook", url, "live")


def test_a_store_that_is_away_is_told_without_its_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    away = Home(tmp_path, ROOT / "playbook", f"postgresql://x:secret@127.0.0.1:{free_port()}/none", "live")
    done = doctor(away, monkeypatch)
    assert done.exit_code == 1
    assert "✗ store: expected the store to be read at postgresql://x:***@127.0.0.1" in done.stdout.replace("\n", " ")
    assert "secret" not in done.stdout


def test_a_damaged_store_is_told(tmp_path: Path):
    file = tmp_path / "history.db"
    history = History(f"sqlite:///{file}")
    history.append([happened(number) for number in range(2_000)], None)
    history.close()
    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'events_of_reference'").fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    connection.close()
    with file.open("r+b") as opened:
        opened.seek((page - 1) * size + 12)
        opened.write(b"\xff" * 64)
    state, found, do = standing.Looked(home_on(f"sqlite:///{file}")).store()
    assert (state, do) == (BAD, "holdfast restore THE NEWEST BACKUP --replace")
    assert "damaged: " in found


def test_a_store_that_others_can_read_is_told_and_its_mode_stays(tmp_path: Path):
    file = tmp_path / "history.db"
    History(f"sqlite:///{file}").close()
    file.chmod(0o644)
    state, found, do = standing.Looked(home_on(f"sqlite:///{file}")).store()
    assert (state, do) == (POOR, f"chmod go-rwx {file}")
    assert found.endswith("whose mode lets others than its owner read it")
    assert file.stat().st_mode & 0o777 == 0o644


def test_a_record_from_the_future_is_told(place: Home):
    assert standing.Looked(place).clock()[0] == GOOD
    history = History(place.database_url)
    history.append([happened(2, recorded_at=live() + timedelta(hours=3))], None)
    history.close()
    state, found, _ = standing.Looked(place).clock()
    assert state == BAD
    assert "ahead of now" in found


def test_keys_are_counted_and_their_lack_told(place: Home):
    assert standing.Looked(place).keys()[0] == POOR
    assert examine(place.database_url, REVISION).keys == 0


def test_backups_and_the_look_at_health_grow_old(place: Home):
    folder = place.data / "backups"
    folder.mkdir(parents=True)
    place.health_metrics.parent.mkdir(parents=True)
    assert (standing.backups(place)[0], standing.health(place)[0]) == (POOR, POOR)
    for file in (folder / "2026-11-26.backup", place.health_metrics):
        file.touch()
    assert (standing.backups(place)[0], standing.health(place)[0]) == (GOOD, GOOD)
    for file in (folder / "2026-11-26.backup", place.health_metrics):
        os.utime(file, (time.time() - 10 * 86_400,) * 2)
    assert (standing.backups(place)[0], standing.health(place)[0]) == (POOR, POOR)


def test_a_playbook_that_does_not_hold_together_is_told(place: Home, tmp_path: Path):
    state, found, do = standing.playbook(Home(tmp_path, tmp_path, place.database_url, "live"))
    assert (state, do) == (BAD, "holdfast playbook check")
    assert found.startswith("expected a playbook file at ")


def test_a_service_that_answers_says_what_it_serves_and_that_it_is_not_the_champion(watched: tuple[Server, Home]):
    port = int(watched[0].url.rpartition(":")[2])
    assert standing.service(port, "7") == (GOOD, f"on {watched[0].url}, ready, serves 7", "")
    state, found, _ = standing.service(port, "8")
    assert (state, found) == (POOR, f"on {watched[0].url}, ready, serves 7; the champion is 8")


def hang_up(on: socket.socket) -> None:
    on.accept()[0].close()


def test_a_port_that_something_else_took_is_told():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        rude = threading.Thread(target=hang_up, args=(taken,))
        rude.start()
        state, found, _ = standing.service(port, "")
        rude.join()
    assert (state, found.partition(":")[0]) == (BAD, f"something on port {port} doesn't answer as the service does")


def test_packages_that_differ_from_the_pins_are_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(machine, "_pins", lambda: iter([("numpy", "0.1"), ("none-such", "1.0")]))
    state, found, do = machine.packages()
    assert (state, do) == (POOR, "make environment")
    assert found.startswith("2 of 2 differ: numpy ")
    assert found.endswith("none-such nothing instead of 1.0")


def test_several_threads_are_told(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    assert machine.threads()[0] == POOR
