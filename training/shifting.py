"""Whether features have moved since a bundle learned, beyond chance and beyond what they usually do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from scipy.stats import chi2

from features.contract import FeatureMatrix
from features.definitions import BY_NAME
from features.drift import Drift, by_chance, drift_of
from training.checks import Check, Verdict
from training.thresholds import Thresholds

MOST_PAIRS = 3
SHORTEST = timedelta(days=1)
_BINS = 10
_NAMED = 3


@dataclass(frozen=True)
class Shift:
    """How one feature moved, the most that it moved before over spans as long, and from where on it has drifted.

    `usual` is None where the history holds no earlier span. A `novel` feature was the same for everybody when the
    bundle learned, so that no model can have used it.
    """

    drift: Drift
    usual: float | None
    limit: float
    novel: bool

    @property
    def beyond(self) -> bool:
        """Whether it moved further than chance and custom explain."""
        return self.drift.index > self.limit


def earlier_moments(learned: datetime, now: datetime, first: datetime) -> tuple[datetime, ...]:
    """List the moments before a bundle learned that lie as far apart as it and now, the newest first.

    None is before `first`, the beginning of the history, by less than a span: rows need something to rest on.

    >>> days = [datetime(2024, 1, day) for day in (10, 12, 1)]
    >>> [f"{moment:%d}" for moment in earlier_moments(*days)]
    ['08', '06', '04']
    """
    span = now - learned
    moments = (learned - span * count for count in range(1, MOST_PAIRS + 1))
    return tuple(moment for moment in moments if moment - span >= first)


def shifts(
    before: FeatureMatrix, after: FeatureMatrix, earlier: Sequence[FeatureMatrix], limits: Thresholds
) -> tuple[Shift, ...]:
    """Compare every feature with what is usual of it, the furthest beyond its limit first.

    `earlier` are the rows at moments before, each a span before the one after it, the newest first. A feature has
    drifted above the greatest of three: the field's index; what chance explains of any feature at all; and what was
    the most between earlier moments, times a factor.
    """
    found = drift_of(before, after)
    pairs = zip(earlier, (before, *earlier), strict=False)
    usual = [{one.feature: one.index for one in drift_of(*pair)} for pair in pairs if pair[0].customers]
    chance = explained_by_chance(len(before.customers), len(after.customers), len(found), limits.confidence)
    least = max(limits.index, chance)
    made = [_shift(drift, usual, least, limits.beyond_usual, _alike(before, drift.feature)) for drift in found]
    return tuple(sorted(made, key=lambda one: one.limit - one.drift.index))


def explained_by_chance(before: int, after: int, features: int, confidence: float) -> float:
    """Tell the index that no feature of so many exceeds by chance, with some confidence.

    The index of samples alike is chi-squared with nine degrees of freedom, times (1 / before + 1 / after) (Yurdakul
    2018); the confidence is that of all features together (Bonferroni).

    >>> round(explained_by_chance(1000, 1000, 100, 0.99), 3)
    0.067
    """
    freedom = _BINS - 1
    quantile = float(chi2.ppf(1 - (1 - confidence) / features, freedom))
    return quantile * by_chance(before, after) / freedom


def check_drift(found: Sequence[Shift], since: datetime, pairs: int, limits: Thresholds) -> Check:
    """Say which features drifted, the worst by name and in words."""
    off = [one for one in found if one.beyond]
    # In a young history everything grows, and nobody knows yet what is usual.
    grave = pairs > 0 and any(not one.novel for one in off)
    verdict: Verdict = "well" if not off else "act" if grave else "watch"
    beside = f"{limits.beyond_usual:g} times the most of {pairs} earlier spans" if pairs else "no earlier span as long"
    plain = f"index {limits.index:g}, chance among {len(found)} features, and {beside}"
    do = f"holdfast quality --from {since:%Y-%m-%d}" if off else ""
    said = "; ".join(_said(one) for one in (off or list(found))[:_NAMED])
    head = f"{len(off)} of {len(found)} features drifted since {since:%Y-%m-%d}"
    figures = {"features": [_told(one) for one in found], "earlier_spans": pairs}
    return Check(
        "feature drift", f"{head}{': ' if off else '; the nearest to it: '}{said}.", plain, verdict, do, figures
    )


def too_short(since: datetime) -> Check:
    """Say from when on drift can be told."""
    due = since + SHORTEST
    found = f"The bundle learned less than a day ago; drift can be told from {due:%Y-%m-%d %H:%M} UTC on."
    return Check("feature drift", found, "a day", "too early", figures={"due": due.isoformat()})


def _shift(drift: Drift, usual: Sequence[Mapping[str, float]], least: float, factor: float, novel: bool) -> Shift:
    most = max((pair[drift.feature] for pair in usual), default=None)
    return Shift(drift, most, least if most is None else max(least, most * factor), novel)


def _alike(rows: FeatureMatrix, feature: str) -> bool:
    return len(np.unique(rows.column(feature))) <= 1


def _said(one: Shift) -> str:
    drift = one.drift
    sentence = BY_NAME[drift.feature].en.removesuffix(": {value}")
    usual = "" if one.usual is None else f", usually up to {one.usual:.2f}"
    means = f"{_mean(drift.mean_before)} → {_mean(drift.mean_after)}"
    novel = ", new since it learned" if one.novel else ""
    return f"{drift.feature} ({sentence}) {means}, index {drift.index:.2f}{usual}{novel}"


def _mean(mean: float | None) -> str:
    return "unknown" if mean is None else f"{mean:,.2f}"


def _told(one: Shift) -> dict[str, float | str | bool | None]:
    drift = one.drift
    return {
        "feature": drift.feature, "index": drift.index, "usual": one.usual, "limit": one.limit, "beyond": one.beyond,
        "novel": one.novel,
        "mean_before": drift.mean_before, "mean_after": drift.mean_after,
        "unknown_before": drift.unknown_before, "unknown_after": drift.unknown_after,
    }  # fmt: skip
