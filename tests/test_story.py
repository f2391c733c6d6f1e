"""The story, through the public doors only: ingest, train, serve, decide, outcome, decide, retrain."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import pytest

HOLDFAST = str(Path(sys.executable).with_name("holdfast"))


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a newcomer: a home of their own, and nothing else."""
    home = tmp_path_factory.mktemp("story")
    return {"PATH": os.environ["PATH"], "HOME": str(home), "HOLDFAST_HOME": str(home / "data home"),
            "HOLDFAST_CLOCK": "history"}  # fmt: skip


def holdfast(door: dict[str, str], *words: str, fails: bool = False) -> Any:
    done = subprocess.run([HOLDFAST, *words], env=door, capture_output=True, text=True, timeout=300, check=False)
    assert (done.returncode != 0) == fails, done.stderr
    return done.stderr if fails else json.loads(done.stdout)


@pytest.fixture(scope="module")
def ingested(door: dict[str, str], small_cut: Path) -> Any:
    return holdfast(door, "ingest", str(small_cut), "--source", "complete_journey", "--json")


@pytest.fixture(scope="module")
def first(door: dict[str, str], ingested: Any) -> Any:
    return holdfast(door, "train", "--json")


@pytest.fixture(scope="module")
def service(door: dict[str, str], first: Any) -> Iterator[httpx.Client]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen([HOLDFAST, "serve", "--port", str(port)], env=door, stderr=subprocess.PIPE)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            _wait(client, process)
            yield client
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
        with socket.socket() as gone:
            assert gone.connect_ex(("127.0.0.1", port)) != 0, "the service outlives its command"


def _wait(client: httpx.Client, process: "subprocess.Popen[bytes]") -> None:
    for _ in range(240):
        assert process.poll() is None, process.stderr and process.stderr.read().decode()
        try:
            if client.get("/readyz").status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.5)
    raise AssertionError("the service isn't ready after two minutes")


def post(client: httpx.Client, path: str, body: Any) -> Any:
    answer = client.post(path, json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_ingest_takes_everything_once(door: dict[str, str], ingested: Any, small_cut: Path):
    purchases = next(report for report in ingested if report["table"] == "purchases")
    assert purchases["rows"] == purchases["new"] == len(pl.read_parquet(small_cut / "transactions.parquet"))
    again = holdfast(door, "ingest", str(small_cut), "--source", "complete_journey", "--json")
    assert sum(report["new"] for report in again) == 0


def test_train_judges_and_registers(door: dict[str, str], first: Any):
    assert first["promoted"]
    assert holdfast(door, "evaluate", "--json")["bundle"] == first["bundle"]
    assert "expected a registered version" in holdfast(door, "promote", "7", fails=True)


def test_the_loop_closes(door: dict[str, str], service: httpx.Client, tmp_path: Path):
    scored = tmp_path / "base.parquet"
    holdfast(door, "score", "--to", str(scored), "--json")
    base = pl.read_parquet(scored).sort("expected_value", descending=True)
    best, worst = base["customer"][0], base["customer"][-1]

    # A call comes in, an offer is made and declined, and isn't made again.
    question = {"customer": best, "channel": "phone", "offers": 3}
    before = post(service, "/v1/decisions", question)
    assert before["customer"] == best
    assert before["scores"]["expected_value"] == pytest.approx(base["expected_value"][0], rel=1e-6)
    assert before["offers"], before["silence"]
    made = before["offers"][0]["offer"]
    told = {"decision_id": before["decision_id"], "offer": made, "status": "declined", "reason_code": "not_now"}
    assert post(service, "/v1/outcomes", told)["recorded"]
    assert not post(service, "/v1/outcomes", told)["recorded"]
    after = post(service, "/v1/decisions", question)
    assert made not in [offer["offer"] for offer in after["offers"]]
    assert made in [withheld["offer"] for withheld in after["withheld"]]
    assert after["row"]["contract"] == before["row"]["contract"]

    # A complaint that is posted is in the next decision.
    complaint = {"event_id": "c-1", "customer": best, "kind": "complaint", "channel": "phone", "source": "test",
                 "occurred_at": after["as_of"]}  # fmt: skip
    assert post(service, "/v1/interactions", [complaint])["recorded"] == 1
    assert post(service, "/v1/interactions", [complaint])["recorded"] == 0
    complained = post(service, "/v1/decisions", question)
    assert "recently_complained" in [term["term"] for term in complained["terms"]]

    # Field service goes to the most valuable first; a stranger gets a stated default.
    visits = [{"visit_id": name, "customer": name} for name in (worst, "phone:+12025550123", best)]
    ordered = post(service, "/v1/visits/prioritise", {"visits": visits})["visits"]
    assert ordered[0]["visit_id"] == best
    stranger = post(service, "/v1/decisions", question | {"customer": "phone:+12025550123"})
    assert not stranger["found"]
    assert stranger["note"]

    # Bad input is refused in words, and changes nothing.
    refused = service.post("/v1/decisions", json=question | {"channel": "telepathy"})
    assert refused.status_code == 400
    assert "telepathy" in refused.text
    assert service.get("/metrics").status_code == 200

    # The command line says the same as the service, and what happened is learned from.
    same = holdfast(door, "decide", best.partition(":")[2], "--json")
    assert same["tier"] == complained["tier"]
    assert same["scores"]["expected_value"] == pytest.approx(complained["scores"]["expected_value"], rel=1e-3)
    second = holdfast(door, "train", "--json")
    assert second["version"] != "1"
    assert second["as_of"] > before["as_of"]
