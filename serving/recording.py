"""From a request to interactions that can be written down; everything is checked before anything is."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from features.decisions import Settlement, told_in
from features.errors import InputError
from features.events import Interaction, event_id
from features.identity import Reference
from features.responses import Offered, report_id
from serving.reasons import ReasonCodes
from serving.requests import LADDER, Happening, Report

TOLERANCE = timedelta(minutes=5)
_SHOWN_FAULTS = 10
EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)


def outcome_of(decision: Mapping[str, Any], report: Report, now: datetime, reasons: ReasonCodes) -> Interaction:
    """Turn a report on an offer of a decision into an interaction; the same report always gets the same id.

    Raises InputError when the offer isn't the decision's, the reason code isn't the playbook's, or the report can't be
    true.
    """
    if report.reason_code is not None:
        reasons.get(report.reason_code)
    known = sorted(one["offer"] for one in told_in(decision))
    if report.offer not in known:
        raise InputError(
            f"expected an offer of decision {report.decision_id}: {', '.join(known)}; found {report.offer!r}"
        )
    if report.status not in LADDER:
        raise InputError(f"expected status to be one of {', '.join(LADDER)}; found {report.status!r}")
    body = {"decision_id": report.decision_id, "reason": report.reason_code, "who": report.who}
    return Interaction(
        id=report_id(report.decision_id, report.offer, report.status),
        source="outcome",
        source_reference=report.decision_id,
        reference=Reference.of(decision["reference"]),
        kind="void" if report.withdrawn else f"offer_{report.status}",
        occurred_at=_reached(decision["as_of"], report.occurred_at, now),
        recorded_at=now,
        channel=decision["channel"],
        product=report.offer,
        body={name: value for name, value in body.items() if value is not None},
    )


def told_of(
    outcome: Interaction, report: Report, reasons: ReasonCodes, known: Callable[[str], datetime | None]
) -> list[Interaction]:
    """Add to an outcome the sort of reason that it tells, as an event that features count.

    A reason that was told before and no longer is gets withdrawn; `known` tells when an event occurred, None for one
    that nobody told.
    """
    if report.status != "declined":
        return [outcome]
    of_reason = event_id("reason", report.decision_id, report.offer, report.status)
    told = report.reason_code is not None and not report.withdrawn
    if not told and known(of_reason) is None:
        return [outcome]
    sort = reasons.get(report.reason_code).sort if report.reason_code and told else ""
    return [outcome, replace(outcome, id=of_reason, kind="reason" if told else "void", product=sort)]


def interaction_of(happening: Happening, reference: Reference, now: datetime) -> Interaction:
    """Turn what another system tells into an interaction; the source's own event id makes it idempotent.

    Raises InputError when it can't be taken.
    """
    if happening.kind == "tier":
        raise InputError(
            "expected an interaction that somebody tells, found a tier of record: holdfast score sets those"
        )
    if happening.kind == "reason":
        raise InputError("expected the reason of an outcome as its reason_code at /v1/outcomes, found it by itself")
    if happening.kind.startswith("offer_"):
        raise InputError(
            f"expected the outcome of an offer at /v1/outcomes, found an interaction of kind {happening.kind}"
        )
    _check_signs(happening)
    occurred_at = _possible("occurred_at", happening.occurred_at, now)
    recorded_at = _possible("recorded_at", happening.recorded_at or now, now)
    if recorded_at < occurred_at - TOLERANCE:
        raise InputError(
            f"expected recorded_at not before occurred_at ({occurred_at.isoformat()}), found {recorded_at.isoformat()}"
        )
    return Interaction(
        id=event_id("interaction", happening.source, happening.event_id),
        source=happening.source,
        source_reference=happening.event_id,
        reference=reference,
        kind=happening.kind,
        occurred_at=occurred_at,
        recorded_at=recorded_at,
        channel=happening.channel,
        product=happening.product,
        place=happening.place,
        quantity=happening.quantity,
        amount=happening.amount,
        margin=happening.margin,
        discount=happening.discount,
        body=happening.body,
    )


def _check_signs(happening: Happening) -> None:
    if happening.kind == "return" and max(happening.amount, happening.quantity) > 0:
        found = f"{happening.amount:g} and {happening.quantity:g}"
        raise InputError(f"expected amount and quantity of a return below 0, or 0; found {found}")
    if happening.kind == "purchase" and min(happening.amount, happening.quantity) < 0:
        found = f"{happening.amount:g} and {happening.quantity:g}"
        raise InputError(
            f"expected amount and quantity of a purchase of 0 or more, found {found}; send a return instead"
        )
    if happening.kind == "consent" and happening.quantity not in (0.0, 1.0):
        raise InputError(f"expected quantity of a consent to be 1 (yes) or 0 (no), found {happening.quantity:g}")
    if happening.kind == "attribute" and not happening.product:
        raise InputError("expected the attribute's name as product, found none")


def _reached(decided: str, told: datetime | None, now: datetime) -> datetime:
    """Tell when a step was reached: as told, else now; a clock that was set back since the decision is behind it."""
    made_at = datetime.fromisoformat(decided)
    if told is None:
        return max(made_at, now)
    moment = _possible("occurred_at", told, now)
    if moment < made_at - TOLERANCE:
        raise InputError(f"expected occurred_at not before the decision ({decided}), found {moment.isoformat()}")
    return moment


def _possible(name: str, moment: datetime, now: datetime) -> datetime:
    if not EARLIEST <= moment <= now + TOLERANCE:
        latest = f"at most 5 minutes after {now.isoformat(timespec='seconds')}"
        raise InputError(f"expected {name} from 1900 on and {latest}, found {moment.isoformat()}")
    return moment


def settlement_of(decision: Mapping[str, Any], report: Report, now: datetime) -> Settlement:
    """Say what a report settles: which offer, and the contact that was held for it."""
    contact = next((one["contact"] for one in decision["offers"] if one["offer"] == report.offer), None)
    breakdown = next(one["breakdown"] for one in told_in(decision) if one["offer"] == report.offer)
    offered = Offered(report.decision_id, report.offer, breakdown["stated_propensity"] if breakdown else 0.0)
    return Settlement(contact, decision["customer"], offered, now, timed=report.occurred_at is not None)


def listed(faults: Sequence[str], count: int) -> str:
    """Say what is wrong with some of many interactions: the first of it, and how much more there is."""
    shown = "; ".join(faults[:_SHOWN_FAULTS])
    more = f"; and {len(faults) - _SHOWN_FAULTS} more" if len(faults) > _SHOWN_FAULTS else ""
    return f"expected {count} good interactions, found {len(faults)} bad, so none was written: {shown}{more}"
