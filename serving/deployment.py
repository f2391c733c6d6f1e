"""What has to be said once before workers start, where no command of ours starts them: in a Bento, say.

`holdfast serve` says it itself; what is in the environment already stays.
"""

import os

ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS")


def prepare() -> None:
    """Give workers one thread each for numbers."""
    for name in ONE_THREAD:
        os.environ.setdefault(name, "1")
