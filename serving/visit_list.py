"""A list of service visits, checked whole and put in order: what each is worth, and when it is gone to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from features.errors import InputError
from serving.callers import Caller
from serving.playbook import Playbook
from serving.recording import EARLIEST, TOLERANCE
from serving.requests import Shift, Visit
from serving.routes import routed
from serving.scores import Scores
from serving.visit_policy import VisitPolicy
from serving.visits import Planned, Valued, in_order, scheduled, value

MOST_VISITS, _MOST_AHEAD = 1_000, timedelta(days=365)


@dataclass(frozen=True, slots=True)
class Seen:
    """What a visit's order rests on; `found` is None where nobody could be looked up."""

    caller: Caller
    found: bool | None
    scores: Scores


def check(visits: Sequence[Visit], shift: Shift, now: datetime) -> None:
    """Check a list before anybody is looked up.

    Raises InputError.
    """
    if not 1 <= len(visits) <= MOST_VISITS:
        raise InputError(f"expected 1 to {MOST_VISITS:,} visits, found {len(visits):,}")
    _check_visits(visits, now)
    _check_start(shift.start_at, now)
    _check_travel(shift, len(visits))


def plan(
    visits: Sequence[Visit], seen: Mapping[str, Seen | InputError], shift: Shift, playbook: Playbook, as_of: datetime
) -> list[Planned]:  # fmt: skip
    """Order visits to the customers `seen`, and plan them where the shift says how.

    Raises InputError that names the visit whose customer can't be found.
    """
    return _placed(_valued(visits, seen, playbook, as_of), shift, playbook.visits, as_of)


def _valued(
    visits: Sequence[Visit], seen: Mapping[str, Seen | InputError], playbook: Playbook, as_of: datetime
) -> list[Valued]:
    policy, assumptions = playbook.visits, playbook.glossary.assumptions
    valued: list[Valued] = []
    for place, visit in enumerate(visits):
        one = seen[visit.customer]
        try:
            if isinstance(one, InputError):
                raise one
            valued.append(value(visit, one.caller.customer, one.found, one.scores, policy, assumptions, as_of))
        except InputError as error:
            raise InputError(f"visits[{place}]: {error}") from error
    return valued


def _placed(valued: Sequence[Valued], shift: Shift, policy: VisitPolicy, as_of: datetime) -> list[Planned]:
    ordered, start = in_order(valued, as_of), shift.start_at or as_of
    if shift.travel_minutes is not None:
        row = {one.visit.visit_id: number for number, one in enumerate(valued, start=1)}
        places = [row[one.visit.visit_id] for one in ordered]
        minutes = shift.minutes_available
        return routed(ordered, shift.travel_minutes, places, start, shift.engineers, minutes, policy)
    if shift.start_at is not None:
        return scheduled(ordered, start, shift.engineers)
    return [Planned(one) for one in ordered]


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


def _check_start(start: datetime | None, now: datetime) -> None:
    latest = now + _MOST_AHEAD
    if start is not None and not EARLIEST <= start <= latest:
        found = f"found {start.isoformat()}"
        raise InputError(f"expected start_at from 1900 to {latest.isoformat(timespec='seconds')}, {found}")


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
