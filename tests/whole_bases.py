"""A base decided one by one and all at once, with pasts, wishes and contacts drawn for everybody."""

from dataclasses import replace
from typing import Any

import numpy as np

from features.clock import DAY, microseconds
from features.decisions import HELD, Contact, Ledger
from features.known import Known
from features.responses import Responses
from features.wordings import wordings_of
from models.effects import Effects
from serving.audience import Audience
from serving.crowd import Crowd, crowd_of
from serving.encounters import Encounters
from serving.learned import Learned
from serving.offers import Offer
from serving.playbook import Playbook
from serving.policy import Policy
from serving.question import Question
from serving.scorer import Chunk, Scorer
from serving.situation import Past, Wish
from serving.whole_base import Decisions, WholeBase

_CHANNELS = ("phone", "email", "app", "other")
_STATUSES = ("presented", "interested", "accepted", "declined", "fulfilled", "returned", "not_presented")


def drawn(customers: int, offers: tuple[Offer, ...], now: int, seed: int) -> Encounters:
    """Draw what went before with half of some customers."""
    random = np.random.default_rng(seed)
    pasts, wishes, contacts = [], [], []
    for place in np.flatnonzero(random.random(customers) < 0.5).tolist():
        for _ in range(int(random.integers(0, 4))):
            offer, moment = offers[int(random.integers(len(offers)))], now - int(random.integers(1, 60 * DAY))
            status = str(random.choice(_STATUSES))
            pasts.append((place, Past(offer.id, status, "phone", moment, str(random.choice(["no_data", "price"])))))
        if random.random() < 0.3:
            said = str(random.choice(["", "marketing", "service"])), str(random.choice(_CHANNELS))
            wishes.append((place, Wish(*said, bool(random.random() < 0.5), now - int(random.integers(1, DAY)))))
        for number in range(int(random.integers(0, 5))):
            offer, minutes = offers[int(random.integers(len(offers)))], int(random.integers(1, 80 if number else 20000))
            contacts.append((place, Contact(
                f"{place}/{number}", "d", "r", offer.id, offer.kind, offer.group, offer.owner,
                str(random.choice(_CHANNELS)), "top", HELD, now - minutes * 60_000_000,
            )))  # fmt: skip
    pasts.sort(key=lambda one: one[1].occurred_at)
    return Encounters(tuple(pasts), tuple(wishes), tuple(contacts))


def differing(
    scorer: Scorer, known: Known, chunk: Chunk, playbook: Playbook, question: Question, encounters: Encounters,
    spent: dict[str, int], learned: Learned | None = None,
) -> list[Any]:  # fmt: skip
    """Decide a chunk both ways and list every difference: what is chosen, runs up, is stopped by what, and worth."""
    policy = Policy(playbook.offers, playbook.glossary, playbook.contact)
    learned = learned or Learned(policy.offers, playbook.experiment, Effects(), Responses())
    crowd = crowd_of(chunk, scorer.default, wordings_of(known), playbook.offers)
    many = WholeBase(playbook, learned, spent).decide(crowd, encounters, question)
    found = []
    members = Audience(scorer, playbook.glossary).of_chunk(chunk, wordings_of(known))
    for place, member in enumerate(members):
        situation = replace(
            member.asked(question.as_of, question.channel, question.context, playbook.glossary),
            past=tuple(one for at, one in encounters.pasts if at == place),
            wishes=tuple(one for at, one in encounters.wishes if at == place),
        )
        ledger = Ledger(0, tuple(one for at, one in encounters.contacts if at == place), spent)
        ruling = policy.arbitrate(situation, ledger, question.offers, learned)
        one = {
            "chosen": [(each.offer.id, float(ruling.breakdown(each).priority)) for each in ruling.chosen],
            "runners_up": {(each.offer.id, float(ruling.breakdown(each).priority)) for each in ruling.runners_up},
            "withheld": {each.offer.id: (each.stop.layer, each.stop.rule) for each in ruling.withheld},
        }
        if one != (told := told_of(many, place)):
            found.append((member.customer, one, told))
    return found


def told_of(many: Decisions, place: int) -> dict[str, Any]:
    """What was decided for one customer of many, as a ruling says it."""
    chosen = [at for at in many.chosen[place].tolist() if at >= 0]
    free = [at for at in range(len(many.offers)) if not many.stops[place, at] and at not in chosen]
    return {
        "chosen": [(many.offers[at].id, float(many.priority[place, at])) for at in chosen],
        "runners_up": {(many.offers[at].id, float(many.priority[place, at])) for at in free},
        "withheld": {
            one.id: many.names[many.stops[place, at]] for at, one in enumerate(many.offers) if many.stops[place, at]
        },
    }


def encountered(crowd: Crowd, playbook: Playbook, question: Question, seed: int) -> Encounters:
    """Draw what went before with a crowd."""
    return drawn(len(crowd), playbook.offers, microseconds(question.as_of), seed)
