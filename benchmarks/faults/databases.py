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
    ways = {"stopped in order": server.shut_down, "stopped at once": server.stop, "killed (-9)": server.kill}
    with running(place.copied(folder / "databases", server.url())) as service:
        return [
            under_load(f"PostgreSQL {name}, and started", service, away(server, end), times)
            for name, end in ways.items()
        ]


def away(server: Server, end: Callable[[], None]) -> Callable[[Running], float]:
    """Make a cause that ends the server in some way, and starts it after a while."""

    def cause(service: Running) -> float:
        end()
        time.sleep(_AWAY_SECONDS)
        server.start()
        return time.monotonic()

    return cause
