"""The one shape of everything that happened between a business and its customers."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from features.errors import InputError
from features.identity import Reference

KINDS = {
    "purchase": "goods or services were bought (one line of a basket)",
    "return": "goods were given back; the amount is negative",
    "payment": "a bill was paid",
    "late_payment": "a bill was paid late, or not at all",
    "inquiry": "the customer asked about something, without buying",
    "complaint": "the customer complained",
    "contact": "any other conversation, whoever began it",
    "visit": "a field engineer or a salesperson visited",
    "campaign": "a message of a campaign was sent",
    "coupon": "a coupon was redeemed",
    "attribute": "something was learned of the customer: its name, and its level",
    "end": "a contract ended",
    "offer_not_presented": "an offer was proposed to the agent, and not made",
    "offer_presented": "an offer was made",
    "offer_interested": "the customer showed interest in an offer",
    "offer_accepted": "the customer accepted an offer",
    "offer_declined": "the customer declined an offer",
    "offer_fulfilled": "an accepted offer was delivered",
    "offer_returned": "an accepted offer was given back",
    "void": "an earlier record was withdrawn",
    "write_off": "a bill was given up: the margin is minus what was lost",
    "tier": "the tier of record was set: the product is its name",
    "consent": "a wish about being contacted, or profiled, was told: the product is the purpose, the quantity 1 or 0",
    "reason": "why an offer was declined was learned: the product is the sort of reason",
}
# What it takes to keep in touch; the margin of such an event is minus what it cost.
SERVICE = ("inquiry", "complaint", "contact", "visit", "campaign")
# Our own words: a tier of record, and the sort of a reason that an outcome told.
OWN = ("tier", "reason")
# What a source or another system may tell.
TOLD = tuple(kind for kind in KINDS if kind not in OWN)
# The sorts of reasons that are counted; a playbook's reason codes each belong to one.
REASONS = ("price", "need", "timing", "trust", "rival", "service", "other")
CHANNELS = ("store", "web", "app", "phone", "email", "mail", "chat", "field", "partner", "other")
SCALE = 10_000
LARGEST = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Interaction:
    """One thing that happened to one customer.

    `occurred_at` counts in windows; `recorded_at` decides what was known. `product` is what it
    was about: a product, an offer, a campaign, a tier, or an attribute's name. `quantity` is in
    units (or an attribute's level), `amount`, `margin` and `discount` are in currency; each is exact to four decimals
    and at most a thousand million either way. The margin of what isn't sold is minus what it cost.
    """

    id: str
    source: str
    source_reference: str
    reference: Reference
    kind: str
    occurred_at: datetime
    recorded_at: datetime
    channel: str = "other"
    product: str = ""
    place: str = ""
    quantity: float = 0.0
    amount: float = 0.0
    margin: float | None = None
    discount: float = 0.0
    body: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise InputError(f"expected kind to be one of {', '.join(KINDS)}; found {self.kind!r}")
        if self.channel not in CHANNELS:
            raise InputError(f"expected channel to be one of {', '.join(CHANNELS)}; found {self.channel!r}")
        for name in ("source", "source_reference", "reference", "product", "place"):
            if "\0" in str(getattr(self, name)):
                raise InputError(f"expected {name} without the character NUL, found {str(getattr(self, name))!r}")
        for name in ("occurred_at", "recorded_at"):
            if getattr(self, name).tzinfo is None:
                raise InputError(f"expected {name} with a time zone, found {getattr(self, name).isoformat()}")
        for name in ("quantity", "amount", "margin", "discount"):
            value = getattr(self, name)
            if value is not None and not abs(value) <= LARGEST:
                raise InputError(f"expected {name} between -{LARGEST} and {LARGEST}, found {value}")

    def body_text(self) -> str:
        """The body as canonical JSON, or nothing when it is empty."""
        return json.dumps(self.body, ensure_ascii=False, sort_keys=True) if self.body else ""


def event_id(*parts: str) -> str:
    """Make an id from what identifies a record in its source, so that a second reading adds nothing.

    128 bits of BLAKE2b (RFC 7693) over the parts, as 32 hexadecimal digits.

    >>> event_id("till", "42") == event_id("till", "42") != event_id("till4", "2")
    True
    """
    return hashlib.blake2b("\x1f".join(parts).encode(), digest_size=16).hexdigest()


def scaled(value: float) -> int:
    """Count ten-thousandths, so that sums don't depend on their order.

    >>> scaled(1.1)
    11000
    """
    return round(value * SCALE)
