"""What SQLite has logged is carried over into its file beside the answers, so that none of them waits for it."""

import threading
import time
from contextlib import suppress

from features.errors import StoreError
from features.history import History

_EVERY_SECONDS = 1.0


def keep(history: History) -> None:
    """Carry over every second, for as long as this process lives; what fails is left to whoever writes next."""
    threading.Thread(target=_ever, args=(history,), daemon=True, name="checkpoints").start()


def _ever(history: History) -> None:
    while True:
        time.sleep(_EVERY_SECONDS)
        with suppress(StoreError):
            history.checkpoint()
