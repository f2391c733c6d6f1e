"""A service that is told to stop answers whole what it has taken, refuses the rest, and loses nothing."""

import http.client
import json
import os
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from features.history import History
from features.home import Home
from serving import stopping
from serving.health import Watch
from serving.run import Server
from serving.stopping import Leaving
from tests.desks import stocked
from tests.servers import asking, home_at, serving

HEADERS = {"content-type": "application/json"}
BODY = json.dumps({"customer": "7", "channel": "phone"})


@pytest.fixture
def here(tmp_path: Path) -> Home:
    place = home_at(tmp_path)
    stocked(History(place.database_url)).close()
    return place


@pytest.fixture
def server(here: Home) -> Iterator[Server]:
    with serving(here, workers=2, HOLDFAST_DRAIN_SECONDS="0.5") as started:
        yield started


class Caller(threading.Thread):
    """Asks for decisions one after the other, over one connection or a new one each, until the service is gone."""

    def __init__(self, port: int, kept: bool) -> None:
        super().__init__()
        self._port, self._kept = port, kept
        self.ended: Counter[str] = Counter()
        self.answered: list[str] = []
        self.broken: list[str] = []

    def run(self) -> None:
        line: http.client.HTTPConnection | None = None
        while self.ended["refused"] < 3:
            try:
                line = line or self._connected()
            except ConnectionRefusedError:
                self.ended["refused"] += 1
                time.sleep(0.01)
                continue
            try:
                line.request("POST", "/v1/decisions", BODY, HEADERS)
                answer = line.getresponse()
                self.answered.append(json.loads(answer.read())["decision_id"])
                self.ended[str(answer.status)] += 1
                if not self._kept or answer.getheader("connection") == "close":
                    line = line.close()  # type: ignore[func-returns-value]
            except (OSError, http.client.HTTPException) as error:
                self.broken.append(repr(error))
                line = None

    def _connected(self) -> http.client.HTTPConnection:
        line = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        line.connect()
        return line


def half_told(port: int) -> socket.socket:
    """Begin a request, and keep half of its body back."""
    line = socket.create_connection(("127.0.0.1", port))
    head = (
        "POST /v1/decisions HTTP/1.1",
        "host: desk",
        "content-type: application/json",
        f"content-length: {len(BODY)}",
    )
    line.sendall(("\r\n".join(head) + f"\r\n\r\n{BODY[:10]}").encode())
    return line


def test_told_to_stop_under_load_it_says_so_refuses_and_answers_whole_what_it_has_taken(server: Server, here: Home):
    port = int(server.url.rpartition(":")[2])
    callers = [Caller(port, kept) for kept in (True, True, True, False, False, False)]
    for caller in callers:
        caller.start()
    time.sleep(0.5)
    with asking(server) as client, half_told(port) as slow:
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.25)
        ready = client.get("/readyz")
        assert (ready.status_code, ready.json()["checks"]["staying"]["ok"]) == (503, False)
        assert ready.headers["connection"] == "close"
        for caller in callers:
            caller.join(30)
        # By now everybody was refused; what was begun before is still answered.
        slow.sendall(BODY[10:].encode())
        assert slow.recv(64).startswith(b"HTTP/1.1 200")
    assert server.process.wait(30) == 0
    ended = sum((caller.ended for caller in callers), Counter())
    assert [one for caller in callers for one in caller.broken] == []
    assert set(ended) == {"200", "refused"}
    assert ended["200"] > 20
    history = History(here.database_url)
    assert {one for caller in callers for one in caller.answered} <= set(history.decisions.ids())
    history.close()


# -- the last one closes the doors


class Loop:
    """Calls at once whatever was to be called later."""

    def call_later(self, _seconds: float, call: Any) -> None:
        call()


@pytest.fixture
def leaving(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Leaving]:
    """Make a worker that is to leave by a door; `others` of its service's stay."""

    def make(door: socket.socket, others: int = 0) -> Leaving:
        monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
        workers = [os.getpid(), *range(10**7, 10**7 + others)]
        children = [SimpleNamespace(pid=pid, status=lambda: "sleeping") for pid in workers]
        monkeypatch.setattr(stopping.psutil, "Process", lambda _: SimpleNamespace(children=lambda: children))
        doors = SimpleNamespace(sockets=[door], close=lambda: None)
        server: Any = SimpleNamespace(servers=[doors], config=SimpleNamespace(), should_exit=False)
        return Leaving(server, Watch(), Loop())  # type: ignore[arg-type]

    return make


@pytest.mark.parametrize("others", [0, 1])
def test_a_worker_whose_service_leaves_closes_the_door_and_one_that_leaves_alone_does_not(
    leaving: Callable[..., Leaving], others: int
):
    with socket.create_server(("127.0.0.1", 0)) as door:
        one = leaving(door, others)
        one.begin()
        assert one._server.should_exit
        if others:
            socket.create_connection(door.getsockname()).close()
        else:
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(door.getsockname())


def test_a_worker_that_died_keeps_nobody(leaving: Callable[..., Leaving]):
    with socket.create_server(("127.0.0.1", 0)) as door:
        one = leaving(door, 1)
        for child in stopping.psutil.Process(0).children():
            child.status = lambda: "zombie"
        one.begin()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(door.getsockname())


def test_nobody_new_comes_in_but_who_waits_before_the_door_is_taken():
    with socket.create_server(("127.0.0.1", 0)) as door, socket.create_connection(door.getsockname()) as early:
        stopping._let_nobody_in(door)
        with pytest.raises(TimeoutError):
            socket.create_connection(door.getsockname(), timeout=0.2)
        assert stopping._waiting(door) == 1
        taken, _ = door.accept()
        assert stopping._waiting(door) == 0
        with taken:
            early.sendall(b"whole")
            assert taken.recv(5) == b"whole"


def test_told_twice_a_worker_does_not_wait(leaving: Callable[..., Leaving]):
    with socket.create_server(("127.0.0.1", 0)) as door:
        one = leaving(door)
        one.loop = SimpleNamespace(call_later=lambda *_: None)  # type: ignore[assignment]
        one.begin()
        assert not one._server.should_exit
        one.begin()
        assert one._server.should_exit
