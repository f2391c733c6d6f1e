"""Real servers over a desk that needs no models, for tests of what only a server does."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from prometheus_client.parser import text_string_to_metric_families

from features.home import Home
from serving.run import Server, environment, start

FAKE = """
from features.clock import live
from features.history import History
from serving import opening
from serving.desk import Desk
from tests.desks import FakeScorer, playbook

opening.open_desk = lambda at, bundle, version: Desk(History(at.database_url), FakeScorer(), playbook(), live)
from serving.service import HoldfastService
"""
Told = dict[tuple[str, ...], float]


@contextmanager
def serving(here: Home, workers: int = 1, **said: str) -> Iterator[Server]:
    """Keep a real server up over a home's store, for as long as the block; `said` is added to its environment."""
    (here.folder / "fake_service.py").write_text(FAKE, encoding="utf-8")
    path = os.pathsep.join(filter(None, (str(here.folder), os.environ.get("PYTHONPATH"))))
    within = environment(here, here.folder, workers, version="7")
    within |= {"PYTHONPATH": os.pathsep.join((path, within["PYTHONPATH"])), "HOLDFAST_DRAIN_SECONDS": "0.2", **said}
    started = start(within, "127.0.0.1", 0, "fake_service:HoldfastService")
    try:
        started.wait_ready()
        yield started
    finally:
        started.stop()


def asking(server: Server) -> httpx.Client:
    return httpx.Client(base_url=server.url, trust_env=False, timeout=30.0)


def told(text: str) -> Told:
    """Read metrics, each by its name and the values of its labels in the labels' order."""
    return {
        (sample.name, *(sample.labels[label] for label in sorted(sample.labels))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def metric_names(expression: str) -> set[str]:
    """Find the metrics that a PromQL expression speaks of; all of ours begin alike."""
    return set(re.findall(r"\bholdfast_\w+", expression))


def families(text: str) -> set[str]:
    """Name every series that a text of metrics holds."""
    return {name for name, *_ in told(text)}


def home_at(folder: Path, url: str | None = None) -> Home:
    return Home(folder, Path(__file__).parent.parent / "playbook", url or f"sqlite:///{folder / 'history.db'}", "live")
