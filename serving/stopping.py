"""How a worker stops: it says so, goes on answering for a while, closes its doors, and ends what it has begun.

1. Told to stop (SIGTERM or SIGINT), it isn't ready any more, and every answer closes its connection: for
   `HOLDFAST_DRAIN_SECONDS`, in which whoever balances load takes it out and clients connect elsewhere.
2. Once all workers of its service leave, nobody new is let in, who waits before the door is taken, and the door is
   closed, for the supervisor, too: it holds the same door, and would let in who then isn't answered.
3. What was accepted is answered, within `FINISH_SECONDS`; then the store is closed.
"""

import asyncio
import ctypes
import os
import signal
import socket
import struct
from contextlib import suppress
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import uvicorn

from serving.health import Watch
from serving.settings import number

DRAIN = "HOLDFAST_DRAIN_SECONDS"
DRAIN_SECONDS, MOST_DRAIN_SECONDS = 1.0, 3_600.0
FINISH_SECONDS = 20
# As long as a connection that was just accepted has to send its request.
_MANNERS_SECONDS = 0.5
_LOOK_SECONDS = 0.05
_LOOKS = 60
# A filter in the system's own words (linux/filter.h): of what comes to a door, packets that begin a connection (of the
# flags in a TCP head's byte 13, SYN and not ACK) are dropped, and all others taken.
_SO_ATTACH_FILTER = 26
_NO_BEGINNINGS = ((0x30, 0, 0, 13), (0x54, 0, 0, 0x12), (0x15, 0, 1, 0x02), (0x06, 0, 0, 0), (0x06, 0, 0, 0xFFFFFFFF))
# The number of connections that wait to be accepted, in Linux's `struct tcp_info` of a listening socket.
_WAITING_AT = 24


def drain_seconds() -> float:
    """Tell how long a worker that was told to stop goes on answering as before.

    Raises InputError when the environment says something else than a number of seconds.
    """
    return number(DRAIN, DRAIN_SECONDS, 0.0, MOST_DRAIN_SECONDS, " seconds")


def prepare(watch: Watch) -> None:
    """Stop in order when told to, where uvicorn serves and would stop at once."""
    server = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
    if isinstance(server, uvicorn.Server):
        leaving = Leaving(server, watch, asyncio.get_running_loop())
        for told in (signal.SIGTERM, signal.SIGINT):
            leaving.loop.add_signal_handler(told, leaving.begin)


class Leaving:
    """A worker on its way out."""

    def __init__(self, server: uvicorn.Server, watch: Watch, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._server = server
        self._watch = watch
        self._marks = Path(os.environ.get("PROMETHEUS_MULTIPROC_DIR", ".")) / "leaving"
        self._drain = drain_seconds()
        self._looks = _LOOKS
        self._shared: list[socket.socket] = []

    def begin(self) -> None:
        """Say that the worker leaves; told again, it doesn't wait."""
        if self._watch.leaving:
            self._finish()
            return
        self._watch.leave()
        # A full disk doesn't keep a worker from leaving.
        with suppress(OSError), self._marks.open("a") as file:
            file.write(f"{os.getpid()}\n")
        self.loop.call_later(self._drain, self._wait_for_others)

    def _wait_for_others(self) -> None:
        """Go on as long as another worker may; who stays doesn't leave at all, and needs the door."""
        self._looks -= 1
        if not _others_stay(self._marks):
            self._shared = [_held(door.fileno()) for server in self._server.servers for door in server.sockets]
            for door in self._shared:
                _let_nobody_in(door)
            self.loop.call_later(_LOOK_SECONDS, self._take_who_waits)
        elif self._looks:
            self.loop.call_later(_LOOK_SECONDS, self._wait_for_others)
        else:
            self._close()

    def _take_who_waits(self) -> None:
        self._looks -= 1
        if any(map(_waiting, self._shared)) and self._looks > 0:
            self.loop.call_later(_LOOK_SECONDS, self._take_who_waits)
        else:
            self._close()

    def _close(self) -> None:
        for server in self._server.servers:
            server.close()
        self.loop.call_later(_MANNERS_SECONDS, self._finish)

    def _finish(self) -> None:
        for door in self._shared:
            with suppress(OSError), door:
                door.shutdown(socket.SHUT_RDWR)
        self._server.config.timeout_graceful_shutdown = FINISH_SECONDS
        self._server.should_exit = True


def _held(door: int) -> socket.socket:
    return socket.socket(fileno=os.dup(door))


def _let_nobody_in(door: socket.socket) -> None:
    """Give no answer to whoever begins to connect from now on, where the system can; who is half way in comes in.

    They try again within a second or three, and are refused then. A door that is simply closed shuts out those who have
    come in and weren't taken yet, who find their requests cut off.
    """
    program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in _NO_BEGINNINGS))
    told = struct.pack("HL", len(_NO_BEGINNINGS), ctypes.addressof(program))
    with suppress(OSError):
        door.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, told)


def _waiting(door: socket.socket) -> int:
    """Count the connections that wait to be accepted; none where the system doesn't tell."""
    if not hasattr(socket, "TCP_INFO"):
        return 0
    told = door.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _WAITING_AT + 4)
    return int(struct.unpack_from("I", told, _WAITING_AT)[0])


def _others_stay(marks: Path) -> bool:
    """Tell whether any worker of the same service hasn't said that it leaves."""
    try:
        left = {int(line) for line in marks.read_text().split()}
    except OSError:
        left = set()
    workers = psutil.Process(os.getppid()).children()
    return any(one.pid not in left for one in workers if one.status() != psutil.STATUS_ZOMBIE)
