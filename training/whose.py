"""Whose data a bundle was learned from: how many customers, from where, of which days, and who is left out."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from features.clock import from_microseconds
from features.consent import objectors, profiled
from features.known import Known
from training.markdown import table

Told = tuple[str, str, int, int, int]


def origin_of(told: Iterable[Told], rights: Mapping[str, str], erased_at: datetime | None) -> dict[str, Any]:
    """Say where events came from, for a manifest.

    `told` has, of each source and kind, the number of events and the first and last moment they occurred, in
    microseconds; `rights` says of a source what its data may be used for. `erased_at` is when somebody was erased last.
    """
    sources: dict[str, dict[str, Any]] = {}
    kinds: dict[str, int] = {}
    for source, kind, events, first, last in told:
        kinds[kind] = kinds.get(kind, 0) + events
        days = sources.setdefault(source, {"events": 0, "first": first, "last": last})
        days["events"] += events
        days["first"], days["last"] = min(days["first"], first), max(days["last"], last)
    for name, one in sources.items():
        one |= {end: from_microseconds(one[end]).date().isoformat() for end in ("first", "last")}
        one["rights"] = rights.get(name, "")
    return {"sources": sources, "kinds": kinds, "erased_at": erased_at.isoformat() if erased_at else None}


def learned_from(known: Known) -> tuple[Known, dict[str, int]]:
    """Leave out who asked not to be profiled, and count them beside everybody."""
    counts = {"customers": known.events["customer"].n_unique(), "objecting": len(objectors(known))}
    return profiled(known), counts


def whose(data: Mapping[str, Any]) -> Iterator[str]:
    """Write the card's words on whose data it is; no customer is named."""
    objecting, everybody = data["objecting"], data["customers"]
    yield (
        f"Of {everybody:,} customers with a history, {objecting:,} ({100 * objecting / max(everybody, 1):.1f} %) asked"
        " not to be profiled; nothing was learned from them."
    )
    if "sources" not in data:
        return
    rows = [
        (name, f"{one['events']:,}", f"{one['first']} to {one['last']}", one["rights"] or "nothing said")
        for name, one in data["sources"].items()
    ]
    yield table(("source", "events", "days", "may be used for"), rows, texts=4)
    counts = sorted(data["kinds"].items(), key=lambda kind: -kind[1])
    yield f"Events by kind: {', '.join(f'{kind} {count:,}' for kind, count in counts)}."
    yield _erased(data["erased_at"])


def _erased(at: str | None) -> str:
    before = (
        "Nobody had been erased from the history"
        if at is None
        else f"Customers had been erased, the last on {at[:10]}: nothing was learned from them"
    )
    return f"{before}. Who is erased later is still in what was learned here, unnamed, until it is trained again."
