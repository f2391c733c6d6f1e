"""What a history is large enough for: which candidates may be fitted, and what may be claimed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from features.aggregates import DAY
from features.errors import NotEnoughData
from training.cutoffs import Cutoffs
from training.dataset import Window
from training.horizon import DAYS_A_MONTH, Horizon

ACTIVE, OF_EACH, CUTOFFS, HORIZONS = 1_000, 200, 4, 3
FEWEST_OF_EACH = 20
MONTHS_FOR_TOTALS = 13


@dataclass(frozen=True)
class Allowed:
    """Whether trees and the purchase process are allowed, whether totals are claimed, and why not."""

    trees: bool
    process: bool
    totals: bool
    said: tuple[str, ...]

    def among(self, needs: Mapping[str, frozenset[str]]) -> tuple[str, ...]:
        """Keep the candidates that the data allow, by what they need: "trees", a "process", both or nothing."""
        has = {name for name in ("trees", "process") if getattr(self, name)}
        return tuple(name for name, needed in needs.items() if needed <= has)


def allowed(windows: Sequence[Window], process: bool, cutoffs: Cutoffs, horizon: Horizon) -> Allowed:
    """Say what the learning windows and the test (the last) are enough for; `process` is whether BG/NBD ever fits.

    Raises NotEnoughData unless past windows and test each hold active customers who lapsed and who came back, and
    value.
    """
    _check_differences(windows)
    learn = windows[:-1]
    left, stayed = _customers(learn, 1.0), _customers(learn, 0.0)
    active, fewest = len(left | stayed), min(len(left), len(stayed))
    days = (horizon.end - horizon.start) / DAY
    lacks = [
        f"{what}: found {found:,}, and LightGBM needs {needed:,}"
        for what, found, needed in (
            ("active customers", active, ACTIVE),
            ("customers who lapsed or who came back, whichever are fewer", fewest, OF_EACH),
            ("cutoffs to learn from", len(cutoffs.learn), CUTOFFS),
            ("days of history", int(days), HORIZONS * horizon.days),
        )
        if found < needed
    ]
    trees = not lacks
    if not process:
        lacks.append("BG/NBD needs churn by silence, 200 repeat buyers at every cutoff, and a fit that converges")
    totals = days >= MONTHS_FOR_TOTALS * DAYS_A_MONTH
    if not totals:
        said = f"totals are not claimed: a year's seasons need {MONTHS_FOR_TOTALS} months of history"
        lacks.append(f"{said}, found {days:,.0f} days")
    return Allowed(trees, process, totals, tuple(lacks))


def _customers(windows: Sequence[Window], lapsed: float) -> set[str]:
    """The active customers who ever lapsed (1), or ever came back (0)."""
    kept = (window.keep(window.active & (window.lapsed == lapsed)) for window in windows)
    return {customer for window in kept for customer in window.rows.customers}


def _check_differences(windows: Sequence[Window]) -> None:
    for name, part in (("past windows", windows[:-1]), ("last window", windows[-1:])):
        lapsed = np.concatenate([window.of_active.lapsed for window in part])
        if not FEWEST_OF_EACH <= lapsed.sum() <= len(lapsed) - FEWEST_OF_EACH:
            raise NotEnoughData(
                f"expected at least {FEWEST_OF_EACH} active customers who lapsed and as many who came back in the"
                f" {name}, found {int(lapsed.sum())} lapsed of {len(lapsed)}; ingest more history, or set another"
                " [horizon] in the glossary"
            )
        if sum(window.brought.sum() for window in part) <= 0:
            raise NotEnoughData(
                f"expected amounts above 0 in the {name}, found none; does the mapping name the amount?"
            )
