"""The one use case: somebody talks to a customer, asks what to offer, and tells what came of it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from datetime import UTC, datetime
from functools import partial
from typing import Any, Protocol
from uuid import UUID

from features.cache import CustomerCache
from features.clock import Clock, from_microseconds
from features.contract import FeatureRow
from features.deadline import Deadline
from features.errors import ErasedCustomer, InputError
from features.events import CHANNELS
from features.history import History, State
from features.identity import Reference
from features.ids import ordered_id
from features.packed import CustomerEvents, pack
from features.responses import Responses
from models.basis import Basis
from models.effects import Effects
from serving import metrics
from serving.body import Kept
from serving.callers import Caller, find_caller, find_callers, find_reference
from serving.decision import Bundle, Decided, Decider, Known, unscored
from serving.degradation import MODEL, SERVICE, STORE, UNKEPT, UNKEPT_TOLD, Degraded, told_of_lack
from serving.learned import STATED, Learned
from serving.logs import log
from serving.playbook import Playbook
from serving.recording import EARLIEST, TOLERANCE, interaction_of, listed, outcome_of, settlement_of, told_of
from serving.requests import Arrival, Ask, Happening, Report, Shift, Visit
from serving.routing import words_of, written_route
from serving.scores import Scores
from serving.tiers import record_of
from serving.visit_list import Seen, check, plan
from serving.visits import written

# Tells what is known of whoever a text names, at a moment, with the models or while they are away.
Look = Callable[[str, datetime, Degraded | None], Known]
# Tells the same of many at once, or what is wrong with a text, and what is lacking.
LookAtMany = Callable[[Iterable[str]], tuple[Mapping[str, Seen | InputError], Degraded | None]]
MOST_INTERACTIONS, MOST_OFFERS = 10_000, 20


class Taught(Protocol):
    """What the desk asks of a bundle: what stands beside its scores, and what offers were measured to change."""

    @property
    def basis(self) -> Basis: ...  # noqa: D102
    @property
    def effects(self) -> Effects: ...  # noqa: D102
    @property
    def grade(self) -> str: ...  # noqa: D102


class Scoring(Protocol):
    """What the desk asks of a scorer."""

    @property
    def bundle(self) -> Taught: ...  # noqa: D102
    @property
    def bundle_hash(self) -> str: ...  # noqa: D102
    @property
    def bundle_version(self) -> str: ...  # noqa: D102
    @property
    def default(self) -> Scores: ...  # noqa: D102
    def score(  # noqa: D102
        self, events: CustomerEvents, as_of: datetime, whole: bool = True
    ) -> tuple[Scores, FeatureRow]: ...
    def score_many(self, customers: Sequence[CustomerEvents], as_of: datetime) -> list[Scores]: ...  # noqa: D102


class Desk:
    """Answers whoever is talking to a customer, and writes down what was decided and what happened.

    `clock` tells the moment of each request; `new_id` names each decision.
    """

    def __init__(
        self,
        history: History,
        scorer: Scoring,
        playbook: Playbook,
        clock: Clock,
        new_id: Callable[[], UUID] = ordered_id,
    ) -> None:
        self.history = history
        self._customers = CustomerCache(history)
        self.scorer = scorer
        self.playbook = playbook
        self.decider, self._erasures = Decider.of(playbook), history.state_of(()).erasures
        self.clock = clock
        self._new_id = new_id
        self._counted = Responses(), self.decider.learned(scorer.bundle.effects, Responses())

    def by(self, scorer: Scoring) -> "Desk":
        """Make a desk that decides by another bundle, and shares all else with this one."""
        desk = copy(self)
        desk.scorer = scorer
        desk._counted = Responses(), self.decider.learned(scorer.bundle.effects, Responses())
        return desk

    @property
    def cache(self) -> CustomerCache:
        """The customers kept in memory."""
        return self._customers

    def decide(self, ask: Ask, deadline: Deadline | None = None, away: Degraded | None = None) -> dict[str, Any]:
        """Decide what to offer; when this returns, the decision is on disk.

        While the models are `away`, or fail, only what the customer is owed is offered.

        Raises InputError when the question can't be answered, StoreError when the answer can't be kept, GivenUp when
        it came too late.
        """
        language, deadline = self.checked(ask), deadline or Deadline()
        deadline.enter(STORE, "lookup")
        with self.history.at_hand():
            as_of, decision_id = self.clock(), f"d-{self._new_id()}"
            known = self._known(ask.customer, as_of, away, deadline)
            decider, learned = self._believing(known)
            if not known.caller.known:
                self.history.check_erased(ask.customer.strip())
        window = decider.policy.approach.window(as_of, known.scores.tier)
        deadline.enter(STORE, "ledger")
        with self.history.decisions.making(known.caller.references, window, deadline) as making:
            deadline.enter(SERVICE, "decide")
            made = decider.decide(decision_id, ask, language, known, self.spoken(), making.ledger, learned)
            deadline.enter(STORE, "write")
            body = Kept(made.body)
            making.write(decision_id, known.caller.customer, as_of, body.text, made.held)
        metrics.decided(body, len(made.held), deadline.stages())
        return body

    def consider(self, ask: Ask, as_of: datetime, decision_id: str) -> Decided:
        """Make the decision of a moment without writing it down, or holding anything."""
        language, known = self.checked(ask), self._known(ask.customer, as_of)
        decider, learned = self._believing(known)
        window = decider.policy.approach.window(as_of, known.scores.tier)
        ledger = self.history.decisions.ledger(known.caller.references, window)
        return decider.decide(decision_id, ask, language, known, self.spoken(), ledger, learned)

    def learned(self) -> Learned:
        """Tell what is believed of the offers, with every outcome that is known by now."""
        return self._outcomes()[1]

    def _outcomes(self) -> tuple[Responses, Learned]:
        held, learned = self._counted
        responses = self.history.decisions.responses(held)
        if responses is not held:
            learned = self.decider.learned(self.scorer.bundle.effects, responses)
            self._counted = responses, learned
        return responses, learned

    def _believing(self, known: Known) -> tuple[Decider, Learned]:
        """Say who decides, and by what is believed of the offers that are decided about."""
        responses, learned = self._outcomes()
        if known.degraded is None:
            return self.decider, learned
        decider = self.decider.of_owed
        return decider, decider.learned(self.scorer.bundle.effects, responses)

    def outcome(self, report: Report, deadline: Deadline | None = None) -> dict[str, Any]:
        """Write down what became of an offer, and settle the contact that was held for it.

        A report that is known already changes nothing; one that says something else is a correction, and one that is
        withdrawn takes the step back. When it happened counts as told only where the report tells it.
        """
        (deadline := deadline or Deadline()).enter(STORE)
        if report.decision_id.startswith(UNKEPT):
            raise InputError(UNKEPT_TOLD.format(report.decision_id))
        decision = self.history.decisions.get(report.decision_id)
        if decision is None:
            raise InputError(f"expected the id of a decision, found {_missing(self.history, report.decision_id)}")
        now = self.clock()
        interaction = outcome_of(decision, report, now, self.playbook.reasons)
        if report.withdrawn and self.history.occurred_at(interaction.id) is None:
            raise InputError(f"expected a report of {report.status} to withdraw, found that nobody told one")
        settlement = settlement_of(decision, report, now)
        told = told_of(interaction, report, self.playbook.reasons, self.history.occurred_at)
        written, contact = self.history.report(told, now, settlement, deadline)
        if written.new + written.corrected:
            metrics.outcome(report.status, contact)
        return {
            "decision_id": report.decision_id,
            "offer": report.offer,
            "status": report.status,
            "event_id": interaction.id,
            "recorded": bool(written.new + written.corrected),
            "note": "corrected" if written.corrected else None if written.new else "already known",
            "contact": contact,
        }

    def interactions(self, happenings: Sequence[Happening], deadline: Deadline | None = None) -> dict[str, Any]:
        """Write down what other systems tell, all of it or none.

        What is known already changes nothing; what says something else under a known id is a correction.
        """
        if not 1 <= len(happenings) <= MOST_INTERACTIONS:
            raise InputError(f"expected 1 to {MOST_INTERACTIONS:,} interactions, found {len(happenings):,}")
        (deadline := deadline or Deadline()).enter(STORE)
        now = self.clock()
        taken, faults, erased = [], [], 0
        named: dict[str, Reference] = {}
        for place, happening in enumerate(happenings):
            try:
                name = happening.customer
                named[name] = named.get(name) or find_reference(self.history, name, self.playbook.glossary.region)
                taken.append(interaction_of(happening, named[name], now))
            except ErasedCustomer:
                erased += 1
            except InputError as error:
                faults.append(f"[{place}] {error}")
        if faults:
            raise InputError(listed(faults, len(happenings)))
        written = self.history.append(taken, now, deadline)
        metrics.told(written.new, written.corrected, written.known)
        return {
            "received": len(happenings),
            "recorded": written.new,
            "corrected": written.corrected,
            "already_known": written.known,
            "erased": written.erased + erased,
        }

    def lookup(self, customer: str, deadline: Deadline | None = None) -> dict[str, Any]:
        """Tell who is meant by an id or a reference, and how much is known of them."""
        (deadline or Deadline()).enter(STORE)
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

    def route(
        self, arrival: Arrival, deadline: Deadline | None = None, away: Degraded | None = None
    ) -> dict[str, Any]:  # fmt: skip
        """Say which queue a contact goes to, and before whom it is served."""
        (deadline := deadline or Deadline()).enter(STORE)
        as_of = self.clock()
        return self.routed(arrival, as_of, partial(self._known, deadline=deadline, whole=False), away)

    def routed(self, arrival: Arrival, as_of: datetime, look: Look, away: Degraded | None) -> dict[str, Any]:
        """Route a contact of whom `look` tells what is known."""
        language, routing = self._language(arrival.language), self.playbook.routing
        intent = routing.intent(arrival.intent)
        _check_channel(arrival.channel)
        since = arrival.waiting_since or as_of
        if not EARLIEST <= since <= as_of + TOLERANCE:
            latest = f"at most 5 minutes after {as_of.isoformat(timespec='seconds')}"
            raise InputError(f"expected waiting_since from 1900 on and {latest}, found {since.isoformat()}")
        # In UTC, so that `serve_after` sorts as a text, too; a clock that runs ahead gains nothing by it.
        since, known = min(since, as_of).astimezone(UTC), look(arrival.customer, as_of, away)
        ask = Ask(customer=arrival.customer, channel=arrival.channel, context=arrival.context)
        stands_in = known.found is False or known.scores.note is not None
        words = words_of(self.decider.situation(ask, known).known, stands_in, self.playbook.glossary)
        route = routing.route(words, intent, since)
        return {
            "customer": known.caller.customer,
            "found": known.found,
            "degraded": told_of_lack(known.degraded, language),
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
        self, visits: Sequence[Visit], shift: Shift | None = None, language: str | None = None,
        deadline: Deadline | None = None, away: Degraded | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        """Order service visits by safety, what was promised and what waiting costs; plan them where a shift says so."""
        (deadline := deadline or Deadline()).enter(STORE)
        as_of = self.clock()
        look = partial(self._seen, as_of=as_of, away=away, deadline=deadline)
        return self.prioritised(visits, shift or Shift(), language, as_of, look)

    def prioritised(
        self, visits: Sequence[Visit], shift: Shift, language: str | None, as_of: datetime, look: LookAtMany
    ) -> dict[str, Any]:  # fmt: skip
        """Order visits to customers of whom `look` tells what is known, and what is lacking."""
        language = self._language(language)
        check(visits, shift, as_of)
        currency = self.playbook.glossary.currency
        seen, away = look(dict.fromkeys(visit.customer for visit in visits))
        planned = plan(visits, seen, shift, self.playbook, as_of)
        return {
            "as_of": as_of.isoformat(),
            "degraded": told_of_lack(away, language),
            "language": language,
            "currency": currency,
            "bundle": {"version": self.scorer.bundle_version, "hash": self.scorer.bundle_hash},
            "playbook": self.playbook.hash,
            "effects": STATED,
            "basis": self.scorer.bundle.basis.as_dict(),
            "visits": [written(place, one, language, currency) for place, one in enumerate(planned, start=1)],
        }

    def spoken(self) -> Bundle:
        """Say which models speak."""
        return Bundle(self.scorer.bundle_version, self.scorer.bundle_hash, self.scorer.bundle.basis)

    def checked(self, ask: Ask) -> str:
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

    def _known(
        self, customer: str, as_of: datetime, away: Degraded | None = None, deadline: Deadline | None = None,
        whole: bool = True,
    ) -> Known:  # fmt: skip
        deadline = deadline or Deadline()
        caller = find_caller(self.history, customer, as_of, self.playbook.glossary.region)
        deadline.enter(STORE, "history")
        events, state = pack([], as_of), State(0, 0)
        if caller.known:
            events, state = self._customers.record(caller.references, as_of)
            self._forget(state.erasures)
        if away is None:
            deadline.enter(MODEL, "scores")
            try:
                scores, row = self.scorer.score(events, as_of, whole)
                return Known(caller, events, row, scores, state)
            except Exception as error:
                log("model_failed", "warning", error)
                away = Degraded(MODEL, "error", as_of)
            finally:
                deadline.enter(STORE)
        return unscored(self.scorer.default, caller, events, state, as_of, away)

    def _forget(self, erasures: int) -> None:
        """Begin the rules anew once rows were taken out of the store: they keep what they told, and of which values."""
        if erasures > self._erasures:
            self.decider, self._erasures = Decider.of(self.playbook), erasures

    def _seen(
        self, names: Iterable[str], as_of: datetime, away: Degraded | None, deadline: Deadline
    ) -> tuple[dict[str, Seen | InputError], Degraded | None]:
        """Look many customers up at once, and score them."""
        with self.history.at_hand():
            callers = find_callers(self.history, names, as_of, self.playbook.glossary.region)
            found = [one for one in callers.values() if isinstance(one, Caller)]
            known = iter(self._customers.many([one.references for one in found if one.known], as_of))
            packed = [next(known) if one.known else pack([], as_of) for one in found]
        scored, away = self._scored(packed, as_of, away, deadline)
        scores = {one.reference: each for one, each in zip(found, scored, strict=True)}
        seen = {
            name: one if isinstance(one, InputError) else Seen(one, one.known, scores[one.reference])
            for name, one in callers.items()
        }
        return seen, away

    def _scored(
        self, packed: Sequence[CustomerEvents], as_of: datetime, away: Degraded | None, deadline: Deadline
    ) -> tuple[list[Scores], Degraded | None]:
        """Score customers by one measure: all by the models, or none."""
        if away is None:
            deadline.enter(MODEL)
            try:
                return self.scorer.score_many(packed, as_of), None
            except Exception as error:
                log("model_failed", "warning", error)
                away = Degraded(MODEL, "error", as_of)
            finally:
                deadline.enter(STORE)
        return [self.scorer.default.unknown(record_of(events)) for events in packed], away


def _missing(history: History, decision_id: str) -> str:
    """Say why a decision isn't there."""
    at = history.decisions.erased_at(decision_id)
    return f"{decision_id!r}, which {'nobody made' if at is None else 'was erased with its customer'}"


def _check_channel(channel: str) -> None:
    if channel not in CHANNELS:
        raise InputError(f"expected channel to be one of {', '.join(CHANNELS)}; found {channel!r}")
