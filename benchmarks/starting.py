"""How long the service takes to start, how soon its first answer comes, and how much memory a worker takes."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median

import psutil  # type: ignore[import-untyped]

from benchmarks import nothing
from benchmarks.crowded import Crowd
from benchmarks.load import Client, client, post
from benchmarks.report import Row
from benchmarks.timing import against, within
from serving.cores import PIN
from serving.run import SERVICE, Server, environment, start

_MOST_SLOWER, _MOST_FIRST, _MOST_MEGABYTES = 1.3, 3.0, 350.0
_SHORT = 10_000


@contextmanager
def running(crowd: Crowd, service: str, workers: int = 1) -> Iterator[Server]:
    """Keep a service of a crowd's home up while the block runs, each worker on a core of its own, as systemd does."""
    place = environment(crowd.home, crowd.bundle, workers, crowd.version) | {PIN: "1"}
    server = start(place, "127.0.0.1", 0, service)
    try:
        server.wait_ready()
        yield server
    finally:
        server.stop()


def rows(crowd: Crowd, starts: int) -> list[Row]:
    """Start both services by turns; ask ours at once when it is ready, then some more."""
    ours, theirs, firsts = list[float](), list[float](), list[float]()
    for _ in range(starts):
        theirs.append(_ready(crowd, f"{nothing.__name__}:NothingService", lambda asked: None))
        ours.append(_ready(crowd, SERVICE, lambda asked: firsts.append(_first(asked, crowd))))
    slowest = f"first decision after ready beside the median, worst of {starts} starts, times"
    return [
        against(
            f"start to ready beside a no-op that imports LightGBM, median of {starts}, s",
            median(ours), median(theirs), _MOST_SLOWER,
        ),
        Row(slowest, max(firsts), _MOST_FIRST, max(firsts) / _MOST_FIRST, "<= 1", max(firsts) <= _MOST_FIRST),
    ]  # fmt: skip


def _ready(crowd: Crowd, service: str, ask: Callable[[Client], None]) -> float:
    begun = time.monotonic()
    with running(crowd, service) as server:
        taken = time.monotonic() - begun
        with client(server.url) as asked:
            ask(asked)
    return taken


def _first(asked: Client, crowd: Crowd) -> float:
    """Set a worker's first decision beside the median of those that follow, all of customers not asked about before."""
    (first,) = asked.ask(crowd.decisions(1)).times
    return first / median(asked.ask(crowd.decisions(200, start=1)).times)


def memory(asked: Client, crowd: Crowd, largest: Callable[[], float]) -> list[Row]:
    """Decide about everybody of the usual size, and about more with one event than are kept; tell a worker's memory."""
    asked.ask(crowd.decisions(len(crowd.names)), 4)
    before = largest()
    some = [b'{"customer": "customer:made-%d", "channel": "phone"}' % number for number in range(1, 1 + _SHORT)]
    asked.ask([post("/v1/decisions", one) for one in some], 4)
    asked.ask(crowd.decisions(len(crowd.names)), 4)
    said = f"memory of a worker, {crowd.made:,} customers in the store, cache full, MB"
    return [within(said, max(before, largest()), _MOST_MEGABYTES)]


def largest(server: Server) -> float:
    """Tell how much memory the largest process of a service takes, in MB."""
    supervisor = psutil.Process(server.process.pid)
    return float(max(one.memory_info().rss for one in [supervisor, *supervisor.children(recursive=True)]) / 1e6)
