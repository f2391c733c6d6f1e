"""The shapes of answers on the wire; what the desk answers is tested against them."""

from typing import Any, Literal

from serving.offer_answers import OfferAnswer, RunnerUpAnswer, WithheldAnswer
from serving.shapes import Shape


class ValueBreakdownAnswer(Shape):
    """How the predicted value is made up: what is brought, less each cost that the history holds."""

    measure: str
    """What the value counts, in words, such as "margin − cost to serve"."""
    brought: float
    """Predicted margin or revenue over the horizon, in the currency."""
    cost_to_serve: float | None
    """Predicted cost of keeping in touch; null where nothing tells it."""
    credit_loss: float | None
    """Predicted loss in bills given up; null where nothing tells it."""


class BasisAnswer(Shape):
    """What stands beside every score."""

    horizon_days: int
    """How far ahead the scores look."""
    active_rule: Literal["silence", "contract"]
    """Who counts as active: by `silence`, who bought within `active_days`; by `contract`, who bought and hasn't ended
    it since."""
    active_days: int
    """Who bought within this many days counts as active, where the rule is `silence`."""
    learned_until: str
    """The moment up to which the models learned."""
    tested_from: str
    """The cutoff from which on they were judged, over one horizon, by models that hadn't seen what came."""


class ScoresAnswer(BasisAnswer):
    """What the models say, and what stands beside it."""

    churn_risk: float | None
    """Probability of buying nothing within the horizon; null for a customer who isn't active, and for everyone where
    `ranks_only` holds `churn`."""
    churn_rank: float | None
    """Ranks only: the share of active customers with less risk; null where there is a probability, or no activity."""
    expected_value: float | None
    """Predicted value over the horizon, in the currency, less the costs that are held; null where `ranks_only` holds
    `value`."""
    value_low: float | None
    """The lower end of the interval that holds the value in four of five cases."""
    value_high: float | None
    """The upper end of that interval."""
    value_rank: float | None
    """Ranks only: the share of customers with less value; null where there is an expected value."""
    ranks_only: list[Literal["churn", "value"]]
    """Ranks only: what has no probability, or no amount, since too little has happened so far; the note says why."""
    value_measure: Literal["margin", "revenue"]
    """What the customer brings is counted in, before costs."""
    value_breakdown: ValueBreakdownAnswer | None
    """How the value is made up; null where `ranks_only` holds `value`."""
    currency: str
    """The currency of every amount (ISO 4217)."""


class TermAnswer(Shape):
    """A term of the glossary that holds of the customer."""

    term: str
    """Its name."""
    sentence: str
    """How it is said."""
    hash: str
    """The hash of what it means, the terms that it rests on included."""


class NextPurchaseAnswer(Shape):
    """An item the customer is likely to buy within the horizon."""

    item: str
    """The item, as the catalogue writes it."""
    spoken: str
    """The item, as it is said."""
    level: str
    """The catalogue's level."""
    probability: float
    """The calibrated probability of buying it within the horizon; for a customer who hasn't bought anything yet, the
    share of people alike who bought it in the last 28 days."""
    bought_before: bool
    """Whether the customer has bought it before."""


class ReasonAnswer(Shape):
    """One feature's part in a score."""

    feature: str
    """The feature's name."""
    value: float | None
    """Its value; null where unknown."""
    contribution: float
    """Its part on the model's own scale: log-odds for churn, log of currency for value."""
    sentence: str
    """The feature, said."""


class ReasonsAnswer(Shape):
    """What the scores rest on most."""

    churn: list[ReasonAnswer]
    """The strongest reasons of the churn risk."""
    value: list[ReasonAnswer]
    """The strongest reasons of the value."""


class AgesAnswer(Shape):
    """How old everything is that the decision rests on."""

    features_as_of: str
    """The moment the features speak of."""
    events: int
    """How many events they are made of."""
    newest_event_seconds: float | None
    """Time since the newest event occurred."""
    newest_record_seconds: float | None
    """Time since anything last became known."""
    next_purchases_seconds: float | None
    """Time since the next purchases were ranked; a ranking is kept until an event changes it, for an hour at most."""
    bundle_days: float
    """Time since the moment up to which the models learned."""


class AssumptionsAnswer(Shape):
    """What nobody has measured, from the glossary."""

    margin_rate: float | None
    """Margin in a unit of revenue; null where the value model counts margin itself."""
    retention_horizons: float
    """How many horizons of value a kept customer is worth."""
    cost_to_serve: dict[str, float]
    """The standard costs, by kind of contact, that the glossary stated and the value rests on where no source tells."""
    credit_loss_rate: float
    """The share lost of what is lent to the customer."""
    credit_loss_from: Literal["value model", "stated prior"]
    """Where that share is from."""


class BundleAnswer(Shape):
    """Which models spoke."""

    version: str
    """The version in the registry."""
    hash: str
    """The hash over all files."""


class PlaybookAnswer(Shape):
    """Which rules spoke."""

    hash: str
    """The hash over all of its files."""
    glossary_hash: str
    """The hash of the glossary alone."""


class RowAnswer(Shape):
    """The features that were used."""

    contract: str
    """The hash of the features' names, order and definitions."""
    values: list[float | None]
    """The values in that order; null where unknown."""


class InputsAnswer(Shape):
    """How far everything went that the decision rests on, so that it can be made again."""

    format: int
    """The form of this answer."""
    events: int
    """The newest row of the customer's record."""
    catalogue: int
    """The catalogue's revision."""
    ledger: int
    """The newest row of the ledger of contacts."""
    responses: int
    """The newest row of what came of offers."""
    ranked_as_of: str | None
    """The moment of the ranking of next purchases."""


class ExperimentAnswer(Shape):
    """Which group of the experiment the customer is in."""

    group: Literal["policy", "random", "hold_out"]
    """`policy` is served the best, `random` an offer drawn by lot, `hold_out` is left alone but for what is owed."""
    salt: str
    """The name of the draw of groups."""


class ArmAnswer(Shape):
    """What could have been served first, of what isn't owed."""

    offer: str | None
    """The offer; null for none."""
    probability: float
    """How likely it was."""


class DegradedAnswer(Shape):
    """What was lacking, so that the answer is less than it should be, and safe."""

    reason: str
    """What that means to whoever is talking to the customer, in a sentence to act on."""
    parts: list[Literal["store", "model", "service"]]
    """What was lacking: the store, a model, or the service's own time."""
    cause: Literal["error", "slow", "busy", "open"]
    """`error`: it failed; `slow`: it took longer than the answer may take; `busy`: no thread was free; `open`: it
    failed three times in a row, and isn't asked for ten seconds."""
    since: str
    """Since when."""


class DecisionAnswer(Shape):
    """What to offer, why, and everything it rests on; on disk before it is sent.

    One whose id begins with `degraded-` is no decision: it was answered without the store, is kept nowhere, holds no
    contact, and takes no outcome.
    """

    decision_id: str
    """Name it when telling the outcome; not where it begins with `degraded-`."""
    customer: str
    """The customer's canonical reference."""
    reference: str
    """The reference that was asked by, in its standard form."""
    found: bool | None
    """Whether anybody is known by that reference; null where nobody could be looked up."""
    note: str | None
    """Said when defaults stand in for a history, when there are ranks only, or when something is lacking."""
    degraded: DegradedAnswer | None
    """What was lacking; null when all is well. Then no score is known, and nothing is offered but what is owed."""
    as_of: str
    """The moment of the decision."""
    channel: str
    """The channel asked for."""
    outbound: bool
    """Whether we began the conversation."""
    language: str
    """The language of the sentences."""
    context: dict[str, Any]
    """The context given."""
    requested_offers: int
    """How many offers were asked for."""
    scores: ScoresAnswer
    """What the models say."""
    tier: str
    """The customer's tier by predicted value; the tier of record while the value stays near its floors."""
    terms: list[TermAnswer]
    """The glossary's terms that hold."""
    next_purchases: list[NextPurchaseAnswer]
    """What the customer is likely to buy next, likeliest first."""
    new_purchases: list[NextPurchaseAnswer]
    """The likeliest of what the customer hasn't bought before."""
    offers: list[OfferAnswer]
    """The offers to make, best first."""
    held_out: list[RunnerUpAnswer]
    """What would have been offered, were the customer not left alone for comparison; not to be made."""
    runners_up: list[RunnerUpAnswer]
    """The offers that rank below."""
    withheld: list[WithheldAnswer]
    """The offers that aren't made."""
    silence: str | None
    """Why there is no offer, if there is none."""
    reasons: ReasonsAnswer
    """What the scores rest on most."""
    ages: AgesAnswer
    """How old all this is."""
    effects: str
    """Where the offers' effects come from."""
    assumptions: AssumptionsAnswer
    """What was assumed."""
    bundle: BundleAnswer
    """Which models spoke."""
    playbook: PlaybookAnswer
    """Which rules spoke."""
    row: RowAnswer
    """The features used."""
    inputs: InputsAnswer
    """How far everything went that this rests on."""
    experiment: ExperimentAnswer
    """The customer's group."""
    arms: list[ArmAnswer]
    """Everything that could have been served first, of what isn't owed, with its probability; they add up to 1."""
    chosen_probability: float
    """The probability of what was served first, after rules, caps and groups; 1 where nothing was left to chance."""


class OutcomeAnswer(Shape):
    """Whether the outcome was news."""

    decision_id: str
    """The decision."""
    offer: str
    """The offer."""
    status: str
    """The step reached."""
    event_id: str
    """The event it is kept as."""
    recorded: bool
    """False when it was known already."""
    note: str | None
    """Said when it was known already, or corrected what was told before."""
    contact: Literal["held", "confirmed", "released"] | None
    """What became of the contact that the offer held; null where it held none, or nothing was news."""


class InteractionsAnswer(Shape):
    """How many interactions were news."""

    received: int
    """How many came in."""
    recorded: int
    """How many were new, and written down."""
    corrected: int
    """How many said something else than before under the same id, and count from now on."""
    already_known: int
    """How many changed nothing."""
    erased: int
    """How many told of customers who were erased, and weren't taken."""


class LookupAnswer(Shape):
    """Who is meant, and how much is known of them."""

    query: str
    """What was asked."""
    found: bool
    """Whether anybody is known by it."""
    customer: str
    """The customer's canonical reference."""
    reference: str
    """The reference that was found, or the one that a new customer would have."""
    references: list[str]
    """Every reference known to be the same customer."""
    events: int
    """How many events are known."""
    newest_event: str | None
    """When the newest occurred."""
    as_of: str
    """The moment of the answer."""
