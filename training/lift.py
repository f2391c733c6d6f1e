"""What a treatment brought beside a group that went without: per person, with intervals that hold while people peek."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import dropwhile
from typing import Any

import numpy as np
import numpy.typing as npt

from features.errors import NotEnoughData
from features.feature import Array
from training.sequential import looks, reaches
from training.skewness import NORMAL, bounds
from training.uplift_moments import numbered

FEWEST = 50
_COCHRAN = 25.0


@dataclass(frozen=True)
class People:
    """One metric of everybody in two groups; arrays of shape (people,).

    `totals` over `counts` is what is averaged: with one row a person, `counts` is 1. `before` holds covariates from
    before anybody was treated, (people, covariates). `day` is the day from which on the person's outcome is known.
    """

    treated: npt.NDArray[np.bool_]
    totals: Array
    counts: Array
    before: Array
    day: npt.NDArray[np.int64]

    def only(self, which: npt.NDArray[np.bool_]) -> "People":
        """Keep some people."""
        return People(*(getattr(self, name)[which] for name in self.__dataclass_fields__))


@dataclass(frozen=True)
class Lift:
    """The difference of two groups' means, treated less control, with an interval that holds at every look at 95 %.

    `narrowed` is by which share covariates from before narrow it. `relative` is the difference over the control's mean,
    with its own bounds; None where that mean isn't above 0. `people` of both groups were counted at the last of so many
    `looks`.
    """

    metric: str
    people: int
    treated_people: int
    looks: int
    control: float
    treated: float
    difference: float
    low: float
    high: float
    narrowed: float
    relative: float | None
    relative_low: float | None
    relative_high: float | None

    @property
    def verdict(self) -> str:
        """Whether it surely helps or surely harms."""
        return "helps" if self.low > 0 else "harms" if self.high < 0 else "not sure"

    def as_dict(self) -> dict[str, Any]:
        """The lift as JSON values."""
        return {**asdict(self), "verdict": self.verdict}


@dataclass(frozen=True)
class Difference:
    """An estimate, and each person's influence on it: shape (people,), their mean 0."""

    estimate: float
    influences: Array
    control: float
    treated: float

    @property
    def error(self) -> float:
        """The standard error."""
        return float(self.influences.std(ddof=1) / np.sqrt(len(self.influences)))


def lift(metric: str, people: People) -> Lift:
    """Compare two groups by the last look's people.

    Raises NotEnoughData while there are too few for the means' distribution to be near to normal.
    """
    taken = moments(people)
    if not taken:
        raise NotEnoughData(too_few(people))
    reach = reaches([counted for _, counted in taken])[-1]
    return compared(metric, people.only(people.day <= taken[-1][0]), reach, len(taken))


def lift_once(metric: str, people: People) -> Lift:
    """Compare two groups of data that is looked at once, and won't grow; the interval holds at 95 % for that look.

    Raises NotEnoughData with fewer than 50 people in a group, or where all are alike.
    """
    smaller = min(int(people.treated.sum()), int((~people.treated).sum()))
    if smaller < FEWEST or not difference(people).error > 0:
        raise NotEnoughData(
            f"expected at least {FEWEST} people in each group, not all alike, found {smaller:,} in the smaller one"
        )
    return compared(metric, people, NORMAL, 1)


def moments(people: People) -> list[tuple[int, int]]:
    """Choose the days at whose close to look, from the first with people enough on, and count the people of each.

    Once begun it goes on: days picked because no large amount had come by then would speak of too little.
    """
    days, closes = np.unique(people.day, return_counts=True)
    counted = np.cumsum(closes, dtype=np.int64)
    places = looks(counted, 2 * FEWEST)
    begun = dropwhile(lambda place: not enough(people.only(people.day <= days[place])), places)
    return [(int(days[place]), int(counted[place])) for place in begun]


def compared(metric: str, people: People, reach: float, seen: int) -> Lift:
    """Compare two groups as they are; the interval reaches so many standard errors either way."""
    plain, adjusted = difference(people, adjust=False), difference(people)
    low, high = bounds(adjusted.estimate, adjusted.influences, reach)
    narrowed = 1.0 - adjusted.error / plain.error if plain.error > 0 else 0.0
    base = plain.control
    relative = [value / base for value in (adjusted.estimate, low, high)] if base > 0 else [None] * 3
    return Lift(
        metric, len(people.treated), int(people.treated.sum()), seen, base, base + adjusted.estimate,
        adjusted.estimate, low, high, narrowed, *relative,
    )  # fmt: skip


def difference(people: People, adjust: bool = True) -> Difference:
    """Estimate the difference of two groups' means, by ratios of sums, so that a person's rows stay together.

    With `adjust`, what covariates from before explain within the groups is taken off (CUPED: Deng, Xu, Kohavi and
    Walker 2013; it can't bias, as treatment was drawn).
    """
    treated, control = people.treated, ~people.treated
    means = [float(people.totals[group].sum() / people.counts[group].sum()) for group in (control, treated)]
    influences = np.empty(len(treated))
    for group, mean in zip((control, treated), means, strict=True):
        away = (people.totals[group] - mean * people.counts[group]) / people.counts[group].mean()
        influences[group] = away
    estimate = means[1] - means[0]
    shares = np.where(treated, treated.mean(), -control.mean())
    if adjust and people.before.shape[1]:
        slopes, within = _slopes(people, influences, shares)
        gaps = people.before[treated].mean(axis=0) - people.before[control].mean(axis=0)
        estimate -= float(gaps @ slopes)
        influences = influences - within @ slopes
    return Difference(estimate, influences / shares, means[0], means[1])


def enough(people: People) -> bool:
    """Tell whether both groups have people enough for the mean's distribution to be near to normal."""
    return min(int(people.treated.sum()), int((~people.treated).sum())) >= needed(people)


def needed(people: People) -> int:
    """Tell how many people each group needs for its mean to be nearly normal, and at least 50.

    That is 25 times the squared skewness (Cochran, Sampling Techniques 1977, 2.15) of both groups about their means:
    a small group's own skewness looks least just while its large amounts are still to come. Where all are alike, the
    next one may differ.
    """
    treated = people.treated
    if min(treated.sum(), (~treated).sum()) < 2:
        return FEWEST
    share = float(treated.mean())
    away = difference(people).influences * np.where(treated, share, share - 1.0)
    spread = float(away.std())
    squared = float((away**3).mean() / spread**3) ** 2 if spread > 0 else float(len(away))
    return max(FEWEST, int(_COCHRAN * squared))


def too_few(people: People) -> str:
    """Say how many people are missing."""
    smaller = min(int(people.treated.sum()), int((~people.treated).sum()))
    return (
        f"expected at least {needed(people):,} people in each group whose outcome is known, found {smaller:,} in the"
        " smaller one: too early to tell"
    )


def _slopes(people: People, influences: Array, shares: Array) -> tuple[Array, Array]:
    """Regress influences on covariates, both taken within their groups; the slopes, and the centred covariates.

    Each weighs what it does in the estimate's error, so that unequal groups are adjusted as well as can be.
    """
    within = people.before.astype(np.float64).copy()
    for group in (people.treated, ~people.treated):
        within[group] -= within[group].mean(axis=0)
    found = np.linalg.lstsq(within / shares[:, None], influences / shares, rcond=None)[0]
    return np.asarray(found), within


def by_person(
    names: Sequence[str], treated: npt.NDArray[np.bool_], values: Array, before: Array, day: npt.NDArray[np.int64]
) -> People:
    """Put the rows of each person together: totals, counts, the mean of covariates, and the last day.

    Raises NotEnoughData where a person is in both groups.
    """
    places = numbered(np.array(names), len(names))
    count = int(places.max()) + 1 if len(places) else 0
    rows = np.bincount(places, minlength=count).astype(np.float64)
    share = np.bincount(places, weights=treated, minlength=count) / rows
    if ((share > 0) & (share < 1)).any():
        both = int(((share > 0) & (share < 1)).sum())
        raise NotEnoughData(f"expected every person in one group, found {both:,} in both; name the person's column")
    covariates = [np.bincount(places, weights=column, minlength=count) / rows for column in before.T]
    last = np.zeros(count, dtype=np.int64)
    np.maximum.at(last, places, day)
    stacked = np.stack(covariates, axis=1) if covariates else np.zeros((count, 0))
    return People(
        share > 0,
        np.asarray(np.bincount(places, weights=values, minlength=count), dtype=np.float64),
        rows,
        stacked,
        last,
    )
