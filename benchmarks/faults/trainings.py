"""Ingesting, training and serving at once, and two trainers at once."""

import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.faults.audit import audit
from benchmarks.faults.callers import calling
from benchmarks.faults.found import Found
from benchmarks.faults.kills import PEOPLE, caps_of, told
from benchmarks.faults.served import Place, customers_of, running, within
from features.home import ROOT

_RUN = "from holdfast.app import main; main()"
_PATIENCE_SECONDS = 600.0


def trainings(place: Place, folder: Path, rounds: int = 3) -> list[Found]:
    """Do both."""
    return [all_at_once(place, folder, rounds), two_trainers(place, folder)]


def all_at_once(place: Place, folder: Path, rounds: int) -> Found:
    """Take events in and train, again and again, under a service that is asked meanwhile."""
    copied, wrong = place.whole(folder / "at-once"), list[str]()
    with running(copied) as service, calling(service.url, customers_of(copied)[:PEOPLE], 3) as journal:
        for number in range(rounds):
            file = _orders(copied, number)
            taking = _command(copied, "ingest", str(file), "--source", "orders")
            training = _command(copied, "train", "--as-of", "2018-01-01")
            wrong += [said for one in (taking, training) if (said := _failed(one))]
    found = audit(copied.home.database_url, journal, caps_of(copied.home.playbook))
    journal.wrong += wrong
    fault = f"ingest, train and serve at once ({_versions(copied)} versions registered)"
    return told(fault, rounds, journal, found.lost, found.double, found.overshot, found.torn, 0.0)


def two_trainers(place: Place, folder: Path) -> Found:
    """Start two trainings of one home at once: one does its work, the other is told who is at it."""
    copied = place.whole(folder / "two")
    before = _versions(copied)
    first, second = (_command(copied, "train", "--as-of", "2018-01-01") for _ in range(2))
    said = [one.communicate(timeout=_PATIENCE_SECONDS)[1] for one in (first, second)]
    statuses = sorted((first.returncode, second.returncode))
    told_so = sum("expected no other training in" in one and "Traceback" not in one for one in said)
    well = statuses == [0, 1] and told_so == 1 and _versions(copied) == before + 1
    note = f"statuses {statuses}, {_versions(copied) - before} version registered"
    return Found(
        fault="two trainers at once", caused=1, answered=statuses.count(0), refused=told_so, wrong=not well, note=note
    )


def _orders(place: Place, number: int) -> Path:
    """Write a file of order lines, with the source that reads it in a playbook of the home's own."""
    playbook = place.home.folder / "playbook"
    if not playbook.exists():
        shutil.copytree(place.home.playbook, playbook)
        (playbook / "sources" / "orders.toml").write_text(_SOURCE, encoding="utf-8")
    file = place.home.folder / f"orders-{number}.csv"
    lines = (
        f"{number}-{line},C{line % 50},2017-12-{1 + line % 28:02}T09:00:00,TEA,{line % 9 + 1}" for line in range(5_000)
    )
    file.write_text("order,customer,when,sku,paid\n" + "\n".join(lines), encoding="utf-8")
    return file


_SOURCE = """
name = "orders"
description = "Order lines"
time_zone = "UTC"
reference = "customer"

[[table]]
name = "lines"
files = ["orders*.csv"]
holds = "interactions"
key = ["order", "sku"]
constants = { kind = "purchase", channel = "web" }

[table.columns]
reference = "customer"
occurred_at = "when"
product = "sku"
amount = "paid"
"""


def _command(place: Place, *arguments: str) -> "subprocess.Popen[str]":
    own = place.home.folder / "playbook"
    kept = {"HOLDFAST_PLAYBOOK": str(own)} if own.exists() else {}
    return subprocess.Popen(
        [sys.executable, "-c", _RUN, *arguments], cwd=ROOT, env=within(place) | kept, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def _failed(command: "subprocess.Popen[str]") -> str:
    said = command.communicate(timeout=_PATIENCE_SECONDS)[1]
    return "" if command.returncode == 0 else f"ended with {command.returncode}: {said[-300:]}"


def _versions(place: Place) -> int:
    """Count the versions that the registry holds."""
    # MLflow takes seconds to import.
    from training.registry import versions

    return len(versions(place.home))
