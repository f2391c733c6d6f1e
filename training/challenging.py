"""A challenger beside the champion: what it would have offered, and whose predictions came nearer to what happened."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from features.feature import Array
from features.known import Known
from training.checks import Interval
from training.promises import came_of, of_decisions
from training.reliability import rate_of, reach

_CONFIDENCE = 0.95
_FEWEST = 30
# How far apart the two are allowed to count what happened differently: not at all.
_COUNTED = ("horizon", "active", "value_measure")
Body = Mapping[str, Any]


@dataclass(frozen=True)
class Beside:
    """Decisions of the champion, oldest first, each with what the challenger says in its place."""

    champion: tuple[Body, ...]
    challenger: tuple[Body, ...]

    @classmethod
    def of(cls, pairs: Sequence[tuple[Body, Body]]) -> "Beside":
        """Put the challenger's words into the champion's decisions."""
        return cls(tuple(body for body, _ in pairs), tuple({**body, **said} for body, said in pairs))

    def differing(self) -> Interval:
        """Tell how often the first offer differs, or one of them makes none."""
        pairs = zip(self.champion, self.challenger, strict=True)
        differs = [_first(ours["offers"]) != _first(theirs["offers"]) for ours, theirs in pairs]
        return rate_of(np.array(differs, dtype=np.float64), _CONFIDENCE)

    def shift(self, name: str) -> Interval | None:
        """Tell by how much the challenger's score is higher, each customer counting once; None of too few."""
        differences: dict[str, list[float]] = {}
        for ours, theirs in zip(self.champion, self.challenger, strict=True):
            if ours["scores"][name] is not None and theirs["scores"][name] is not None:
                apart = theirs["scores"][name] - ours["scores"][name]
                differences.setdefault(ours["customer"], []).append(apart)
        return mean_of(np.array([np.mean(each) for each in differences.values()]))


def judged(beside: Beside, known: Known, until: datetime, manifests: tuple[Body, Body]) -> dict[str, Any]:
    """Hold both against what came within a horizon of each customer's first decision by a moment.

    The figure is the mean squared error, of risks (Brier 1950) and of values; `gain` is by how much the challenger's is
    less, with its interval over customers.
    """
    ours, theirs = manifests
    if any(ours[name] != theirs[name] for name in _COUNTED):
        return {"customers": 0, "why": "they predict other things: horizon, leaving or value differ"}
    said = [of_decisions(bodies, until) for bodies in (beside.champion, beside.challenger)]
    if len(said[0].customers) < _FEWEST:
        return {"customers": len(said[0].customers), "why": f"{_FEWEST} customers whose horizon has passed are needed"}
    came = came_of(known, said[0], ours)
    return {
        "customers": len(said[0].customers),
        "why": "",
        "risk": _errors(came.left, [one.risk for one in said]),
        "value": _errors(came.net, [one.expected for one in said]),
    }


def _errors(came: Array, said: Sequence[Array]) -> dict[str, Any] | None:
    told = ~np.isnan([came, *said]).any(axis=0)
    errors = [(one[told] - came[told]) ** 2 for one in said]
    gain = mean_of(errors[0] - errors[1])
    if gain is None:
        return None
    better = "challenger" if gain.low > 0 else "champion" if gain.high < 0 else "not to be told apart"
    figures = {
        name: {"expected": float(one[told].mean()), "error": float(error.mean())}
        for name, one, error in zip(("champion", "challenger"), said, errors, strict=True)
    }
    observed = float(came[told].mean())
    return {"customers": int(told.sum()), "observed": observed, **figures, "gain": gain.as_dict(), "better": better}


def mean_of(numbers: Array) -> Interval | None:
    """Bound a mean by the normal distribution; None of fewer than 30 numbers.

    >>> mean_of(np.array([0.0, 2.0] * 50)).said()
    '1.00 (0.80–1.20)'
    """
    if len(numbers) < _FEWEST:
        return None
    mean = float(numbers.mean())
    wide = reach(_CONFIDENCE) * float(numbers.std(ddof=1) / np.sqrt(len(numbers)))
    return Interval(mean, mean - wide, mean + wide)


def _first(offers: Sequence[Body]) -> str | None:
    return str(offers[0]["offer"]) if offers else None
