"""Why an answer is less than it should be: which parts were missing, since when, and what that means to an agent."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from serving import sentences

STORE, MODEL, SERVICE = "store", "model", "service"
# How the ids of answers begin that are kept nowhere, and what whoever tells an outcome of one is told.
UNKEPT = "degraded-"
UNKEPT_TOLD = (
    "expected the id of a decision, found {!r}: that answer was given without the store, so it isn't kept and nothing"
    " can be told of it; ask again at /v1/decisions, and tell the outcome of what is then offered"
)


@dataclass(frozen=True, slots=True)
class Degraded:
    """What was missing: the `store`, the `model`, or the `service` itself, which had no time.

    The cause is "error" where it failed, "slow" where it took too long, "busy" where no thread was free in time, and
    "open" where it isn't asked, since it failed several times in a row.
    """

    part: str
    cause: str
    since: datetime

    @property
    def reason(self) -> Mapping[str, str]:
        """Say it to an agent, in every language."""
        return sentences.DEGRADED[self.part]

    @classmethod
    def read(cls, told: Mapping[str, Any] | None) -> "Degraded | None":
        """Read what a decision keeps of it."""
        if told is None:
            return None
        return cls(told["parts"][0], told["cause"], datetime.fromisoformat(told["since"]))

    def as_dict(self, language: str) -> dict[str, Any]:
        """Write it as JSON values."""
        told = {"parts": [self.part], "cause": self.cause, "since": self.since.isoformat()}
        return {"reason": self.reason[language], **told}


def told_of_lack(degraded: Degraded | None, language: str) -> dict[str, Any] | None:
    """Write what an answer lacks as JSON values; None where it is whole."""
    return degraded.as_dict(language) if degraded else None
