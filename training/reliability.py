"""How far what happened may lie from what was said by chance: intervals of rates, totals, order and calibration."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.special import expit, logit
from scipy.stats import norm

from features.feature import Array
from training.checks import Interval
from training.metrics import CHURN_METRICS

FIFTHS = 5
_CLIP = 1e-6
_STEPS = 50


class Group(NamedTuple):
    """Customers of like prediction: how many, what was said of one on average, and what came of one."""

    customers: int
    said: float
    came: Interval


@dataclass(frozen=True)
class Calibration:
    """The line from what was said to what happened, on the scale of log-odds: as said is slope 1, intercept 0."""

    slope: Interval
    intercept: Interval


def reach(confidence: float) -> float:
    """Tell how many standard errors an interval reaches either way.

    >>> round(reach(0.95), 2)
    1.96
    """
    return float(norm.ppf(0.5 + confidence / 2))


def rate_of(happened: Array, confidence: float) -> Interval:
    """Bound the rate of what happened to customers (1.0) or didn't (0.0), by Wilson's score interval (1927).

    Customers of unequal chances scatter less than alike ones, so it errs on the wide side.

    >>> rate_of(np.array([1.0, 0, 0, 0]), 0.95).said()
    '0.25 (0.05–0.70)'
    """
    count, share, z = len(happened), float(happened.mean()), reach(confidence)
    centre = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    wide = z * np.sqrt(share * (1 - share) / count + (z / (2 * count)) ** 2) / (1 + z**2 / count)
    return Interval(share, float(max(0.0, centre - wide)), float(min(1.0, centre + wide)))


def ratio_of(came: Array, said: Array, confidence: float) -> Interval:
    """Bound the total that came over the total that was said, each customer counting as one draw.

    By the ratio's linear part: its error is the root of the sum of (came - ratio·said)², over the total said
    (Cochran 1977). NaN where nothing was said.
    """
    total = float(said.sum())
    if total <= 0:
        return Interval(float("nan"), float("-inf"), float("inf"))
    ratio = float(came.sum()) / total
    error = float(np.sqrt(((came - ratio * said) ** 2).sum())) / total * reach(confidence)
    return Interval(ratio, ratio - error, ratio + error)


def mean_of(came: Array, confidence: float) -> Interval:
    """Bound a mean by its standard error."""
    mean, error = float(came.mean()), float(came.std(ddof=1)) / np.sqrt(len(came)) if len(came) > 1 else np.inf
    return Interval(mean, mean - float(error) * reach(confidence), mean + float(error) * reach(confidence))


def order_of(happened: Array, score: Array, confidence: float) -> Interval:
    """Bound the AUC by Hanley and McNeil's error (1982); both outcomes must be there."""
    area = CHURN_METRICS["AUC"][0](happened, score)
    positives = int(happened.sum())
    negatives = len(happened) - positives
    both, other = area / (2 - area), 2 * area**2 / (1 + area)
    variance = area * (1 - area) + (positives - 1) * (both - area**2) + (negatives - 1) * (other - area**2)
    error = float(np.sqrt(variance / (positives * negatives))) * reach(confidence)
    return Interval(area, area - error, area + error)


def calibration_of(happened: Array, risk: Array, confidence: float) -> Calibration | None:
    """Fit happened = logistic(intercept + slope·logit(risk)) (Cox 1958), by Newton's steps.

    None where it can't be told: one outcome alone, risks all alike, or outcomes that they part without a rest.
    """
    odds = logit(np.clip(risk, _CLIP, 1 - _CLIP))
    if not 0 < happened.sum() < len(happened) or np.ptp(odds) < _CLIP:
        return None
    design, line = np.stack([np.ones(len(odds)), odds], axis=1), np.array([0.0, 1.0])
    for _ in range(_STEPS):
        fitted = expit(design @ line)
        weight = np.maximum(fitted * (1 - fitted), 1e-12)
        information = design.T @ (design * weight[:, None])
        step = np.linalg.solve(information, design.T @ (happened - fitted))
        line = line + np.clip(step, -1.0, 1.0)
        if np.abs(step).max() < 1e-8:
            errors = np.sqrt(np.diag(np.linalg.inv(information))) * reach(confidence)
            low, high = line - errors, line + errors
            intercept, slope = (Interval(*map(float, one)) for one in zip(line, low, high, strict=True))
            return Calibration(slope, intercept)
    return None


def fifths_of(came: Array, said: Array, confidence: float, rates: bool) -> tuple[Group, ...]:
    """Cut customers into fifths by what was said, the lowest first, and bound what came of each.

    The confidence is that of all five together (Bonferroni); `rates` tells whether what came is 0 or 1.
    """
    bound = rate_of if rates else mean_of
    each = 1 - (1 - confidence) / FIFTHS
    parts = [part for part in np.array_split(np.argsort(said, kind="stable"), FIFTHS) if len(part)]
    return tuple(Group(len(part), float(said[part].mean()), bound(came[part], each)) for part in parts)
