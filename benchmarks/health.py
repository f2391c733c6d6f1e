"""Health's alarms: how often one is false, and how often what is off is found.

Customers and features are simulated, and do exactly as was said of them by chance alone; so whatever is acted on is a
false alarm, until the risks are doubled or a feature is shifted.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

import numpy as np

from benchmarks.report import Row
from features.contract import CONTRACT, FeatureMatrix
from training.checks import Check, worst
from training.promises import Came, Promised
from training.reliability import order_of, rate_of
from training.shifting import check_drift, shifts
from training.since import Since
from training.thresholds import Thresholds

Tested = dict[tuple[str, str], dict[str, float]]
LIMITS = Thresholds()
_AS_OF = datetime(2024, 3, 1, tzinfo=UTC)
_SIZES = (60, 300, 2_000)
_MOVED = "spend_91"
_MOST_FALSE, _LEAST_FOUND = 0.05, 0.95


def rows(seeds: int) -> list[Row]:
    """Count alarms over simulated bases of several sizes, one a seed."""
    tested = _tested()
    return [
        *(_false(f"predictions, {n:,} customers", seeds, partial(_page, tested, n, 1.0)) for n in _SIZES),
        _found("risks doubled, 1,000 customers", seeds, partial(_page, tested, 1_000, 2.0)),
        *(_false(f"drift, {n:,} customers", seeds, partial(_drift, n, 0.0)) for n in _SIZES[:2]),
        _found("a feature shifted by one deviation, 300 customers", seeds, partial(_drift, 300, 1.0)),
    ]


def population(seed: int, customers: int) -> tuple[Promised, Came]:
    """Make customers who do as was said of them: risks, values with many zeros and a long tail, items hit."""
    rng = np.random.default_rng(seed)
    risk, expected = rng.beta(1.2, 4.0, customers), rng.lognormal(3.0, 1.0, customers)
    net = np.where(rng.random(customers) < 0.7, expected / 0.7 * rng.gamma(0.8, 1 / 0.8, customers), 0.0)
    value = np.where(rng.random(customers) < 0.2, -1.0, 0.0)
    names, moments = tuple(map(str, range(customers))), np.zeros(customers, dtype=np.int64)
    promised = Promised("base", names, moments, risk, expected, 0 * risk, 0 * risk, ((),) * customers)
    left, hit = ((rng.random(customers) < chance).astype(np.float64) for chance in (risk, 0.85))
    return promised, Came(left, net, value, hit)


def _tested() -> Tested:
    promised, came = population(10**6, 100_000)
    told = {("churn", "AUC"): order_of(came.left, promised.risk, 0.95),
            ("next_purchase", "hit rate at 10"): rate_of(came.hit, 0.95)}  # fmt: skip
    return {name: {"ours": one.of, "low": one.low, "high": one.high} for name, one in told.items()}


def _page(tested: Tested, customers: int, times: float, seed: int) -> bool:
    promised, came = population(seed, customers)
    said = replace(promised, risk=np.minimum(promised.risk * times, 0.99))
    return worst(Since(said, came, tested, LIMITS).checks()) == "act"


def _drift(customers: int, by: float, seed: int) -> bool:
    rng = np.random.default_rng(seed)
    before, after, earlier = (
        FeatureMatrix(_AS_OF, tuple(map(str, range(customers))), rng.normal(size=(customers, len(CONTRACT.names))))
        for _ in range(3)
    )
    after.column(_MOVED)[:] += by
    check = check_drift(shifts(before, after, [earlier], LIMITS), _AS_OF, 1, LIMITS)
    return check.verdict == "act" and (by == 0.0 or _named(check))


def _named(check: Check) -> bool:
    return [one["feature"] for one in check.figures["features"] if one["beyond"]] == [_MOVED]


def _shares(seeds: int, acted: Callable[[int], bool]) -> tuple[float, str]:
    rate = rate_of(np.array([float(acted(seed)) for seed in range(seeds)]), 0.95)
    return rate.of, f"{rate.low:.1%}–{rate.high:.1%} over {seeds:,} seeds"


def _false(what: str, seeds: int, acted: Callable[[int], bool]) -> Row:
    share, interval = _shares(seeds, acted)
    figure = f"false alarms: {what} (95 % {interval}; simulated)"
    return Row(figure, share, _MOST_FALSE, share / _MOST_FALSE, f"at most {_MOST_FALSE:.0%}", share <= _MOST_FALSE)


def _found(what: str, seeds: int, acted: Callable[[int], bool]) -> Row:
    share, interval = _shares(seeds, acted)
    figure = f"found and named: {what} (95 % {interval}; simulated)"
    return Row(figure, share, _LEAST_FOUND, share / _LEAST_FOUND, f"at least {_LEAST_FOUND:.0%}", share >= _LEAST_FOUND)
