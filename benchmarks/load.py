"""A load client that costs little, in a process of its own: bare sockets, each kept open and asked in turn."""

import selectors
import socket
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from time import perf_counter

_SPAWN = get_context("spawn")
_AT_ONCE = 2**18
_PATIENCE_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Answered:
    """How long each answer took, in milliseconds, and all of them together, in seconds."""

    times: list[float]
    seconds: float


class Client:
    """Asks a server at an address over so many sockets at once, one request after the other on each."""

    def __init__(self, work: Connection) -> None:
        self._work = work

    def ask(self, requests: Sequence[bytes], sockets: int = 1) -> Answered:
        """Ask all requests, and time each from its first byte sent to its answer's last received.

        Raises RuntimeError when an answer isn't 200, TimeoutError when the client doesn't report in time.
        """
        self._work.send((list(requests), sockets))
        if not self._work.poll(_PATIENCE_SECONDS):
            raise TimeoutError(f"expected {len(requests)} answers within {_PATIENCE_SECONDS:g} s, found fewer")
        told = self._work.recv()
        if isinstance(told, str):
            raise RuntimeError(told)
        return Answered(*told)


@contextmanager
def client(url: str) -> Iterator[Client]:
    """Keep a client's process while the block runs."""
    ours, theirs = _SPAWN.Pipe()
    process = _SPAWN.Process(target=_serve, args=(url, theirs))
    process.start()
    theirs.close()
    try:
        yield Client(ours)
    finally:
        ours.send(None)
        process.join()


def post(route: str, body: bytes) -> bytes:
    """Write a request with a JSON body."""
    head = f"POST {route} HTTP/1.1\r\nhost: benchmark\r\ncontent-type: application/json\r\ncontent-length: {len(body)}"
    return head.encode() + b"\r\n\r\n" + body


def _serve(url: str, work: Connection) -> None:
    host, _, port = url.removeprefix("http://").rpartition(":")
    while (asked := work.recv()) is not None:
        requests, sockets = asked
        try:
            with _opened(host, int(port), sockets) as held:
                begun = perf_counter()
                times = _timed(held, requests)
                taken = perf_counter() - begun
            work.send((times, taken))
        except (OSError, RuntimeError) as error:
            work.send(f"expected 200 to every request, found {error}")


@contextmanager
def _opened(host: str, port: int, sockets: int) -> Iterator[list[socket.socket]]:
    """Open sockets anew for every piece of work, since servers close those that were idle."""
    with ExitStack() as kept:
        held = [kept.enter_context(socket.create_connection((host, port), _PATIENCE_SECONDS)) for _ in range(sockets)]
        for one in held:
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield held


def _timed(held: Sequence[socket.socket], requests: Iterable[bytes]) -> list[float]:
    left, begun, times = iter(requests), dict[object, float](), list[float]()
    parts: dict[object, bytes] = {}
    with selectors.DefaultSelector() as waiting:

        def send(one: socket.socket) -> None:
            request = next(left, None)
            if request is None:
                waiting.unregister(one)
                return
            begun[one], parts[one] = perf_counter(), b""
            one.sendall(request)

        for one in held:
            waiting.register(one, selectors.EVENT_READ, one)
            send(one)
        while waiting.get_map():
            for key, _ in waiting.select(_PATIENCE_SECONDS):
                one = key.data
                part = one.recv(_AT_ONCE)
                if not part:
                    raise RuntimeError("an answer broken off")
                parts[one] += part
                if _whole(parts[one]):
                    times.append(1000 * (perf_counter() - begun[one]))
                    send(one)
    return times


def _whole(answer: bytes) -> bool:
    """Tell whether an answer is there to its last byte."""
    head, end, body = answer.partition(b"\r\n\r\n")
    if not end:
        return False
    if b" 200 " not in head[:16]:
        raise RuntimeError(answer[:500].decode(errors="replace"))
    length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
    return len(body) >= int(length)
