"""Move the champion under load, and set a challenger beside it: what is answered, how soon, and what it costs.

    python -m benchmarks.following VERSION VERSION --moves 6 --json

of the home that HOLDFAST_HOME names, which has a champion. Every answer's bundle is looked at, and some are made again.
"""

import argparse
import json
import os
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import httpx
import mlflow
import numpy as np
import psutil  # type: ignore[import-untyped]

from features.history import History
from features.home import Home, home
from holdfast.replaying import scorers
from holdfast.service import running
from serving.bundle import CHALLENGER, CHAMPION, MODEL
from serving.kept_playbooks import deciders
from serving.replay import Replayer
from serving.shelf import Shelf

_BETWEEN_SECONDS = 12.0
_SAME_CONNECTION = 20


class Answer(NamedTuple):
    """When a request was sent and how long it took, in seconds, its status, and what the answer says decided."""

    at: float
    seconds: float
    status: int
    version: str
    hash: str
    decision: str


def load(url: str, customers: list[str], ending: threading.Event, pause: float, seed: int) -> list[Answer]:
    """Ask for one decision after another, over a new connection from time to time, until told to end."""
    draw, answers = random.Random(seed), list[Answer]()
    while not ending.is_set():
        with httpx.Client(base_url=url, trust_env=False, timeout=30.0) as client:
            for _ in range(_SAME_CONNECTION):
                answers.append(_ask(client, draw.choice(customers)))
                time.sleep(pause)
                if ending.is_set():
                    break
    return answers


def _ask(client: httpx.Client, customer: str) -> Answer:
    at = time.time()
    try:
        answer = client.post("/v1/decisions", json={"customer": customer, "channel": "phone"})
    except httpx.HTTPError:
        return Answer(at, time.time() - at, 0, "", "", "")
    body = answer.json()
    bundle = body.get("bundle", {})
    told = bundle.get("version", ""), bundle.get("hash", ""), body.get("decision_id", "")
    return Answer(at, time.time() - at, answer.status_code, *told)


@contextmanager
def loaded(url: str, customers: list[str], clients: int, pause: float) -> Iterator[list[Answer]]:
    """Keep clients asking while the block runs; the list is filled when it ends."""
    ending, answers = threading.Event(), list[Answer]()
    threads = [
        threading.Thread(target=lambda seed=seed: answers.extend(load(url, customers, ending, pause, seed)))
        for seed in range(clients)
    ]
    for thread in threads:
        thread.start()
    try:
        yield answers
    finally:
        ending.set()
        for thread in threads:
            thread.join()


def moved(place: Home, url: str, customers: list[str], versions: list[str], moves: int, clients: int) -> dict[str, Any]:
    """Move the alias in MLflow itself, under load, and tell when the last answer by the bundle before was begun."""
    client, marks = mlflow.MlflowClient(place.tracking_uri), list[tuple[float, str]]()
    began, shelf = time.time(), Shelf.of(place)
    while shelf.said().reached_at < began:
        time.sleep(0.1)
    with loaded(url, customers, clients, 0.01) as answers:
        time.sleep(3.0)
        for number in range(moves):
            client.set_registered_model_alias(MODEL, CHAMPION, versions[number % len(versions)])
            marks.append((time.time(), versions[number % len(versions)]))
            time.sleep(_BETWEEN_SECONDS)
    hashes = {str(one.version): one.tags["bundle_hash"] for one in client.search_model_versions(f"name='{MODEL}'")}
    late = []
    for place_of, (moment, version) in enumerate(marks):
        until = marks[place_of + 1][0] if place_of + 1 < len(marks) else float("inf")
        after = [one for one in answers if moment <= one.at < until]
        late.append(max((one.at - moment for one in after if one.version != version), default=0.0))
    return {
        "requests": len(answers),
        "not_200": sum(one.status != 200 for one in answers),
        "version_without_its_hash": sum(hashes.get(one.version) != one.hash for one in answers),
        "by_version": {version: sum(one.version == version for one in answers) for version in sorted(hashes)},
        "moves": len(marks),
        "seconds_until_all_serve_it": [round(one, 2) for one in late],
        "longest_ms": round(1000 * max(one.seconds for one in answers), 1),
        **replayed(place, [one.decision for one in answers if one.decision]),
    }


def replayed(place: Home, decisions: list[str], sample: int = 400) -> dict[str, int]:
    """Make some of the decisions again, each by the bundle that it names."""
    history = History(place.database_url)
    replayer = Replayer(history, scorers(place), deciders(history))
    chosen = random.Random(7).sample(decisions, min(sample, len(decisions)))
    same = sum(replayer.replay(one).same for one in chosen)
    history.close()
    return {"replayed": len(chosen), "replayed_the_same": same}


def beside(
    place: Home, url: str, customers: list[str], challenger: str, rounds: int, seconds: float, pause: float = 0.02
) -> dict[str, Any]:  # fmt: skip
    """Measure decisions with a challenger and without, in turn; milliseconds."""
    client, found = mlflow.MlflowClient(place.tracking_uri), dict[str, list[float]]()
    for _ in range(rounds):
        for name in ("without", "with"):
            if name == "with":
                client.set_registered_model_alias(MODEL, CHALLENGER, challenger)
            else:
                client.delete_registered_model_alias(MODEL, CHALLENGER)
            # Until it has begun, with all its imports, or has ended.
            time.sleep(12.0)
            with loaded(url, customers, 1, pause) as answers:
                time.sleep(seconds)
            found.setdefault(name, []).extend(one.seconds * 1000 for one in answers)
    client.delete_registered_model_alias(MODEL, CHALLENGER)
    return {name: _told(times) for name, times in found.items()}


def _told(times: list[float]) -> dict[str, float]:
    told = {f"p{share:g}": round(float(np.percentile(times, share)), 2) for share in (50, 95, 99, 99.9)}
    return {"requests": len(times), **told}


def _memory(process: psutil.Process) -> dict[str, int]:
    """Tell the memory of the service's processes, in MB, by what they are."""
    told: dict[str, int] = {}
    for child in process.children(recursive=True):
        line = " ".join(child.cmdline())
        for name in ("serving.follower", "serving.shadowing", "worker.service"):
            if name in line:
                told[name] = max(told.get(name, 0), child.memory_info().rss // 2**20)
    return told


def main() -> None:
    """Serve, load, move, measure, print."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("versions", nargs="+")
    asked.add_argument("--moves", type=int, default=6)
    asked.add_argument("--clients", type=int, default=6)
    asked.add_argument("--workers", type=int, default=2)
    asked.add_argument("--rounds", type=int, default=3)
    asked.add_argument("--seconds", type=float, default=20.0)
    asked.add_argument("--json", action="store_true")
    given = asked.parse_args()
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "ERROR")
    place = home()
    history = History(place.database_url)
    customers = sorted(history.known_by(history.newest()).events["customer"].unique())[:500]  # type: ignore[arg-type]
    history.close()
    with running(place, CHAMPION, workers=given.workers) as (server, _):
        process = psutil.Process(server.process.pid)
        answer: dict[str, Any] = {
            "moving": moved(place, server.url, customers, given.versions, given.moves, given.clients),
            "memory_mb": _memory(process),
            "challenger": beside(place, server.url, customers, given.versions[-1], given.rounds, given.seconds),
        }
    print(json.dumps(answer, indent=None if given.json else 1))


if __name__ == "__main__":
    main()
