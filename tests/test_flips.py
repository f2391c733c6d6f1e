"""Every flip that is told of a real customer has been tried, and the rules told at once are those told one by one."""

from typing import Any

import pytest

from features.decisions import Ledger
from features.history import History
from features.home import Home
from models.bundle import load
from serving.audience import Audience, Member
from serving.bundle import fetch
from serving.decision import Decider
from serving.offers import LAYERS, Offer
from serving.scorer import Scorer
from serving.situation import Situation
from tests.desks import NOW, playbook

RULES = frozenset(LAYERS)


@pytest.fixture(scope="module")
def members(trained: tuple[Home, History, dict[str, Any]]) -> list[Member]:
    place, history, _ = trained
    scorer = Scorer(load(*fetch(place)))
    return list(Audience(scorer, playbook().glossary).members(history.known_by(NOW)))


def asked(member: Member, channel: str, context: dict[str, Any]) -> Situation:
    return member.asked(NOW, channel, context, playbook().glossary)


def first_that_fails(offer: Offer, situation: Situation) -> tuple[str, str] | None:
    """Ask one rule after the other, as it was written."""
    words = situation.words(offer)
    for layer in LAYERS:
        for rule in offer.rules[layer]:
            if rule.when.holds(words) is not True:
                return layer, rule.when.text
    return None


@pytest.mark.parametrize(
    ("channel", "context"), [("phone", {}), ("app", {"topic": "complaint"}), ("chat", {"pet": "dog"})]
)
def test_the_rule_that_stops_an_offer_is_the_first_that_fails(
    members: list[Member], channel: str, context: dict[str, Any]
) -> None:
    decider, seen = Decider.of(playbook()), set()
    for member in members:
        situation = asked(member, channel, context)
        told = decider.policy.tell(situation)
        for place, offer in enumerate(decider.policy.offers):
            expected, stop = first_that_fails(offer, situation), told.stop(place)
            assert (stop is None) == (expected is None)
            if stop is not None and expected is not None:
                assert (stop.layer, stop.rule) == expected
                seen.add((offer.id, expected[1]))
    assert len(seen) >= 8


def test_every_flip_lets_its_offer_through_its_rules(members: list[Member]) -> None:
    decider, glossary, flipped = Decider.of(playbook()), playbook().glossary, 0
    terms = {term.name for term in glossary.terms}
    for member in members:
        situation = asked(member, "phone", {})
        for one in decider.policy.arbitrate(situation, Ledger(), 3, decider.stated).withheld:
            if one.stop.layer not in RULES or one.stop.flip is None:
                continue
            changes = {change.word: change.needed for change in one.stop.flip.changes}
            if changes.keys() & {"channel", "as_of"}:
                continue
            base = {word: value for word, value in situation.known.items() if word not in terms} | changes
            again = Situation(NOW, "phone", situation.scores, base | glossary.tell(base))
            assert first_that_fails(one.offer, again) is None, (one.offer.id, changes)
            assert all(situation.known.get(change.word) == change.now for change in one.stop.flip.changes)
            flipped += 1
    assert flipped >= 3 * len(members)


def test_nearly_every_offer_that_rules_stop_has_a_flip(members: list[Member]) -> None:
    decider = Decider.of(playbook())
    stopped = [
        one.stop
        for member in members
        for one in decider.policy.arbitrate(asked(member, "phone", {}), Ledger(), 3, decider.stated).withheld
        if one.stop.layer in RULES
    ]
    assert sum(stop.flip is None for stop in stopped) <= 0.02 * len(stopped)


def test_what_stops_an_offer_does_not_depend_on_what_was_asked_before(members: list[Member]) -> None:
    used, told = Decider.of(playbook()), set[str]()
    for pet in (None, True, 1, 1.0, "dog", 0.0, -0.0):
        for member in members[:3]:
            situation = asked(member, "phone", {} if pet is None else {"pet": pet})
            fresh = stops_of(Decider.of(playbook()), situation)
            assert stops_of(used, situation) == fresh
            told.add(repr(fresh))
    assert len(told) == 3 * 7


def stops_of(decider: Decider, situation: Situation) -> list[str]:
    withheld = decider.policy.arbitrate(situation, Ledger(), 3, decider.stated).withheld
    stops = [(one.offer.id, one.stop) for one in withheld]
    return [
        repr((offer, stop.layer, stop.sentence, stop.unknown, stop.flip and stop.flip.changes)) for offer, stop in stops
    ]
