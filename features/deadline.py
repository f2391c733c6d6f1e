"""How long an answer may take, and the one moment at which it is settled whether anything is written."""

from collections.abc import Callable
from math import inf
from threading import Lock
from time import monotonic

from features.errors import GivenUp

QUEUED = "service"


class Deadline:
    """A moment that an answer must not miss: whoever works asks before writing, whoever waits may give up.

    Both at once can't be: what was given up is never written, and what is being written can only be doubted, which
    whoever works learns when it is on disk, and takes it back. `seconds` count from now by `clock`;
    without them it never comes.
    """

    def __init__(self, seconds: float = inf, clock: Callable[[], float] = monotonic) -> None:
        self._clock, self._lock = clock, Lock()
        self.began = self._since = clock()
        self.ends = self.began + seconds
        self._part, self._stage = QUEUED, ""
        self._spent = dict[tuple[str, str], float]()
        self._given_up = self._claimed = self._kept = False

    def left(self) -> float:
        """Tell how many seconds are left, at least 0."""
        return max(self.ends - self._clock(), 0.0)

    def enter(self, part: str, stage: str = "") -> None:
        """Say which part is at work from now on, and with which stage of a decision, if with any."""
        now, at = self._clock(), (self._part, self._stage)
        self._spent[at] = self._spent.get(at, 0.0) + now - self._since
        self._part, self._stage, self._since = part, stage, now

    def spent(self) -> dict[str, float]:
        """Tell how many seconds went into each part so far."""
        self.enter(self._part, self._stage)
        parts: dict[str, float] = {}
        for (part, _), seconds in list(self._spent.items()):
            parts[part] = parts.get(part, 0.0) + seconds
        return parts

    def stages(self) -> dict[str, float]:
        """Tell how many seconds went into each stage so far."""
        self.enter(self._part, self._stage)
        return {stage: seconds for (_, stage), seconds in list(self._spent.items()) if stage}

    @property
    def slowest(self) -> str:
        """The part into which most of the time went."""
        spent = self.spent()
        return max(spent, key=spent.__getitem__)

    def check(self) -> None:
        """Go on only while somebody waits.

        Raises GivenUp when nobody does.
        """
        if self._given_up or not self.left():
            raise GivenUp("expected an answer in time, found that it was given up; nothing was written: ask again")

    def claim(self) -> None:
        """Begin to write, unless the answer has been given up.

        Raises GivenUp when it has; the transaction is then undone.
        """
        with self._lock:
            self.check()
            self._claimed = True

    def give_up(self) -> bool:
        """Wait no longer; returns whether nothing is written. Where it is being written, that can only be doubted."""
        with self._lock:
            self._given_up = self._given_up or not self._claimed
            return self._given_up

    def doubt(self) -> bool:
        """Wait no longer for what is being written; returns False when it is written by now, and may be answered."""
        with self._lock:
            self._given_up = self._given_up or not self._kept
            return self._given_up

    @property
    def claimed(self) -> bool:
        """Whether writing has begun."""
        return self._claimed

    def keep(self) -> bool:
        """Say that it is written; returns False when it was given up meanwhile, so that it has to be taken back."""
        with self._lock:
            self._kept = not self._given_up
            return self._kept
