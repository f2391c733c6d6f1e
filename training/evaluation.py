"""Judging on the test window: every figure with its interval, and every simple rule beside it."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from features.feature import Array
from training.metrics import CHURN_METRICS, COVERAGE, VALUE_METRICS, Metric, Ranked

__all__ = [
    "CHURN_METRICS", "VALUE_METRICS", "Beside", "Figure", "figure", "interval_figures", "judge", "means", "replicates",
]  # fmt: skip
_REPLICATES = 200
_SURE = (0.025, 0.975)


@dataclass(frozen=True)
class Beside:
    """A rule's own interval, and the paired gain of ours over it; above zero is better, however the metric runs."""

    low: float
    high: float
    gain: float
    gain_low: float
    gain_high: float


@dataclass(frozen=True)
class Figure:
    """One measurement on the test window.

    `low` and `high` bound ours, `gain_low` and `gain_high` the paired gain over the best baseline (above zero is
    better, whichever way the metric runs), each with 95 % confidence by bootstrap over customers. `alike` is the figure
    of saying the same of everyone, `rules` what stands beside `baselines` by name, `customers` how many were judged.
    """

    model: str
    metric: str
    ours: float
    low: float
    high: float
    baselines: Mapping[str, float]
    best_baseline: str | None
    gain: float | None
    gain_low: float | None
    gain_high: float | None
    alike: float | None = None
    rules: Mapping[str, Beside] = field(default_factory=dict)
    customers: int | None = None

    def as_dict(self) -> dict[str, Any]:
        """The figure for JSON, which knows no NaN: None stands for what can't be measured."""
        told: dict[str, Any] = _finite(asdict(self))
        return told


def judge(
    model: str,
    metrics: Mapping[str, tuple[Metric, int]],
    truth: Array,
    ours: Array,
    baselines: Mapping[str, Array],
    seed: int,
) -> list[Figure]:
    """Judge predictions of one row a customer, all of shape (customers,)."""
    ranked = [Ranked.of(truth, scores) for scores in (ours, *baselines.values())]

    def measured(weights: Array) -> Array:
        curves = [one.under(weights) for one in ranked]
        return np.array([[metric.of(curve) for curve in curves] for metric, _ in metrics.values()])

    plain = measured(np.ones(len(truth)))
    drawn = np.array([measured(weights) for weights in replicates(len(truth), seed)])
    alike = np.full(len(truth), truth.mean())
    return [
        figure(model, name, sign, plain[place], drawn[:, place], tuple(baselines), metric(truth, alike), len(truth))
        for place, (name, (metric, sign)) in enumerate(metrics.items())
    ]


def interval_figures(
    truth: Array, low: Array, high: Array, seed: int, expected: Array | None = None
) -> list[Figure]:  # fmt: skip
    """Measure how often an interval covers what came (it aims at `COVERAGE`), and how wide it is.

    With what was `expected` of each customer, also how often it covers in the fifth with the highest expectation.
    """
    covered = ((truth >= low) & (truth <= high)).astype(np.float64)
    name = f"within the {COVERAGE:.0%} interval".replace("%", " %")
    found = {name: covered}
    if expected is not None:
        top = np.argsort(-expected, kind="stable")[: max(1, len(expected) // 5)]
        found[f"{name} in the top fifth"] = np.full(len(truth), np.nan)
        found[f"{name} in the top fifth"][top] = covered[top]
    return means("value", found | {"width of the interval": high - low}, {}, seed)


def means(
    model: str, parts: Mapping[str, Array], baselines: Mapping[str, Mapping[str, Array]], seed: int
) -> list[Figure]:
    """Judge what each customer has of a metric by its mean; `baselines` hold a metric's rules.

    Each is of shape (customers,), NaN for a customer of whom it can't be told. A metric that can be told of nobody is
    left out; more is better.
    """
    customers = len(next(iter(parts.values())))
    found = {name: ours for name, ours in parts.items() if np.isfinite(ours).any()}
    rows = [np.array([ours, *baselines.get(name, {}).values()]) for name, ours in found.items()]
    held = [(np.nan_to_num(row), np.isfinite(row).astype(np.float64)) for row in rows]

    def measured(weights: Array) -> list[Array]:
        # In a draw without anybody of whom it can be told, the mean is NaN.
        with np.errstate(invalid="ignore"):
            return [known @ weights / (told @ weights) for known, told in held]

    plain = measured(np.ones(customers))
    drawn = [measured(weights) for weights in replicates(customers, seed)]
    return [
        figure(
            model, name, +1, plain[place], np.array([one[place] for one in drawn]), tuple(baselines.get(name, ())),
            customers=int(np.isfinite(ours).sum()),
        )
        for place, (name, ours) in enumerate(found.items())
    ]  # fmt: skip


def replicates(customers: int, seed: int) -> Iterator[Array]:
    """Draw as many customers as there are, with replacement, many times: how often each came (Efron 1979)."""
    rng = np.random.default_rng(seed)
    for _ in range(_REPLICATES):
        yield np.bincount(rng.integers(0, customers, customers), minlength=customers).astype(np.float64)


def figure(
    model: str, metric: str, sign: int, plain: Array, drawn: Array, names: Sequence[str],
    alike: float | None = None, customers: int | None = None,
) -> Figure:  # fmt: skip
    """Lay one metric's measurements out: `plain` of shape (1 + rules,), ours first, `drawn` of (replicates, 1 + rules).

    `sign` is +1 where more is better, else −1.
    """
    gains, gains_drawn = sign * (plain[0] - plain[1:]), sign * (drawn[:, :1] - drawn[:, 1:])
    rules = {
        name: Beside(
            *_own(drawn[:, place + 1], plain[place + 1]),
            float(gains[place]),
            *_interval(gains_drawn[:, place], gains[place]),
        )
        for place, name in enumerate(names)
    }
    best = min(rules, key=lambda name: rules[name].gain) if rules else None
    low, high = _own(drawn[:, 0], plain[0])
    values = dict(zip(names, plain[1:].tolist(), strict=True))
    if best is None:
        return Figure(
            model, metric, float(plain[0]), low, high, {}, None, None, None, None, alike, customers=customers
        )  # fmt: skip
    gain = rules[best]
    return Figure(
        model, metric, float(plain[0]), low, high, values,
        best, gain.gain, gain.gain_low, gain.gain_high, alike, rules, customers,
    )  # fmt: skip


def _own(drawn: Array, estimate: float) -> tuple[float, float]:
    """Bound a figure; one that no sample puts below zero, such as a distance, isn't bounded below it either."""
    low, high = _interval(drawn, estimate)
    return (low if (drawn < 0).any() else max(low, 0.0)), high


def _interval(drawn: Array, estimate: float) -> tuple[float, float]:
    """Bound an estimate; a sample in which the metric can't be told (nobody lapsed) is left out."""
    told = drawn[np.isfinite(drawn)]
    if not len(told):
        return float("nan"), float("nan")
    # Resampling adds noise, which lengthens distances such as calibration errors: the draws are centred again.
    low, high = np.quantile(told - told.mean() + estimate, _SURE)
    return float(low), float(high)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(part) for name, part in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value
