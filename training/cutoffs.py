"""The moments from which we look back and forward: to learn from, to choose on, and to test on, in this order."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from features.clock import from_microseconds
from training.horizon import STEPS, Horizon

MOST_CUTOFFS = 24
_STEP_SHARE = 12
_FEWEST_EARLIER = 2


@dataclass(frozen=True)
class Rehearsal:
    """Later windows to choose on, newest first, and for each the earlier cutoffs whose labels were complete by then.

    `days` is the horizon of its labels: the real one, or a shorter one where the history doesn't hold enough of those.
    """

    days: int
    rounds: tuple[tuple[datetime, tuple[datetime, ...]], ...]


@dataclass(frozen=True)
class Cutoffs:
    """The plan of cutoffs, oldest first.

    `test` is the last moment whose whole horizon is known. `learn` lie at least a horizon before the test, so
    that no label overlaps it; so do all labels of `rehearsal`, which is None when the history is too short for any.
    """

    learn: tuple[datetime, ...]
    test: datetime
    horizon: timedelta
    rehearsal: Rehearsal | None

    @property
    def rehearses_whole(self) -> bool:
        """Whether the later windows have the real horizon, so that levels found there carry over."""
        return self.rehearsal is not None and self.rehearsal.days == self.horizon.days

    @property
    def moments(self) -> tuple[datetime, ...]:
        """Every cutoff that takes part, oldest first."""
        rounds = self.rehearsal.rounds if self.rehearsal else ()
        rehearsed = {moment for judged, earlier in rounds for moment in (judged, *earlier)}
        return tuple(sorted({*self.learn, self.test, *rehearsed}))


def plan_cutoffs(horizon: Horizon) -> Cutoffs:
    """Place overlapping cutoffs, a twelfth of a horizon (at least a week) apart, back from the test.

    >>> day = 86_400_000_000
    >>> plan = plan_cutoffs(Horizon(28, 56, 0, 365 * day, ""))
    >>> plan.test - plan.learn[-1] == plan.horizon, len(plan.learn), plan.rehearsal.days
    (True, 24, 28)
    """
    start, end = from_microseconds(horizon.start), from_microseconds(horizon.end)
    test = end - timedelta(days=horizon.days)
    learn = _back_from(test - timedelta(days=horizon.days), start, horizon.days)
    learn = learn or (test - timedelta(days=horizon.days),)
    shorter = [step for step in reversed(STEPS) if step < horizon.days]
    rehearsals = (_rehearsal(test, start, days) for days in (horizon.days, *shorter))
    rehearsal = next((found for found in rehearsals if found is not None), None)
    return Cutoffs(learn, test, timedelta(days=horizon.days), rehearsal)


def _rehearsal(test: datetime, start: datetime, days: int) -> Rehearsal | None:
    span = timedelta(days=days)
    # A horizon apart, so that the two share no outcome; half of one where the history is too short for that.
    for between in (days, max(7, days // 2)):
        judged = (test - span, test - span - timedelta(days=between))
        rounds = tuple((moment, _back_from(moment - span, start, days)) for moment in judged)
        if all(len(earlier) >= _FEWEST_EARLIER for _, earlier in rounds):
            return Rehearsal(days, rounds)
    return None


def _back_from(newest: datetime, start: datetime, days: int) -> tuple[datetime, ...]:
    """Count back from the newest cutoff to half a horizon after the history's start, oldest first."""
    step = timedelta(days=max(7, days // _STEP_SHARE))
    moments = (newest - step * place for place in range(MOST_CUTOFFS))
    return tuple(reversed([moment for moment in moments if moment >= start + timedelta(days=days) / 2]))
