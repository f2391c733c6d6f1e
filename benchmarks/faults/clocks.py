"""A clock that steps backwards, by seconds and by days, under desks that decide and are told outcomes."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.faults.audit import audit
from benchmarks.faults.callers import CHANNELS, STATUSES, Journal
from benchmarks.faults.found import Found
from benchmarks.faults.kills import PEOPLE
from benchmarks.faults.served import Place, customers_of
from features.clock import Steady
from features.errors import HoldfastError
from serving.body import as_text
from serving.desk import Desk
from serving.opening import open_desk
from serving.requests import Ask, Report

_BEGIN = datetime(2026, 3, 1, 12, tzinfo=UTC)
# Forwards mostly, by minutes; and one time in four back, by anything from a second to a month.
_BACK = (1, 60, 299, 301, 3_600, 7_200, 86_400, 7 * 86_400, 30 * 86_400)


def clocks(place: Place, folder: Path, steps: int = 2_000) -> Found:
    """Decide and tell outcomes at two desks of one store while their clock steps forwards and back."""
    copied, dice = place.copied(folder / "clocks"), random.Random(11)
    desks = [open_desk(copied.home, copied.bundle) for _ in range(2)]
    customers, journal, now, back = customers_of(copied)[:PEOPLE], Journal(), _BEGIN, 0
    waiting: list[Report] = []
    wall = [_BEGIN]
    for desk in desks:
        desk.clock = Steady(desk.history.newest, lambda: wall[0])
    for _ in range(steps):
        backwards = dice.random() < 0.25
        back += backwards
        now += timedelta(seconds=-dice.choice(_BACK) if backwards else dice.expovariate(1 / 3_600))
        desk = dice.choice(desks)
        wall[0] = now
        try:
            _one(desk, customers, dice, journal, waiting)
        except HoldfastError as error:
            journal.wrong.append(str(error))
    caps = desks[0].playbook.contact.caps
    for desk in desks:
        desk.history.close()
    found = audit(copied.home.database_url, journal, caps)
    return Found(
        fault="clock stepping backwards, 1 s to 30 days", caused=back, answered=journal.answered, lost=found.lost,
        double=found.double, overshot=found.overshot, wrong=found.torn + len(journal.wrong),
        note="; ".join(journal.wrong[:2]),
    )  # fmt: skip


def _one(
    desk: Desk, customers: Sequence[str], dice: random.Random, journal: Journal, waiting: list[Report]
) -> None:  # fmt: skip
    """Tell what came of earlier offers, and decide about somebody; outbound in quiet hours nothing may be offered."""
    while waiting and dice.random() < 0.7:
        report = waiting.pop()
        desk.outcome(report)
        journal.outcomes.add((report.decision_id, report.offer, report.status))
    outbound = dice.random() < 0.3
    customer, channel = dice.choice(customers), dice.choice(CHANNELS)
    body = desk.decide(Ask(customer=customer, channel=channel, outbound=outbound))
    journal.decisions[body["decision_id"]] = as_text(body)
    quiet = desk.playbook.contact.quiet
    local = desk.playbook.contact.local(datetime.fromisoformat(body["as_of"]), None)
    if quiet and outbound and channel in quiet.channels and quiet.holds(local.hour + local.minute / 60):
        journal.wrong += [f"{one['offer']} at {local:%H:%M}" for one in body["offers"]]
    waiting += [
        Report(decision_id=body["decision_id"], offer=one["offer"], status=dice.choice(STATUSES))
        for one in body["offers"]
    ]
