"""A circuit breaker: what fails three times in a row is left alone for ten seconds, then tried once.

Closed, open, half-open (Nygard, "Release It!", 2007). It reads no clock: every moment is given, in seconds.
"""

from dataclasses import dataclass
from typing import Literal

MISSES, OPEN_SECONDS = 3, 10.0

State = Literal["closed", "open", "half-open"]
Pass = Literal["closed", "half-open"]


@dataclass(slots=True)
class Breaker:
    """The state of one part; `since` is when the misses in a row began, None while there is none."""

    state: State = "closed"
    misses: int = 0
    since: float | None = None
    opened_at: float = 0.0

    def admit(self, now: float) -> Pass | None:
        """Let somebody use the part, as one of many or as the one trial; None: leave it alone.

        Whoever is let in tells what came of it, by what was returned here.
        """
        if self.state == "closed":
            return "closed"
        if self.state == "open" and now >= self.opened_at + OPEN_SECONDS:
            self.state = "half-open"
            return "half-open"
        return None

    def passed(self, by: Pass) -> None:
        """Say that the part did what it is for."""
        if by == self.state:
            self.state, self.misses, self.since = "closed", 0, None

    def missed(self, by: Pass, now: float) -> None:
        """Say that the part failed, or took too long; who was let in before it opened says nothing new by that."""
        if by != self.state:
            return
        self.misses += 1
        self.since = now if self.since is None else self.since
        if by == "half-open" or self.misses >= MISSES:
            self.state, self.opened_at = "open", now

    def neither(self, by: Pass, now: float) -> None:
        """Say that nothing was learned of the part: after a trial, the next one who asks tries again."""
        if by == self.state == "half-open":
            self.state, self.opened_at = "open", now - OPEN_SECONDS

    def retry_after(self, now: float) -> float:
        """Tell in how many seconds asking again may help."""
        return max(self.opened_at + OPEN_SECONDS - now, 0.0) if self.state == "open" else 0.0
