"""What a bundle promised of customers, of the whole base or of those decided on, and what came of it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from features.clock import microseconds
from features.feature import Array
from features.known import Known
from training import labels
from training.costs import Costs

AT = 10
_SCORES = ("churn_risk", "expected_value", "value_low", "value_high")


@dataclass(frozen=True)
class Promised:
    """What was said of customers at a moment each; risks are NaN where none was said, and so are values.

    `moments` are microseconds; everything has shape (customers,), `items` the likeliest of each, the first first.
    `treated` tells whether offers were made in between, which a prediction knows nothing of.
    """

    name: str
    customers: tuple[str, ...]
    moments: npt.NDArray[np.int64]
    risk: Array
    expected: Array
    low: Array
    high: Array
    items: tuple[tuple[str, ...], ...]
    treated: bool = False


@dataclass(frozen=True)
class Came:
    """What came within the horizon: who left, what each brought less what it cost, and whether an item was hit.

    `net` counts what was given back beyond what was bought as zero, as it was learned, `value` counts it as it is.
    `hit` is NaN of whom no item was named, or who bought none.
    """

    left: Array
    net: Array
    value: Array
    hit: Array


def of_base(scored: Iterable[pl.DataFrame], cutoff: datetime) -> Promised:
    """Take what was said of the whole base at a moment."""
    base = pl.concat(scored)
    risk, expected, low, high = (base[name].cast(pl.Float64).fill_null(float("nan")).to_numpy() for name in _SCORES)
    active = base["active"].to_list()
    listed = base["next_purchases"].to_list()
    items = (_items(each) if holds else () for each, holds in zip(listed, active, strict=True))
    moments = np.full(len(base), microseconds(cutoff), dtype=np.int64)
    return Promised(
        f"base, {cutoff:%Y-%m-%d}", tuple(base["customer"]), moments, risk, expected, low, high, tuple(items)
    )


def of_decisions(bodies: Iterable[Mapping[str, Any]], until: datetime) -> Promised:
    """Take what a bundle said in its decisions by some moment, of each customer the first that it decided on.

    Later decisions on the same customer speak of nearly the same days.
    """
    first: dict[str, Mapping[str, Any]] = {}
    for body in bodies:
        if datetime.fromisoformat(body["as_of"]) <= until:
            first.setdefault(body["customer"], body)
    scores = [body["scores"] for body in first.values()]
    risk, expected, low, high = (_numbers(scores, name) for name in _SCORES)
    moments = [microseconds(datetime.fromisoformat(body["as_of"])) for body in first.values()]
    items = (
        _items(body["next_purchases"]) if told["churn_risk"] is not None else ()
        for body, told in zip(first.values(), scores, strict=True)
    )
    return Promised(
        "decisions", tuple(first), np.array(moments, np.int64), risk, expected, low, high, tuple(items), treated=True
    )


def came_of(known: Known, promised: Promised, manifest: Mapping[str, Any]) -> Came:
    """Look up what came within the horizon after each moment, as the bundle counts it."""
    span = timedelta(days=manifest["horizon"]["days"])
    after = labels.aligned(known, promised.customers, promised.moments)
    places = tuple(map(str, range(len(promised.customers))))
    left = labels.left(after, manifest["active"]["kind"], places, labels.EPOCH, span)
    column = "margin" if manifest["value_measure"] == "margin" else "amount"
    brought = labels.value(after, places, labels.EPOCH, span, column)
    costs = Costs.read(manifest).came(after, places, labels.EPOCH, span)
    cost = sum(costs.values(), np.zeros(len(places)))
    hit = _hits(after, promised, manifest["level"], span)
    return Came(np.where(np.isnan(promised.risk), np.nan, left), np.maximum(brought, 0.0) - cost, brought - cost, hit)


def _hits(after: Known, promised: Promised, level: str, span: timedelta) -> Array:
    hit = np.full(len(promised.customers), np.nan)
    if not level:
        return hit
    baskets: dict[int, set[str]] = {}
    for place, item in labels.bought(after, labels.EPOCH, span, level):
        baskets.setdefault(int(place), set()).add(item)
    for number, basket in baskets.items():
        if promised.items[number]:
            hit[number] = float(not basket.isdisjoint(promised.items[number]))
    return hit


def _items(listed: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    return tuple(one["item"] for one in listed[:AT])


def _numbers(scores: Sequence[Mapping[str, Any]], name: str) -> Array:
    return np.array([np.nan if told[name] is None else told[name] for told in scores], dtype=np.float64)
