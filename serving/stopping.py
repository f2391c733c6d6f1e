"""How a worker stops: it says so, goes on answering for a while, closes its doors, and ends what it has begun.

1. Told to stop (SIGTERM or SIGINT), it isn't ready any more, and every answer closes its connection: for
   `HOLDFAST_DRAIN_SECONDS`, in which whoever balances load takes it out and clients connect elsewhere.
2. It stops listening, so that connections are refused: the last worker of a service does so for the supervisor, too,
   which would else take connections that nobody answers.
3. What was accepted is answered, within `FINISH_SECONDS`; then the store is closed.
"""

import asyncio
import fcntl
import os
import signal
import socket
import struct
from contextlib import suppress
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import uvicorn

from serving.health import Watch

DRAIN = "HOLDFAST_DRAIN_SECONDS"
DRAIN_SECONDS = 1.0
FINISH_SECONDS = 20
# As long as a connection that was just accepted has to send its request.
_MANNERS_SECONDS = 0.3
_TICK_SECONDS = 0.001
_TICKS = 200
# The number of connections that wait to be accepted, in Linux's `struct tcp_info` of a listening socket.
_WAITING_AT = 24


def drain_seconds() -> float:
    """Tell how long a worker that was told to stop goes on answering as before."""
    return float(os.environ.get(DRAIN) or DRAIN_SECONDS)


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
        self._ticks = _TICKS

    def begin(self) -> None:
        """Say that the worker leaves; told again, it doesn't wait."""
        if self._watch.leaving:
            self._finish()
            return
        self._watch.leaving = True
        self.loop.call_later(drain_seconds(), self._close_doors)

    def _close_doors(self) -> None:
        if _all_leave(Path(os.environ.get("PROMETHEUS_MULTIPROC_DIR", "."))):
            self._close_for_all()
        else:
            self._close()

    def _close_for_all(self) -> None:
        """Stop listening at a moment when no connection waits to be accepted."""
        doors = [door for server in self._server.servers for door in server.sockets]
        self._ticks -= 1
        if self._ticks and any(_waiting(door.fileno()) for door in doors):
            self.loop.call_later(_TICK_SECONDS, self._close_for_all)
            return
        for door in doors:
            with suppress(OSError), socket.socket(fileno=os.dup(door.fileno())) as held:
                held.shutdown(socket.SHUT_RDWR)
        self._close()

    def _close(self) -> None:
        for server in self._server.servers:
            server.close()
        self.loop.call_later(_MANNERS_SECONDS, self._finish)

    def _finish(self) -> None:
        self._server.config.timeout_graceful_shutdown = FINISH_SECONDS
        self._server.should_exit = True


def _waiting(door: int) -> int:
    """Count the connections that wait to be accepted; none where the system doesn't tell."""
    if not hasattr(socket, "TCP_INFO"):
        return 0
    with socket.socket(fileno=os.dup(door)) as held:
        told = held.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _WAITING_AT + 4)
    return int(struct.unpack_from("I", told, _WAITING_AT)[0])


def _all_leave(folder: Path) -> bool:
    """Write down that this worker leaves, and tell whether it is the last of its service's."""
    with (folder / "leaving").open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write(f"{os.getpid()}\n")
        file.flush()
        file.seek(0)
        left = {int(line) for line in file}
    workers = {child.pid for child in psutil.Process(os.getppid()).children()}
    return workers <= left
