"""A small home with real models, copies of it to break, and a real service over a copy."""

import os
import random
import shutil
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from features.backups import write_backup
from features.clock import after_history, live
from features.errors import HoldfastError, InputError
from features.history import History
from features.home import ROOT, Home
from features.recovering import restore
from holdfast import ingesting, learning, sample
from serving.run import Server, environment, free_port, start

HOUSEHOLDS, HOST = 120, "127.0.0.1"


@dataclass(frozen=True)
class Place:
    """A home of this machine's own clock, and the bundle that serves in it."""

    home: Home
    bundle: Path

    def copied(self, folder: Path, url: str = "") -> "Place":
        """Copy the store into a folder, or into an empty store at an address; the bundle stays where it is."""
        kept = folder / "copied.backup"
        folder.mkdir(parents=True, exist_ok=True)
        write_backup(self.home.database_url, kept, live())
        url = url or f"sqlite:///{folder / 'data' / 'history.db'}"
        restore(kept, url, folder)
        kept.unlink()
        return replace(self, home=replace(self.home, folder=folder, database_url=url))

    def whole(self, folder: Path) -> "Place":
        """Copy the store and the registry into a folder; what is trained there is laid down there."""
        copied = self.copied(folder)
        shutil.copytree(self.home.mlruns, copied.home.mlruns)
        # MLflow writes down where artifacts go, from the root of the file system on.
        with closing(sqlite3.connect(copied.home.mlruns / "mlflow.db")) as registry, registry:
            moved = (str(self.home.mlruns), str(copied.home.mlruns))
            registry.execute("UPDATE experiments SET artifact_location = replace(artifact_location, ?, ?)", moved)
        return copied


def trained(folder: Path, households: int = HOUSEHOLDS) -> Place:
    """Make a home of some real households, and train a champion in it."""
    home = Home(folder, ROOT / "playbook", f"sqlite:///{folder / 'data' / 'history.db'}", "live")
    history = History(home.database_url)
    ingesting.take(home, history, [sample.cut(folder / "cut", households)], sample.SOURCE, _quiet)
    learning.make_bundle(home, history, after_history(history.newest)(), 7, 1, _quiet)
    history.close()
    return Place(home, bundle_of(home))


def bundle_of(home: Home) -> Path:
    """Find the one bundle that was trained in a home."""
    (found,) = home.mlruns.glob("artifacts/*/artifacts/bundle")
    return found


def customers_of(place: Place) -> list[str]:
    """Name the customers of a home."""
    history = History(place.home.database_url)
    known = history.known_by(live())
    history.close()
    return sorted(known.records["customer"].unique().to_list())


def within(place: Place) -> dict[str, str]:
    """Say to a command which home it is in; MLflow leaves the address of the last registry in the environment."""
    kept = {name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"}
    return kept | {"HOLDFAST_HOME": str(place.home.folder), "PYTHONPATH": str(ROOT)}


def port_of_its_own() -> int:
    """Find a free port that the system hands to nobody: the supervisor asks it for two of its own."""
    for port in random.sample(range(20_000, 32_000), 100):
        with suppress(InputError):
            return free_port(HOST, port)
    raise HoldfastError("expected a free port from 20000 to 32000, found none")


@dataclass
class Running:
    """A service over a place, on a port that stays the same when it is started again."""

    place: Place
    workers: int = 2
    port: int = field(default_factory=port_of_its_own)
    server: Server | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{HOST}:{self.port}"

    def start(self) -> None:
        """Start it, and wait until it is ready."""
        self.server = start(environment(self.place.home, self.place.bundle, self.workers, "1"), HOST, self.port)
        self.server.wait_ready()

    def processes(self) -> list[psutil.Process]:
        """List its workers."""
        assert self.server is not None
        return list(psutil.Process(self.server.process.pid).children(recursive=True))

    def kill(self) -> None:
        """Kill all of it at once, its supervisor first, so that nobody brings a worker back."""
        assert self.server is not None
        workers = self.processes()
        self.server.process.kill()
        for one in workers:
            with suppress(psutil.NoSuchProcess):
                os.kill(one.pid, signal.SIGKILL)
        self.server.process.wait()
        psutil.wait_procs(workers, timeout=10)

    def stop(self) -> None:
        """End it as a command does."""
        if self.server is not None:
            self.server.stop()


@contextmanager
def running(place: Place, workers: int = 2) -> Iterator[Running]:
    """Give a service that is ready, for as long as the block."""
    service = Running(place, workers)
    try:
        service.start()
        yield service
    finally:
        service.stop()


@contextmanager
def aside() -> Iterator[None]:
    """Let what services print go to standard error, so that the findings stand alone."""
    kept = os.dup(1)
    os.dup2(2, 1)
    yield
    os.dup2(kept, 1)
    os.close(kept)


def _quiet(name: str, done: int, total: int | None) -> None:
    """Tell nothing of how far the work is."""
