"""A core of the processor for each worker, where an operator wants that."""

import os

PIN, _CORES = "HOLDFAST_PIN", "HOLDFAST_CORES"


def keep_to_one(worker: int) -> None:
    """With `HOLDFAST_PIN=1`, keep this process to a core: worker 1 to the first that it may use, and so on.

    A worker computes on one core at a time anyway, and its threads take turns sooner where no other has to be woken.
    Only Linux can. Threads that run already go on where they are.
    """
    if os.environ.get(PIN) == "1" and hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.environ[_CORES] = ",".join(map(str, cores))
        os.sched_setaffinity(0, {cores[(worker - 1) % len(cores)]})


def spread() -> None:
    """Let this process, which a worker started to work beside it, use every core that the worker might have used."""
    if told := os.environ.get(_CORES):
        os.sched_setaffinity(0, map(int, told.split(",")))
