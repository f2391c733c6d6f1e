import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from features.errors import HoldfastError, InputError, RegistryError
from features.history import History
from features.home import Home, home
from serving.answering import budget_seconds
from serving.run import Server, environment, serve, start, wait_ready
from serving.stopping import drain_seconds
from serving.volatile import volatile
from tests.desks import stocked
from tests.servers import FAKE


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv("HOLDFAST_HOME", str(tmp_path))
    return home()


@pytest.fixture
def server(here: Home, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A real server over a fake scorer."""
    history = History(here.database_url)
    stocked(history)
    history.close()
    (here.folder / "fake_service.py").write_text(FAKE, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(here.folder))
    within = environment(here, here.folder, workers=1, version="7")
    started = start(within, "127.0.0.1", free_port(), "fake_service:HoldfastService")
    yield started
    started.stop()


def test_a_server_starts_answers_is_measured_and_stops(server: Server, here: Home) -> None:
    ticks: list[float] = []
    server.wait_ready(120.0, ticks.append)
    assert ticks == sorted(ticks)
    with httpx.Client(base_url=server.url, trust_env=False) as client:
        assert [client.get(path).status_code for path in ("/healthz", "/livez", "/readyz")] == [200] * 3
        decided = client.post("/v1/decisions", json={"customer": "7", "channel": "phone"})
        refused = client.post("/v1/decisions", json={"customer": "7", "channel": "fax"})
        assert (decided.status_code, refused.status_code) == (200, 400)
        metrics = client.get("/metrics").text
        assert 'holdfast_requests_total{endpoint="/v1/decisions",status="200"} 1.0' in metrics
    server.stop()
    assert server.process.returncode is not None
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{server.url}/livez", trust_env=False)
    history = History(here.database_url)
    assert history.decisions.get(decided.json()["decision_id"]) == decided.json()
    history.close()


@pytest.mark.parametrize("told", ["5s", "-1", "nan", "1e9"])
def test_a_drain_that_is_no_number_of_seconds_is_refused(told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLDFAST_DRAIN_SECONDS", told)
    with pytest.raises(InputError, match="expected HOLDFAST_DRAIN_SECONDS from 0 to 3600 seconds, found "):
        drain_seconds()


@pytest.mark.parametrize("told", ["half", "9", "nan", "30001"])
def test_a_budget_that_is_no_number_of_milliseconds_is_refused(told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLDFAST_BUDGET_MILLISECONDS", told)
    with pytest.raises(InputError, match="expected HOLDFAST_BUDGET_MILLISECONDS from 10 to 30000, found "):
        budget_seconds()


def test_a_server_that_will_not_stop_is_ended_with_its_workers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stubborn = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
    )
    parent = (
        "import signal, subprocess, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        f"child = subprocess.Popen([sys.executable, '-c', {stubborn!r}], start_new_session=True);"
        "print(child.pid, flush=True); child.wait()"
    )
    process = subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE, start_new_session=True)
    assert process.stdout is not None
    worker = psutil.Process(int(process.stdout.readline()))
    assert process.stdout.readline() == b"up\n"
    monkeypatch.setattr("serving.run._PATIENCE_SECONDS", 0.2)
    assert Server(process, "http://127.0.0.1:1", tmp_path).stop() == -signal.SIGKILL
    assert psutil.wait_procs([worker], timeout=5)[1] == []
    process.stdout.close()


def test_the_environment_says_where_everything_is(here: Home, tmp_path: Path) -> None:
    said = environment(here, tmp_path, workers=3, version="7")
    assert said["BENTOML_CONFIG_OVERRIDES"] == '{"services": {"holdfast": {"workers": 3}}}'
    assert (said["HOLDFAST_HOME"], said["HOLDFAST_BUNDLE"]) == (str(tmp_path), str(tmp_path))
    assert (said["BENTOML_HOME"], said["BENTOML_DO_NOT_TRACK"]) == (str(volatile(here)), "True")
    assert said["OMP_NUM_THREADS"] == "1"
    assert said["PATH"] == os.environ["PATH"]


def test_what_is_not_fit_to_serve_is_refused_before_anything_starts(here: Home, tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match=r"expected a bundle with a manifest in .*none"):
        serve(here, tmp_path / "none", port=free_port())


def test_a_port_that_is_taken_is_told(here: Home, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=rf"expected to listen on 127.0.0.1 port {port}, found: Address already"):
            start({}, "127.0.0.1", port)


def test_waiting_ends_with_the_service_or_with_patience() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(HoldfastError, match="to start, found that it ended"):
        wait_ready(url, alive=lambda: False)
    with pytest.raises(HoldfastError, match=r"within 0 s, found no answer"):
        wait_ready(url, timeout_seconds=0.0)


def test_what_workers_count_lies_in_memory_in_a_folder_that_is_ours_alone(here: Home, tmp_path: Path) -> None:
    folder = volatile(here, tmp_path)
    assert folder.is_relative_to(tmp_path)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert volatile(here, tmp_path) == folder
    folder.chmod(0o755)
    assert volatile(here, tmp_path) == volatile(here, tmp_path / "nowhere") == here.data / "bentoml"
    folder.rmdir()
    folder.symlink_to(tmp_path / "elsewhere")
    assert volatile(here, tmp_path) == here.data / "bentoml"


def test_what_the_operator_sets_for_workers_stands(here: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("OTEL_SDK_DISABLED", "MALLOC_ARENA_MAX")
    for name in names:
        monkeypatch.delenv(name, raising=False)
    assert [environment(here, None, 1, "7")[name] for name in names] == ["true", "2"]
    monkeypatch.setenv("OTEL_SDK_DISABLED", "false")
    monkeypatch.setenv("MALLOC_ARENA_MAX", "8")
    assert [environment(here, None, 1, "7")[name] for name in names] == ["false", "8"]
