"""Whom an effort to keep pays for, and whom not to chase; and whether that falls evenly on groups of customers."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from features.glossary import Glossary
from features.responses import Responses
from models.effects import Effects
from serving import sentences
from serving.audience import Member
from serving.learned import Learned, summary
from serving.money import Prices
from serving.offers import Offer
from serving.playbook import Playbook
from serving.rulebook import Rulebook
from serving.stops import Stop

CHASE, NOT_NOW, NOT_WORTH = "chase", "not_now", "not_worth"
SMALLEST_GROUP = 30
FOUR_FIFTHS = 0.8
NOTHING, NONE = Responses(), Effects()
_Z = 1.959964


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether an effort to keep a customer pays, by the best there is; money is in currency over the horizon.

    `chase`: one passes its rules and pays; `not_now`: one would pay, but a rule stops it; `not_worth`: whatever is
    done costs more than it brings.
    """

    customer: str
    tier: str
    churn_risk: float
    expected_value: float
    verdict: str
    effort: str
    expected_profit: float
    reason: Mapping[str, str]


class Efforts:
    """All that a playbook has to keep customers with: what is owed is no effort, and stands for everybody.

    `effects` is what a bundle measured of the offers, `responses` what came of them.
    """

    def __init__(
        self, playbook: Playbook, effects: Effects = NONE, responses: Responses = NOTHING
    ) -> None:  # fmt: skip
        self.glossary = playbook.glossary
        offers = [one for one in playbook.offers if one.kind != "product" and not one.owed]
        self.offers = tuple(sorted(offers, key=lambda offer: offer.id))
        channels = [min(offer.channels, key=self._price) for offer in self.offers]
        self._by_channel = {
            channel: _of(tuple(o for o, c in zip(self.offers, channels, strict=True) if c == channel), self.glossary)
            for channel in dict.fromkeys(channels)
        }
        self._learned = {
            channel: Learned(offers, playbook.experiment, effects, responses)
            for channel, (offers, _, _) in self._by_channel.items()
        }

    @property
    def said(self) -> str:
        """Say where the efforts' effects are from."""
        return summary(one for learned in self._learned.values() for one in learned.told)

    def judge(self, members: Iterable[Member], as_of: datetime) -> Iterator[Verdict]:
        """Judge every customer whose risk and value are known; each effort is made over its cheapest channel."""
        for member in members:
            if member.scores.churn_risk is not None and member.scores.expected_value is not None:
                yield self._judged(member, as_of)

    def _price(self, channel: str) -> float:
        return self.glossary.assumptions.attention_price[channel]

    def _judged(self, member: Member, as_of: datetime) -> Verdict:
        tried = [one for channel in self._by_channel for one in self._tried(member, as_of, channel)]
        # Of equal profits the one that no rule stops, then the first by id.
        tried.sort(key=lambda one: (-one[1], one[2] is not None, one[0].id))
        free = [one for one in tried if one[2] is None and one[1] > 0]
        if not tried:
            return self._verdict(member, NOT_WORTH, "", 0.0, None)
        offer, profit, stop = free[0] if free else tried[0]
        if free:
            return self._verdict(member, CHASE, offer.id, profit, None)
        return self._verdict(member, NOT_NOW if profit > 0 else NOT_WORTH, offer.id, profit, stop)

    def _tried(self, member: Member, as_of: datetime, channel: str) -> Iterator[tuple[Offer, float, Stop | None]]:
        offers, prices, book = self._by_channel[channel]
        situation = member.asked(as_of, channel, {}, self.glossary)
        told = book.tell(situation)
        every, alike, learned = np.arange(len(offers)), np.ones(len(offers)), self._learned[channel]
        weighed = prices.weigh(every, situation, self.glossary.assumptions, alike, learned)
        profits, outside = weighed.column("expected_incremental_profit"), told.outside()
        for place, offer in enumerate(offers):
            yield offer, float(profits[place]), outside.get(place) or told.stop(place)

    def _verdict(self, member: Member, verdict: str, effort: str, profit: float, stop: Stop | None) -> Verdict:
        scores = member.scores
        assert scores.churn_risk is not None and scores.expected_value is not None  # noqa: PT018
        told = {"effort": effort, "profit": f"{profit:,.2f}", "currency": self.glossary.currency}
        said = sentences.VERDICTS[verdict if effort else "no_effort"]
        reason = {
            language: text.format(**told, stop=stop.sentence[language] if stop else "")
            for language, text in said.items()
        }
        return Verdict(
            member.customer, scores.tier, scores.churn_risk, scores.expected_value, verdict, effort, profit, reason
        )


def _of(offers: tuple[Offer, ...], glossary: Glossary) -> tuple[tuple[Offer, ...], Prices, Rulebook]:
    return offers, Prices(offers), Rulebook(offers, glossary)


@dataclass(frozen=True, slots=True)
class Group:
    """How one group fares beside the others: the share worth an effort, and its ratio to theirs with 95 % limits.

    The limits are those of Katz et al. (Biometrics 34, 1978) for a ratio of two shares. `below` tells that the ratio
    surely lies under four fifths (EEOC Uniform Guidelines, 1978).
    """

    attribute: str
    level: str
    customers: int
    worth_it: float
    others_worth_it: float
    ratio: float | None
    low: float | None
    high: float | None

    @property
    def below(self) -> bool:
        """Whether the group surely gets less than four fifths of what the others get."""
        return self.high is not None and self.high < FOUR_FIFTHS


def fairness(verdicts: Sequence[Verdict], wordings: Mapping[str, Mapping[str, str]]) -> list[Group]:
    """Compare every group that shares an attribute's wording with those of whom another wording is known.

    Both sides have at least `SMALLEST_GROUP` customers.
    """
    told: dict[str, dict[str, list[bool]]] = {}
    for one in verdicts:
        for name, wording in wordings.get(one.customer, {}).items():
            told.setdefault(name, {}).setdefault(wording, []).append(one.verdict != NOT_WORTH)
    found = []
    for name, levels in sorted(told.items()):
        size, worth = sum(map(len, levels.values())), sum(map(sum, levels.values()))
        for wording, held in sorted(levels.items()):
            others = size - len(held)
            if min(len(held), others) >= SMALLEST_GROUP:
                found.append(_group(name, wording, sum(held), len(held), worth - sum(held), others))
    return found


def _group(name: str, level: str, worth: int, size: int, others_worth: int, others: int) -> Group:
    share, theirs = worth / size, others_worth / others
    if not worth or not others_worth:
        return Group(name, level, size, share, theirs, None, None, None)
    ratio, spread = share / theirs, math.sqrt(1 / worth - 1 / size + 1 / others_worth - 1 / others)
    return Group(name, level, size, share, theirs, ratio, ratio * math.exp(-_Z * spread), ratio * math.exp(_Z * spread))
