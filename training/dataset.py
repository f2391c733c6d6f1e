"""Rows and labels at every cutoff, stacked."""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt
import polars as pl

from features.affinity import ItemTable, Pairs, item_table, pairs_of
from features.clock import DAY, microseconds
from features.contract import FeatureMatrix, rows_of
from features.feature import Array
from features.known import Known
from models.lifetime import Process
from models.population import Active
from training import labels
from training.costs import Costs
from training.horizon import Horizon
from training.lifetime import fit_process

Moment = tuple[FeatureMatrix, Process | None]
Progress = Callable[[str, int, int], None]
NO_COSTS = Costs()
_MOST_CUSTOMERS = 3_000


@dataclass(frozen=True)
class Window:
    """One cutoff: everybody's row, who is active, what happened next, and how customers bought and left until then.

    `value` is the margin or the revenue that came, `costs` what came of each cost that is held, all of one shape.
    """

    cutoff: datetime
    rows: FeatureMatrix
    process: Process | None
    active: npt.NDArray[np.bool_]
    lapsed: Array
    value: Array
    costs: Mapping[str, Array] = field(default_factory=dict)

    def keep(self, which: npt.NDArray[np.bool_]) -> "Window":
        """Keep some customers; `which` is boolean, of their number."""
        parts = (self.active[which], self.lapsed[which], self.value[which])
        costs = {name: cost[which] for name, cost in self.costs.items()}
        return Window(self.cutoff, self.rows.keep(which), self.process, *parts, costs)

    @property
    def brought(self) -> Array:
        """What each customer brought; what was given back beyond what was bought counts as zero."""
        return np.asarray(np.maximum(self.value, 0.0))

    @property
    def cost(self) -> Array:
        """What each customer cost in all."""
        return np.asarray(sum(self.costs.values(), np.zeros(len(self.value))))

    @property
    def net(self) -> Array:
        """What each customer brought less what it cost: the value."""
        return self.brought - self.cost

    @property
    def of_active(self) -> "Window":
        """The active customers alone."""
        return self.keep(self.active)


@dataclass(frozen=True)
class PairWindow:
    """One cutoff: everybody's candidates, whether each was bought next, and all that was bought next."""

    cutoff: datetime
    table: ItemTable
    pairs: Pairs
    taken: Array
    bought: set[tuple[str, str]]

    def of(self, customers: set[str]) -> "PairWindow":
        """Keep some customers."""
        which = np.array([customer in customers for customer in self.pairs.customers.tolist()], dtype=bool)
        pairs = Pairs(self.pairs.customers[which], self.pairs.items[which], self.pairs.values[which])
        bought = {pair for pair in self.bought if pair[0] in customers}
        return PairWindow(self.cutoff, self.table, pairs, self.taken[which], bought)


def value_measure(known: Known) -> str:
    """Choose "margin" when the sources hold it for nine purchases in ten, else "revenue"."""
    purchases = known.events.filter(known.events["kind"] == "purchase")
    return "margin" if purchases["margin"].null_count() <= 0.1 * len(purchases) else "revenue"


class Windows:
    """The windows of a history, each computed once; labels are over a number of days."""

    def __init__(self, known: Known, active: Active, measure: str, costs: Costs = NO_COSTS) -> None:
        self._known, self.active, self._costs = known, active, costs
        self._column = "margin" if measure == "margin" else "amount"
        self._made: dict[datetime, Moment] = {}
        self._labelled: dict[tuple[datetime, int, Active], Window] = {}

    def at(self, cutoff: datetime, days: int) -> Window:
        """Give one cutoff's rows as they were known then, and what came within some days as it is known now."""
        key = cutoff, days, self.active
        if key not in self._labelled:
            self._labelled[key] = self._label(cutoff, timedelta(days=days))
        return self._labelled[key]

    def fits(self, cutoffs: Iterable[datetime]) -> bool:
        """Tell whether the process fits at every cutoff; one of silent leaving never fits contracts."""
        return self.active.kind == "silence" and all(self.rows(cutoff)[1] is not None for cutoff in cutoffs)

    def rows(self, cutoff: datetime) -> Moment:
        """Compute the rows of everyone who had bought by a cutoff, and the process fitted on them."""
        if cutoff not in self._made:
            rows = rows_of(self._known.at(cutoff))
            rows = rows.keep(~np.isnan(rows.column("days_since_purchase")))
            self._made[cutoff] = rows, fit_process(rows)
        return self._made[cutoff]

    def _label(self, cutoff: datetime, span: timedelta) -> Window:
        rows, process = self.rows(cutoff)
        return Window(
            cutoff,
            rows,
            process,
            self.active.holds(rows.values),
            labels.left(self._known, self.active.kind, rows.customers, cutoff, span),
            labels.value(self._known, rows.customers, cutoff, span, self._column),
            self._costs.came(self._known, rows.customers, cutoff, span),
        )


def pair_window(known: Known, cutoff: datetime, horizon: Horizon, level: str) -> PairWindow:
    """Compute one cutoff's candidates as they were known then, and which were bought next."""
    then = known.at(cutoff)
    table = item_table(then, level)
    sample = _sample(then, horizon, cutoff)
    pairs = pairs_of(then, table, sample)
    kept = set(sample)
    following = labels.bought(known, cutoff, timedelta(days=horizon.days), level)
    bought = {pair for pair in following if pair[0] in kept}
    taken = np.array([pair in bought for pair in zip(pairs.customers, pairs.items, strict=True)], dtype=np.float64)
    return PairWindow(cutoff, table, pairs, taken, bought)


def _sample(then: Known, horizon: Horizon, cutoff: datetime) -> list[str]:
    at, bought = microseconds(cutoff), pl.col("kind") == "purchase"
    recent = pl.col("occurred_at").is_between(at - horizon.active_days * DAY, at, closed="left")
    active = then.events.filter(bought & recent)["customer"].unique().sort()
    # By hash, so that a customer is in every cutoff's sample or in none.
    return active.to_frame().sort(pl.col("customer").hash(seed=7)).head(_MOST_CUSTOMERS)["customer"].to_list()


def halved(window: PairWindow, odd: bool) -> PairWindow:
    """Keep the half of a window's customers whose hash is odd, or even."""
    return window.of({customer for customer in set(window.pairs.customers.tolist()) if is_odd(customer) == odd})


def is_odd(customer: str) -> bool:
    """Tell the half that a customer belongs to, the same at every cutoff."""
    return bool(hashlib.blake2b(customer.encode(), digest_size=1).digest()[0] & 1)
