"""Killed under load: whatever was answered is there, nothing twice, and no cap is overshot."""

from pathlib import Path

from benchmarks.faults import disks, kills
from benchmarks.faults.databases import away
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


def test_a_supervisor_that_is_killed_takes_its_workers_along_and_nothing_is_lost(service: Running) -> None:
    well(kills.under_load("supervisor", service, kills.kill_supervisor, 1))


def test_while_postgresql_is_away_nothing_is_lost_and_after_all_are_answered(
    place: Place, tmp_path: Path, postgres: Server
) -> None:
    with running(place.copied(tmp_path, postgres.url()), 1) as service:
        well(kills.under_load("stopped", service, away(postgres, postgres.shut_down), 1))


def test_files_that_may_not_grow_are_told_and_nothing_is_half_written(service: Running) -> None:
    well(disks.without_room("growth", service, lambda: disks.bounded(service), 1))
