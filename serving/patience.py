"""Heads of requests have a bound in bytes and in time; uvicorn lets half a head wait for ever.

How long one may be depends on which of its parsers is installed: h11 bounds it, httptools doesn't.

A head is what comes before the application, and its gate, hears of a request at all.
"""

import asyncio
import signal
from collections.abc import Callable
from typing import Any

import uvicorn

from serving import metrics
from serving.logs import log

LARGEST_HEAD = 32 * 2**10
_END = b"\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
_REFUSALS = {
    "slow_head": (408, b"HTTP/1.1 408 Request Timeout" + _END),
    "large_head": (431, b"HTTP/1.1 431 Request Header Fields Too Large" + _END),
}


def begin(seconds: float) -> None:
    """Bound the heads of all that this process's server, if it has one, will accept; call it before it listens."""
    server = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
    if isinstance(server, uvicorn.Server):
        protocol: Callable[..., Any] = server.config.http_protocol_class
        server.config.http_protocol_class = lambda **given: Patient(protocol(**given), seconds)  # type: ignore[assignment]


class Patient(asyncio.Protocol):
    """A connection, spoken over by one of uvicorn's protocols, that ends when a head is too long, or long in coming."""

    def __init__(self, spoken: Any, seconds: float) -> None:
        self._spoken, self._seconds = spoken, seconds
        self._size = 0
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for a head."""
        self._spoken.connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Hand on what came; what isn't followed by a request is part of a head."""
        self._spoken.data_received(data)
        cycle = self._spoken.cycle
        if cycle is not None and not cycle.response_complete:
            self._end()
            return
        if self._timer is None:
            self._wait()
        self._size += len(data)
        if self._size > LARGEST_HEAD:
            self._refuse("large_head")

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._end()
        self._spoken.connection_lost(exc)

    def eof_received(self) -> bool | None:
        """Hand it on."""
        return bool(self._spoken.eof_received())

    def pause_writing(self) -> None:
        """Hand it on."""
        self._spoken.pause_writing()

    def resume_writing(self) -> None:
        """Hand it on."""
        self._spoken.resume_writing()

    def _wait(self) -> None:
        self._size = 0
        self._timer = self._spoken.loop.call_later(self._seconds, self._refuse, "slow_head")

    def _end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _refuse(self, reason: str) -> None:
        self._end()
        # Who has sent nothing at all isn't told anything, and isn't worth a line.
        if self._size and not self._spoken.transport.is_closing():
            status, answer = _REFUSALS[reason]
            log("refused", status=status, reason=reason)
            metrics.refused(reason)
            self._spoken.transport.write(answer)
        self._spoken.transport.close()
