"""What an operator reads off a real server, and whether probes mean what they say."""

import os
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import psutil
import pytest

from features.errors import StoreError
from features.history import History
from features.home import Home
from serving import metrics
from serving.following import Following
from serving.health import PATIENCE_SECONDS, Watch
from serving.run import Server
from tests.desks import desk_over
from tests.servers import Told, asking, told

Watched = tuple[Server, Home]


def scraped(client: httpx.Client) -> Told:
    return told(client.get("/metrics").text)


def added(client: httpx.Client, ask: Callable[[], Any]) -> Told:
    """Tell by how much every number rose while something was asked."""
    before = scraped(client)
    ask()
    return {name: value - before.get(name, 0.0) for name, value in scraped(client).items()}


def test_decisions_are_counted_over_all_workers_with_their_stages_and_what_was_withheld(watched: Watched):
    bodies: list[dict[str, Any]] = []

    def ask() -> None:
        # A connection each, so that either worker may take it.
        for _ in range(20):
            with asking(watched[0]) as one:
                bodies.append(one.post("/v1/decisions", json={"customer": "7", "channel": "phone"}).json())

    with asking(watched[0]) as client:
        rose = added(client, ask)
    groups = {body["experiment"]["group"] for body in bodies}
    assert sum(rose.get(("holdfast_decisions_total", group, offered, "high"), 0) for group in groups for offered in
               ("yes", "no")) == 20  # fmt: skip
    for stage in metrics.STAGES:
        assert rose["holdfast_decision_stage_duration_seconds_count", stage] == 20
    layers = [one["layer"] for body in bodies for one in body["withheld"]]
    assert rose["holdfast_offers_withheld_total", "applicability"] == layers.count("applicability") > 0
    contacts = {one["contact"] for body in bodies for one in body["offers"]} - {None}
    assert rose["holdfast_contacts_total", "held"] == len(contacts) > 0
    assert rose["holdfast_feature_age_seconds_count",] == 20


def test_outcomes_and_interactions_are_counted_once_however_often_they_are_told(watched: Watched):
    with asking(watched[0]) as client:
        decided = client.post("/v1/decisions", json={"customer": "8", "channel": "phone"}).json()
        offer = next(one for one in decided["offers"] if one["contact"])
        report = {"decision_id": decided["decision_id"], "offer": offer["offer"], "status": "accepted"}
        happened = {"event_id": "1", "customer": "7", "kind": "inquiry", "occurred_at": "2018-01-02T09:30:00+00:00"}

        def tell() -> None:
            for _ in range(2):
                client.post("/v1/outcomes", json=report)
                client.post("/v1/interactions", json=happened)

        rose = added(client, tell)
    assert rose["holdfast_outcomes_total", "accepted"] == 1
    assert rose["holdfast_contacts_total", "confirmed"] == 1
    results = [rose["holdfast_interactions_total", name] for name in ("recorded", "already_known")]
    assert results == [1, 1]


def test_refusals_are_counted_by_route_and_status_and_paths_that_somebody_made_up_as_one(watched: Watched):
    with asking(watched[0]) as client:

        def ask() -> None:
            client.post("/v1/decisions", json={"customer": "7", "channel": "fax"})
            for number in range(5):
                client.get(f"/v1/made-up-{number}")

        rose = added(client, ask)
        assert "made-up" not in client.get("/metrics").text
    assert rose["holdfast_requests_total", "/v1/decisions", "400"] == 1
    assert rose["holdfast_requests_total", "other", "404"] == 5
    assert rose["holdfast_request_duration_seconds_count", "/v1/decisions"] == 1


def test_no_label_names_a_customer_or_a_decision(watched: Watched):
    with asking(watched[0]) as client:
        decided = client.post("/v1/decisions", json={"customer": "+1 202 456 1111", "channel": "phone"}).json()
        text = client.get("/metrics").text
    for personal in (decided["customer"], decided["decision_id"], "household:", "2024561111"):
        assert personal not in text


def test_gauges_say_which_bundle_serves_and_what_the_store_and_the_workers_do(watched: Watched):
    with asking(watched[0]) as client:
        now = wait_for(client, lambda now: now.get(("holdfast_bundle_info", "B", "0" * 32, "7")) == 2)
    assert (now["holdfast_workers",], now["holdfast_workers_ready",]) == (2, 2)
    assert (now["holdfast_store_up",], now["holdfast_store_writable",]) == (1, 1)
    assert now["holdfast_disk_free_bytes",] > 0
    assert sum(name[0] == "holdfast_worker_resident_memory_bytes" and value > 1e7 for name, value in now.items()) == 2
    assert now["holdfast_attention_budget_contacts", "customer care"] == 200


def wait_for(client: httpx.Client, holds: Callable[[Told], bool]) -> Told:
    for _ in range(600):
        now = scraped(client)
        if holds(now):
            return now
        time.sleep(0.1)
    raise AssertionError(f"still {now}")


def test_a_worker_that_was_killed_is_counted_no_more_but_what_it_counted_is(watched: Watched):
    with asking(watched[0]) as client:
        decided = ("holdfast_decision_stage_duration_seconds_count", "write")
        client.post("/v1/decisions", json={"customer": "7", "channel": "phone"})
        before = scraped(client)
    worker = psutil.Process(watched[0].process.pid).children()[0]
    worker.kill()
    worker.wait(60)
    watched[0].wait_ready()
    with asking(watched[0]) as client:
        after = scraped(client)
        assert ("holdfast_worker_resident_memory_bytes", str(worker.pid)) not in after
        assert after[decided] >= before[decided] > 0
        wait_for(client, lambda now: now["holdfast_workers",] == 2)


def test_what_a_job_left_beside_is_told_with_the_rest(watched: Watched):
    file = watched[1].health_metrics
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("holdfast_health_verdict 3.0\n")
    with asking(watched[0]) as client:
        assert scraped(client)["holdfast_health_verdict",] == 3
        file.unlink()
        assert ("holdfast_health_verdict",) not in scraped(client)


def test_probes_answer_in_json_without_secrets(watched: Watched):
    with asking(watched[0]) as client:
        assert client.get("/healthz").json() == {"alive": True}
        ready = client.get("/readyz")
    assert (ready.status_code, ready.json()["ready"], ready.json()["degraded"]) == (200, True, False)
    assert {name: check["ok"] for name, check in ready.json()["checks"].items()} == {
        "rehearsed": True, "staying": True, "bundle": True, "store": True, "room": True,
    }  # fmt: skip
    assert str(watched[1].folder) not in ready.text


# -- what a worker knows of itself


class Moments:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Moments:
    return Moments()


@pytest.fixture
def watch(history: History, clock: Moments, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A watch that has looked at a desk once, and looks again when told to."""
    monkeypatch.setattr("serving.health.repeat", lambda *_, **__: None)
    desk, watch = desk_over(history), Watch(clock)
    following = Following(desk, None)
    watch.begin(following, tmp_path)
    watch.rehearsed = True
    return SimpleNamespace(watch=watch, desk=desk, following=following, clock=clock)


def test_a_worker_is_not_ready_before_it_has_rehearsed(watch: Any):
    watch.watch.rehearsed = False
    assert (watch.watch.ready(), watch.watch.ready(degraded=True)) == (False, False)
    watch.watch.started()
    assert told(metrics.exposition(bytes).decode())["holdfast_workers_ready",] == 1


def test_a_store_that_stays_silent_makes_a_worker_unready_but_for_safe_answers(
    watch: Any, monkeypatch: pytest.MonkeyPatch
):
    def gone() -> bool:
        raise StoreError("expected the store to be read; found: nothing")

    monkeypatch.setattr(watch.desk.history.decisions, "writable", gone)
    watch.clock.now += PATIENCE_SECONDS
    watch.watch.look(1)
    assert watch.watch.ready()
    watch.clock.now += 0.1
    assert (watch.watch.ready(), watch.watch.ready(degraded=True)) == (False, True)
    assert watch.watch.checks()["store"].found == "read 5.1 s ago"
    monkeypatch.undo()
    watch.watch.look(2)
    assert watch.watch.ready()


def test_a_store_without_room_makes_a_worker_unready(watch: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("features.engines.TemporaryFile", full)
    watch.watch.look(1)
    assert not watch.watch.ready()
    assert watch.watch.checks()["room"].found == "no room, or reading only"


def full(*_: Any, **__: Any) -> Any:
    raise OSError("No space left on device")


PARTS = (
    ("serving.health.shutil.disk_usage", OSError(116, "Stale file handle")),
    ("serving.health.psutil.Process", RuntimeError("no such thing")),
    ("serving.health._count_spending", ZeroDivisionError()),
    ("serving.health.metrics.following", KeyError("state")),
)


@pytest.mark.parametrize(("part", "error"), PARTS)
def test_a_part_of_a_look_that_fails_hides_nothing_that_the_others_see(
    watch: Any, part: str, error: Exception, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    def broken(*_: Any) -> Any:
        raise error

    monkeypatch.setattr(part, broken)
    watch.following.state = replace(watch.following.state, version="9", hash="2" * 32)
    watch.clock.now += PATIENCE_SECONDS + 1
    watch.watch.look(0)
    text = told(metrics.exposition(bytes).decode())
    assert watch.watch.ready()
    assert (text["holdfast_workers_ready",], text["holdfast_store_up",]) == (1, 1)
    assert watch.watch.checks()["bundle"].found == "2" * 32
    assert [record.getMessage() for record in caplog.records] == ["step_failed"]


def test_a_look_at_the_store_that_fails_in_an_unforeseen_way_counts_as_silence_and_is_over_with_it(
    watch: Any, monkeypatch: pytest.MonkeyPatch
):
    with monkeypatch.context() as patched:
        patched.setattr(watch.desk.history.decisions, "writable", full)
        watch.clock.now += PATIENCE_SECONDS + 1
        watch.watch.look(1)
        assert not watch.watch.ready()
        assert told(metrics.exposition(bytes).decode())["holdfast_store_up",] == 0
    watch.watch.look(2)
    assert watch.watch.ready()


def test_a_worker_goes_on_looking_after_an_error_of_any_sort(
    history: History, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("serving.health.EVERY_SECONDS", 0.01)
    turns, done = list[int](), threading.Event()

    def look(turn: int) -> None:
        turns.append(turn)
        if turn > 2:
            done.set()
        if turn:
            raise OSError(5, "Input/output error")

    watch = Watch()
    monkeypatch.setattr(watch, "look", look)
    watch.begin(Following(desk_over(history), None), tmp_path)
    assert done.wait(5.0)
    watch.end()
    assert turns[:4] == [0, 1, 2, 3]


def test_a_worker_that_leaves_is_not_ready_at_all(watch: Any):
    watch.watch.leave()
    assert (watch.watch.ready(), watch.watch.ready(degraded=True)) == (False, False)
    assert told(metrics.exposition(bytes).decode())["holdfast_workers_ready",] == 0


def test_a_bundle_that_takes_the_place_of_another_is_told(watch: Any):
    watch.following.state = replace(watch.following.state, version="8", hash="1" * 32)
    watch.watch.look(1)
    text = metrics.exposition(bytes).decode()
    assert told(text)["holdfast_bundle_info", "B", "1" * 32, "8"] == 1
    assert told(text)["holdfast_bundle_info", "B", "0" * 32, "7"] == 0


def test_labels_beyond_a_bound_count_as_one(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(metrics, "_MOST_VALUES", 1)
    counter = metrics.Counter("holdfast_test_bound", "", ["name"], registry=None)
    kept = metrics._Kept(counter)
    for name in "abca":
        kept.add(name)
    assert {sample.labels["name"]: sample.value for family in counter.collect() for sample in family.samples
            if sample.name.endswith("_total")} == {"a": 2.0, "other": 2.0}  # fmt: skip


def test_the_room_that_a_worker_counts_into_is_taken_beforehand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A page that is first written when the disk is full would end the process."""
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    file = tmp_path / f"counter_{os.getpid()}.db"
    with file.open("wb") as opened:
        opened.truncate(1 << 20)
    assert file.stat().st_blocks == 0
    metrics.take_room()
    assert file.stat().st_blocks * 512 >= 1 << 20
