"""A worker ends when the command that started the service is gone, however it went."""

import contextlib
import os
import signal
import threading

import psutil  # type: ignore[import-untyped]

PARENT = "HOLDFAST_PARENT"


def follow() -> None:
    """Watch the process that `HOLDFAST_PARENT` names, if any, and end the service once it has ended."""
    named = os.environ.get(PARENT)
    if named:
        threading.Thread(target=_end_with, args=(int(named),), daemon=True, name="leash").start()


def _end_with(process_id: int) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(process_id).wait()
    os.kill(os.getppid(), signal.SIGTERM)
