"""A worker ends when the command that started the service is gone, or its supervisor, however they went."""

import contextlib
import os
import signal
import threading

import psutil  # type: ignore[import-untyped]

PARENT = "HOLDFAST_PARENT"


def follow() -> None:
    """Watch the process that `HOLDFAST_PARENT` names, if any: once it has ended the supervisor is told to end.

    A worker whose supervisor has ended ends itself, or it would keep the port from the next.
    """
    named, supervisor = os.environ.get(PARENT), os.getppid()
    if named:
        for watched, ended in ((int(named), supervisor), (supervisor, os.getpid())):
            threading.Thread(target=_end_with, args=(watched, ended), daemon=True, name="leash").start()


def _end_with(watched: int, ended: int) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(watched).wait()
    with contextlib.suppress(ProcessLookupError):
        os.kill(ended, signal.SIGTERM)
