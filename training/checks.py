"""What a check of health says: what was found, against which threshold, how bad that is, and what to do."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Verdict = Literal["too early", "well", "watch", "act"]
VERDICTS: tuple[Verdict, ...] = ("too early", "well", "watch", "act")
RETRAIN, LOOK = "holdfast train", "holdfast evaluate"


@dataclass(frozen=True)
class Check:
    """One line of the page; `do` is an exact command, or empty where nothing is to be done.

    `figures` are what the sentence rests on, as JSON values.
    """

    name: str
    found: str
    threshold: str
    verdict: Verdict
    do: str = ""
    figures: Mapping[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """The check as JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class Interval:
    """An estimate with what bounds it.

    >>> Interval(0.5, 0.4, 0.6).within(0.0, 0.45), Interval(0.5, 0.4, 0.6).outside(0.0, 0.45)
    (False, False)
    """

    of: float
    low: float
    high: float

    def outside(self, floor: float, ceiling: float) -> bool:
        """Tell whether the whole interval lies outside some bounds: only then is it surely not within them."""
        return self.high < floor or self.low > ceiling

    def within(self, floor: float, ceiling: float) -> bool:
        """Tell whether the whole interval lies within some bounds."""
        return floor <= self.low and self.high <= ceiling

    def judged(self, floor: float, ceiling: float, aim: float) -> Verdict:
        """Act where it is surely out of bounds, watch where it surely misses its aim, and else all is well."""
        if self.outside(floor, ceiling):
            return "act"
        return "watch" if self.outside(aim, aim) else "well"

    def as_dict(self) -> dict[str, float]:
        """The interval as JSON values."""
        return asdict(self)

    def said(self, form: str = ".2f") -> str:
        """Say it in short.

        >>> Interval(0.5, 0.4, 0.6).said()
        '0.50 (0.40–0.60)'
        """
        return f"{self.of:{form}} ({self.low:{form}}–{self.high:{form}})"


def needed(verdict: Verdict, command: str, watched: str = "") -> str:
    """Give a command only where there is something to do, or to look at."""
    return command if verdict == "act" else watched if verdict == "watch" else ""


def worst(checks: Sequence[Check]) -> Verdict:
    """Find the worst verdict of all; of none it is too early.

    >>> worst([Check("a", "", "", "too early"), Check("b", "", "", "well")])
    'well'
    """
    return max((check.verdict for check in checks), key=VERDICTS.index, default="too early")


def commands(checks: Sequence[Check]) -> tuple[str, ...]:
    """List the commands that follow from what to act on, each once; training comes last, since it learns from the rest.

    >>> commands([Check("a", "", "", "act", RETRAIN), Check("b", "", "", "act", "holdfast quality")])
    ('holdfast quality', 'holdfast train')
    """
    found = dict.fromkeys(check.do for check in checks if check.verdict == "act")
    return tuple(sorted(found, key=lambda command: command == RETRAIN))
