"""What a history is large enough for: which candidates may be fitted, and what may be claimed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from features.clock import DAY
from training.cutoffs import Cutoffs
from training.dataset import Window
from training.horizon import DAYS_A_MONTH, Horizon

ACTIVE, OF_EACH, CUTOFFS, HORIZONS = 1_000, 200, 4, 3
FEWEST_OF_EACH = 20
MONTHS_FOR_TOTALS = 13


@dataclass(frozen=True)
class Allowed:
    """Whether trees and the purchase process are allowed, whether totals are claimed, and why not.

    `ranks` says of the models ("churn", "value") that can only rank customers why it is so.
    """

    trees: bool
    process: bool
    totals: bool
    said: tuple[str, ...]
    ranks: Mapping[str, str]

    def among(self, needs: Mapping[str, frozenset[str]]) -> tuple[str, ...]:
        """Keep the candidates that the data allow, by what they need: "trees", a "process", both or nothing."""
        has = {name for name in ("trees", "process") if getattr(self, name)}
        return tuple(name for name, needed in needs.items() if needed <= has)


def allowed(windows: Sequence[Window], process: bool, cutoffs: Cutoffs, horizon: Horizon) -> Allowed:
    """Say what the learning windows and the test (the last) are enough for; `process` is whether BG/NBD ever fits.

    Without enough active customers who lapsed and who came back, in past windows and in the test, churn only ranks, and
    value is the simplest regression; without amounts in both, value only ranks.
    """
    ranks = dict(_ranks(windows))
    probabilities = "churn" not in ranks
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
    trees = probabilities and not lacks
    if not process:
        lacks.append("BG/NBD needs churn by silence, 200 repeat buyers at every cutoff, and a fit that converges")
    totals = days >= MONTHS_FOR_TOTALS * DAYS_A_MONTH
    if not totals:
        said = f"totals are not claimed: a year's seasons need {MONTHS_FOR_TOTALS} months of history"
        lacks.append(f"{said}, found {days:,.0f} days")
    return Allowed(trees, probabilities and process, totals, (*ranks.values(), *lacks), ranks)


def _customers(windows: Sequence[Window], lapsed: float) -> set[str]:
    """The active customers who ever lapsed (1), or ever came back (0)."""
    kept = (window.keep(window.active & (window.lapsed == lapsed)) for window in windows)
    return {customer for window in kept for customer in window.rows.customers}


def _ranks(windows: Sequence[Window]) -> Iterator[tuple[str, str]]:
    """Say which models can only rank, and why: too little happened in past windows, or in the last one."""
    # What the past lacks is said rather than what the last window lacks.
    for name, part in (("last window", windows[-1:]), ("past windows", windows[:-1])):
        left, stayed = len(_customers(part, 1.0)), len(_customers(part, 0.0))
        if min(left, stayed) < FEWEST_OF_EACH:
            yield (
                "churn",
                f"ranks only: probabilities of leaving need {FEWEST_OF_EACH} active customers who lapsed and as many"
                f" who came back, found {left:,} and {stayed:,} in the {name}",
            )
        if sum(window.brought.sum() for window in part) <= 0:
            yield (
                "value",
                "ranks only: an expected value needs amounts above 0 (does the mapping name the amount?), found none in"
                f" the {name}",
            )
