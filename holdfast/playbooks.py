"""`holdfast playbook`: whether the business's words hold together, and what they mean for the base of today."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from features.definitions import NAMES
from features.errors import RegistryError
from features.home import home
from features.known import Known
from features.retention import load_retention
from holdfast.places import opened, scorer_of
from holdfast.screen import AsJson, bars, out, say_json, table

if TYPE_CHECKING:
    from serving.playbook import Playbook
    from serving.scorer import Scorer

app = typer.Typer(
    help="""Check the playbook, and see what its terms mean for the base of today.

    Example: holdfast playbook check
    """,
    no_args_is_help=True,
)
Folder = Annotated[Path | None, typer.Option("--playbook", help="A playbook's folder; this home's by default.")]


@app.command()
def check(
    folder: Folder = None,
    customers: Annotated[int, typer.Option(min=1, help="Try the offers on so many customers of the base.")] = 300,
    as_json: AsJson = False,
) -> None:
    """Look for words that don't hold together, rules that contradict each other, and offers that never come.

    Words are checked as the service does. Where there is a history and a champion, every offer is tried on customers,
    over each channel and in each conversation that rules speak of. The status is 1 when something must be mended.

    Example: holdfast playbook check --playbook drafts/spring
    """
    from serving.decision import Decider
    from serving.lint import findings, kept_too_briefly, on_base, tried

    playbook = playbook_of(folder)
    with based() as (scorer, known, as_of), bars() as tick:
        found = [
            *findings(playbook, as_of.date()),
            *kept_too_briefly(load_retention(folder or home().playbook), playbook),
        ]
        trials, tested = [], 0
        if scorer is not None and known is not None:
            some = counted(members_of(scorer, playbook, known), customers, tick)
            trials = tried(Decider.of(playbook), some, as_of, customers)
            tested = min(customers, known.events["customer"].n_unique())
            found += on_base(trials, tested)
    if as_json:
        say_json(
            {
                "playbook": playbook.hash,
                "findings": [{"severity": one.severity, "place": one.place, "found": one.found} for one in found],
                "customers": tested,
                "offers": [vars(one) | {"stops": dict(one.stops)} for one in trials],
            }
        )
    else:
        _show_check(playbook, found, trials, tested)
    if any(one.severity == "error" for one in found):
        raise typer.Exit(1)


@app.command()
def terms(folder: Folder = None, as_json: AsJson = False) -> None:
    """Count for every term of the glossary the customers of whom it holds, and what they are worth.

    The same evaluator tells the terms here, in a decision and in holdfast score.

    Example: holdfast playbook terms
    """
    playbook = playbook_of(folder)
    with champion_base() as (scorer, known, as_of), bars() as tick:
        members = list(counted(members_of(scorer, playbook, known), None, tick))
    rows = [_counts(playbook, term.name, members) for term in playbook.glossary.terms]
    if as_json:
        say_json({"glossary": playbook.glossary.hash, "as_of": as_of.isoformat(), "terms": rows})
        return
    columns = ("term", "holds of", "share", "unknown of", "expected value", "mean risk")
    lines = [
        (
            row["term"], f"{row['customers']:,}", f"{row['share']:.1%}", f"{row['unknown']:,}",
            f"{row['expected_value']:,.0f}", "–" if row["churn_risk"] is None else f"{row['churn_risk']:.1%}",
        )
        for row in rows
    ]  # fmt: skip
    out.print(table(f"{len(members):,} customers as of {as_of.isoformat()[:19]}", columns, lines))


@contextmanager
def champion_base() -> "Iterator[tuple[Scorer, Known, datetime]]":
    """Open the base of now and the champion's scorer.

    Raises RegistryError where there is no history, or no champion.
    """
    with based() as (scorer, known, as_of):
        if scorer is None or known is None:
            raise RegistryError("expected a champion to score the base with, found none; train one: holdfast train")
        yield scorer, known, as_of


@contextmanager
def based() -> "Iterator[tuple[Scorer | None, Known | None, datetime]]":
    """Open the base of now and the champion's scorer; both are None where there is no history, or no champion."""
    with opened() as (place, history, clock):
        as_of = clock()
        if history.newest() is None:
            yield None, None, as_of
            return
        try:
            scorer = scorer_of(place)
        except RegistryError:
            yield None, None, as_of
            return
        yield scorer, history.known_by(as_of), as_of


def playbook_of(folder: Path | None) -> "Playbook":
    """Read the playbook in a folder, or this home's."""
    from serving.playbook import load_playbook

    return load_playbook(folder or home().playbook, NAMES)


def members_of(scorer: "Scorer", playbook: "Playbook", known: Known) -> Iterator[Any]:
    """Go through everybody in a playbook's words."""
    from serving.audience import Audience

    return Audience(scorer, playbook.glossary).members(known)


def counted(members: Iterator[Any], most: int | None, tick: Any) -> Iterator[Any]:
    """Go through members under a bar; at most so many, if that is given."""
    for done, member in enumerate(members, start=1):
        if most is not None and done > most:
            return
        yield member
        tick("Customers", done, most)


def _counts(playbook: "Playbook", term: str, members: list[Any]) -> dict[str, Any]:
    holding = [one.scores for one in members if one.known[term]]
    risks = [one.churn_risk for one in holding if one.churn_risk is not None]
    return {
        "term": term,
        "hash": next(one.hash for one in playbook.glossary.terms if one.name == term),
        "customers": len(holding),
        "share": len(holding) / len(members) if members else 0.0,
        "unknown": sum(one.known[term] is None for one in members),
        "expected_value": sum(one.expected_value or 0.0 for one in holding),
        "churn_risk": sum(risks) / len(risks) if risks else None,
    }


def _show_check(playbook: "Playbook", found: list[Any], trials: list[Any], tested: int) -> None:
    words = f"{len(playbook.glossary.terms)} terms, {len(playbook.offers)} offers, {len(playbook.contact.caps)} caps"
    out.print(f"The words hold together: {words}, {len(playbook.reasons.codes)} reason codes.")
    if trials:
        rows = [_line(one) for one in sorted(trials, key=lambda one: (-one.shown, one.offer))]
        columns = ("offer", "passes", "pays", "shown", "first")
        out.print(table(f"Tried on {tested:,} customers, each over its best channel", columns, rows))
    else:
        out.print("There is no history with a champion here, so no offer was tried on customers.")
    for one in found:
        colour = "red" if one.severity == "error" else "yellow"
        out.print(f"[{colour}]{one.severity}[/] {one.place}: {one.found}", soft_wrap=True)
    if not found:
        out.print("[green]Nothing to mend.[/]")


def _line(trial: Any) -> tuple[str, ...]:
    return trial.offer, *(f"{getattr(trial, name):,}" for name in ("passes", "pays", "shown", "first"))
