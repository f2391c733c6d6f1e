"""The shapes of a route's request and answer on the wire."""

from typing import Annotated

from pydantic import Field

from serving.answers import BasisAnswer, BundleAnswer, DegradedAnswer
from serving.requests import Arrival
from serving.shapes import Shape
from serving.wire import Asked, Channel, Customer, Moment, Words, said


class RouteRequest(Asked):
    """Who is waiting, since when, and for what."""

    customer: Customer = Field(examples=["household:1228", "+82 2 312 3456"])
    """The customer's id, or any reference such as a phone number or an e-mail address."""
    channel: Channel = Field(examples=["phone"])
    """Where the contact waits; it has no say in the route."""
    intent: Annotated[str, said(1, 64)] | None = Field(default=None, examples=["cancel"])
    """What the customer wants, as the playbook's `routing.toml` names it; null where it isn't known."""
    waiting_since: Moment | None = Field(default=None, examples=["2018-01-02T09:30:00+00:00"])
    """Since when the contact waits; now when absent."""
    context: Words = Field(default={}, examples=[{"topic": "delivery"}])
    """What else is known of the conversation, in the words that the playbook's rules use."""
    language: Annotated[str, said(2, 10)] | None = Field(default=None, examples=["en", "ko"])
    """The language of the sentences; the playbook's first when absent."""

    def arrival(self) -> Arrival:
        """Hand the request over to the desk."""
        return Arrival(**vars(self))


class HeadStartAnswer(Shape):
    """A head start that holds."""

    seconds: float
    """How much of one."""
    reason: str
    """Why."""


class RouteAnswer(Shape):
    """Which queue, and before whom; the same on every channel."""

    customer: str
    """The customer's canonical reference."""
    found: bool | None
    """Whether anybody is known by the reference; null where nobody could be looked up."""
    degraded: DegradedAnswer | None
    """What was lacking; null when all is well. Then nobody has a head start for a value or a risk."""
    as_of: str
    """The moment of the answer."""
    channel: str
    """The channel, as it came."""
    intent: str | None
    """The intent, as it came."""
    queue: str
    """The queue's id."""
    title: str
    """The queue's name."""
    skills: list[str]
    """What the agent must be able to do."""
    serve_after: str
    """The virtual arrival: of all that wait, the earliest is served first."""
    waiting_since: str
    """Since when the contact waits."""
    priority_seconds: float
    """Time waited so far plus the head start; of all that wait, the largest is served first."""
    head_start_seconds: float
    """The head start, within the bound."""
    head_starts: list[HeadStartAnswer]
    """What gives it; together they may exceed the bound."""
    most_head_start_seconds: float
    """The bound: nobody is overtaken by somebody who came more than this much later."""
    overtaken_until: str
    """Nobody who comes after this moment is served before this contact."""
    tier: str
    """The customer's tier."""
    why: str
    """The route, in sentences."""
    language: str
    """The language of the sentences."""
    bundle: BundleAnswer
    """Which models spoke."""
    playbook: str
    """The hash over all of the playbook's files."""
    basis: BasisAnswer
    """What stands beside every score."""
