"""The one use case: somebody talks to a customer, asks what to offer, and tells what came of it."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Protocol
from uuid import UUID, uuid4

import orjson

from features.cache import CustomerCache
from features.clock import Clock, from_microseconds
from features.contract import FeatureRow
from features.errors import InputError
from features.events import CHANNELS
from features.history import History, State
from features.identity import Reference
from features.packed import CustomerEvents, pack
from features.responses import Responses
from models.basis import Basis
from models.effects import Effects
from serving.callers import find_caller, find_reference
from serving.decision import Bundle, Decided, Decider, Known
from serving.learned import STATED, Learned
from serving.playbook import Playbook
from serving.recording import EARLIEST, TOLERANCE, interaction_of, outcome_of, settlement_of, told_of
from serving.requests import Arrival, Ask, Happening, Report, Shift, Visit
from serving.routes import routed
from serving.routing import words_of, written_route
from serving.scores import Scores
from serving.visits import Planned, Valued, in_order, scheduled, value, written

MOST_VISITS, MOST_INTERACTIONS, MOST_OFFERS = 1_000, 10_000, 20
_SHOWN_FAULTS = 10


class Taught(Protocol):
    """What the desk asks of a bundle: what stands beside its scores, and what offers were measured to change."""

    @property
    def basis(self) -> Basis: ...  # noqa: D102
    @property
    def effects(self) -> Effects: ...  # noqa: D102


class Scoring(Protocol):
    """What the desk asks of a scorer."""

    @property
    def bundle(self) -> Taught: ...  # noqa: D102
    @property
    def bundle_hash(self) -> str: ...  # noqa: D102
    @property
    def bundle_version(self) -> str: ...  # noqa: D102
    def score(  # noqa: D102
        self, events: CustomerEvents, as_of: datetime, whole: bool = True
    ) -> tuple[Scores, FeatureRow]: ...


class Desk:
    """Answers whoever is talking to a customer, and writes down what was decided and what happened.

    `clock` tells the moment of each request; `new_id` names each decision.
    """

    def __init__(
        self, history: History, scorer: Scoring, playbook: Playbook, clock: Clock, new_id: Callable[[], UUID] = uuid4
    ) -> None:
        self.history = history
        self._customers = CustomerCache(history)
        self.scorer = scorer
        self.playbook = playbook
        self.decider = Decider.of(playbook)
        self.clock = clock
        self._new_id = new_id
        self._counted = Responses(), self.decider.learned(scorer.bundle.effects, Responses())

    def decide(self, ask: Ask) -> dict[str, Any]:
        """Decide what to offer; when this returns, the decision is on disk.

        Raises InputError when the question can't be answered, StoreError when the answer can't be kept.
        """
        language = self._checked(ask)
        as_of, decision_id = self.clock(), f"d-{self._new_id()}"
        known = self._known(ask.customer, as_of)
        window = self.decider.policy.approach.window(as_of, known.scores.tier)
        learned = self.learned()
        with self.history.decisions.making(known.caller.references, window) as making:
            made = self.decider.decide(decision_id, ask, language, known, self._bundle(), making.ledger, learned)
            making.write(decision_id, known.caller.customer, as_of, as_text(made.body), made.held)
        return made.body

    def consider(self, ask: Ask, as_of: datetime, decision_id: str) -> Decided:
        """Make the decision of a moment without writing it down, or holding anything."""
        language, known = self._checked(ask), self._known(ask.customer, as_of)
        window = self.decider.policy.approach.window(as_of, known.scores.tier)
        ledger = self.history.decisions.ledger(known.caller.references, window)
        return self.decider.decide(decision_id, ask, language, known, self._bundle(), ledger, self.learned())

    def learned(self) -> Learned:
        """Tell what is believed of the offers, with every outcome that is known by now."""
        held, learned = self._counted
        responses = self.history.decisions.responses(held)
        if responses is not held:
            learned = self.decider.learned(self.scorer.bundle.effects, responses)
            self._counted = responses, learned
        return learned

    def outcome(self, report: Report) -> dict[str, Any]:
        """Write down what became of an offer, and settle the contact that was held for it.

        A report that is known already changes nothing; one that says something else is a correction, and one that is
        withdrawn takes the step back. When it happened counts as told only where the report tells it.
        """
        decision = self.history.decisions.get(report.decision_id)
        if decision is None:
            raise InputError(f"expected the id of a decision, found {report.decision_id!r}, which nobody made")
        now = self.clock()
        interaction = outcome_of(decision, report, now, self.playbook.reasons)
        before = self.history.occurred_at(interaction.id)
        if report.withdrawn and before is None:
            raise InputError(f"expected a report of {report.status} to withdraw, found that nobody told one")
        if report.occurred_at is None:
            interaction = replace(interaction, occurred_at=before or interaction.occurred_at)
        settlement = settlement_of(decision, report, now)
        told = told_of(interaction, report, self.playbook.reasons, self.history.occurred_at)
        written = self.history.append(told, now, settlement)
        return {
            "decision_id": report.decision_id,
            "offer": report.offer,
            "status": report.status,
            "event_id": interaction.id,
            "recorded": bool(written.new + written.corrected),
            "note": "corrected" if written.corrected else None if written.new else "already known",
            "contact": settlement.state if settlement.contact and written.new + written.corrected else None,
        }

    def interactions(self, happenings: Sequence[Happening]) -> dict[str, Any]:
        """Write down what other systems tell, all of it or none.

        What is known already changes nothing; what says something else under a known id is a correction.
        """
        if not 1 <= len(happenings) <= MOST_INTERACTIONS:
            raise InputError(f"expected 1 to {MOST_INTERACTIONS:,} interactions, found {len(happenings):,}")
        now = self.clock()
        taken, faults = [], []
        named: dict[str, Reference] = {}
        for place, happening in enumerate(happenings):
            try:
                name = happening.customer
                named[name] = named.get(name) or find_reference(self.history, name, self.playbook.glossary.region)
                taken.append(interaction_of(happening, named[name], now))
            except InputError as error:
                faults.append(f"[{place}] {error}")
        if faults:
            raise InputError(_faults(faults, len(happenings)))
        written = self.history.append(taken, now)
        return {
            "received": len(taken),
            "recorded": written.new,
            "corrected": written.corrected,
            "already_known": written.known,
        }

    def lookup(self, customer: str) -> dict[str, Any]:
        """Tell who is meant by an id or a reference, and how much is known of them."""
        as_of = self.clock()
        caller = find_caller(self.history, customer, as_of, self.playbook.glossary.region)
        events = self._customers.events(caller.references, as_of)
        newest = from_microseconds(int(events.occurred_at.max())).isoformat() if len(events) else None
        return {
            "query": customer,
            "found": caller.known,
            "customer": caller.customer,
            "reference": caller.reference,
            "references": list(caller.references),
            "events": len(events),
            "newest_event": newest,
            "as_of": as_of.isoformat(),
        }

    def route(self, arrival: Arrival) -> dict[str, Any]:
        """Say which queue a contact goes to, and before whom it is served."""
        language, routing = self._language(arrival.language), self.playbook.routing
        intent, as_of = routing.intent(arrival.intent), self.clock()
        _check_channel(arrival.channel)
        since = arrival.waiting_since or as_of
        if not EARLIEST <= since <= as_of + TOLERANCE:
            latest = f"at most 5 minutes after {as_of.isoformat(timespec='seconds')}"
            raise InputError(f"expected waiting_since from 1900 on and {latest}, found {since.isoformat()}")
        # In UTC, so that `serve_after` sorts as a text, too; a clock that runs ahead gains nothing by it.
        since = min(since, as_of).astimezone(UTC)
        known = self._known(arrival.customer, as_of, whole=False)
        ask = Ask(customer=arrival.customer, channel=arrival.channel, context=arrival.context)
        stands_in = not known.caller.known or known.scores.note is not None
        words = words_of(self.decider.situation(ask, known).known, stands_in, self.playbook.glossary)
        route = routing.route(words, intent, since)
        return {
            "customer": known.caller.customer,
            "found": known.caller.known,
            "as_of": as_of.isoformat(),
            "channel": arrival.channel,
            "intent": arrival.intent,
            **written_route(route, routing, language, as_of, since),
            "tier": known.scores.tier,
            "language": language,
            "bundle": {"version": self.scorer.bundle_version, "hash": self.scorer.bundle_hash},
            "playbook": self.playbook.hash,
            "basis": self.scorer.bundle.basis.as_dict(),
        }

    def prioritise(
        self, visits: Sequence[Visit], shift: Shift | None = None, language: str | None = None
    ) -> dict[str, Any]:
        """Order service visits by safety, what was promised and what waiting costs; plan them where a shift says so."""
        language, shift = self._language(language), shift or Shift()
        if not 1 <= len(visits) <= MOST_VISITS:
            raise InputError(f"expected 1 to {MOST_VISITS:,} visits, found {len(visits):,}")
        as_of, currency = self.clock(), self.playbook.glossary.currency
        _check_visits(visits, as_of)
        _check_travel(shift, len(visits))
        planned = self._planned(self._valued(visits, as_of), shift, as_of)
        return {
            "as_of": as_of.isoformat(),
            "language": language,
            "currency": currency,
            "bundle": {"version": self.scorer.bundle_version, "hash": self.scorer.bundle_hash},
            "playbook": self.playbook.hash,
            "effects": STATED,
            "basis": self.scorer.bundle.basis.as_dict(),
            "visits": [written(place, one, language, currency) for place, one in enumerate(planned, start=1)],
        }

    def _planned(self, valued: Sequence[Valued], shift: Shift, as_of: datetime) -> list[Planned]:
        ordered, start = in_order(valued, as_of), shift.start_at or as_of
        if shift.travel_minutes is not None:
            row = {one.visit.visit_id: number for number, one in enumerate(valued, start=1)}
            places = [row[one.visit.visit_id] for one in ordered]
            minutes, policy = shift.minutes_available, self.playbook.visits
            return routed(ordered, shift.travel_minutes, places, start, shift.engineers, minutes, policy)
        if shift.start_at is not None:
            return scheduled(ordered, start, shift.engineers)
        return [Planned(one) for one in ordered]

    def _bundle(self) -> Bundle:
        return Bundle(self.scorer.bundle_version, self.scorer.bundle_hash, self.scorer.bundle.basis)

    def _checked(self, ask: Ask) -> str:
        """Check a question, and choose the language of its answer."""
        _check_channel(ask.channel)
        if not 1 <= ask.offers <= MOST_OFFERS:
            raise InputError(f"expected offers from 1 to {MOST_OFFERS}, found {ask.offers}")
        return self._language(ask.language)

    def _language(self, wanted: str | None) -> str:
        known = self.playbook.glossary.languages
        if wanted is not None and wanted not in known:
            raise InputError(f"expected language to be one of {', '.join(known)}; found {wanted!r}")
        return wanted or known[0]

    def _known(self, customer: str, as_of: datetime, whole: bool = True) -> Known:
        caller = find_caller(self.history, customer, as_of, self.playbook.glossary.region)
        events, state = pack([], as_of), State(0, 0)
        if caller.known:
            events, state = self._customers.record(caller.references, as_of)
        scores, row = self.scorer.score(events, as_of, whole)
        return Known(caller, events, row, scores, state)

    def _valued(self, visits: Iterable[Visit], as_of: datetime) -> list[Valued]:
        valued: list[Valued] = []
        seen: dict[str, Known] = {}
        for place, visit in enumerate(visits):
            try:
                known = seen[visit.customer] = seen.get(visit.customer) or self._known(
                    visit.customer, as_of, whole=False
                )
            except InputError as error:
                raise InputError(f"visits[{place}]: {error}") from error
            caller, policy = known.caller, self.playbook.visits
            assumptions = self.playbook.glossary.assumptions
            try:
                valued.append(value(visit, caller.customer, caller.known, known.scores, policy, assumptions, as_of))
            except InputError as error:
                raise InputError(f"visits[{place}]: {error}") from error
        return valued


def as_text(body: dict[str, Any]) -> str:
    """Write an answer as JSON, in the one form that is both kept and sent."""
    return orjson.dumps(body).decode()


def _check_channel(channel: str) -> None:
    if channel not in CHANNELS:
        raise InputError(f"expected channel to be one of {', '.join(CHANNELS)}; found {channel!r}")


def _faults(faults: Sequence[str], count: int) -> str:
    shown = "; ".join(faults[:_SHOWN_FAULTS])
    more = f"; and {len(faults) - _SHOWN_FAULTS} more" if len(faults) > _SHOWN_FAULTS else ""
    return f"expected {count} good interactions, found {len(faults)} bad, so none was written: {shown}{more}"


def _check_visits(visits: Sequence[Visit], now: datetime) -> None:
    seen: dict[str, int] = {}
    for place, visit in enumerate(visits):
        if visit.visit_id in seen:
            found = f"visits[{seen[visit.visit_id]}] and visits[{place}] both have {visit.visit_id!r}"
            raise InputError(f"expected a visit_id of its own for every visit, found that {found}")
        seen[visit.visit_id] = place
        if visit.requested_at is not None and visit.requested_at > now + TOLERANCE:
            latest = f"at most 5 minutes after {now.isoformat(timespec='seconds')}"
            raise InputError(f"visits[{place}]: expected requested_at {latest}, found {visit.requested_at.isoformat()}")


def _check_travel(shift: Shift, visits: int) -> None:
    travel = shift.travel_minutes
    if travel is None:
        return
    if not (len(travel) == visits + 1 and all(len(row) == visits + 1 for row in travel)):
        size, shape = visits + 1, f"{len(travel)} rows of {', '.join(sorted({str(len(row)) for row in travel})) or 0}"
        raise InputError(
            f"expected travel_minutes with {size} rows of {size}, the depot first and then each visit; found {shape}"
        )
    for place, row in enumerate(travel):
        if row[place]:
            raise InputError(
                f"expected 0 minutes from a place to itself, found {row[place]:g} in travel_minutes[{place}]"
            )
