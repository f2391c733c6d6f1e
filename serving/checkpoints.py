"""What SQLite has logged is carried over into its file beside the answers, so that none of them waits for it."""

from contextlib import suppress
from functools import partial

from features.errors import StoreError
from features.history import History
from serving.repeating import repeat

_EVERY_SECONDS = 1.0


def keep(history: History) -> None:
    """Carry over every second, for as long as this process lives; what fails is left to whoever writes next."""
    repeat("checkpoints", _EVERY_SECONDS, partial(_carry_over, history))


def _carry_over(history: History) -> None:
    with suppress(StoreError):
        history.checkpoint()
