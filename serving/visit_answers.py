"""The shapes of the answers to field service on the wire."""

from serving.answers import BasisAnswer, BundleAnswer, DegradedAnswer
from serving.shapes import Shape


class VisitAnswer(Shape):
    """A visit and its place."""

    place: int
    """Its place, from 1."""
    visit_id: str
    """The visit."""
    kind: str | None
    """What it is for, as it came."""
    service_class: str
    """Its class; a higher one comes first, whatever the customer is worth."""
    customer: str
    """The customer's canonical reference."""
    found: bool | None
    """Whether anybody is known by the reference; null where nobody could be looked up."""
    expected_value: float | None
    """Predicted value over the horizon; null where it is only ranked."""
    value_rank: float | None
    """Ranks only: the share of customers with less value; null where there is an expected value."""
    churn_risk: float | None
    """Probability of buying nothing within the horizon; null for a customer who isn't active, or only ranked."""
    churn_rank: float | None
    """Ranks only: the share of active customers with less risk; null where there is a probability, or no activity."""
    value_at_risk: float | None
    """The risk of leaving times what a kept customer is worth: margin over the glossary's `retention_horizons`."""
    cost_of_delay_per_hour: float
    """What an hour of waiting is expected to cost over the hours that the playbook looks ahead: of that worth by the
    risk that grows, and of a broken promise's penalty."""
    minutes: float
    """How long it takes on site."""
    due_at: str | None
    """Until when it is promised; null where nothing is."""
    overdue: bool
    """Whether that has passed."""
    tier: str
    """The customer's tier."""
    why: str
    """The place's reason, in a few sentences."""
    engineer: int | None
    """Who goes, from 1; null where nothing is planned, or it waits for another day."""
    begins_at: str | None
    """When it begins, where that is planned."""


class VisitsAnswer(Shape):
    """The visits in order."""

    as_of: str
    """The moment of the answer."""
    degraded: DegradedAnswer | None
    """What was lacking; null when all is well. Then visits are ordered by their classes and promises alone."""
    language: str
    """The language of the sentences."""
    currency: str
    """The currency of every amount (ISO 4217)."""
    bundle: BundleAnswer
    """Which models spoke."""
    playbook: str
    """The hash over all of the playbook's files."""
    effects: str
    """Where the growth of the risk comes from: `stated priors` until outcomes have been learned from."""
    basis: BasisAnswer
    """What stands beside every score."""
    visits: list[VisitAnswer]
    """The visits, the first to be made first."""
