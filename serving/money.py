"""What offers are expected to bring, in currency: all of them at once, each with the breakdown of its priority."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from features.feature import Array
from features.glossary import Assumptions
from serving.learned import Learned
from serving.offers import NEXT, Offer
from serving.situation import Situation

Places = npt.NDArray[np.int64]
# Whoever isn't sold anything is to stay.
_STAYING = 0.0, "churn model"


class Breakdown(NamedTuple):
    """How an offer's priority came about; money is in currency, probabilities within the horizon.

    `p_treated` and `p_untreated` are the probability of what is wished for (the item is bought and kept; the customer
    stays) with the offer and without; `value` is what that is worth, `propensity` how likely the offer is taken up.
    `change_sd` is the standard deviation of p_treated - p_untreated, `stated_propensity` and `stated_change` what the
    playbook says before any outcome. `stay_change` is by how much offering an item was measured to change the
    probability of staying, and `stay_value` what that is worth; 0 where it wasn't, and where to stay is the wish.

        expected_incremental_profit = (p_treated - p_untreated)·value + stay_change·stay_value
                                      - propensity·incentive - credit_loss - attention_price
        priority = expected_incremental_profit·context_weight·lever

    A loss, of what is owed, is divided by them instead, so that they move its place the same way.
    """

    propensity: float
    p_treated: float
    p_untreated: float
    change_sd: float
    stated_propensity: float
    stated_change: float
    stay_change: float
    stay_value: float
    margin: float
    value: float
    incentive: float
    credit_loss: float
    attention_price: float
    context_weight: float
    lever: float
    expected_incremental_profit: float
    priority: float


@dataclass(frozen=True)
class Weighed:
    """What some offers would bring: `table` has a row an offer, in the order of `places`, and a column a field.

    `sources` says where each `p_untreated` is from, `effects` where each effect is.
    """

    places: Places
    table: Array
    items: tuple[str, ...]
    sources: tuple[str, ...]
    effects: tuple[str, ...]

    @cached_property
    def _rows(self) -> list[list[float]]:
        rows: list[list[float]] = self.table.tolist()
        return rows

    def breakdown(self, row: int) -> Breakdown:
        """One offer's breakdown."""
        return Breakdown(*self._rows[row])

    def column(self, name: str) -> Array:
        """One field of every offer."""
        column: Array = self.table[:, Breakdown._fields.index(name)]
        return column


class Prices:
    """What some offers give, cost and are believed to do, as columns."""

    def __init__(self, offers: Sequence[Offer]) -> None:
        def column(take: Any) -> Array:
            return np.array([float(take(offer)) for offer in offers])

        self._offers = tuple(offers)
        self.product = np.array([offer.kind == "product" for offer in offers], dtype=bool)
        self._items = [offer.item if offer.kind == "product" else None for offer in offers]
        self._columns = np.array([
            column(lambda one: one.margin), column(lambda one: one.incentive_cost), column(lambda one: one.credit),
            column(lambda one: one.prior.odds_ratio), column(lambda one: one.prior.keep),
            column(lambda one: one.prior.accept), column(lambda one: one.prior.churn_reduction),
        ])  # fmt: skip
        self._levers: tuple[date, Array] | None = None

    def weigh(
        self, places: Places, situation: Situation, assumptions: Assumptions, weights: Array, learned: Learned
    ) -> Weighed:
        """Count what the offers at some places would bring; those that rest on a risk need one that is known."""
        product, weight = self.product[places], weights[places]
        margins, incentive, lent, odds, keep, accept, reduction = self._columns[:, places]
        anyway, items, sources = self._anyway(places, situation)
        bought, accepted = offered(anyway, odds), accept * keep
        margin, stays, risk = customer_margin(situation, assumptions)
        worth = margin * assumptions.retention_horizons
        stated = np.where(product, bought, accept)
        stated_change = np.where(product, (bought - anyway) * keep, accepted * risk * reduction)
        untreated = np.where(product, anyway * keep, stays)
        propensity, change, spread = learned.at(places, stated, stated_change, untreated, situation.row)
        treated = np.minimum(np.maximum(untreated + change, 0.0), 1.0)
        value, stay_value = np.where(product, margins, worth), np.where(product, worth, 0.0)
        credit = propensity * lent * loss_rate(situation, assumptions)[0]
        attention = np.full(len(places), assumptions.attention_price[situation.channel])
        stay_change, _ = learned.staying(places, stays, situation.row)
        gain = (treated - untreated) * value + stay_change * stay_value
        profit = gain - propensity * incentive - credit - attention
        lever = self._lever(situation.as_of.date())[places]
        fields = (
            propensity, treated, untreated, spread, stated, stated_change, stay_change, stay_value,
            np.where(product, margins, margin), value, incentive, credit, attention, weight, lever, profit,
            prioritised(profit, weight * lever),
        )  # fmt: skip
        return Weighed(places, np.array(fields).T, items, sources, learned.said(places))

    def _anyway(
        self, places: Places, situation: Situation
    ) -> tuple[Array, tuple[str, ...], tuple[str, ...]]:  # fmt: skip
        """Tell how likely each offer's item is bought anyway, which item that is, and where the probability is from."""
        scores, items, told = situation.scores, list[str](), list[tuple[float, str]]()
        likeliest = scores.next_purchases[0].item if scores.next_purchases else ""
        for place in places.tolist():
            item = likeliest if self._items[place] == NEXT else self._items[place]
            told.append(_STAYING if item is None else scores.chance(item))
            items.append(item or "")
        anyway = np.array([chance for chance, _ in told], dtype=np.float64)
        return anyway, tuple(items), tuple(source for _, source in told)

    def _lever(self, day: date) -> Array:
        """Every lever on a day; worked out once a day."""
        if self._levers is None or self._levers[0] != day:
            self._levers = day, np.array([offer.lever.at(day) for offer in self._offers])
        return self._levers[1]


def offered(anyway: Array, odds: Array | float) -> Array:
    """Multiply the odds of buying anyway by what an offer is stated to; all are probabilities but `odds`.

    >>> offered(np.array([0.5]), 3.0).tolist()
    [0.75]
    """
    return odds * anyway / (1.0 - anyway + odds * anyway)


def prioritised(profit: Array, factor: Array) -> Array:
    """Weight profits by a factor above 0 for each, so that a higher one always means a higher place."""
    return np.where(profit < 0, profit / factor, profit * factor)


def customer_margin(situation: Situation, assumptions: Assumptions) -> tuple[float, float, float]:
    """Tell a customer's margin over a horizon, the probability of staying, and that of leaving.

    Margin is the value itself where it counts margin, else `margin_rate` of what is brought, less the costs that are
    held. All is 0 where the risk or the value isn't known.
    """
    scores = situation.scores
    if scores.churn_risk is None or scores.expected_value is None:
        return 0.0, 0.0, 0.0
    return scores.margin(assumptions.margin_rate), 1.0 - scores.churn_risk, scores.churn_risk


def loss_rate(situation: Situation, assumptions: Assumptions) -> tuple[float, str]:
    """Tell which share of what is lent to a customer is lost, and where that is from."""
    worth = situation.scores.worth
    if worth is not None and "credit_loss" in worth.costs and worth.brought > 0:
        return min(max(worth.costs["credit_loss"] / worth.brought, 0.0), 1.0), "value model"
    return assumptions.credit_loss_rate, "stated prior"
