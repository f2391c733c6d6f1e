"""What is answered without the store or a model: nothing that a cap, a history or a score would have to allow.

A cap fails closed, so nothing that counts against one is offered; no customer is known, so nothing is offered whose
rules speak of one. What is left is what anybody is owed who asks. Nothing is held and nothing kept: such an answer is
no decision, and no outcome can be told of it.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

from features.contract import FeatureRow
from features.decisions import Ledger
from features.errors import InputError
from features.history import State
from features.packed import pack_all
from serving.callers import Caller, reference_of
from serving.decision import Known
from serving.degradation import UNKEPT, Degraded
from serving.desk import Desk, Look
from serving.experiment import POLICY
from serving.requests import Arrival, Ask, Shift, Visit
from serving.situation import UNKNOWN
from serving.visit_list import Seen


def decision(desk: Desk, ask: Ask, as_of: datetime, degraded: Degraded, number: object) -> dict[str, Any]:
    """Offer what anybody is owed who asks; `number` names the answer.

    Raises InputError when the question can't be answered.
    """
    language, known = desk.checked(ask), _unlooked(desk, degraded)(ask.customer, as_of, degraded)
    # Whose clock, and so whose quiet hours, isn't known: we don't begin a conversation.
    decider = desk.decider.of_nobody if ask.outbound else desk.decider.of_anybody
    decider = replace(decider, everyone=POLICY)
    return decider.decide(f"{UNKEPT}{number}", ask, language, known, desk.spoken(), Ledger(), decider.stated).body


def route(desk: Desk, arrival: Arrival, as_of: datetime, degraded: Degraded) -> dict[str, Any]:
    """Route a contact by what it is about alone: no head start for a value or a risk that nobody knows.

    Raises InputError when the contact can't be routed.
    """
    return desk.routed(arrival, as_of, _unlooked(desk, degraded), degraded)


def visits(
    desk: Desk, asked: list[Visit], shift: Shift, language: str | None, as_of: datetime, degraded: Degraded
) -> dict[str, Any]:
    """Order visits by their classes, and by what is promised; no routes are planned.

    Raises InputError when they can't be ordered.
    """
    unrouted = replace(shift, start_at=None if shift.travel_minutes else shift.start_at, travel_minutes=None)
    return desk.prioritised(asked, unrouted, language, as_of, partial(_unseen, desk, degraded))


def _unseen(desk: Desk, degraded: Degraded, names: Iterable[str]) -> tuple[dict[str, Seen | InputError], Degraded]:
    """Take many so, as `_unlooked` does one."""
    unknown, seen = desk.scorer.default.unknown(), dict[str, Seen | InputError]()
    for name in names:
        try:
            seen[name] = Seen(_stranger(desk, name), None, unknown)
        except InputError as error:
            seen[name] = error
    return seen, degraded


def _stranger(desk: Desk, text: str) -> Caller:
    reference = str(reference_of(text, desk.playbook.glossary.region))
    return Caller(reference, reference, False, (reference,))


def _unlooked(desk: Desk, degraded: Degraded) -> Look:
    """Take everybody for somebody of whom nothing is known but the reference that was asked by."""
    unknown, nothing = desk.scorer.default.unknown(), pack_all([])

    def look(customer: str, as_of: datetime, _away: Degraded | None) -> Known:
        return Known(_stranger(desk, customer), nothing, FeatureRow(as_of, UNKNOWN), unknown, State(0, 0), degraded)

    return look
