"""A worker's memory: what it holds from the start is left alone, and what is free goes back to the system."""

import ctypes
import gc

# One decision makes some thousand objects that end with it; by default the collector looked for rings among them
# several times each.
_THRESHOLDS = 20_000, 20, 20


def settle() -> None:
    """Collect what is garbage and leave the rest alone for good, and look seldom at what comes after."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)


def give_back() -> None:
    """Give pages that nothing lies in any more back to the system; only the GNU C library can.

    Customers come and go in the cache, each of another size: what is free between others isn't given back by itself.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
