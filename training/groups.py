"""Figures of groups of customers: by tier, by how long they have been customers."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from features.feature import Array
from training.evaluation import Figure

TENURES = ("under 90 days", "90 to 364 days", "365 days and more")
_TENURE_DAYS = (90.0, 365.0)


@dataclass(frozen=True)
class GroupFigure:
    """One figure of one group, and how many `customers` it speaks of.

    `low` and `high` bound ours, `gain_low` and `gain_high` the gain over the best rule.
    """

    by: str
    group: str
    customers: int | None
    model: str
    metric: str
    ours: float
    low: float
    high: float
    best_rule: str | None
    its_figure: float | None
    gain_low: float | None
    gain_high: float | None


def tenure_bands(days: Array) -> npt.NDArray[np.str_]:
    """Name each customer's band of `TENURES`, given days since the first purchase, of shape (customers,).

    >>> tenure_bands(np.array([89.0, 90.0, 365.0])).tolist()
    ['under 90 days', '90 to 364 days', '365 days and more']
    """
    return np.array(TENURES)[np.digitize(days, _TENURE_DAYS)]


def by_group(
    by: str,
    names: Iterable[str],
    groups: npt.NDArray[np.str_],
    judged: Callable[[npt.NDArray[np.bool_]], Sequence[Figure]],
) -> list[GroupFigure]:
    """Judge each group apart, in the order of `names`; who isn't there, and what can't be told of a group, is left out.

    `groups` name each customer's group, `judged` gives the figures of the customers whom a mask keeps, both of shape
    (customers,). Each group has its own best rule.
    """
    found = []
    for name in names:
        which = groups == name
        if which.any():
            told = (figure for figure in judged(which) if math.isfinite(figure.low))
            found += [_row(by, name, figure) for figure in told]
    return found


def _row(by: str, group: str, figure: Figure) -> GroupFigure:
    rule = figure.best_baseline
    return GroupFigure(
        by, group, figure.customers, figure.model, figure.metric, figure.ours, figure.low, figure.high,
        rule, figure.baselines[rule] if rule else None, figure.gain_low, figure.gain_high,
    )  # fmt: skip
