"""What the models say of one customer at a moment."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

COSTS = ("cost_to_serve", "credit_loss")
# Why a stated default stands in for scores.
NEWCOMER = "nothing bought yet: the average of customers who have just begun stands in"
OBJECTED = "asked not to be profiled: the average of customers who have just begun stands in"


@dataclass(frozen=True, slots=True)
class Reason:
    """One feature's part in a score: its value, its contribution, and the sentence that says it.

    `contribution` is additive on the model's own scale: log-odds for churn, log of currency for value.
    """

    feature: str
    value: float | None
    contribution: float
    sentence: dict[str, str]


@dataclass(frozen=True, slots=True)
class NextPurchase:
    """One item the customer may buy within the horizon, with its calibrated probability."""

    item: str
    level: str
    probability: float
    bought_before: bool


@dataclass(frozen=True, slots=True)
class Worth:
    """How an expected value is made up, in currency over the horizon: what is brought, less each cost that is held.

    `measure` says it in words. `assumed` are the standard costs, by kind of contact, that the glossary stated where no
    source told a cost.
    """

    measure: str
    brought: float
    costs: Mapping[str, float] = field(default_factory=dict)
    assumed: Mapping[str, float] = field(default_factory=dict)

    @property
    def cost(self) -> float:
        """All costs together."""
        return sum(self.costs.values())


@dataclass(frozen=True, slots=True)
class Scores:
    """Churn risk, value and next likely purchases of one customer, and what they rest on.

    `churn_risk` is the probability of no purchase within `horizon_days`; it is None when the customer isn't
    active (nothing bought within `active_days`), whom the churn model doesn't speak of. Where too little has happened
    for probabilities, or for amounts, `ranks_only` names "churn", or "value": those are then None, and `churn_rank` is
    the share of the active base with less risk, `value_rank` the share of the base with less value. `expected_value` is
    currency over the horizon: what is brought, in `value_measure` ("margin" or "revenue"), less the costs that are
    held, as `worth` breaks it down; `value_low` and `value_high` bound
    it with 80 % probability. `next_purchases` are the likeliest candidates; `chances` holds the probability of every
    candidate, and `population` the share of all customers who lately bought an item, for items that are no
    candidates of this customer; `new_purchases` are the likeliest of what the customer hasn't bought before, and
    `ranked_as_of` is the moment of that ranking. `note` is set when a stated default stands in for a history that
    isn't there, or mustn't be used.
    """

    churn_risk: float | None
    expected_value: float | None
    value_low: float | None
    value_high: float | None
    value_measure: str
    worth: Worth | None
    tier: str
    next_purchases: tuple[NextPurchase, ...]
    horizon_days: int
    active_days: int
    churn_reasons: tuple[Reason, ...] = ()
    value_reasons: tuple[Reason, ...] = ()
    note: str | None = None
    new_purchases: tuple[NextPurchase, ...] = ()
    ranked_as_of: datetime | None = None
    chances: Mapping[str, float] = field(default_factory=dict)
    population: Mapping[str, float] = field(default_factory=dict)
    churn_rank: float | None = None
    value_rank: float | None = None
    ranks_only: tuple[str, ...] = ()

    @property
    def standing(self) -> float:
        """What customers are ordered by: the expected value, or where there is none the rank by it."""
        return (self.value_rank or 0.0) if self.expected_value is None else self.expected_value

    def unknown(self, tier: str | None = None) -> "Scores":
        """Leave what no model needs to be asked for: horizon, measure, and a tier, these scores' own unless given."""
        return replace(
            self, churn_risk=None, churn_rank=None, expected_value=None, value_low=None, value_high=None,
            value_rank=None, worth=None, tier=tier or self.tier, next_purchases=(), new_purchases=(), churn_reasons=(),
            value_reasons=(), chances={}, population={}, ranked_as_of=None, note=None,
        )  # fmt: skip

    def margin(self, rate: float) -> float:
        """Tell the expected margin over the horizon, less the costs held; `rate` is margin in a unit of revenue.

        Raises ValueError where the value isn't known.
        """
        if self.expected_value is None:
            raise ValueError("expected a value, found that it isn't known")
        cost = self.worth.cost if self.worth else 0.0
        return (self.expected_value + cost) * (1.0 if self.value_measure == "margin" else rate) - cost

    def chance(self, item: str) -> tuple[float, str]:
        """Tell the probability that an item is bought anyway, and where it comes from."""
        if item in self.chances:
            return self.chances[item], "next-purchase model"
        if item in self.population:
            return self.population[item], "share of all customers who bought it within 28 days"
        return 0.0, "nobody bought it lately: taken as 0"
