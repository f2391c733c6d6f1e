"""Requests sent by hand over a socket: half of them, a byte a second, none at all, and what is no HTTP."""

import http.client
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

from benchmarks.faults.asked import Asker, written
from benchmarks.faults.found import Found
from benchmarks.faults.questions import QUESTIONS

_ROUTE = "/v1/decisions"
# Others are answered meanwhile, no slower than this.
MOST_SECONDS = 2.0
GARBAGE = (
    b"\x00" * 1_000, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\xaa" * 200, b"GET\r\n\r\n", b"A" * 100_000,
    b"POST /v1/decisions HTTP/9.9\r\n\r\n", b"POST /v1/decisions HTTP/1.1\r\nContent-Length: -5\r\n\r\n{}",
    b"POST /v1/decisions HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}x",
    b"POST /v1/decisions HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
    b"POST /v1/decisions HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 200_000 + b"\r\n\r\n",
    b"POST /v1/decisions HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n{}",
)  # fmt: skip


def sockets(url: str, slow: int = 200, seconds: float = 20.0, half: int = 500) -> list[Found]:
    """Do all of it to a service."""
    return [half_sent(url, half), slow_clients(url, slow, seconds), garbage(url)]


def half_sent(url: str, times: int) -> Found:
    """Send requests that break off at some byte, a third of them by a reset, and ask properly in between."""
    whole = _request(url)
    with Asker(url) as asker:
        for number in range(times):
            with _connected(url) as opened:
                opened.sendall(whole[: 1 + number * 7919 % (len(whole) - 1)])
                if number % 3 == 0:
                    opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
            if number % 10 == 0:
                asker.ask(_ROUTE, written(QUESTIONS[_ROUTE]), what="beside half a request", only=(200,))
        return _told(f"requests broken off at {times} places", times, asker)


def slow_clients(url: str, clients: int, seconds: float) -> Found:
    """Let clients send a byte a second each while others ask properly; all of the slow ones are there at once."""
    whole, ended = _request(url), threading.Event()
    opened = [socket.create_connection(_address(url), timeout=30) for _ in range(clients)]
    dripping = threading.Thread(target=_drip, args=(opened, whole, ended))
    dripping.start()
    with Asker(url) as asker:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            asker.ask(_ROUTE, written(QUESTIONS[_ROUTE]), what="beside slow clients", only=(200,))
            time.sleep(0.02)
        ended.set()
        dripping.join()
        for one in opened:
            one.close()
        late = int(asker.said.slowest > MOST_SECONDS)
        return _told(f"clients that send a byte a second, {clients} at once", clients, asker, late)


def garbage(url: str) -> Found:
    """Send what is no HTTP, or contradicts itself: it is refused or hung up on, and never answered with 200."""
    taken = 0
    with Asker(url) as asker:
        for piece in GARBAGE:
            taken += b" 200 OK" in _sent(url, piece)
            asker.ask(_ROUTE, written(QUESTIONS[_ROUTE]), what="after garbage", only=(200,))
        return _told("what is no HTTP, or contradicts itself", len(GARBAGE), asker, taken)


def _told(fault: str, times: int, asker: Asker, wrong: int = 0) -> Found:
    said = asker.said
    return Found(
        fault=fault, caused=times, answered=said.answered, wrong=len(said.wrong) + wrong,
        note="; ".join([f"others answered meanwhile in {said.slowest:.2f} s at most", *said.wrong[:2]]),
    )  # fmt: skip


def _drip(opened: Sequence[socket.socket], whole: bytes, ended: threading.Event) -> None:
    sent = 0
    while not ended.wait(1.0):
        sent = (sent + 1) % (len(whole) - 1)
        for one in opened:
            # The service may hang up on somebody so slow.
            with suppress(OSError):
                one.sendall(whole[sent : sent + 1])


def _sent(url: str, piece: bytes) -> bytes:
    with _connected(url) as opened, suppress(OSError):
        opened.settimeout(1.0)
        opened.sendall(piece)
        return opened.recv(1_000)
    return b""


@contextmanager
def _connected(url: str) -> Iterator[socket.socket]:
    with socket.create_connection(_address(url), timeout=30) as opened:
        yield opened


def _address(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return str(parts.hostname), int(parts.port or http.client.HTTP_PORT)


def _request(url: str) -> bytes:
    body = written(QUESTIONS[_ROUTE])
    head = f"POST {_ROUTE} HTTP/1.1\r\nHost: {urlsplit(url).netloc}\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
