"""The grade of a learned uplift, and the alarm when it is too good to be true, in sentences for those who decide."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from features.feature import Array
from training.grading import Verdict
from training.uplift import MATURE, FittedUplift, Progress
from training.uplift_learners import Flags
from training.uplift_metrics import (
    Decile,
    Figures,
    GainsCurve,
    Measured,
    deciles,
    figures,
    off,
)

_TOO_GOOD = 0.7


@dataclass(frozen=True)
class Judged:
    """What a learned uplift came to on rows that it hadn't seen."""

    figures: Figures
    deciles: tuple[Decile, ...]
    verdict: Verdict


def judge(
    fitted: FittedUplift,
    treated: Flags,
    outcome: Array,
    propensity: Array,
    seed: int = 7,
    on_progress: Progress = lambda *_: None,
) -> Judged:
    """Measure the held-out uplift, and grade it; all arrays have shape (n,), as `fitted` was given them.

    A: its order is surely better than saying the same of everyone. B: it isn't surely better. C: too little came to be
    told from, or it is too good to be true. Refused: the order is surely worse than none, or tenths miss by more than
    noise does.
    """
    found = figures(fitted, GainsCurve(fitted.held_out, treated, outcome, propensity), seed, on_progress)
    told = deciles(fitted)
    return Judged(found, told, grade(fitted, found.qini, told, too_good(fitted, outcome, found.qini)))


def grade(fitted: FittedUplift, order: Measured, told: tuple[Decile, ...], alarm: str | None) -> Verdict:
    """Grade by the order's Qini and by tenths, each of them surely known or not."""
    refusals = tuple(_refusals(order, told))
    if refusals:
        return Verdict("refused", refusals)
    if not fitted.mature:
        few = f"Only {fitted.positives:,} outcomes tell anything; {MATURE} are needed to say more than the mean effect."
        return Verdict("C", (few,))
    if alarm:
        return Verdict("C", (alarm, "It stays at C until someone says why it is so good."))
    if order.low > 0:
        return Verdict("A", (f"The order by uplift is surely better than none: {_said(order)}.",))
    return Verdict("B", (f"The order by uplift isn't surely better than none: {_said(order)}.",))


def too_good(fitted: FittedUplift, outcome: Array, order: Measured) -> str | None:
    """Raise the alarm where uplift differs among rows by more than seven tenths of what outcomes do."""
    spread, most = float(np.std(fitted.held_out)), _TOO_GOOD * float(np.std(outcome))
    if order.low <= 0 or spread <= most:
        return None
    return (
        f"Uplift is too good to be true: it differs among rows by {spread:.3g}, and outcomes by {most / _TOO_GOOD:.3g}."
        " Look for a column that was known only after the treatment."
    )


def _refusals(order: Measured, told: tuple[Decile, ...]) -> Iterator[str]:
    if order.high < 0:
        yield f"The order by uplift is surely worse than none: {_said(order)}."
    if off(told):
        outside = sum(not one.within for one in told)
        yield f"Uplifts miss what came by more than noise does: {outside} of {len(told)} tenths lie outside."


def _said(order: Measured) -> str:
    return f"Qini {order.value:.4g}, 95 % interval {order.low:.4g} to {order.high:.4g}"
