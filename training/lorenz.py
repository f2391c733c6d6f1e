"""How value is spread over customers, under our order, the best rule's and the perfect one."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from features.feature import Array
from training.metrics import VALUE_METRICS, Ranked
from training.tiers import tiers_of

SHARES = (0.01, 0.05, 0.1, 0.2, 0.5)
_MOVING = (
    "customer", "revenue", "value", "rank_by_revenue", "rank_by_value", "tier_by_revenue", "tier_by_value"
)  # fmt: skip


@dataclass(frozen=True)
class Captured:
    """The share of value that a share of customers holds, by three orders."""

    customers: float
    ours: float
    best_rule: float
    perfect: float


@dataclass(frozen=True)
class Movers:
    """Who changes place when customers are ranked by profit in place of revenue.

    `entering` customers come into the top, and as many leave it; the two shares are of all profit, and say what those
    who enter and those who leave hold of it.
    """

    top: float
    customers: int
    entering: int
    profit_of_entering: float
    profit_of_leaving: float


def lorenz_table(value: Array, ours: Array, rules: Mapping[str, Array]) -> tuple[str, list[Captured]]:
    """Tell the rule with the highest normalised Gini, and the value captured at each of `SHARES` from the top.

    All have shape (customers,), `value` in currency; where costs count, that of some customers may lie below zero.

    >>> name, table = lorenz_table(np.array([6.0, 3.0, 1.0, 0.0]), np.arange(4.0), {"same": np.zeros(4)})
    >>> name, table[-1]
    ('same', Captured(customers=0.5, ours=0.1, best_rule=0.5, perfect=0.9))
    """
    measure, _ = VALUE_METRICS["normalised Gini"]
    best = max(rules, key=lambda rule: measure(value, rules[rule]))
    curves = [Ranked.of(value, scores).under(np.ones(len(value))) for scores in (ours, rules[best], value)]
    total = float(value.sum())
    columns = (curve.captured(np.array(SHARES)) / total for curve in curves)
    return best, [Captured(*(float(cell) for cell in row)) for row in zip(SHARES, *columns, strict=True)]


def movers(revenue: Array, profit: Array, top: float = 0.2) -> Movers:
    """Compare the top of customers by revenue with that by profit, of shape (customers,) each.

    >>> movers(np.array([9.0, 8.0, 1.0, 0.0]), np.array([1.0, 5.0, 4.0, 0.0]), top=0.5)
    Movers(top=0.5, customers=4, entering=1, profit_of_entering=0.4, profit_of_leaving=0.1)
    """
    count = max(1, round(top * len(revenue)))
    by_revenue, by_profit = (set(np.argsort(-one, kind="stable")[:count].tolist()) for one in (revenue, profit))
    entering, leaving = by_profit - by_revenue, by_revenue - by_profit
    total = float(profit.sum())
    shares = (float(profit[sorted(who)].sum()) / total for who in (entering, leaving))
    return Movers(top, len(revenue), len(entering), *shares)


def moving(customers: Sequence[str], revenue: Array, value: Array, shares: Mapping[str, float]) -> str:
    """List who is in another tier by value than by revenue, as CSV, the greatest losses of rank first.

    Ranks count from 1; `shares` are the tiers', from the top.

    >>> revenue, value = np.array([9.0, 5.0, 1.0]), np.array([-2.0, 4.0, 1.0])
    >>> print(moving(["a", "b", "c"], revenue, value, {"top": 1 / 3, "base": 2 / 3}), end="")
    customer,revenue,value,rank_by_revenue,rank_by_value,tier_by_revenue,tier_by_value
    a,9.00,-2.00,1,3,top,base
    b,5.00,4.00,2,1,base,top
    """
    ranks = [np.argsort(np.argsort(-one, kind="stable"), kind="stable") + 1 for one in (revenue, value)]
    tiers = [tiers_of(one, shares) for one in (revenue, value)]
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(_MOVING)
    for place in np.argsort(ranks[0] - ranks[1], kind="stable"):
        if tiers[0][place] != tiers[1][place]:
            sums = (f"{revenue[place]:.2f}", f"{value[place]:.2f}")
            lines.writerow((customers[place], *sums, *(one[place] for one in ranks), *(one[place] for one in tiers)))
    return text.getvalue()
