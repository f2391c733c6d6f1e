"""Names of things that are made one after the other."""

import secrets
import time
from uuid import UUID

_MILLISECOND, _RANDOM_BITS = 1_000_000, 62


def ordered_id() -> UUID:
    """Make an id that nobody can guess and that sorts, to the millisecond, by when it was made: UUID version 7.

    What is written one after the other then lies side by side in the store's indexes. RFC 9562, section 5.7.

    >>> ordered_id().version
    7
    """
    moment, drawn = time.time_ns() // _MILLISECOND, secrets.randbits(12 + _RANDOM_BITS)
    high, low = drawn >> _RANDOM_BITS, drawn & ((1 << _RANDOM_BITS) - 1)
    return UUID(int=(moment & ((1 << 48) - 1)) << 80 | 7 << 76 | high << 64 | 2 << 62 | low)
