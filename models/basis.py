"""What stands beside every score, wherever it goes: how far ahead it looks, of whom, and from when it knows."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from models.population import Active


@dataclass(frozen=True, slots=True)
class Basis:
    """The horizon in days, the rule of who is active, and two moments.

    `learned_until` is the moment up to which the bundle learned; `tested_from` the cutoff from which on it was judged,
    over one horizon, by models that hadn't seen what came.
    """

    horizon_days: int
    active: Active
    learned_until: datetime
    tested_from: datetime

    @classmethod
    def of(cls, manifest: Mapping[str, Any]) -> "Basis":
        """Read it from a bundle's manifest."""
        moments = (datetime.fromisoformat(told) for told in (manifest["as_of"], manifest["cutoffs"]["test"]))
        return cls(manifest["horizon"]["days"], Active(**manifest["active"]), *moments)

    def as_dict(self) -> dict[str, Any]:
        """Lay it out flat, as JSON values."""
        return {
            "horizon_days": self.horizon_days,
            "active_rule": self.active.kind,
            "active_days": self.active.days,
            "learned_until": self.learned_until.isoformat(),
            "tested_from": self.tested_from.isoformat(),
        }
