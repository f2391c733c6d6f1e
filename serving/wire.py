"""The shapes of requests on the wire."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    RootModel,
    WithJsonSchema,
    model_validator,
)

from features.events import CHANNELS, LARGEST, TOLD
from serving.desk import MOST_INTERACTIONS, MOST_OFFERS
from serving.requests import LADDER, Ask, Happening, Report, Shift, Visit
from serving.routes import MOST_ROUTED
from serving.visit_list import MOST_VISITS

_PRINTED = r"^[^\x00-\x1f\x7f]*$"
_LONGEST_TEXT = 500
# What becomes of an offer is told as an outcome, which names its decision.
_TOLD = tuple(kind for kind in TOLD if not kind.startswith("offer_"))

Channel = Literal[CHANNELS]  # type: ignore[valid-type]
Kind = Literal[_TOLD]  # type: ignore[valid-type]
Status = Literal[LADDER]  # type: ignore[valid-type]


def _plain(value: object) -> object:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float) and value - value == 0:
        if abs(value) > 2**53:
            raise ValueError("a number no larger than 2^53")
        return value
    if isinstance(value, str) and len(value) <= _LONGEST_TEXT:
        return value
    raise ValueError(f"a text of at most {_LONGEST_TEXT} characters, a number, true, false or null")


def _named(words: dict[str, object]) -> dict[str, object]:
    for name in words:
        if not (name.isascii() and name.isidentifier() and len(name) <= 64):
            raise ValueError(f"names of letters, digits and _, at most 64 long, unlike {name[:64]!r}")
    return words


def _moment(value: object) -> datetime:
    problem = "a moment with its time zone, such as 2018-01-02T09:30:00+09:00"
    if not isinstance(value, str):
        raise ValueError(problem)
    try:
        read = datetime.fromisoformat(value)
    except ValueError as error:
        raise ValueError(problem) from error
    if read.tzinfo is None:
        raise ValueError(problem)
    return read


def said(shortest: int, longest: int) -> Any:
    """Take a text of some length, without control characters."""
    return Field(min_length=shortest, max_length=longest, pattern=_PRINTED)


Plain = Annotated[
    Any,
    PlainValidator(_plain),
    WithJsonSchema(
        {"anyOf": [*({"type": kind} for kind in ("string", "number", "boolean", "null"))], "maxLength": _LONGEST_TEXT}
    ),
]
Moment = Annotated[
    datetime, PlainValidator(_moment), WithJsonSchema({"type": "string", "format": "date-time", "maxLength": 40})
]
Words = Annotated[dict[str, Plain], Field(max_length=50), AfterValidator(_named)]
Customer = Annotated[str, said(1, 200)]
Text = Annotated[str, said(0, 200)]
Id = Annotated[str, said(1, 128)]
Money = Annotated[float, Field(ge=-LARGEST, le=LARGEST)]


class Asked(BaseModel):
    """A request: nothing but its fields, each of just its type."""

    model_config = ConfigDict(
        extra="forbid", strict=True, allow_inf_nan=False, frozen=True, use_attribute_docstrings=True
    )


class DecisionRequest(Asked):
    """Who is being talked to, over which channel, and about what."""

    customer: Customer = Field(examples=["household:1228", "+82 2 312 3456"])
    """The customer's id, or any reference such as a phone number or an e-mail address."""
    channel: Channel = Field(examples=["phone"])
    """Where the conversation takes place."""
    context: Words = Field(default={}, examples=[{"topic": "complaint"}])
    """What the conversation is about, in the words that the playbook's rules use."""
    offers: int = Field(default=3, ge=1, le=MOST_OFFERS, examples=[3])
    """How many offers to return at most."""
    language: Annotated[str, said(2, 10)] | None = Field(default=None, examples=["en", "ko"])
    """The language of every sentence in the answer; the playbook's first when absent."""
    outbound: bool = Field(default=False, examples=[False])
    """Whether we begin the conversation: quiet hours then count."""

    def ask(self) -> Ask:
        """Hand the request over to the desk."""
        return Ask(**vars(self))


class OutcomeRequest(Asked):
    """What became of one offer of a decision."""

    decision_id: Id = Field(examples=["d-6f9619ff-8b86-4d01-b42d-00cf4fc964ff"])
    """The decision that the offer was part of."""
    offer: Id = Field(examples=["ground_coffee"])
    """The offer's id, whether it was offered or withheld."""
    status: Status = Field(examples=["accepted"])
    """The step reached."""
    reason_code: Annotated[str, said(1, 64)] | None = Field(default=None, examples=["too_expensive"])
    """Why, in a code of the playbook's `reasons.toml`."""
    who: Annotated[str, said(1, 200)] | None = Field(default=None, examples=["agent-17"])
    """Who saw it."""
    occurred_at: Moment | None = Field(default=None, examples=["2018-01-02T09:30:00+09:00"])
    """When it happened, with its time zone; now when absent."""
    withdrawn: bool = Field(default=False, examples=[False])
    """Whether this takes back an earlier report that the step was reached."""

    def report(self) -> Report:
        """Hand the request over to the desk."""
        return Report(**vars(self))


class InteractionRequest(Asked):
    """One thing that happened with a customer, told by another system."""

    event_id: Id = Field(examples=["call-20180102-0042"])
    """The telling system's own id of this event. Told again under the same id and source, it changes nothing if it
    says the same, and corrects what was told if it doesn't; as the kind `void`, it withdraws it."""
    source: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$", max_length=64)] = Field(default="api", examples=["crm"])
    """The system that tells."""
    customer: Customer = Field(examples=["phone:+8223123456"])
    """The customer's id, or any reference."""
    kind: Kind = Field(examples=["inquiry"])
    """What happened."""
    occurred_at: Moment = Field(examples=["2018-01-02T09:30:00+09:00"])
    """When it happened, with its time zone."""
    recorded_at: Moment | None = Field(default=None, examples=["2018-01-02T09:31:00+09:00"])
    """When it became known; now when absent."""
    channel: Channel = Field(default="other", examples=["phone"])
    """Where it happened."""
    product: Text = Field(default="", examples=["1029743"])
    """What it was about: a product, a campaign, or an attribute's name."""
    place: Text = Field(default="", examples=["store 330"])
    """Which store, site or office."""
    quantity: Money = Field(default=0.0, examples=[2.0])
    """How many units."""
    amount: Money = Field(default=0.0, examples=[5.98])
    """The amount in the playbook's currency; negative when given back."""
    margin: Money | None = Field(default=None, examples=[1.5])
    """The margin in the same currency, where it is known; of what isn't sold, minus what it cost."""
    discount: Money = Field(default=0.0, examples=[0.4])
    """The discount in the same currency."""
    body: Words = Field(default={}, examples=[{"value": "35-44"}])
    """Anything else worth keeping; an attribute's wording goes under `value`."""

    def happening(self) -> Happening:
        """Hand the request over to the desk."""
        return Happening(**vars(self))


def _one_or_many(schema: dict[str, Any]) -> None:
    many = {name: schema.pop(name) for name in ("type", "items", "minItems", "maxItems")}
    schema["anyOf"] = [many, many["items"]]


class InteractionsRequest(
    RootModel[Annotated[list[InteractionRequest], Field(min_length=1, max_length=MOST_INTERACTIONS)]]
):
    """One interaction, or a list of them; all are written down, or none."""

    model_config = ConfigDict(json_schema_extra=_one_or_many)

    @model_validator(mode="before")
    @classmethod
    def _listed(cls, data: object) -> object:
        return [data] if isinstance(data, dict) else data


class LookupRequest(Asked):
    """Whom to look up."""

    customer: Customer = Field(examples=["+82 2 312 3456"])
    """The customer's id, or any reference such as a phone number or an e-mail address."""


class VisitRequest(Asked):
    """A service visit that waits for its place in the order."""

    visit_id: Id = Field(examples=["v-1"])
    """The visit's id, its own in the list."""
    customer: Customer = Field(examples=["household:1228"])
    """The customer's id, or any reference."""
    requested_at: Moment | None = Field(default=None, examples=["2018-01-01T08:00:00+00:00"])
    """Since when the customer waits; breaks ties."""
    kind: Annotated[str, said(1, 64)] | None = Field(default=None, examples=["repair"])
    """What the visit is for, as the playbook's `visits.toml` names it, or in words of your own."""
    service_class: Annotated[str, said(1, 64)] | None = Field(default=None, examples=["urgent"])
    """Its class, as the playbook's `visits.toml` names it; the last one when absent."""
    due_at: Moment | None = Field(default=None, examples=["2018-01-02T18:00:00+00:00"])
    """Until when it is promised; by its class and `requested_at` when absent."""
    minutes: Annotated[float, Field(gt=0, le=1440)] | None = Field(default=None, examples=[45.0])
    """How long it takes on site; by its kind when absent."""

    def visit(self) -> Visit:
        """Hand the request over to the desk."""
        return Visit(**vars(self))


class VisitsRequest(Asked):
    """The service visits to order."""

    visits: list[VisitRequest] = Field(min_length=1, max_length=MOST_VISITS)
    """The visits, in any order."""
    language: Annotated[str, said(2, 10)] | None = Field(default=None, examples=["en", "ko"])
    """The language of the sentences; the playbook's first when absent."""
    start_at: Moment | None = Field(default=None, examples=["2018-01-03T08:00:00+00:00"])
    """When engineers set out; with it each visit is given to one."""
    engineers: int = Field(default=1, ge=1, le=100, examples=[3])
    """How many engineers go."""
    minutes_available: float = Field(default=480.0, gt=0, le=1440, examples=[480.0])
    """How long each can be away, where routes are planned."""
    travel_minutes: list[list[Annotated[float, Field(ge=0, le=1440)]]] | None = Field(
        default=None, max_length=MOST_ROUTED + 1, examples=[[[0.0, 15.0], [15.0, 0.0]]]
    )
    """Minutes between the depot (first) and the visits, in the order given; with them routes are planned."""

    def shift(self) -> Shift:
        """Hand over who can go, when."""
        return Shift(
            start_at=self.start_at,
            engineers=self.engineers,
            minutes_available=self.minutes_available,
            travel_minutes=self.travel_minutes,
        )
