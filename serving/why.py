"""Why an offer ranks where it does: its priority in parts, each in currency and in words; they add up to it."""

from collections.abc import Iterator, Mapping
from typing import Any

from features.glossary import Glossary
from serving import sentences
from serving.money import Breakdown
from serving.policy import Candidate, Ruling

_DIGITS = 6
# A part, its amount, and the name of the sentence that says it, with what that sentence needs.
_Part = tuple[str, float, str, Mapping[str, str]]


def reasons_of(one: Candidate, ruling: Ruling, glossary: Glossary, language: str) -> list[dict[str, Any]]:
    """List the parts of an offer's priority: what it gains, what it costs, and what it is weighted by.

    The amounts add up to the priority, but for rounding to six digits; parts of nothing are left out.
    """
    told = ruling.weighed.breakdown(one.row)
    parts = [*_gains(one, told, glossary), *_costs(told, glossary), *_weights(one, told, ruling, language)]
    return [
        {
            "part": part,
            "amount": round(amount, _DIGITS),
            "sentence": sentences.say(sentences.PARTS[name], language, **more),
        }
        for part, amount, name, more in parts
    ]


def _gains(one: Candidate, told: Breakdown, glossary: Glossary) -> Iterator[_Part]:
    change, currency = told.p_treated - told.p_untreated, glossary.currency
    if gain := change * told.value:
        more = {"value": f"{told.value:,.2f}", "currency": currency}
        if one.offer.kind == "product":
            more |= {"anyway": f"{told.p_untreated:.0%}", "offered": f"{told.p_treated:.0%}"}
            yield "gain", gain, "bought", more
        else:
            more |= {"kept": f"{100 * change:.1f}", "horizons": f"{glossary.assumptions.retention_horizons:g}"}
            yield "gain", gain, "kept", more
    if stays := told.stay_change * told.stay_value:
        staying, value = f"{1000 * told.stay_change:+.0f}", f"{told.stay_value:,.2f}"
        yield "staying", stays, "staying", {"staying": staying, "stay_value": value, "currency": currency}


def _costs(told: Breakdown, glossary: Glossary) -> Iterator[_Part]:
    if incentive := told.propensity * told.incentive:
        taken, each = f"{told.propensity:.0%}", f"{told.incentive:,.2f}"
        more = {"taken": taken, "incentive": each, "currency": glossary.currency}
        yield "incentive", -incentive, "incentive", more
    if told.credit_loss:
        yield "credit_loss", -told.credit_loss, "credit_loss", {}
    if told.attention_price:
        yield "attention", -told.attention_price, "attention", {}


def _weights(one: Candidate, told: Breakdown, ruling: Ruling, language: str) -> Iterator[_Part]:
    profit, weight, lever = told.expected_incremental_profit, told.context_weight, told.lever
    if profit < 0:
        weight, lever = 1.0 / weight, 1.0 / lever
    if weighted := profit * (weight - 1.0):
        why = ruling.told.weight_said(int(ruling.weighed.places[one.row])) or {}
        more = {"weight": f"{told.context_weight:g}", "why": why.get(language, "")}
        yield "context_weight", weighted, "context_weight", more
    if levered := profit * weight * (lever - 1.0):
        yield "lever", levered, "lever", {"lever": f"{told.lever:g}", "reason": one.offer.lever.reason}
