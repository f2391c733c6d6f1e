"""One declaration a feature: what is measured, its unit, and the sentence that says it in both languages."""

import hashlib
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from features.aggregates import DAY, Aggregate
from features.events import SCALE

Array = npt.NDArray[np.float64]
Unit = Literal["count", "units", "days", "currency", "share", "ratio", "level"]


def _ratio(above: Array, below: Array) -> Array:
    return np.divide(above, below, out=np.full_like(above, np.nan), where=below > 0)


def _trend(recent: Array, longer: Array, recent_days: float, longer_days: float) -> Array:
    return _ratio(recent / recent_days, np.maximum(longer - recent, 0.0) / (longer_days - recent_days))


def _gap_mean(first: Array, last: Array, days: Array) -> Array:
    return _ratio(last // DAY - first // DAY, days - 1)


def _gap_spread(first: Array, last: Array, days: Array, squares: Array) -> Array:
    gaps = days - 1
    span = np.where(gaps > 0, last // DAY - first // DAY, np.nan)
    return np.sqrt(np.maximum(_ratio(squares - _ratio(span**2, gaps), gaps - 1), 0.0))


# Each takes the moment, the aggregates in the feature's order, and the feature's constants. Only named formulas
# are allowed, so that a definition can be written down and hashed.
FORMULAS: dict[str, Callable[..., Array]] = {
    "itself": lambda as_of, a: a,
    "exact": lambda as_of, a: a / SCALE,
    "days_since": lambda as_of, a: (as_of - a) / DAY,
    "ratio": lambda as_of, a, b: _ratio(a, b),
    "exact_ratio": lambda as_of, a, b: _ratio(a / SCALE, b),
    "trend": lambda as_of, a, b, short, long: _trend(a, b, short, long),
    "gap_mean": lambda as_of, a, b, c: _gap_mean(a, b, c),
    "gap_spread": lambda as_of, a, b, c, d: _gap_spread(a, b, c, d),
    "recency_share": lambda as_of, a, b: _ratio(b - a, as_of - a),
    "discount_share": lambda as_of, a, b: _ratio(a, a + b),
    "overdue": lambda as_of, a, b, c: _ratio((as_of - b) / DAY, _gap_mean(a, b, c)),
}


@dataclass(frozen=True, slots=True)
class Feature:
    """A number known of a customer at a moment; unknown is NaN.

    `en` and `ko` are its business sentence, with `{value}` where the number goes: the agent's screen
    shows it as the reason, so it can't drift from the definition.
    """

    name: str
    formula: str
    inputs: tuple[Aggregate, ...]
    unit: Unit
    en: str
    ko: str
    constants: tuple[float, ...] = ()

    def sentence(self, value: float) -> dict[str, str]:
        """Say the feature's value in both languages.

        >>> Feature("f", "itself", (), "share", "Share: {value}", "비율: {value}").sentence(0.25)["en"]
        'Share: 25 %'
        """
        return {
            "en": self.en.format(value=shown(value, self.unit)),
            "ko": self.ko.format(value=shown(value, self.unit)),
        }


def shown(value: float, unit: Unit) -> str:
    """Write a number as a person would read it.

    >>> shown(1234.5, "currency"), shown(2.0, "count"), shown(float("nan"), "days")
    ('1,234.50', '2', '–')
    """
    if math.isnan(value):
        return "–"
    if unit == "share":
        return f"{value:.0%}".replace("%", " %")
    if unit in ("count", "level"):
        return f"{value:,.0f}"
    return f"{value:,.2f}" if unit in ("currency", "ratio") else f"{value:,.1f}"


def finalise(features: tuple[Feature, ...], as_of: int, found: dict[Aggregate, Array]) -> Array:
    """Turn aggregates (each of shape (customers,)) into feature values of shape (customers, features)."""
    columns = [
        FORMULAS[feature.formula](float(as_of), *(found[part] for part in feature.inputs), *feature.constants)
        for feature in features
    ]
    return np.column_stack(columns)


def needed(features: tuple[Feature, ...]) -> tuple[Aggregate, ...]:
    """List the aggregates that features are made of, each once."""
    return tuple(dict.fromkeys(part for feature in features for part in feature.inputs))


def fingerprint(features: tuple[Feature, ...], beside: Sequence[object]) -> str:
    """Hash what features measure, in order, and what is defined beside them; sentences may be reworded freely.

    128 bits of BLAKE2b over canonical JSON, as hexadecimal digits.
    """
    said = [
        [feature.name, feature.formula, [asdict(part) for part in feature.inputs], feature.constants]
        for feature in features
    ]
    return hashlib.blake2b(json.dumps([said, beside], sort_keys=True).encode(), digest_size=16).hexdigest()
