"""Killed under load: whatever was answered is there, nothing twice, and no cap is overshot."""

import os
import signal
from pathlib import Path

import psutil

from benchmarks.faults import disks, kills
from benchmarks.faults.databases import databases
from benchmarks.faults.found import Found
from benchmarks.faults.served import Place, Running, running
from benchmarks.postgres import Server

# On a busy machine; a worker starts in five seconds on a quiet one.
MOST_SECONDS = 60.0


def well(found: Found) -> None:
    assert found.holds, found.note
    assert found.answered > 20
    assert found.recovery_s is not None
    assert found.recovery_s < MOST_SECONDS


def test_a_worker_that_is_killed_loses_nothing_and_the_other_answers(service: Running) -> None:
    well(kills.under_load("worker", service, kills.kill_worker, 2))


def test_a_whole_service_that_is_killed_loses_nothing(service: Running) -> None:
    well(kills.under_load("service", service, kills.kill_all, 1))


def test_workers_end_with_their_supervisor_and_leave_the_port(service: Running) -> None:
    workers = service.processes()
    assert service.server is not None
    os.kill(service.server.process.pid, signal.SIGKILL)
    service.server.process.wait()
    assert psutil.wait_procs(workers, timeout=20)[1] == []
    service.start()


def test_while_postgresql_is_away_nothing_is_lost_and_after_all_are_answered(
    place: Place, tmp_path: Path, postgres: Server
) -> None:
    for found in databases(place, tmp_path, postgres, 1):
        well(found)
        assert found.refused + int(found.note.split(" degraded")[0].split()[-1].replace(",", "")) > 0


def test_a_full_disk_is_told_and_nothing_is_half_written(place: Place, tmp_path: Path) -> None:
    with running(place.copied(tmp_path / "growth")) as service:
        well(disks.without_room("growth", service, lambda: disks.bounded(service), 1))
