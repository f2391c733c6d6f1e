"""What offers are expected to bring of many customers at once, as `Prices.weigh` counts it of one."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from features.feature import Array
from features.glossary import Assumptions
from serving.crowd import Crowd
from serving.learned import Learned
from serving.money import offered, prioritised
from serving.offers import NEXT, Offer
from serving.question import Question


@dataclass(frozen=True)
class Weighed:
    """Of one offer and every customer: the expected incremental profit, its priority, and how unsure the profit is.

    All in currency; `spread` is a standard deviation, of what the offer changes times what that is worth. `takers` is
    how likely each takes it up.
    """

    profit: Array
    priority: Array
    spread: Array
    takers: Array


@dataclass(frozen=True)
class ManyPrices:
    """One crowd's money under one playbook's assumptions and what has been learned."""

    crowd: Crowd
    assumptions: Assumptions
    question: Question
    learned: Learned

    def weigh(self, offer: Offer, place: int, weights: Array) -> Weighed:
        """Count what an offer would bring of everybody; `place` is where it stands in what has been learned."""
        product, keep = offer.kind == "product", offer.prior.keep
        margin, stays, risk = self._customer
        if product:
            anyway, odds = self._anyway(offer.item), offer.prior.odds_ratio
            stated = offered(anyway, odds)
            stated_change = (stated - anyway) * keep
            untreated, value = anyway * keep, np.full(len(risk), offer.margin)
        else:
            stated = np.full(len(risk), offer.prior.accept)
            stated_change = offer.prior.accept * keep * risk * offer.prior.churn_reduction
            untreated, value = stays, margin * self.assumptions.retention_horizons
        propensity, change, spread = self.learned.many(place, stated, stated_change, untreated, self.crowd.rows)
        treated = np.clip(untreated + change, 0.0, 1.0)
        credit = propensity * offer.credit * self._loss_rate
        attention = self.assumptions.attention_price[self.question.channel]
        stay_change, stay_spread = self.learned.staying_of_many(place, stays, self.crowd.rows)
        stay_value = margin * self.assumptions.retention_horizons if product else np.zeros(len(risk))
        gain = (treated - untreated) * value + stay_change * stay_value
        profit = gain - propensity * offer.incentive_cost - credit - attention
        lever = offer.lever.at(self.question.as_of.date())
        unsure = np.hypot(spread * value, stay_spread * stay_value)
        return Weighed(profit, prioritised(profit, weights * lever), unsure, propensity)

    def _anyway(self, item: str) -> Array:
        """Tell how likely an item is bought anyway."""
        return self.crowd.next_purchase[1] if item == NEXT else self.crowd.chances[item]

    @cached_property
    def _customer(self) -> tuple[Array, Array, Array]:
        """Tell margins over a horizon, the probability of staying, and that of leaving; 0 where either is unknown."""
        crowd = self.crowd
        known, cost = self.known, sum(crowd.costs.values())
        rate = 1.0 if crowd.measure == "margin" else self.assumptions.margin_rate
        margin = (crowd.expected + cost) * rate - cost
        return tuple(np.where(known, part, 0.0) for part in (margin, 1.0 - crowd.risk, crowd.risk))  # type: ignore[return-value]

    @cached_property
    def known(self) -> npt.NDArray[np.bool_]:
        """Mark those whose risk and value are known."""
        return ~(np.isnan(self.crowd.risk) | np.isnan(self.crowd.expected))

    @cached_property
    def _loss_rate(self) -> Array:
        crowd, stated = self.crowd, self.assumptions.credit_loss_rate
        if "credit_loss" not in crowd.costs:
            return np.full(len(crowd), stated)
        brought = crowd.expected + sum(crowd.costs.values())
        with np.errstate(invalid="ignore", divide="ignore"):
            lost = np.clip(crowd.costs["credit_loss"] / brought, 0.0, 1.0)
        return np.where(brought > 0, lost, stated)
