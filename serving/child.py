"""A process that works beside the service and ends with whoever started it, however that one ends."""

import os
import subprocess
import sys
import threading

from features.home import ROOT

_NICE = 10
_SETTINGS = {
    # A registry that doesn't answer is asked again soon, not for minutes.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "5",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "POLARS_MAX_THREADS": "1",
}


class Child:
    """A running module, given arguments and open files to keep; its standard input closes when this process ends."""

    def __init__(self, module: str, *given: str, keeps: tuple[int, ...] = ()) -> None:
        paths = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, *given], cwd=ROOT, env={**_SETTINGS, **os.environ, "PYTHONPATH": paths},
            stdin=subprocess.PIPE, pass_fds=keeps,
        )  # fmt: skip

    @property
    def process_id(self) -> int:
        """The number of the process."""
        return self._process.pid

    def lives(self) -> bool:
        """Tell whether it still runs."""
        return self._process.poll() is None

    def end(self) -> None:
        """Let it end, and wait until it has."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def end_with_parent() -> None:
    """End this process once whoever started it has, and give way meanwhile to those who answer."""
    os.nice(_NICE)
    threading.Thread(target=_end_at_end, daemon=True, name="leash").start()


def _end_at_end() -> None:
    sys.stdin.buffer.read()
    os._exit(0)
