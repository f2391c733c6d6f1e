"""Placing the horizon and the cutoffs so that there is something to learn: some leave, and some stay."""

from dataclasses import replace
from itertools import count

import numpy as np

from training.cutoffs import Cutoffs, plan_cutoffs
from training.dataset import Progress, Windows
from training.horizon import STEPS, Horizon, longest

RATES = (0.05, 0.95)


def place_cutoffs(
    windows: Windows, horizon: Horizon, days: int | None, active_days: int | None, progress: Progress
) -> tuple[Horizon, Cutoffs, list[str]]:  # fmt: skip
    """Plan the cutoffs, and move the horizon one step if fewer than 5 % or more than 95 % of the active lapse.

    The `days` and `active_days` that the glossary fixes stay. Returns what was said of it, too.
    """
    cutoffs = _computed(windows, horizon, progress)
    learned = [windows.at(moment, horizon.days).of_active.lapsed for moment in cutoffs.learn]
    rate = float(np.concatenate(learned).mean()) if any(map(len, learned)) else 0.5
    if RATES[0] <= rate <= RATES[1]:
        return horizon, cutoffs, []
    found = f"{rate:.1%} of the active lapsed within {horizon.days} days".replace("%", " %")
    # The longer one waits, the fewer stay silent, and the more contracts have ended.
    longer = (rate > RATES[1]) == (windows.active.kind == "silence")
    step = None if days else _step(horizon, 1 if longer else -1)
    if step is None:
        return horizon, cutoffs, [f"{found}, which leaves little to learn from; the horizon stays"]
    why = f"{horizon.why}; {found}, so one step was taken"
    moved = replace(horizon, days=step, active_days=active_days or 2 * step, why=why)
    # The rows stay; who is active changes with the horizon.
    windows.active = replace(windows.active, days=moved.active_days)
    return moved, _computed(windows, moved, progress), [f"{found}: the horizon was moved to {step} days"]


def _step(horizon: Horizon, way: int) -> int | None:
    places = dict(zip(STEPS, count(), strict=False))
    place = places[horizon.days] + way if horizon.days in places else -1
    return STEPS[place] if 0 <= place < len(STEPS) and STEPS[place] <= longest(horizon) else None


def _computed(windows: Windows, horizon: Horizon, progress: Progress) -> Cutoffs:
    cutoffs = plan_cutoffs(horizon)
    for place, moment in enumerate(cutoffs.moments, 1):
        windows.rows(moment)
        progress("Features at past cutoffs", place, len(cutoffs.moments))
    return cutoffs
