"""A real service of two workers under load: the alias moves, a bundle is bad, the registry goes, the follower dies."""

import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from features.history import History
from features.home import Home
from holdfast.replaying import scorers
from serving import opening
from serving.bundle import CHALLENGER
from serving.kept_playbooks import deciders
from serving.replay import Replayer
from serving.run import Server, serve
from serving.shelf import Shelf
from tests.variants import Variants

WITHIN_SECONDS = 10.0
CLIENTS = 3


@pytest.fixture(scope="module")
def variants(trained: tuple[Home, History, Any], tmp_path_factory: pytest.TempPathFactory) -> Variants:
    made = Variants(trained, tmp_path_factory.mktemp("variants") / "home")
    value = made.folder("4") / "value.json"
    value.write_bytes(value.read_bytes()[:-10])
    made.reset()
    return made


@pytest.fixture(scope="module")
def server(variants: Variants) -> Iterator[Server]:
    opening.choose(variants.place)
    started = serve(variants.place, None, port=0, workers=2)
    started.wait_ready()
    yield started
    started.stop()


class Callers:
    """Clients that ask one after another, each over a new connection from time to time, until the block ends."""

    def __init__(self, url: str, customers: list[str]) -> None:
        self.url, self.customers = url, customers
        self.answers: list[tuple[float, int, dict[str, Any]]] = []
        self._ending = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(seed,)) for seed in range(CLIENTS)]

    def _ask(self, seed: int) -> None:
        draw = random.Random(seed)
        while not self._ending.is_set():
            with httpx.Client(base_url=self.url, trust_env=False, timeout=30.0) as client:
                for _ in range(5):
                    at = time.monotonic()
                    body = {"customer": draw.choice(self.customers), "channel": "phone"}
                    answer = client.post("/v1/decisions", json=body)
                    self.answers.append((at, answer.status_code, answer.json()))
                    time.sleep(0.02)

    def __enter__(self) -> "Callers":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        for thread in self._threads:
            thread.join()

    def served_alone(self, version: str, since: float) -> float:
        """Wait until only that version has answered for a second; returns when the last answer by another was asked."""
        while time.monotonic() - since < 3 * WITHIN_SECONDS:
            time.sleep(0.2)
            begun = [(at, body["bundle"]["version"]) for at, _, body in [*self.answers] if at >= since]
            others = [at for at, served in begun if served != version]
            last = max(others, default=since)
            if len(others) < len(begun) and time.monotonic() - last > 1.0:
                return last - since
        raise AssertionError(f"version {version} isn't served alone after {3 * WITHIN_SECONDS} s")


def customers(place: Home) -> list[str]:
    history = History(place.database_url)
    newest = history.newest()
    assert newest is not None
    known = history.known_by(newest).events["customer"].unique().to_list()
    history.close()
    return sorted(known)


def followers(server: Server) -> list[psutil.Process]:
    beside = psutil.Process(server.process.pid).children(recursive=True)
    return [one for one in beside if "serving.follower" in one.cmdline()]


def waited(what: Any, seconds: float = 30.0) -> Any:
    """Wait until something is true, and return it."""
    began = time.monotonic()
    while not (found := what()):
        assert time.monotonic() - began < seconds
        time.sleep(0.1)
    return found


def test_a_service_under_load_follows_the_alias_and_nothing_else(server: Server, variants: Variants) -> None:
    place, shelf = variants.place, Shelf.of(variants.place)
    waited(lambda: shelf.said().reached_at)
    assert len(followers(server)) == 1
    with Callers(server.url, customers(place)) as callers:
        for version in ("2", "1"):
            variants.move(version)
            assert callers.served_alone(version, time.monotonic()) < WITHIN_SECONDS
        # A damaged bundle, and a registry that is away, change nothing.
        variants.move("4")
        waited(lambda: shelf.said().champion and shelf.said().champion.fault)
        database = place.mlruns / "mlflow.db"
        away = Path(database.rename(database.with_suffix(".away")))
        waited(lambda: shelf.said().fault)
        away.rename(database)
        waited(lambda: not shelf.said().fault)
        assert {body["bundle"]["version"] for _, _, body in callers.answers[-20:]} == {"1"}
        # Another follower takes the place of one that was killed; a challenger decides beside what is answered.
        (first,) = followers(server)
        first.kill()
        variants.move("3", CHALLENGER)
        variants.move("2")
        callers.served_alone("2", time.monotonic())
        history = History(place.database_url)
        waited(lambda: history.shadows.passed(variants.hash("3")) > 0)
    assert followers(server)[0].pid != first.pid
    check(variants, history, callers.answers)


def check(variants: Variants, history: History, answers: list[tuple[float, int, dict[str, Any]]]) -> None:
    """Every request was answered, each wholly by the bundle that it names: made again by that, it is the same."""
    assert {status for _, status, _ in answers} == {200}
    told = {(body["bundle"]["version"], body["bundle"]["hash"]) for _, _, body in answers}
    assert told == {(version, variants.hash(version)) for version in "12"}
    replayer = Replayer(history, scorers(variants.place), deciders(history))
    made = random.Random(7).sample([body["decision_id"] for _, _, body in answers], 60)
    assert all(replayer.replay(one).same for one in made)
    for body, beside in history.shadows.beside(variants.hash("3")):
        assert beside["version"] == "3"
        assert beside["scores"]["churn_risk"] != body["scores"]["churn_risk"] or body["scores"]["churn_risk"] is None
    history.close()


def test_processes_beside_the_service_end_with_it(server: Server) -> None:
    beside = [
        one
        for one in psutil.Process(server.process.pid).children(recursive=True)
        if {"serving.follower", "serving.shadowing"} & set(one.cmdline())
    ]
    assert len(beside) == 2
    server.stop()
    assert psutil.wait_procs(beside, timeout=10)[1] == []
