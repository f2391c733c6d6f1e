"""A worker's memory: what it holds from the start is left alone, and what is free goes back to the system."""

import ctypes
import gc
from functools import partial

from serving.repeating import repeat

# One decision makes some thousand objects that end with it; by default the collector looked for rings among them
# several times each.
_THRESHOLDS = 20_000, 20, 20
_GIVEN_BACK_EVERY_SECONDS = 60.0


def settle() -> None:
    """Collect what is garbage and leave the rest alone for good, and look seldom at what comes after."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)


def keep_small() -> None:
    """Give pages that nothing lies in any more back to the system, each minute; only the GNU C library can.

    Customers come and go in the cache, each of another size: what is free between others isn't given back by itself.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        repeat("heap", _GIVEN_BACK_EVERY_SECONDS, partial(trim, 0))
