"""Killed with -9 under load: a worker, all workers, the supervisor, the whole service."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from benchmarks.faults.audit import audit
from benchmarks.faults.callers import Journal, calling
from benchmarks.faults.found import Found
from benchmarks.faults.served import Place, Running, customers_of, running
from features.definitions import NAMES
from features.errors import HoldfastError
from serving.contact import Cap
from serving.playbook import load_playbook

# Few, so that their caps are reached.
PEOPLE = 12
_BETWEEN_SECONDS, _PATIENCE_SECONDS = 1.0, 60.0


def kills(place: Place, folder: Path, times: int = 20, whole: int = 10, url: str = "") -> list[Found]:
    """Kill a worker of two, both, and the whole service, so many times each."""
    where = "PostgreSQL" if url else "SQLite"
    copy = place.copied(folder / "kills", url)
    with running(copy) as service:
        return [
            under_load(f"kill -9 of one of two workers ({where})", service, kill_worker, times),
            under_load(f"kill -9 of all workers ({where})", service, kill_workers, times // 2),
            under_load(f"kill -9 of the supervisor ({where})", service, kill_supervisor, whole),
            under_load(f"kill -9 of the whole service ({where})", service, kill_all, whole),
        ]


def under_load(fault: str, service: Running, cause: Callable[[Running], float], times: int) -> Found:
    """Cause a fault again and again while callers ask, and compare their journal with the store."""
    home, slowest = service.place.home, 0.0
    with calling(service.url, customers_of(service.place)[:PEOPLE], seed=time.time_ns() % 10**6) as journal:
        for _ in range(times):
            time.sleep(_BETWEEN_SECONDS)
            slowest = max(slowest, recovered(journal, cause(service)))
    found = audit(home.database_url, journal, caps_of(home.playbook))
    return told(fault, times, journal, found.lost, found.double, found.overshot, found.torn, slowest)


def told(
    fault: str, times: int, journal: Journal, lost: int, double: int, over: int, torn: int, slowest: float
) -> Found:
    """Tell what came of a fault."""
    return Found(
        fault=fault, caused=times, answered=journal.answered, refused=journal.refused, lost=lost, double=double,
        overshot=over, wrong=torn + len(journal.wrong), recovery_s=slowest,
        note=f"{journal.unreached:,} cut off, {journal.retold:,} told again, {journal.degraded:,} degraded"
        + "".join(f"; {one}" for one in journal.wrong[:2]),
    )  # fmt: skip


def caps_of(playbook: Path) -> tuple[Cap, ...]:
    """Read the caps that a playbook states."""
    return load_playbook(playbook, NAMES).contact.caps


def recovered(journal: Journal, ended: float) -> float:
    """Wait for the first answer after a fault, and tell how long that took."""
    until = time.monotonic() + _PATIENCE_SECONDS
    while journal.next_after(ended) == float("inf") and time.monotonic() < until:
        time.sleep(0.02)
    return journal.next_after(ended)


def kill_worker(service: Running) -> float:
    """Kill one worker, once all of them are there."""
    _await_workers(service)
    os.kill(service.processes()[0].pid, signal.SIGKILL)
    return time.monotonic()


def kill_workers(service: Running) -> float:
    """Kill all workers, and leave the supervisor."""
    _await_workers(service)
    for one in service.processes():
        os.kill(one.pid, signal.SIGKILL)
    return time.monotonic()


def kill_supervisor(service: Running) -> float:
    """Kill the supervisor alone, and start the service again once its workers have left the port."""
    assert service.server is not None
    workers = service.processes()
    os.kill(service.server.process.pid, signal.SIGKILL)
    service.server.process.wait()
    if psutil.wait_procs(workers, timeout=_PATIENCE_SECONDS)[1]:
        raise HoldfastError("expected the workers to end with their supervisor, found that they serve on")
    ended = time.monotonic()
    service.start()
    return ended


def kill_all(service: Running) -> float:
    """Kill everything, and start it again."""
    service.kill()
    ended = time.monotonic()
    service.start()
    return ended


def _await_workers(service: Running) -> None:
    """Wait until the supervisor has brought all workers back."""
    until = time.monotonic() + _PATIENCE_SECONDS
    while len(service.processes()) < service.workers and time.monotonic() < until:
        time.sleep(0.05)
