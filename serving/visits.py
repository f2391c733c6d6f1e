"""Which service visit comes first: the one to the customer who is predicted to be worth the most."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from serving import sentences
from serving.requests import Visit
from serving.scores import Scores


@dataclass(frozen=True, slots=True)
class Valued:
    """A visit, whether anybody is known by its reference, and what the models say of its customer."""

    visit: Visit
    customer: str
    found: bool
    scores: Scores


def in_order(valued: Iterable[Valued], now: datetime) -> list[Valued]:
    """Order visits by predicted value or its rank, then by the longest wait (none without a moment), then by id."""

    def place(one: Valued) -> tuple[float, datetime, str]:
        return -one.scores.standing, one.visit.requested_at or now, one.visit.visit_id

    return sorted(valued, key=place)


def written(place: int, one: Valued, language: str, currency: str) -> dict[str, Any]:
    """Write a visit's place and the reason for it as JSON values; value at risk is None where the risk is unknown."""
    scores = one.scores
    risk, value = scores.churn_risk, scores.expected_value
    at_risk = None if risk is None or value is None else risk * value
    return {
        "place": place,
        "visit_id": one.visit.visit_id,
        "kind": one.visit.kind,
        "customer": one.customer,
        "found": one.found,
        "expected_value": scores.expected_value,
        "value_rank": scores.value_rank,
        "churn_risk": scores.churn_risk,
        "churn_rank": scores.churn_rank,
        "value_at_risk": at_risk,
        "tier": scores.tier,
        "why": why(one, language, currency),
    }


def why(one: Valued, language: str, currency: str) -> str:
    """Say in one or two sentences why a visit has its place."""
    scores = one.scores
    ranked = scores.expected_value is None
    said = sentences.say(
        sentences.VISIT_RANKED if ranked else sentences.VISIT,
        language,
        value=f"{scores.standing:.0%}" if ranked else f"{scores.standing:,.2f}",
        currency=currency,
        days=scores.horizon_days,
        risk=_risk(scores, language),
    )
    if not one.found:
        return f"{sentences.STRANGER[language]} {said}"
    return f"{sentences.NO_HISTORY[language]} {said}" if one.scores.note else said


def _risk(scores: Scores, language: str) -> str:
    if scores.churn_risk is not None:
        return f"{scores.churn_risk:.0%}"
    if scores.churn_rank is not None:
        return sentences.say(sentences.RANKED_RISK, language, rank=f"{scores.churn_rank:.0%}")
    return sentences.UNKNOWN_RISK[language]
