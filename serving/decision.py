"""What a decision says and keeps: enough to read it aloud, to question it, and to make it again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Any

from features.contract import CONTRACT, FeatureRow, row_of
from features.decisions import Contact, Ledger
from features.expressions import Expression
from features.history import State
from features.packed import CustomerEvents
from features.responses import Responses
from models.basis import Basis
from models.effects import Effects
from serving import sentences
from serving.callers import Caller
from serving.degradation import MODEL, Degraded, told_of_lack
from serving.experiment import HOLD_OUT, hashed
from serving.exploring import SILENCE, Lot
from serving.learned import Learned
from serving.money import Breakdown, Weighed, loss_rate
from serving.offers import Offer
from serving.playbook import Playbook
from serving.policy import Candidate, Policy, Ruling, Withheld
from serving.requests import Ask
from serving.scores import COSTS, OBJECTED, NextPurchase, Reason, Scores, Worth
from serving.situation import Situation, ages, situation_of
from serving.stops import Flip, Stop
from serving.tiers import record_of
from serving.why import reasons_of

# What a decision's body looks like; one of another form can't be made again, but for form 3: it had no `degraded`.
FORMAT = 4
_DIGITS = 6
_BREAKDOWN = (*Breakdown._fields, "untreated_from", "effects")


@dataclass(frozen=True, slots=True)
class Bundle:
    """Which models spoke: their version, their hash, and what stands beside their scores."""

    version: str
    hash: str
    basis: Basis


@dataclass(frozen=True, slots=True)
class Known:
    """What was known of a customer when the decision was made; `state` is how far the record went.

    `degraded` says what was missing, so that less is known than could be.
    """

    caller: Caller
    events: CustomerEvents
    row: FeatureRow
    scores: Scores
    state: State
    degraded: Degraded | None = None

    @property
    def found(self) -> bool | None:
        """Whether anybody is known by the reference; None where nobody could be looked up."""
        return None if self.degraded and self.degraded.part != MODEL else self.caller.known


def unscored(
    default: Scores, caller: Caller, events: CustomerEvents, state: State, as_of: datetime, degraded: Degraded
) -> Known:
    """Give what is known of a customer while the models are away: all but scores, and the tier of record."""
    return Known(caller, events, row_of(events, as_of), default.unknown(record_of(events)), state, degraded)


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision as JSON values, and the contacts that it holds anew."""

    body: dict[str, Any]
    held: tuple[Contact, ...]


@dataclass(frozen=True)
class Decider:
    """Makes decisions by a playbook; the same inputs always make the same one.

    `everyone` puts all customers into one group; by default each is in the one that the playbook draws.
    """

    playbook: Playbook
    policy: Policy
    everyone: str | None = None

    @classmethod
    def of(cls, playbook: Playbook, everyone: str | None = None) -> "Decider":
        """Make a playbook's offers ready."""
        return cls(playbook, Policy(playbook.offers, playbook.glossary, playbook.contact), everyone)

    def learned(self, effects: Effects, responses: Responses) -> Learned:
        """Put together what is stated of the offers, what a bundle measured, and what came of them since."""
        return Learned(self.policy.offers, self.playbook.experiment, effects, responses)

    @cached_property
    def of_owed(self) -> "Decider":
        """The same rules for what is owed alone."""
        return self.among([offer for offer in self.playbook.offers if offer.owed])

    @cached_property
    def of_anybody(self) -> "Decider":
        """The same rules for what is owed to anybody who asks: not one of them speaks of the customer."""
        plain, owed = self.playbook.glossary.plain, self.of_owed.policy.offers
        return self.among([one for one in owed if all(map(_of_conversation, (plain(rule.when) for rule in one.asked)))])

    @cached_property
    def of_nobody(self) -> "Decider":
        """The same rules for no offer at all."""
        return self.among(())

    def among(self, offers: Sequence[Offer]) -> "Decider":
        """The same rules for some of the offers."""
        return replace(self, policy=Policy(offers, self.playbook.glossary, self.playbook.contact))

    @cached_property
    def stated(self) -> Learned:
        """What the playbook alone says of the offers."""
        return self.learned(Effects(), Responses())

    def lot(self, decision_id: str, customer: str, tier: str) -> Lot:
        """Say how far a decision is left to chance; the seed is the decision's own."""
        experiment = self.playbook.experiment
        group = self.everyone or experiment.group(customer)
        seed = int.from_bytes(hashed(experiment.salt, decision_id))
        return Lot(group, experiment.exploration.get(tier, 0.0), seed)

    def situation(self, ask: Ask, known: Known) -> Situation:
        """Put what is known into the playbook's words."""
        glossary = self.playbook.glossary
        found = situation_of(known.events, known.row, known.scores, ask.channel, ask.context, glossary, ask.outbound)
        return found if known.degraded is None else found.unscored(glossary, known.found is not None)

    def decide(
        self, decision_id: str, ask: Ask, language: str, known: Known, bundle: Bundle, ledger: Ledger, learned: Learned
    ) -> Decided:
        """Make a decision from what was known, the ledger as it stood, and what had been learned of the offers."""
        situation = self.situation(ask, known)
        lot = self.lot(decision_id, known.caller.customer, known.scores.tier)
        ruling = self.policy.arbitrate(situation, ledger, ask.offers, learned, lot)
        counted = [ruling.allowance.contact(one.offer, decision_id, known.caller.reference) for one in ruling.chosen]
        body = {"decision_id": decision_id} | _Writer(language, self.playbook, situation, ruling, lot).body(
            ask, known, bundle, ledger, learned, [contact for contact, _ in counted]
        )
        return Decided(body, tuple(contact for contact, new in counted if contact and new))


def _of_conversation(rule: Expression) -> bool:
    return all(word.startswith("context.") or word in ("channel", "offer.kind") for word in rule.words)


class _Writer:
    def __init__(self, language: str, playbook: Playbook, situation: Situation, ruling: Ruling, lot: Lot) -> None:
        self.language, self.playbook = language, playbook
        self.situation, self.ruling, self.lot = situation, ruling, lot
        self.breakdowns = _broken_down(ruling.weighed)

    def body(
        self, ask: Ask, known: Known, bundle: Bundle, ledger: Ledger, learned: Learned, contacts: list[Contact | None]
    ) -> dict[str, Any]:
        scores, glossary, ruling = known.scores, self.playbook.glossary, self.ruling
        held = zip(ruling.chosen, contacts, strict=True)
        return {
            "customer": known.caller.customer,
            "reference": known.caller.reference,
            "found": known.found,
            "note": self.note(known),
            "degraded": told_of_lack(known.degraded, self.language),
            "as_of": known.row.as_of.isoformat(),
            "channel": ask.channel,
            "outbound": ask.outbound,
            "language": self.language,
            "context": dict(ask.context),
            "requested_offers": ask.offers,
            "scores": self.scores(scores, bundle.basis),
            "tier": scores.tier,
            "terms": self.terms(),
            "next_purchases": [self.purchase(purchase) for purchase in scores.next_purchases],
            "new_purchases": [self.purchase(purchase) for purchase in scores.new_purchases],
            "offers": [self.offer(rank, one, contact) for rank, (one, contact) in enumerate(held, start=1)],
            "held_out": [self.runner_up(one) for one in ruling.held_out],
            "runners_up": [self.runner_up(one) for one in ruling.runners_up],
            "withheld": [self.withheld(one) for one in ruling.withheld],
            "silence": self.silence(known),
            "reasons": {"churn": self.reasons(scores.churn_reasons), "value": self.reasons(scores.value_reasons)},
            "ages": ages(known.events, known.row.as_of, bundle.basis.learned_until, scores.ranked_as_of),
            "effects": learned.summary,
            "assumptions": self.assumptions(scores),
            "bundle": {"version": bundle.version, "hash": bundle.hash},
            "playbook": {"hash": self.playbook.hash, "glossary_hash": glossary.hash},
            "row": {
                "contract": CONTRACT.definitions,
                "values": known.row.told,
            },
            "inputs": {
                "format": FORMAT,
                "events": known.state.seq,
                "catalogue": known.state.catalogue,
                "ledger": ledger.seq,
                "responses": learned.seq,
                "ranked_as_of": scores.ranked_as_of.isoformat() if scores.ranked_as_of else None,
            },
            "experiment": {"group": self.lot.group, "salt": self.playbook.experiment.salt},
            "arms": self.arms(),
            "chosen_probability": ruling.drawn.probability,
        }

    def note(self, known: Known) -> str | None:
        if known.degraded:
            return known.degraded.reason[self.language]
        stand_in = sentences.stand_in(known.caller.known, known.scores.note == OBJECTED)
        said = [stand_in] if known.scores.note or not known.caller.known else []
        said += [sentences.RANKS_ONLY[name] for name in known.scores.ranks_only]
        return " ".join(sentence[self.language] for sentence in said) or None

    def scores(self, scores: Scores, basis: Basis) -> dict[str, Any]:
        return {
            "churn_risk": scores.churn_risk,
            "churn_rank": scores.churn_rank,
            "expected_value": scores.expected_value,
            "value_low": scores.value_low,
            "value_high": scores.value_high,
            "value_rank": scores.value_rank,
            "value_measure": scores.value_measure,
            "value_breakdown": self.worth(scores.worth),
            "ranks_only": list(scores.ranks_only),
            "currency": self.playbook.glossary.currency,
            **basis.as_dict(),
        }

    def worth(self, worth: Worth | None) -> dict[str, Any] | None:
        if worth is None:
            return None
        costs = {name: worth.costs.get(name) for name in COSTS}
        return {"measure": worth.measure, "brought": worth.brought} | costs

    def terms(self) -> list[dict[str, Any]]:
        return [
            {"term": term.name, "sentence": term.sentence[self.language], "hash": term.hash}
            for term in self.playbook.glossary.terms
            if self.situation.known[term.name]
        ]

    def purchase(self, one: NextPurchase) -> dict[str, Any]:
        return {
            "item": one.item,
            "level": one.level,
            "probability": one.probability,
            "bought_before": one.bought_before,
            "spoken": self.playbook.glossary.spoken(one.item, self.language),
        }

    def offer(self, rank: int, one: Candidate, contact: Contact | None) -> dict[str, Any]:
        item = self.playbook.glossary.spoken(one.item, self.language) if one.item else ""
        return {
            "rank": rank,
            **self.runner_up(one),
            "kind": one.offer.kind,
            "owed": one.offer.owed,
            "title": one.offer.title[self.language].replace("{item}", item),
            "script": one.offer.script[self.language].replace("{item}", item),
            "reasons": reasons_of(one, self.ruling, self.playbook.glossary, self.language),
            "contact": contact.contact if contact else None,
        }

    def runner_up(self, one: Candidate) -> dict[str, Any]:
        breakdown = self.breakdowns[one.row]
        return {
            "offer": one.offer.id,
            "item": one.item or None,
            "priority": breakdown["priority"],
            "breakdown": breakdown,
        }

    def withheld(self, one: Withheld) -> dict[str, Any]:
        return {
            "offer": one.offer.id,
            **self.stop(one.stop),
            "breakdown": None if one.row is None else self.breakdowns[one.row],
        }

    def stop(self, stop: Stop) -> dict[str, Any]:
        kept = stop.kept.get(self.language)
        if kept is None:
            kept = stop.kept[self.language] = {
                "layer": stop.layer,
                "rule": stop.rule,
                "reason": stop.sentence[self.language],
                "unknown": list(stop.unknown),
                "flip": self.flip(stop.flip) if stop.flip else None,
            }
        # What is kept outlives this answer, which is the caller's to change.
        flip = kept["flip"]
        copied = flip and {**flip, "changes": [{**change} for change in flip["changes"]]}
        return {**kept, "unknown": [*kept["unknown"]], "flip": copied}

    def flip(self, flip: Flip) -> dict[str, Any]:
        changes = [{"word": one.word, "now": one.now, "needed": one.needed} for one in flip.changes]
        return {"sentence": flip.say(self.language), "changes": changes}

    def arms(self) -> list[dict[str, Any]]:
        ruling = self.ruling
        return [
            {"offer": None if row == SILENCE else ruling.offer(row).id, "probability": probability}
            for row, probability in ruling.drawn.arms.items()
        ]

    def silence(self, known: Known) -> str | None:
        if self.ruling.chosen:
            return None
        if known.degraded:
            return sentences.NOTHING_OWED[self.language]
        if self.lot.group == HOLD_OUT:
            return sentences.LEFT_ALONE[self.language]
        if self.ruling.runners_up:
            return sentences.DRAWN_SILENCE[self.language]
        weighed = sum(one.row is not None for one in self.ruling.withheld)
        sentence = sentences.SILENCE_PROFIT if weighed else sentences.SILENCE_RULES
        return sentences.say(sentence, self.language, count=weighed or len(self.ruling.withheld))

    def reasons(self, reasons: tuple[Reason, ...]) -> list[dict[str, Any]]:
        return [
            {
                "feature": one.feature,
                "value": one.value,
                "contribution": one.contribution,
                "sentence": one.sentence[self.language],
            }
            for one in reasons
        ]

    def assumptions(self, scores: Scores) -> Mapping[str, Any]:
        stated = self.playbook.glossary.assumptions
        rate, (lost, lost_from) = stated.margin_rate, loss_rate(self.situation, stated)
        return {
            "margin_rate": rate if scores.value_measure == "revenue" else None,
            "retention_horizons": stated.retention_horizons,
            "cost_to_serve": dict(scores.worth.assumed) if scores.worth else {},
            "credit_loss_rate": lost,
            "credit_loss_from": lost_from,
        }


def _broken_down(weighed: Weighed) -> list[dict[str, Any]]:
    """Write every breakdown, rounded, in the order of what was weighed."""
    rows = weighed.table.round(_DIGITS).tolist()
    told = zip(rows, weighed.sources, weighed.effects, strict=True)
    return [dict(zip(_BREAKDOWN, (*row, source, effect), strict=True)) for row, source, effect in told]
