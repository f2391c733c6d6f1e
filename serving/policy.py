"""Which offers may be made, and in what order: pure rules, then money.

An offer passes its three layers of rules in turn: eligibility (may we), applicability (does it make sense here)
and suitability (is it good for this customer). What passes is ranked by the profit expected from making the
offer rather than not. Nothing here reads a clock, a store or a random number.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from features.glossary import Assumptions
from serving import sentences
from serving.offers import LAYERS, NEXT, Offer
from serving.scores import Scores

ARBITRATION = "arbitration"
STATED_PRIORS = "stated priors"


@dataclass(frozen=True)
class Situation:
    """What is known when somebody asks what to offer.

    `known` maps words such as `churn.risk`, and the terms, to values; `offer_days` maps an offer's id to the days
    since it was last presented, accepted or declined, by word. `ranked` are the words, and the terms that rest on them,
    that are unknown of everyone since there are ranks only.
    """

    as_of: datetime
    channel: str
    scores: Scores
    known: Mapping[str, Any]
    offer_days: Mapping[str, Mapping[str, float]]
    ranked: frozenset[str] = frozenset()

    def words(self, offer: Offer) -> dict[str, Any]:
        """Add to the known words those about one offer."""
        past = self.offer_days.get(offer.id, {})
        return {**self.known, "offer.kind": offer.kind, **{f"offer.{word}": days for word, days in past.items()}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Breakdown:
    """How an offer's priority came about; money is in currency, probabilities within the horizon.

    `p_treated` and `p_untreated` are the probability of what is wished for (the item is bought; the customer
    stays) with the offer and without; `value` is what that is worth, `propensity` how likely the offer is taken up.
    """

    propensity: float
    p_treated: float
    p_untreated: float
    untreated_from: str
    margin: float
    value: float
    incentive: float
    attention_price: float
    context_weight: float
    lever: float
    effects: str = STATED_PRIORS

    @property
    def expected_incremental_profit(self) -> float:
        """What making the offer brings, over not making it: (p_t - p_u)·value - propensity·incentive - attention."""
        gain = (self.p_treated - self.p_untreated) * self.value
        return gain - self.propensity * self.incentive - self.attention_price

    @property
    def priority(self) -> float:
        """The profit, weighted by the conversation and the business's lever."""
        return self.expected_incremental_profit * self.context_weight * self.lever


@dataclass(frozen=True, slots=True)
class Candidate:
    """An offer that passed its rules, with the item it is about and its breakdown."""

    offer: Offer
    item: str
    breakdown: Breakdown


@dataclass(frozen=True, slots=True)
class Withheld:
    """An offer that isn't made: the layer that stopped it, why, what was unknown, its breakdown if it got so far."""

    offer: Offer
    layer: str
    sentence: Mapping[str, str]
    unknown: tuple[str, ...] = ()
    breakdown: Breakdown | None = None


@dataclass(frozen=True, slots=True)
class Ruling:
    """Every offer, either ranked (best first) or withheld (by id)."""

    ranked: tuple[Candidate, ...]
    withheld: tuple[Withheld, ...]


def arbitrate(offers: Iterable[Offer], situation: Situation, assumptions: Assumptions) -> Ruling:
    """Rank the offers that may be made and that pay; withhold the others and say why.

    The order of the offers given doesn't matter; equal priorities are ranked by id.
    """
    candidates: list[Candidate] = []
    withheld: list[Withheld] = []
    for offer in offers:
        judged = _stopped(offer, situation) or weigh(offer, situation, assumptions)
        candidates.append(judged) if isinstance(judged, Candidate) else withheld.append(judged)
    ranked, losing = _rank(candidates)
    withheld += losing
    return Ruling(tuple(ranked), tuple(sorted(withheld, key=lambda one: one.offer.id)))


def weigh(offer: Offer, situation: Situation, assumptions: Assumptions) -> Candidate | Withheld:
    """Count what an offer that passed its rules would bring."""
    if offer.kind == "product":
        return _weigh_product(offer, situation, assumptions)
    return _weigh_retention(offer, situation, assumptions)


def _stopped(offer: Offer, situation: Situation) -> Withheld | None:
    if sentence := _outside(offer, situation):
        return Withheld(offer, LAYERS[0], sentence)
    words = situation.words(offer)
    for layer in LAYERS:
        for rule in offer.rules[layer]:
            holds = rule.when.holds(words)
            if holds:
                continue
            unknown = rule.when.unknown(words) if holds is None else ()
            # What the caller hasn't said of the conversation is the rule's own matter; the rest we don't know.
            of_customer = any(not word.startswith("context.") for word in unknown)
            not_known = sentences.RANKED if situation.ranked.intersection(unknown) else sentences.NOT_KNOWN
            return Withheld(offer, layer, not_known if of_customer else rule.sentence, unknown)
    return None


def _outside(offer: Offer, situation: Situation) -> dict[str, str] | None:
    today = situation.as_of.date()
    if situation.channel not in offer.channels:
        return sentences.CHANNEL
    if offer.valid_from is not None and today < offer.valid_from:
        return _filled(sentences.NOT_YET, day=offer.valid_from)
    if offer.valid_until is not None and today > offer.valid_until:
        return _filled(sentences.ENDED, day=offer.valid_until)
    return None


def _weigh_product(offer: Offer, situation: Situation, assumptions: Assumptions) -> Candidate | Withheld:
    ranked = [purchase.item for purchase in situation.scores.next_purchases]
    if offer.item == NEXT and not ranked:
        return Withheld(offer, "applicability", sentences.NO_NEXT)
    item = ranked[0] if offer.item == NEXT else offer.item
    untreated, untreated_from = situation.scores.chance(item)
    odds = offer.prior.odds_ratio
    treated = odds * untreated / (1.0 - untreated + odds * untreated)
    breakdown = Breakdown(
        propensity=treated,
        p_treated=treated,
        p_untreated=untreated,
        untreated_from=untreated_from,
        margin=offer.margin,
        value=offer.margin,
        incentive=offer.incentive_cost,
        **_terms_of_trade(offer, situation, assumptions),
    )
    return Candidate(offer, item, breakdown)


def _weigh_retention(offer: Offer, situation: Situation, assumptions: Assumptions) -> Candidate | Withheld:
    scores = situation.scores
    if scores.churn_risk is None or scores.expected_value is None:
        return Withheld(offer, ARBITRATION, sentences.RANKED if scores.ranks_only else sentences.NO_RISK)
    rate = 1.0 if scores.value_measure == "margin" else assumptions.margin_rate
    cost = scores.worth.cost if scores.worth else 0.0
    margin = (scores.expected_value + cost) * rate - cost
    stays = 1.0 - scores.churn_risk
    breakdown = Breakdown(
        propensity=offer.prior.accept,
        p_treated=stays + offer.prior.accept * scores.churn_risk * offer.prior.churn_reduction,
        p_untreated=stays,
        untreated_from="churn model",
        margin=margin,
        value=margin * assumptions.retention_horizons,
        incentive=offer.incentive_cost,
        **_terms_of_trade(offer, situation, assumptions),
    )
    return Candidate(offer, "", breakdown)


def _terms_of_trade(offer: Offer, situation: Situation, assumptions: Assumptions) -> dict[str, Any]:
    words = situation.words(offer)
    weights = (weight.weight for weight in offer.context_weights if weight.when.holds(words))
    return {
        "attention_price": assumptions.attention_price[situation.channel],
        "context_weight": next(weights, 1.0),
        "lever": offer.lever.at(situation.as_of.date()),
    }


def _rank(candidates: Iterable[Candidate]) -> tuple[list[Candidate], list[Withheld]]:
    ranked: list[Candidate] = []
    losing: list[Withheld] = []
    taken: set[str] = set()
    for one in sorted(candidates, key=lambda one: (-one.breakdown.priority, one.offer.id)):
        if one.breakdown.expected_incremental_profit <= 0:
            losing.append(Withheld(one.offer, ARBITRATION, sentences.COSTS_MORE, breakdown=one.breakdown))
        elif one.item in taken:
            losing.append(Withheld(one.offer, ARBITRATION, sentences.SAME_ITEM, breakdown=one.breakdown))
        else:
            ranked.append(one)
            taken |= {one.item} - {""}
    return ranked, losing


def _filled(sentence: Mapping[str, str], **details: object) -> dict[str, str]:
    return {language: text.format(**details) for language, text in sentence.items()}
