"""What everybody of the base is asked, so that a whole base can be decided at once."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class Question:
    """When, over which channel, of what, and how many offers at most; the customer began the conversation."""

    as_of: datetime
    channel: str
    offers: int = 1
    context: Mapping[str, Any] = field(default_factory=dict)
