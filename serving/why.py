"""Why an offer ranks where it does: its priority in parts, each in currency and in words; they add up to it."""

from collections.abc import Iterator, Mapping
from typing import Any

from features.glossary import Glossary
from serving import sentences
from serving.money import Breakdown
from serving.policy import Candidate, Ruling
from serving.situation import Situation

_DIGITS = 6
# A part, its amount, and the name of the sentence that says it, with what that sentence needs besides.
_Part = tuple[str, float, str, Mapping[str, str]]


def reasons_of(
    one: Candidate, ruling: Ruling, glossary: Glossary, situation: Situation, language: str
) -> list[dict[str, Any]]:
    """List the parts of an offer's priority: what it gains, what it costs, and what it is weighted by.

    The amounts add up to the priority, but for rounding to six digits; parts of nothing are left out.
    """
    breakdown = ruling.weighed.breakdown(one.row)
    said = _Said(one, breakdown, glossary, language)
    parts = [*_money(one, breakdown), *_weights(one, breakdown, ruling, language)]
    return [
        {"part": part, "amount": round(amount, _DIGITS), "sentence": said(name, **more)}
        for part, amount, name, more in parts
        if amount
    ]


class _Said:
    def __init__(self, one: Candidate, breakdown: Breakdown, glossary: Glossary, language: str) -> None:
        self.language = language
        self._told = {
            "anyway": f"{breakdown.p_untreated:.0%}",
            "offered": f"{breakdown.p_treated:.0%}",
            "kept": f"{100 * (breakdown.p_treated - breakdown.p_untreated):.1f}",
            "value": f"{breakdown.value:,.2f}",
            "staying": f"{1000 * breakdown.stay_change:+.0f}",
            "stay_value": f"{breakdown.stay_value:,.2f}",
            "taken": f"{breakdown.propensity:.0%}",
            "incentive": f"{breakdown.incentive:,.2f}",
            "weight": f"{breakdown.context_weight:g}",
            "lever": f"{breakdown.lever:g}",
            "reason": one.offer.lever.reason,
            "horizons": f"{glossary.assumptions.retention_horizons:g}",
            "currency": glossary.currency,
        }

    def __call__(self, name: str, **more: str) -> str:
        return sentences.say(sentences.PARTS[name], self.language, **self._told, **more)


def _money(one: Candidate, breakdown: Breakdown) -> Iterator[_Part]:
    gain = (breakdown.p_treated - breakdown.p_untreated) * breakdown.value
    yield "gain", gain, "bought" if one.offer.kind == "product" else "kept", {}
    yield "staying", breakdown.stay_change * breakdown.stay_value, "staying", {}
    yield "incentive", -breakdown.propensity * breakdown.incentive, "incentive", {}
    yield "credit_loss", -breakdown.credit_loss, "credit_loss", {}
    yield "attention", -breakdown.attention_price, "attention", {}


def _weights(one: Candidate, breakdown: Breakdown, ruling: Ruling, language: str) -> Iterator[_Part]:
    profit, weight, lever = breakdown.expected_incremental_profit, breakdown.context_weight, breakdown.lever
    if profit < 0:
        weight, lever = 1.0 / weight, 1.0 / lever
    if weight != 1.0:
        why = ruling.told.weight_said(int(ruling.weighed.places[one.row])) or {}
        yield "context_weight", profit * (weight - 1.0), "context_weight", {"why": why.get(language, "")}
    if lever != 1.0:
        yield "lever", profit * weight * (lever - 1.0), "lever", {}
