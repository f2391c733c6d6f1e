"""A core of the processor for each worker, where an operator wants that."""

import os

PIN = "HOLDFAST_PIN"


def keep_to_one(worker: int) -> None:
    """With `HOLDFAST_PIN=1`, keep this process to a core: worker 1 to the first that it may use, and so on.

    A worker computes on one core at a time anyway, and its threads take turns sooner where no other has to be woken.
    Only Linux can. Threads that run already go on where they are.
    """
    if os.environ.get(PIN) == "1" and hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[(worker - 1) % len(cores)]})
