"""The registry's database locked and spoiled: the service goes on, and commands say what is the matter."""

import random
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

from benchmarks.faults.audit import audit
from benchmarks.faults.callers import calling
from benchmarks.faults.found import Found
from benchmarks.faults.kills import PEOPLE, caps_of, told
from benchmarks.faults.served import Place, customers_of, running, within
from features.home import ROOT

_PAGE, _SPOILED = 4096, 64
_PATIENCE_SECONDS = 120.0
_RUN = "from holdfast.app import main; main()"
# Each asks the registry first, and is refused for what is the matter with it.
COMMANDS = (("promote", "1"), ("evaluate", "1"))


def registries(place: Place, folder: Path, seconds: float = 10.0, commands: bool = True) -> list[Found]:
    """Lock and spoil the registry of a service under load, in several ways, and ask commands meanwhile."""
    copied = place.whole(folder / "registry")
    ways = {"locked": locked, "with pages spoiled": spoiled, "overwritten with a text": overwritten, "gone": gone}
    with running(copied) as service:
        return [
            _meanwhile(f"registry's database {name}", service.url, copied, way, seconds, commands and name != "gone")
            for name, way in ways.items()
        ]


def _meanwhile(
    fault: str, url: str, place: Place, way: Callable[[Path], AbstractContextManager[None]], seconds: float, ask: bool
) -> Found:
    database, customers = place.home.mlruns / "mlflow.db", customers_of(place)[:PEOPLE]
    with way(database), calling(url, customers, 2, seed=time.time_ns() % 10**6) as journal:
        time.sleep(seconds)
        wrong = [said for command in COMMANDS if ask and (said := unclear(place, *command))]
    found = audit(place.home.database_url, journal, caps_of(place.home.playbook))
    journal.wrong += wrong
    # The service doesn't need the registry to answer: a refusal is wrong, too.
    torn = found.torn + journal.refused + journal.degraded
    return told(fault, 1, journal, found.lost, found.double, found.overshot, torn, 0.0)


def unclear(place: Place, *command: str) -> str:
    """Run a command; return what it says unless that is one message of what was expected and found, and status 1."""
    done = subprocess.run(
        [sys.executable, "-c", _RUN, *command], cwd=ROOT, capture_output=True, text=True, timeout=_PATIENCE_SECONDS,
        check=False, env=within(place),
    )  # fmt: skip
    said = [line for line in done.stderr.splitlines() if line.strip()]
    clear = done.returncode == 1 and "Traceback" not in done.stderr and "expected" in said[-1] and "found" in said[-1]
    return "" if clear else f"{' '.join(command)} ended with {done.returncode}: {' '.join(said[-3:])[:300]}"


@contextmanager
def locked(database: Path) -> Iterator[None]:
    """Hold a database for oneself alone, as a backup or another client may."""
    with closing(sqlite3.connect(database, isolation_level=None)) as holding:
        holding.execute("BEGIN EXCLUSIVE")
        yield


@contextmanager
def spoiled(database: Path) -> Iterator[None]:
    """Write nonsense over the start of each page but the first, as a bad disk may."""
    whole, dice = database.read_bytes(), random.Random(1)
    content = bytearray(whole)
    for start in range(_PAGE, len(content), _PAGE):
        content[start : start + _SPOILED] = dice.randbytes(_SPOILED)
    database.write_bytes(content)
    yield
    database.write_bytes(whole)


@contextmanager
def overwritten(database: Path) -> Iterator[None]:
    """Put a text where the database was."""
    whole = database.read_bytes()
    database.write_text("This is no database.\n" * 500, encoding="utf-8")
    yield
    database.write_bytes(whole)


@contextmanager
def gone(database: Path) -> Iterator[None]:
    """Move the database away."""
    aside = database.with_suffix(".aside")
    database.rename(aside)
    yield
    aside.replace(database)
