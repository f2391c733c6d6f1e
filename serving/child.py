"""A process that works beside the service and ends with whoever started it, however that one ends."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator

from features.home import ROOT

_SETTINGS = {
    # A registry that doesn't answer is asked again soon, not for minutes, and told of once, not in every traceback.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "5",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_LOGGING_LEVEL": "CRITICAL",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "POLARS_MAX_THREADS": "1",
}


class Child:
    """A running module, given arguments and open files to keep; its standard input closes when this process ends.

    What one that `tells` writes to its standard output is read here, line by line.
    """

    def __init__(self, module: str, *given: str, keeps: tuple[int, ...] = (), tells: bool = False) -> None:
        paths = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, *given], cwd=ROOT, env={**os.environ, **_SETTINGS, "PYTHONPATH": paths},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE if tells else None, pass_fds=keeps,
        )  # fmt: skip

    @property
    def process_id(self) -> int:
        """The number of the process."""
        return self._process.pid

    def told(self) -> Iterator[bytes]:
        """Go through the lines that it writes, until it ends."""
        assert self._process.stdout is not None
        yield from self._process.stdout

    def lives(self) -> bool:
        """Tell whether it still runs."""
        return self._process.poll() is None

    def end(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()


def end_with_parent() -> None:
    """End this process once whoever started it has."""
    threading.Thread(target=_end_at_end, daemon=True, name="leash").start()


def _end_at_end() -> None:
    sys.stdin.buffer.read()
    os._exit(0)
