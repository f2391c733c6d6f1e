"""What a playbook that holds together may still get wrong: found by reading it, and by trying it on the base."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import islice, product
from operator import itemgetter
from typing import Any

from features.consent import PROFILING
from features.decisions import Ledger
from features.events import CHANNELS
from features.expressions import Expression
from features.retention import Retention, too_short
from serving.audience import Member
from serving.contradictions import contradiction
from serving.decision import Decider
from serving.flips import Flipper
from serving.offers import Offer
from serving.playbook import Playbook

SHOWN_TO_AN_AGENT = 3
_MOST_CONTEXTS = 12
_OF_VALUE = ("value.", "churn.")


@dataclass(frozen=True, slots=True)
class Finding:
    """Something to mend (an error), or to know (a warning): where, and what was found."""

    severity: str
    place: str
    found: str


def findings(playbook: Playbook, today: date) -> Iterator[Finding]:
    """Read a playbook for what can't be meant."""
    flipper = Flipper(playbook.glossary)
    for offer in playbook.offers:
        place = f"offers.toml, offer {offer.id}"
        yield from (Finding("error", place, found) for found in _contradictions(offer, flipper))
        yield from (Finding("error", place, found) for found in _owed(offer, flipper))
        yield from (Finding("warning", place, found) for found in _over(offer, today))
        if offer.kind != "product" and not offer.owed and not offer.prior.accept * offer.prior.churn_reduction:
            yield Finding("warning", place, "keeps nobody: prior_accept or prior_churn_reduction is 0")
    yield from _fenced_out(playbook)
    yield from unasked(playbook)
    yield from (
        Finding("warning", f"contact.toml, cap {cap.id}", "lets nothing through: most is 0")
        for cap in playbook.contact.caps
        if not cap.most
    )


def kept_too_briefly(retention: Retention, playbook: Playbook) -> Iterator[Finding]:
    """Say what of what is told goes before caps, suppressions or features are done with it, or before it should."""
    contact = playbook.contact
    needed = {"contacts": contact.longest_days}
    for rule in contact.suppressions:
        needed |= {f"offer_{one}": max(needed.get(f"offer_{one}", 0), rule.days) for one in rule.after}
    for kind, days in retention.days.items():
        place = f"privacy.toml, {kind}"
        if days < needed.get(kind, 0):
            yield Finding("error", place, f"kept {days} days, yet contact.toml counts back {needed[kind]:g}")
        # Of wishes the newest is kept.
        if kind in ("tier", "attribute"):
            yield Finding(
                "warning", place, "what holds until something else is told goes, as if it had never been said"
            )
    yield from (Finding("warning", f"privacy.toml, {kind}", found) for kind, found in too_short(retention))


def unasked(playbook: Playbook) -> Iterator[Finding]:
    """Say which purposes no offer has, and which can't be a conversation's."""
    used = {offer.purpose for offer in playbook.offers}
    for name in playbook.contact.purposes:
        place = f"contact.toml, purposes, {name}"
        if name == PROFILING:
            found = "is a wish of its own: no offer may need it, and a no to it always counts"
            yield Finding("error", place, found)
        elif name not in used:
            yield Finding("warning", place, "no offer has this purpose, so nobody is ever asked for it")


def owed_by_value(playbook: Playbook) -> Iterator[str]:
    """Say where something that is owed asks what a customer is worth, or whether they leave."""
    flipper = Flipper(playbook.glossary)
    return (f"{offer.id}: {found}" for offer in playbook.offers for found in _owed(offer, flipper))


def _contradictions(offer: Offer, flipper: Flipper) -> Iterator[str]:
    rules = [rule.when for rule in offer.asked]
    if found := contradiction(rules, flipper, {"offer.kind": offer.kind}):
        yield f"its rules can't all hold, so nobody ever gets it: {' and '.join(repr(rule.text) for rule in found)}"


def _owed(offer: Offer, flipper: Flipper) -> Iterator[str]:
    """What is owed is owed to everybody: its rules mustn't ask what a customer is worth, or whether they leave."""
    for rule in (rule.when for rule in offer.asked) if offer.owed else ():
        asked = [word for word in flipper.plain(rule).words if word.startswith(_OF_VALUE)]
        if asked:
            yield f"it is owed, yet {rule.text!r} asks for {', '.join(asked)}"


def _over(offer: Offer, today: date) -> Iterator[str]:
    if offer.valid_until is not None and offer.valid_until < today:
        yield f"it ended on {offer.valid_until}"
    lever = offer.lever
    if lever.expires is not None and lever.expires < today:
        yield f"its lever of {lever.value:g} expired on {lever.expires} and counts no more: {lever.reason}"


def _fenced_out(playbook: Playbook) -> Iterator[Finding]:
    attention = playbook.contact.attention
    if attention is None:
        return
    owners = dict.fromkeys(offer.owner for offer in playbook.offers if not offer.owed)
    for owner in owners:
        if not attention.budgets.get(owner):
            tiers = ", ".join(attention.tiers)
            yield Finding(
                "warning", "contact.toml, attention", f"{owner!r} has no budget for customers of tier {tiers}"
            )


@dataclass
class Trial:
    """How an offer fared on the base: who may get it, whom it would be shown to, and for whom it came first.

    Counts are customers, over the channel that is best for it.
    """

    offer: str
    passes: int = 0
    pays: int = 0
    shown: int = 0
    first: int = 0
    stops: Counter[str] = field(default_factory=Counter)


def tried(decider: Decider, members: Iterable[Member], as_of: datetime, customers: int) -> list[Trial]:
    """Try every offer on some customers of the base, over each channel and in each conversation that rules speak of.

    Nobody is taken to have been approached before, so the contact policy stops nothing.
    """
    playbook = decider.playbook
    trials = {offer.id: Trial(offer.id) for offer in playbook.offers}
    channels = [channel for channel in CHANNELS if any(channel in offer.channels for offer in playbook.offers)]
    asked = [(channel, context) for channel in channels for context in contexts(playbook)]
    for member in islice(members, customers):
        best: dict[str, tuple[int, str]] = {}
        for channel, context in asked:
            _try(decider, member, as_of, channel, context, best)
        for offer, (reached, stop) in best.items():
            _count(trials[offer], reached, stop)
    return list(trials.values())


def _try(
    decider: Decider, member: Member, as_of: datetime, channel: str, context: Mapping[str, Any],
    best: dict[str, tuple[int, str]],
) -> None:  # fmt: skip
    """Note how far each offer gets with a customer over a channel.

    -1: not offered over it, 0: stopped, 1: passes, 2: pays, 3: is shown, 4: first.
    """
    glossary = decider.playbook.glossary
    situation, said = member.asked(as_of, channel, context, glossary), itemgetter(glossary.languages[0])
    ruling = decider.policy.arbitrate(situation, Ledger(), SHOWN_TO_AN_AGENT, decider.stated)
    reached = [(one.offer.id, 4 if rank == 0 else 3, "") for rank, one in enumerate(ruling.chosen)]
    reached += [(one.offer.id, 2, "") for one in ruling.runners_up]
    reached += [
        (one.offer.id, int(one.row is not None) - (channel not in one.offer.channels), said(one.stop.sentence))
        for one in ruling.withheld
    ]
    for offer, how_far, stop in reached:
        best[offer] = max(best.get(offer, (how_far, stop)), (how_far, stop), key=lambda one: one[0])


def _count(trial: Trial, reached: int, stop: str) -> None:
    trial.passes += reached >= 1
    trial.pays += reached >= 2
    trial.shown += reached >= 3
    trial.first += reached >= 4
    if stop:
        trial.stops[stop] += 1


def contexts(playbook: Playbook) -> list[dict[str, Any]]:
    """List the conversations that rules speak of: nothing said, and each word of the context at each of its values."""
    flipper = Flipper(playbook.glossary)
    domains = flipper.domains(_asked(playbook.offers), {})
    said = {word: values for word, values in domains.items() if word.startswith("context.")}
    found: list[dict[str, Any]] = [{}]
    for word, values in said.items():
        found += [{word.removeprefix("context."): value} for value in values if value is not None]
    together = [dict(zip(said, values, strict=True)) for values in product(*said.values())] if len(said) > 1 else []
    found += [{word.removeprefix("context."): value for word, value in one.items()} for one in together]
    return found[:_MOST_CONTEXTS]


def _asked(offers: Sequence[Offer]) -> list[Expression]:
    rules = [rule.when for offer in offers for rule in offer.asked]
    return rules + [weight.when for offer in offers for weight in offer.context_weights]


def on_base(trials: Iterable[Trial], customers: int) -> Iterator[Finding]:
    """Say which offers nobody of the base can get, and which never win."""
    for trial in trials:
        place = f"offers.toml, offer {trial.offer}"
        if not trial.passes:
            why, count = trial.stops.most_common(1)[0] if trial.stops else ("", 0)
            yield Finding("warning", place, f"nobody of {customers:,} customers can get it; {count:,} times: {why}")
        elif not trial.shown:
            paid = f"it pays for {trial.pays:,}" if trial.pays else "it pays for nobody"
            yield Finding(
                "warning", place, f"never among the first {SHOWN_TO_AN_AGENT} for any of {customers:,}; {paid}"
            )
