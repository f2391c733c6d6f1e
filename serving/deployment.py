"""What has to be said once before workers start, where no command of ours starts them: in a Bento, say.

`holdfast serve` says it itself. What is in the environment already stays, but that its places are named whole.
"""

import os
from pathlib import Path

from features.home import home

ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS")
_BUNDLE = "HOLDFAST_BUNDLE"


def prepare() -> None:
    """Give workers one thread each for numbers, and every place named whole, since they run in another folder.

    Raises InputError when the environment doesn't fit.
    """
    for name in ONE_THREAD:
        os.environ.setdefault(name, "1")
    os.environ.update(home().places)
    if bundle := os.environ.get(_BUNDLE):
        os.environ[_BUNDLE] = str(Path(bundle).resolve())
