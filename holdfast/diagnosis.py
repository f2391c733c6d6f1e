"""What a check of `holdfast doctor` says."""

from dataclasses import dataclass
from typing import Literal

State = Literal["good", "poor", "bad"]
GOOD: State = "good"
POOR: State = "poor"
BAD: State = "bad"
# How it is, what was found, and what to do.
Said = tuple[State, str, str]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: what was looked at, how it is, what was found, and what to do."""

    name: str
    state: State
    found: str
    do: str


def weighed(amount: float, enough: float, least: float) -> State:
    """Tell whether there is enough of something, little, or too little.

    >>> weighed(10, 5, 1), weighed(3, 5, 1), weighed(0.5, 5, 1)
    ('good', 'poor', 'bad')
    """
    return GOOD if amount >= enough else POOR if amount >= least else BAD
