"""Which service visit comes first: safety, then what was promised, then what an hour of waiting costs."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from features.glossary import Assumptions
from serving import sentences
from serving.requests import Visit
from serving.scores import OBJECTED, Scores
from serving.visit_policy import ServiceClass, VisitKind, VisitPolicy


@dataclass(frozen=True, slots=True)
class Valued:
    """A visit with what the models say of its customer, and what waiting costs.

    `value_at_risk` is the risk of leaving times what a kept customer is worth over `retention_horizons`, in currency;
    `cost_per_hour` what an hour of waiting is expected to cost over the hours that the policy looks ahead: of that
    worth by the risk that grows, and of the class's penalty from the moment on at which its promise is broken.
    """

    visit: Visit
    customer: str
    found: bool | None
    scores: Scores
    service_class: ServiceClass
    kind: VisitKind
    minutes: float
    due_at: datetime | None
    overdue: bool
    value_at_risk: float | None
    cost_per_hour: float

    @property
    def urgency(self) -> float:
        """What an hour of waiting costs for each minute on site."""
        return self.cost_per_hour / self.minutes


@dataclass(frozen=True, slots=True)
class Planned:
    """A visit in its place, with who goes and when, where that is planned."""

    valued: Valued
    engineer: int | None = None
    begins_at: datetime | None = None


def value(
    visit: Visit, customer: str, found: bool | None, scores: Scores, policy: VisitPolicy, assumptions: Assumptions,
    now: datetime,
) -> Valued:  # fmt: skip
    """Count what a visit's waiting costs.

    The odds of leaving are multiplied by the kind's prior for each day of waiting. Where the risk or the value isn't
    known, or the customer is worth nothing, the penalty alone counts.

    Raises InputError when the playbook doesn't have the visit's class.
    """
    service_class, kind = policy.service_class(visit.service_class), policy.kind(visit.kind)
    due_at = visit.due_at or service_class.due_at(visit.requested_at)
    overdue = due_at is not None and due_at < now
    ahead, worth, risk = policy.hours_ahead, _worth(scores, assumptions), scores.churn_risk
    broken = 0.0 if due_at is None else min(max(ahead - (due_at - now).total_seconds() / 3600, 0.0), ahead)
    grows = 0.0 if worth is None or risk is None else (_later(risk, kind.churn_odds_per_day, ahead) - risk) * worth
    return Valued(
        visit, customer, found, scores, service_class, kind, visit.minutes or kind.minutes, due_at, overdue,
        None if worth is None or risk is None else risk * worth,
        (grows + broken * service_class.penalty_per_hour) / ahead,
    )  # fmt: skip


def _worth(scores: Scores, assumptions: Assumptions) -> float | None:
    """Tell what a kept customer is worth, as a retention offer counts it, and at least 0; None where it isn't known."""
    if scores.expected_value is None:
        return None
    return max(scores.margin(assumptions.margin_rate) * assumptions.retention_horizons, 0.0)


def _later(risk: float, odds_per_day: float, hours: float) -> float:
    """Tell the risk after some hours of waiting.

    >>> round(_later(0.5, 2.0, 24.0), 4)
    0.6667
    """
    factor: float = odds_per_day ** (hours / 24.0)
    return factor * risk / (1.0 - risk + factor * risk)


def in_order(valued: Iterable[Valued], now: datetime) -> list[Valued]:
    """Order visits: by class, then by what an hour costs for each minute on site, the longest wait and the id.

    Of jobs that one worker does one after the other, the cost per time over the duration gives the order with the least
    total cost of waiting (Smith, "Various optimizers for single-stage production", 1956).
    """

    def place(one: Valued) -> tuple[int, float, float, datetime, str]:
        waiting = one.visit.requested_at or now
        return one.service_class.place, -one.urgency, -one.scores.standing, waiting, one.visit.visit_id

    return sorted(valued, key=place)


def scheduled(ordered: Iterable[Valued], start: datetime, engineers: int) -> list[Planned]:
    """Give each visit in turn to the engineer who is free first, without travel; engineers count from 1."""
    free, planned = [start] * engineers, []
    for one in ordered:
        engineer = min(range(engineers), key=free.__getitem__)
        planned.append(Planned(one, engineer + 1, free[engineer]))
        free[engineer] += timedelta(minutes=one.minutes)
    return planned


def written(place: int, planned: Planned, language: str, currency: str) -> dict[str, Any]:
    """Write a visit's place and the reason for it as JSON values; what isn't known is None."""
    one, scores = planned.valued, planned.valued.scores
    return {
        "place": place,
        "visit_id": one.visit.visit_id,
        "kind": one.visit.kind,
        "service_class": one.service_class.id,
        "customer": one.customer,
        "found": one.found,
        "expected_value": scores.expected_value,
        "value_rank": scores.value_rank,
        "churn_risk": scores.churn_risk,
        "churn_rank": scores.churn_rank,
        "value_at_risk": one.value_at_risk,
        "cost_of_delay_per_hour": one.cost_per_hour,
        "minutes": one.minutes,
        "due_at": one.due_at.isoformat() if one.due_at else None,
        "overdue": one.overdue,
        "tier": scores.tier,
        "why": why(one, language, currency),
        "engineer": planned.engineer,
        "begins_at": planned.begins_at.isoformat() if planned.begins_at else None,
    }


def why(one: Valued, language: str, currency: str) -> str:
    """Say in a few sentences why a visit has its place."""
    scores = one.scores
    said = [sentences.say(sentences.VISIT_CLASS, language, title=one.service_class.title[language])]
    if one.overdue:
        said.append(sentences.OVERDUE[language])
    said.append(sentences.say(sentences.VISIT_COST, language, cost=f"{one.cost_per_hour:,.2f}", currency=currency))
    said.append(_scored(one.scores, language, currency))
    if one.found is None:
        return " ".join([sentences.NOT_LOOKED_UP[language], *said])
    stand_in = sentences.stand_in(one.found, one.scores.note == OBJECTED)
    return " ".join([stand_in[language], *said] if not one.found or scores.note else said)


def _scored(scores: Scores, language: str, currency: str) -> str:
    if scores.expected_value is None and scores.value_rank is None:
        return sentences.UNSCORED[language]
    ranked = scores.expected_value is None
    return sentences.say(
        sentences.VISIT_RANKED if ranked else sentences.VISIT,
        language,
        value=f"{scores.standing:.0%}" if ranked else f"{scores.standing:,.2f}",
        currency=currency,
        days=scores.horizon_days,
        risk=_risk(scores, language),
    )


def _risk(scores: Scores, language: str) -> str:
    if scores.churn_risk is not None:
        return f"{scores.churn_risk:.0%}"
    if scores.churn_rank is not None:
        return sentences.say(sentences.RANKED_RISK, language, rank=f"{scores.churn_rank:.0%}")
    return sentences.UNKNOWN_RISK[language]
