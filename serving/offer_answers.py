"""The shapes of offers in a decision, made, running up and withheld, on the wire."""

from typing import Any, Literal

from serving.shapes import Shape


class BreakdownAnswer(Shape):
    """How an offer's priority came about.

    Profit is (p_treated - p_untreated)·value + stay_change·stay_value - propensity·incentive - credit_loss
    - attention_price; priority is profit times the context weight times the lever; a loss, of what is owed, is divided
    by them.
    """

    propensity: float
    """How likely the offer is taken up."""
    p_treated: float
    """Probability of what is wished for (bought and kept; stays) with the offer."""
    p_untreated: float
    """The same without the offer."""
    untreated_from: str
    """Where `p_untreated` comes from."""
    change_sd: float
    """How unsure `p_treated` - `p_untreated` is: its standard deviation."""
    stated_propensity: float
    """How likely the playbook says the offer is taken up, before any outcome."""
    stated_change: float
    """The change that the playbook says, before any outcome."""
    stay_change: float
    """By how much offering an item was measured to change the probability of staying; 0 until it is."""
    stay_value: float
    """What staying is worth there, in the currency."""
    margin: float
    """The item's margin, or the customer's margin over one horizon."""
    value: float
    """What the wished-for is worth, in the currency."""
    incentive: float
    """What each taker costs."""
    credit_loss: float
    """What is expected to be lost of what is lent to takers."""
    attention_price: float
    """What asking for attention costs over this channel."""
    context_weight: float
    """How well the offer suits the conversation; 1 is neutral."""
    lever: float
    """The business's own weight; 1 is neutral."""
    effects: str
    """Where the effect comes from: `stated priors`, `stated priors, takers counted` once outcomes have told how many
    take it up, `partly measured` once its effect rests on outcomes too, `measured` from 200 positives on."""
    expected_incremental_profit: float
    """What making the offer brings, over not making it."""
    priority: float
    """Profit, weighted by the conversation and the lever."""


class RunnerUpAnswer(Shape):
    """An offer that may be made and pays, but ranks below those asked for."""

    offer: str
    """The offer's id."""
    item: str | None
    """The item it is about, as the catalogue writes it."""
    priority: float
    """Profit, weighted by the conversation and the lever; offers are ranked by it."""
    breakdown: BreakdownAnswer
    """How the priority came about."""


class PartAnswer(Shape):
    """One part of an offer's priority; the amounts add up to it."""

    part: Literal["gain", "staying", "incentive", "credit_loss", "attention", "context_weight", "lever"]
    """Which part."""
    amount: float
    """What it adds to the priority, or takes from it, in the currency."""
    sentence: str
    """The part, said."""


class OfferAnswer(RunnerUpAnswer):
    """An offer to make."""

    rank: int
    """Its place, from 1."""
    kind: Literal["product", "retention", "service"]
    """What it is."""
    title: str
    """Its name on a screen."""
    script: str
    """What the agent may say."""
    owed: bool
    """Whether the customer is owed it: it is then made whatever it costs."""
    reasons: list[PartAnswer]
    """Why it ranks where it does."""
    contact: str | None
    """The proposal in the ledger of contacts, which an outcome confirms or releases; null for what is owed."""


class ChangeAnswer(Shape):
    """One word as it is, and as it would have to be."""

    word: str
    """The word, as the playbook's rules use it."""
    now: Any
    """Its value; null where unknown."""
    needed: Any
    """The value that would do."""


class FlipAnswer(Shape):
    """The smallest change that would let an offer through what stops it."""

    sentence: str
    """The change, said."""
    changes: list[ChangeAnswer]
    """The change, word by word; empty where no word but money is short."""


class WithheldAnswer(Shape):
    """An offer that isn't made, and why."""

    offer: str
    """The offer's id."""
    layer: Literal["eligibility", "applicability", "suitability", "contact", "arbitration"]
    """What stopped it."""
    rule: str
    """The first rule that did, as the playbook writes it, or the name of what else decided."""
    reason: str
    """Why, in a sentence."""
    unknown: list[str]
    """The words that were unknown, where that is what stopped it."""
    flip: FlipAnswer | None
    """The smallest change that would let it through its rules; null where none of a word or two a rule does."""
    breakdown: BreakdownAnswer | None
    """What it would bring, where that was counted."""
