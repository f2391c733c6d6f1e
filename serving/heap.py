"""What a worker holds from the start, kept out of the garbage collector's way."""

import gc

# One decision makes some thousand objects that end with it; by default the collector looked for rings among them
# several times each.
_THRESHOLDS = 20_000, 20, 20


def settle() -> None:
    """Collect what is garbage and leave the rest alone for good, and look seldom at what comes after."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
