"""PostgreSQL stopped and started under load, in order and at once."""

import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.faults.found import Found
from benchmarks.faults.kills import under_load
from benchmarks.faults.served import Place, Running, running
from benchmarks.postgres import Server

_AWAY_SECONDS = 2.0


def databases(place: Place, folder: Path, server: Server, times: int = 5) -> list[Found]:
    """Stop PostgreSQL in order, stop it at once, and kill it, so many times each, while callers ask."""
    with running(place.copied(folder / "databases", server.url())) as service:
        return [
            under_load("PostgreSQL stopped in order, and started", service, _away(server, server.shut_down), times),
            under_load("PostgreSQL stopped at once, and started", service, _away(server, server.stop), times),
            under_load("PostgreSQL killed (-9), and started", service, _away(server, server.kill), times),
        ]


def _away(server: Server, end: Callable[[], None]) -> Callable[[Running], float]:
    def cause(service: Running) -> float:
        end()
        time.sleep(_AWAY_SECONDS)
        server.start()
        return time.monotonic()

    return cause
