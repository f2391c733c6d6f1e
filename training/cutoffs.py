"""The moments from which we look back and forward: to learn from, to choose on, and to test on, in this order."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from features.clock import from_microseconds
from training.horizon import Horizon

MOST_CUTOFFS = 10


@dataclass(frozen=True)
class Cutoffs:
    """The plan of cutoffs, oldest first.

    `test` is the last moment whose whole horizon is known. `learn` lie at least a horizon before the test, so
    that no label overlaps it. `choose` is the newest of `learn` whose predecessors by a horizon can be
    fitted on, or None when the history is too short for a period of its own.
    """

    learn: tuple[datetime, ...]
    choose: datetime | None
    test: datetime
    horizon: timedelta

    def before(self, cutoff: datetime) -> tuple[datetime, ...]:
        """The cutoffs whose labels were complete at a moment."""
        return tuple(moment for moment in (*self.learn, self.test) if moment + self.horizon <= cutoff)


def plan_cutoffs(horizon: Horizon) -> Cutoffs:
    """Place overlapping cutoffs, a quarter of a horizon (at least a week) apart, back from the test.

    >>> day = 86_400_000_000
    >>> plan = plan_cutoffs(Horizon(28, 56, 0, 365 * day, ""))
    >>> plan.test - plan.learn[-1] == plan.horizon, len(plan.learn)
    (True, 10)
    """
    span = timedelta(days=horizon.days)
    start, end = from_microseconds(horizon.start), from_microseconds(horizon.end)
    test = end - span
    step = timedelta(days=max(7, horizon.days // 4))
    newest, oldest = test - span, start + span / 2
    learn = [newest - step * place for place in range(MOST_CUTOFFS) if newest - step * place >= oldest]
    learn = learn or [newest]
    choose = newest if len(learn) > 1 and learn[-1] + span <= newest else None
    return Cutoffs(tuple(reversed(learn)), choose, test, span)
