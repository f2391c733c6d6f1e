"""A disk that is full, and a file that may not grow: nothing is half written, and all goes on once there is room."""

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from benchmarks.faults.audit import audit
from benchmarks.faults.callers import Journal, calling
from benchmarks.faults.found import Found
from benchmarks.faults.kills import PEOPLE, caps_of, recovered, told
from benchmarks.faults.served import Place, Running, customers_of, running

_MB = 2**20
_PATIENCE_SECONDS = 60.0


def full_disk(place: Place, folder: Path, times: int = 5) -> Found:
    """Fill the disk under a service and empty it again, so many times, while callers ask.

    Raises OSError where no small file system may be mounted.
    """
    file = Path(place.home.database_url.removeprefix("sqlite:///"))
    with ExitStack() as stack:
        disk = stack.enter_context(small_disk(folder / "disk", 3 * file.stat().st_size + 64 * _MB))
        service = stack.enter_context(running(place.copied(disk)))
        return without_room("disk full", service, lambda: filled(disk), times)


def no_growth(place: Place, folder: Path, times: int = 5) -> Found:
    """Let no file of the workers grow for a while, so many times: what a quota does, and needs no rights."""
    with running(place.copied(folder / "growth")) as service:
        return without_room("files may not grow", service, lambda: bounded(service), times)


def without_room(
    fault: str, service: Running, without: Callable[[], AbstractContextManager[object]], times: int
) -> Found:
    """Leave a service no room for a while, so many times, while callers ask."""
    copy, slowest, unnoticed = service.place, 0.0, 0
    with calling(service.url, customers_of(copy)[:PEOPLE]) as journal:
        for _ in range(times):
            time.sleep(1.0)
            with without():
                unnoticed += not _refusing(journal)
            slowest = max(slowest, recovered(journal, time.monotonic()))
    found = audit(copy.home.database_url, journal, caps_of(copy.home.playbook))
    return told(fault, times, journal, found.lost, found.double, found.overshot, found.torn + unnoticed, slowest)


@contextmanager
def small_disk(disk: Path, size: int) -> Iterator[Path]:
    """Mount a file system of so many bytes in memory; raises OSError where that isn't allowed."""
    disk.mkdir(parents=True)
    options = ["-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(disk)]
    mounted = subprocess.run(["mount", *options], capture_output=True, text=True, check=False)
    if mounted.returncode:
        raise OSError(f"expected to mount a small file system, found: {mounted.stderr.strip()}")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=False)


@contextmanager
def filled(disk: Path) -> Iterator[None]:
    """Leave no room for another byte as long as the block runs."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as opened:
        for size in (_MB, 4096, 1):
            try:
                while True:
                    opened.write(b"\0" * size)
            except OSError:
                continue
    yield
    filler.unlink()


@contextmanager
def bounded(service: Running) -> Iterator[None]:
    """Let no file of a service's workers grow beyond a few bytes as long as the block runs."""
    workers = service.processes()
    for one in workers:
        one.rlimit(psutil.RLIMIT_FSIZE, (4096, psutil.RLIM_INFINITY))
    yield
    for one in workers:
        one.rlimit(psutil.RLIMIT_FSIZE, (psutil.RLIM_INFINITY, psutil.RLIM_INFINITY))


def _refusing(journal: Journal) -> bool:
    """Wait until callers are told to come back later, or are answered in degraded mode."""
    before, until = journal.refused + journal.degraded, time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < until:
        if journal.refused + journal.degraded > before + 10:
            return True
        time.sleep(0.05)
    return False
