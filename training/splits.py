"""Scores on people and periods that a fit hasn't seen, for choosing and calibrating before the test."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from training.cutoffs import Cutoffs
from training.dataset import Window, is_odd

Fitted = TypeVar("Fitted")


def unseen(
    windows: Sequence[Window], cutoffs: Cutoffs, fit: Callable[[Sequence[Window]], Fitted]
) -> list[tuple[Fitted, Window]]:
    """Fit without a window and pair the fit with it.

    The window is the plan's `choose`, with a fit on the cutoffs whose labels were complete by then. Where the history
    is too short for that, it is the newest, halved by customer, each half with a fit on the others.
    """
    by_cutoff = {window.cutoff: window for window in windows}
    if cutoffs.choose is not None:
        earlier = [by_cutoff[moment] for moment in cutoffs.before(cutoffs.choose)]
        return [(fit(earlier), by_cutoff[cutoffs.choose])]
    newest = by_cutoff[cutoffs.learn[-1]]
    learn = [by_cutoff[moment] for moment in cutoffs.learn]
    return [
        (fit([part(window, odd) for window in learn]), part(newest, not odd))
        for odd in (False, True)
    ]  # fmt: skip


def part(window: Window, odd: bool) -> Window:
    """Keep the half of the customers whose hash is odd, or even."""
    return keep(window, np.array([is_odd(customer) == odd for customer in window.rows.customers]))


def keep(window: Window, which: npt.NDArray[np.bool_]) -> Window:
    """Keep some of a window's customers; `which` is boolean, of their number."""
    return Window(
        window.cutoff, window.rows.keep(which), window.active[which], window.lapsed[which], window.value[which]
    )
