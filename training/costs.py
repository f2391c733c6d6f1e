"""What a customer costs: to serve, and in bills given up; as far as the sources hold it, or the glossary states it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from features.events import SERVICE
from features.feature import Array
from features.known import Known
from training import labels

KINDS: Mapping[str, tuple[str, ...]] = {"cost_to_serve": SERVICE, "credit_loss": ("write_off",)}


@dataclass(frozen=True)
class Costs:
    """The costs that a history holds: by name, the share of its events that tell what they cost.

    `assumed` are the glossary's standard costs, by kind of event, that stand in for those that don't; in currency.
    """

    told: Mapping[str, float] = field(default_factory=dict)
    assumed: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, known: Known, standard: Mapping[str, float]) -> "Costs":
        """Find which costs the sources hold, and which of the glossary's `standard` costs have to stand in."""
        told: dict[str, float] = {}
        assumed: dict[str, float] = {}
        for name, kinds in KINDS.items():
            events = known.events.filter(pl.col("kind").is_in(kinds))
            silent = set(events.filter(pl.col("margin").is_null())["kind"])
            stated = {kind: standard[kind] for kind in kinds if kind in silent and standard.get(kind, 0.0) > 0}
            if stated or (events["margin"] < 0).any():
                told[name] = 1.0 - events["margin"].null_count() / len(events)
                assumed |= stated
        return cls(told, assumed)

    @classmethod
    def read(cls, manifest: Mapping[str, Any]) -> "Costs":
        """Take the costs that a bundle learned."""
        return cls(manifest["value"]["told"], manifest["value"]["assumed"])

    def came(
        self, known: Known, customers: tuple[str, ...], cutoff: datetime, horizon: timedelta
    ) -> dict[str, Array]:  # fmt: skip
        """Sum each customer's costs after a cutoff, by name, in currency; each of shape (customers,)."""
        return {name: labels.cost(known, customers, cutoff, horizon, KINDS[name], self.assumed) for name in self.told}

    def as_dict(self, brought: str) -> dict[str, Any]:
        """Say as JSON values what value counts, `brought` ("margin" or "revenue") first."""
        return {"said": said(brought, self.told), "told": dict(self.told), "assumed": dict(self.assumed)}


def said(brought: str, costs: Iterable[str]) -> str:
    """Say in words what value counts.

    >>> said("margin", ["cost_to_serve", "credit_loss"])
    'margin − cost to serve − credit loss'
    """
    return " − ".join([brought, *(name.replace("_", " ") for name in costs)])
