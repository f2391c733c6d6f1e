"""What a decision says and keeps: enough to read it aloud, to question it, and to make it again."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from features.contract import CONTRACT, FeatureRow
from features.packed import CustomerEvents
from models.basis import Basis
from serving import sentences
from serving.callers import Caller
from serving.offers import Playbook
from serving.policy import STATED_PRIORS, Breakdown, Candidate, Ruling, Withheld, arbitrate
from serving.requests import Ask
from serving.scores import COSTS, NextPurchase, Reason, Scores, Worth
from serving.situation import ages, situation_of

_DIGITS = 6


@dataclass(frozen=True, slots=True)
class Bundle:
    """Which models spoke: their version, their hash, and what stands beside their scores."""

    version: str
    hash: str
    basis: Basis


@dataclass(frozen=True, slots=True)
class Known:
    """What was known of a customer when the decision was made."""

    caller: Caller
    events: CustomerEvents
    row: FeatureRow
    scores: Scores


def decide(ask: Ask, language: str, known: Known, bundle: Bundle, playbook: Playbook) -> dict[str, Any]:
    """Make a decision from what was known; the same inputs always make the same one.

    The result is everything but the decision's id, as JSON values.
    """
    glossary, scores = playbook.glossary, known.scores
    situation = situation_of(known.events, known.row, scores, ask.channel, ask.context, glossary)
    ruling = arbitrate(playbook.offers, situation, glossary.assumptions)
    write = _Writer(language, playbook)
    return {
        "customer": known.caller.customer,
        "reference": known.caller.reference,
        "found": known.caller.known,
        "note": write.note(known),
        "as_of": known.row.as_of.isoformat(),
        "channel": ask.channel,
        "language": language,
        "context": dict(ask.context),
        "requested_offers": ask.offers,
        "scores": write.scores(scores) | bundle.basis.as_dict(),
        "tier": scores.tier,
        "terms": [
            {"term": term.name, "sentence": term.sentence[language]}
            for term in glossary.terms
            if situation.known[term.name]
        ],
        "next_purchases": [write.purchase(purchase) for purchase in scores.next_purchases],
        "new_purchases": [write.purchase(purchase) for purchase in scores.new_purchases],
        "offers": [write.offer(rank, one) for rank, one in enumerate(ruling.ranked[: ask.offers], start=1)],
        "runners_up": [write.runner_up(one) for one in ruling.ranked[ask.offers :]],
        "withheld": [write.withheld(one) for one in ruling.withheld],
        "silence": write.silence(ruling),
        "reasons": {"churn": write.reasons(scores.churn_reasons), "value": write.reasons(scores.value_reasons)},
        "ages": ages(known.events, known.row.as_of, bundle.basis.learned_until, scores.ranked_as_of),
        "effects": STATED_PRIORS,
        "assumptions": write.assumptions(scores),
        "bundle": {"version": bundle.version, "hash": bundle.hash},
        "playbook": {"hash": playbook.hash, "glossary_hash": glossary.hash},
        "row": {
            "contract": CONTRACT.definitions,
            "values": [None if np.isnan(value) else value for value in known.row.values.tolist()],
        },
        "chosen_probability": 1.0,
    }


@dataclass(frozen=True, slots=True)
class _Writer:
    language: str
    playbook: Playbook

    def note(self, known: Known) -> str | None:
        stand_in = sentences.NO_HISTORY if known.caller.known else sentences.STRANGER
        said = [stand_in] if known.scores.note or not known.caller.known else []
        said += [sentences.RANKS_ONLY[name] for name in known.scores.ranks_only]
        return " ".join(sentence[self.language] for sentence in said) or None

    def scores(self, scores: Scores) -> dict[str, Any]:
        names = (
            "churn_risk",
            "churn_rank",
            "expected_value",
            "value_low",
            "value_high",
            "value_rank",
            "value_measure",
        )
        told = {name: getattr(scores, name) for name in names} | {"value_breakdown": self.worth(scores.worth)}
        return told | {"ranks_only": list(scores.ranks_only), "currency": self.playbook.glossary.currency}

    def worth(self, worth: Worth | None) -> dict[str, Any] | None:
        if worth is None:
            return None
        costs = {name: worth.costs.get(name) for name in COSTS}
        return {"measure": worth.measure, "brought": worth.brought} | costs

    def purchase(self, one: NextPurchase) -> dict[str, Any]:
        return _parts(one) | {"spoken": self.playbook.glossary.spoken(one.item)[self.language]}

    def offer(self, rank: int, one: Candidate) -> dict[str, Any]:
        item = self.playbook.glossary.spoken(one.item)[self.language] if one.item else ""
        return {
            "rank": rank,
            **self.runner_up(one),
            "kind": one.offer.kind,
            "title": one.offer.title[self.language].replace("{item}", item),
            "script": one.offer.script[self.language].replace("{item}", item),
        }

    def runner_up(self, one: Candidate) -> dict[str, Any]:
        return {
            "offer": one.offer.id,
            "item": one.item or None,
            "priority": round(one.breakdown.priority, _DIGITS),
            "breakdown": broken_down(one.breakdown),
        }

    def withheld(self, one: Withheld) -> dict[str, Any]:
        return {
            "offer": one.offer.id,
            "layer": one.layer,
            "reason": one.sentence[self.language],
            "unknown": list(one.unknown),
            "breakdown": broken_down(one.breakdown) if one.breakdown else None,
        }

    def silence(self, ruling: Ruling) -> str | None:
        if ruling.ranked:
            return None
        weighed = sum(one.breakdown is not None for one in ruling.withheld)
        sentence = sentences.SILENCE_PROFIT if weighed else sentences.SILENCE_RULES
        return sentences.say(sentence, self.language, count=weighed or len(ruling.withheld))

    def reasons(self, reasons: tuple[Reason, ...]) -> list[dict[str, Any]]:
        return [_parts(reason) | {"sentence": reason.sentence[self.language]} for reason in reasons]

    def assumptions(self, scores: Scores) -> Mapping[str, Any]:
        stated = self.playbook.glossary.assumptions
        rate = stated.margin_rate if scores.value_measure == "revenue" else None
        told = {"margin_rate": rate, "retention_horizons": stated.retention_horizons}
        return told | {"cost_to_serve": dict(scores.worth.assumed) if scores.worth else {}}


def broken_down(breakdown: Breakdown) -> dict[str, Any]:
    """Write a breakdown as JSON values, money and probabilities to six digits."""
    parts = _parts(breakdown) | {"expected_incremental_profit": breakdown.expected_incremental_profit}
    return {name: round(part, _DIGITS) if isinstance(part, float) else part for name, part in parts.items()}


def _parts(of: Any) -> dict[str, Any]:
    # dataclasses.asdict copies deeply, which is half the cost of writing a decision.
    return {name: getattr(of, name) for name in of.__dataclass_fields__}
