"""Two services of two workers each on one PostgreSQL: what one does, the other knows."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta

import httpx
import pytest

from benchmarks.postgres import Server as Postgres
from features.clock import live
from features.decisions import Window
from features.events import Interaction
from features.history import History
from tests.desks import shopped, stocked
from tests.servers import asking, home_at, serving

MANY = range(100, 130)
ASKED = {"customer": "7", "channel": "phone", "offers": 3}


def lately(number: int, days: int) -> Interaction:
    when = live() - timedelta(days=days)
    return replace(shopped(str(number), 90.0, days), occurred_at=when, recorded_at=when)


@pytest.fixture(scope="module")
def replicas(
    postgres: Postgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[History, list[httpx.Client]]]:
    """The store that they share, and somebody who asks each."""
    url = postgres.url()
    history = stocked(History(url))
    history.append([lately(number, days) for number in MANY for days in (2, 30, 65)], None)
    with ExitStack() as stack:
        homes = [home_at(tmp_path_factory.mktemp("replica"), url) for _ in range(2)]
        with ThreadPoolExecutor(2) as pool:
            servers = list(pool.map(lambda here: stack.enter_context(serving(here, workers=2)), homes))
        yield history, [stack.enter_context(asking(server)) for server in servers]
    history.close()


def test_a_decision_of_one_replica_takes_its_outcome_at_the_other(replicas: tuple[History, list[httpx.Client]]):
    history, (one, other) = replicas
    decided = one.post("/v1/decisions", json=ASKED).json()
    assert history.decisions.get(decided["decision_id"]) == decided
    report = {"decision_id": decided["decision_id"], "offer": decided["offers"][0]["offer"], "status": "declined"}
    assert other.post("/v1/outcomes", json=report).json()["recorded"]
    assert not one.post("/v1/outcomes", json=report).json()["recorded"]


def test_what_one_replica_is_told_counts_in_the_next_decision_of_the_other(
    replicas: tuple[History, list[httpx.Client]],
):
    _, (one, other) = replicas
    before = other.post("/v1/decisions", json=ASKED).json()["ages"]["events"]
    for number in range(5):
        event = {"event_id": f"told-{number}", "customer": "7", "kind": "inquiry", "occurred_at": live().isoformat()}
        assert one.post("/v1/interactions", json=event).json()["recorded"] == 1
        assert other.post("/v1/decisions", json=ASKED).json()["ages"]["events"] == before + number + 1


def test_replicas_together_overshoot_no_cap(replicas: tuple[History, list[httpx.Client]]):
    """Each customer is asked about at both at once, over and over; a voucher may be offered to each once."""
    history, clients = replicas
    asked = [(client, f"household:{number}") for number in MANY for client in clients * 4]
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda ask: ask[0].post("/v1/decisions", json=ASKED | {"customer": ask[1]}), asked))
    assert {answer.status_code for answer in answers} == {200}
    held = history.decisions.everybody(Window(live() - timedelta(days=28), live() + timedelta(days=1))).contacts
    vouchers = Counter(one.reference for one in held if one.group == "voucher" and one.reference != "household:7")
    assert len(vouchers) > len(MANY) / 2
    assert set(vouchers.values()) == {1}
    assert set(Counter((one.reference, one.offer) for one in held).values()) == {1}
