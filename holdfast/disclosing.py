"""`holdfast export-person`: everything that is held of one person, for themselves."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from features.consent import PROFILING, objects
from features.durable import write_whole
from features.errors import InputError, RegistryError
from features.history import History
from features.home import Home
from features.naming import Names
from features.packed import pack
from holdfast.places import glossary_of, opened, scorer_of
from holdfast.screen import AsJson, near, out, say_json, spinner

if TYPE_CHECKING:
    from serving.scores import Scores

FORMAT = "holdfast person 1"


def export_person(
    reference: Annotated[str, typer.Argument(help="Any reference of the person.", metavar="REF")],
    to: Annotated[Path, typer.Option("--out", help="The JSON file to write; a summary in words goes beside it.")],
    replace: Annotated[bool, typer.Option("--replace", help="Replace files that are there.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write everything that is held of a person into one file, and what it comes to in words into another.

    References, links, every version of every event, consents, decisions with their reasons, contacts, what came of
    offers, and today's scores with what they rest on. References that were once linked are listed, not followed.

    Example: holdfast export-person household:1574 --out person.json
    """
    from serving.callers import find_caller

    summary = _summary_of(to, replace)
    with opened() as (place, history, clock), spinner("Collecting"):
        as_of = clock()
        caller = find_caller(history, reference, as_of, glossary_of(place).region)
        person = history.erasures.person(caller.reference)
        held = history.erasures.held(Names(person.references))
        found = {
            "format": FORMAT,
            "as_of": as_of.isoformat(),
            "references": sorted(person.references),
            "once_linked": sorted(person.once),
            "held": held,
            "consents": consents(held["events"]),
            "today": _today(place, history, person.references, as_of),
        }
    _write(to, json.dumps(found, indent=2, ensure_ascii=False))
    _write(summary, "\n".join(in_words(found)) + "\n")
    counts = {name: len(rows) for name, rows in held.items()}
    if as_json:
        say_json({"file": str(to), "summary": str(summary), "rows": counts})
    else:
        told = ", ".join(f"{count:,} {name}" for name, count in counts.items())
        out.print(f"{told}: {near(to)}, and in words {near(summary)}", soft_wrap=True)


def _summary_of(to: Path, replace: bool) -> Path:
    """Name the file of the summary, and see that neither it nor the other takes the place of anything."""
    summary = to.with_suffix(".md")
    if to.suffix.lower() == ".md":
        raise InputError(f"expected --out as a JSON file, beside which the summary is {summary.name}; found {to}")
    for path in (to, summary):
        if path.exists() and not replace:
            raise InputError(f"expected a new file, found {path}; name another, or add --replace")
    return summary


def consents(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """List the wishes that stand: of each purpose and channel the newest."""
    standing = [one for one in events if one["kind"] == "consent" and one["superseded_at"] is None]
    newest: dict[tuple[str, str], dict[str, Any]] = {}
    for one in sorted(standing, key=lambda one: (one["occurred_at"], -one["quantity"])):
        newest[one["product"], one["channel"]] = one
    return [
        {
            "purpose": purpose or "every purpose",
            "channel": channel,
            "yes": one["quantity"] > 0,
            "since": one["occurred_at"],
        }
        for (purpose, channel), one in sorted(newest.items())
    ]


def _today(place: Home, history: History, references: frozenset[str], as_of: datetime) -> dict[str, Any]:
    """Score the person now; where no bundle serves, say so."""
    events = pack(history.of_customer(references, as_of), as_of)
    try:
        scorer = scorer_of(place)
    except RegistryError as error:
        return {"scores": None, "why": str(error)}
    scores, row = scorer.score(events, as_of)
    return {
        "scores": _scores(scores),
        "bundle": scorer.bundle_version,
        "profiling": "objected" if objects(events) else "as the playbook allows",
        "features": row.as_dict(),
    }


def _scores(scores: "Scores") -> dict[str, Any]:
    names = ("churn_risk", "churn_rank", "expected_value", "value_low", "value_high", "value_rank", "tier", "note")
    reasons = [*scores.churn_reasons, *scores.value_reasons]
    return {name: getattr(scores, name) for name in names} | {
        "next_purchases": [{"item": one.item, "probability": one.probability} for one in scores.next_purchases],
        "rests_on": [dict(one.sentence) for one in reasons],
    }


def _write(path: Path, text: str) -> None:
    """Write a file whole, for its owner alone."""
    if not path.absolute().parent.is_dir():
        raise InputError(f"expected --out in a folder that is there, found {path}")
    write_whole(path, text)


def in_words(found: Mapping[str, Any]) -> Iterator[str]:
    """Say what is held, a line each, as Markdown."""
    held, today = found["held"], found["today"]
    yield f"# What is held of {', '.join(found['references'])}"
    yield f"\nAs of {found['as_of'][:19]} UTC. All rows are in the file beside this one.\n"
    if found["once_linked"]:
        yield f"- Once linked with, and no longer: {', '.join(found['once_linked'])}; those are not in here."
    yield from (f"- {name}: {len(rows):,} rows" for name, rows in held.items())
    yield "\n## Events, by kind and source\n"
    counts = Counter((one["kind"], one["source"]) for one in held["events"])
    yield from (f"- {kind} from {source}: {count:,}" for (kind, source), count in sorted(counts.items()))
    yield "\n## Consents\n"
    yield from _consents(found["consents"])
    yield "\n## Decisions\n"
    yield from (_decision(one) for one in held["decisions"])
    yield "\n## Scores today\n"
    yield from _scored(today)


def _consents(told: list[dict[str, Any]]) -> Iterator[str]:
    if not told:
        yield "- Nothing was said: the playbook's contact.toml says what holds then."
    for one in told:
        what = (
            "being profiled" if one["purpose"] == PROFILING else f"contact for {one['purpose']} over {one['channel']}"
        )
        yield f"- {'Yes' if one['yes'] else 'No'} to {what}, since {one['since'][:10]}"


def _decision(one: Mapping[str, Any]) -> str:
    body = one["body"]
    offers = ", ".join(
        f"{offer['offer']} ({'; '.join(map(_said, offer.get('reasons', ())))})" for offer in body["offers"]
    )
    return f"- {body['as_of'][:19]} over {body['channel']}: {offers or 'nothing was offered'}"


def _said(reason: Any) -> str:
    return str(reason.get("sentence", reason)) if isinstance(reason, Mapping) else str(reason)


def _scored(today: Mapping[str, Any]) -> Iterator[str]:
    scores = today["scores"]
    if scores is None:
        yield f"- None: {today['why']}"
        return
    risk, value = (scores[name] for name in ("churn_risk", "expected_value"))
    said = [f"tier {scores['tier']}"]
    said += [] if risk is None else [f"risk of leaving {risk:.0%}"]
    said += [] if value is None else [f"expected value {value:,.2f}"]
    yield f"- {', '.join(said)}"
    if scores["note"]:
        yield f"- {scores['note']}"
    yield from dict.fromkeys(f"- Rests on: {one['en']}" for one in scores["rests_on"])
