"""The keys as a worker knows them: read again every two seconds, and good for an hour when the store is away."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from features.errors import HoldfastError
from features.keys import Key, Keys, parted
from serving.logs import log
from serving.repeating import repeat

PERIOD_SECONDS = 2.0
# Longer than an outage that degraded answers are for; a key that was revoked meanwhile holds no longer than this.
LASTING_SECONDS = 3_600.0
_NOBODY = Key("", "", "", "0" * 64, None, 0, revoked_at=0)


@dataclass(frozen=True, slots=True)
class _Read:
    keys: Mapping[str, Key] = field(default_factory=dict)
    until: float = float("-inf")


class Keyring:
    """Whose keys open the gate; whatever can't be known isn't open."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._source: Keys | None = None
        self._read = _Read()
        self._ended = threading.Event()

    def follow(self, source: Keys) -> None:
        """Take the keys of a store from now on, and read them once.

        Raises StoreError when they can't be read.
        """
        self._source, self._read = source, self._read_from(source)

    def begin(self) -> None:
        """Read the keys again and again, in a thread of their own, until `end`."""
        self._ended.clear()
        repeat("keyring", PERIOD_SECONDS, self.read, ended=self._ended)

    def end(self) -> None:
        """Read them no more."""
        self._ended.set()

    def read(self) -> None:
        """Read the keys; while they can't be read, those that were read last go on."""
        if self._source is None:
            return
        try:
            self._read = self._read_from(self._source)
        except HoldfastError as error:
            log("keys_unread", "warning", error)

    @property
    def known(self) -> bool:
        """Whether the keys were read lately enough."""
        return self._clock() < self._read.until

    @property
    def empty(self) -> bool:
        """Whether no key was ever made; revoking the last one opens nothing."""
        return not self._read.keys

    def find(self, sent: str) -> Key | None:
        """Find the key that was sent; None when it is nobody's, or was revoked."""
        key_id, secret = parted(sent) or ("", "")
        key = self._read.keys.get(key_id, _NOBODY)
        return key if key.opens(secret) else None

    def _read_from(self, source: Keys) -> _Read:
        # From before the look: what it finds was true then.
        until = self._clock() + LASTING_SECONDS
        return _Read({key.id: key for key in source.all()}, until)
