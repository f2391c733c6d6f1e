"""One declaration a feature: what is measured, its unit, and the sentence that says it in both languages."""

import hashlib
import json
import math
from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from features.aggregates import Aggregate

Array = npt.NDArray[np.float64]
Unit = Literal["count", "units", "days", "currency", "share", "ratio", "level", "hour"]


@dataclass(frozen=True, slots=True)
class Feature:
    """A number known of a customer at a moment; unknown is NaN.

    `inputs` are aggregates, or names of features declared before; `formula` is one of `features.formulas`.
    `en` and `ko` are its business sentence, with `{value}` where the number goes: the agent's screen
    shows it as the reason, so it can't drift from the definition.
    """

    name: str
    formula: str
    inputs: tuple[Aggregate | str, ...]
    unit: Unit
    en: str
    ko: str
    constants: tuple[float, ...] = ()

    def definition(self) -> list[object]:
        """What the feature measures, to be hashed; its sentences may be reworded freely."""
        parts = [part if isinstance(part, str) else asdict(part) for part in self.inputs]
        return [self.name, self.formula, parts, self.constants]

    def sentence(self, value: float) -> dict[str, str]:
        """Say the feature's value in both languages.

        >>> Feature("f", "itself", (), "share", "Share: {value}", "비율: {value}").sentence(0.25)["en"]
        'Share: 25 %'
        """
        said = shown(value, self.unit)
        return {"en": self.en.replace("{value}", said), "ko": self.ko.replace("{value}", said)}


def shown(value: float, unit: Unit) -> str:
    """Write a number as a person would read it.

    >>> shown(1234.5, "currency"), shown(2.0, "count"), shown(17.5, "hour"), shown(float("nan"), "days")
    ('1,234.50', '2', '17:30', '–')
    """
    if math.isnan(value):
        return "–"
    if unit == "share":
        return f"{value:.0%}".replace("%", " %")
    if unit == "hour":
        minutes = round(value * 60) % 1440
        return f"{minutes // 60}:{minutes % 60:02}"
    if unit in ("count", "level"):
        return f"{value:,.0f}"
    return f"{value:,.2f}" if unit in ("currency", "ratio") else f"{value:,.1f}"


def needed(features: tuple[Feature, ...]) -> tuple[Aggregate, ...]:
    """List the aggregates that features are made of, each once."""
    parts = (part for feature in features for part in feature.inputs if isinstance(part, Aggregate))
    return tuple(dict.fromkeys(parts))


def fingerprint(definition: object) -> str:
    """Hash what something measures: 128 bits of BLAKE2b over canonical JSON, as hexadecimal digits."""
    return hashlib.blake2b(json.dumps(definition, sort_keys=True).encode(), digest_size=16).hexdigest()
