"""`holdfast replay`: make logged decisions again, or see what another bundle or playbook would have decided."""

import random
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from features.definitions import NAMES
from features.errors import InputError
from features.history import History
from features.home import Home
from holdfast.places import opened, scorer_of
from holdfast.screen import AsJson, bars, out, say_json, spinner, table

if TYPE_CHECKING:
    from serving.replay import Replayed, Replayer
    from serving.scorer import Scorer

_SHOWN = 12


def replay(
    decision: Annotated[str | None, typer.Argument(help="A decision's id.", metavar="[DECISION_ID]")] = None,
    sample: Annotated[int | None, typer.Option(min=1, help="Replay so many decisions, drawn at random.")] = None,
    seed: Annotated[int, typer.Option(help="The seed by which they are drawn.")] = 7,
    bundle: Annotated[str | None, typer.Option(help="Decide by this version or alias instead.")] = None,
    playbook: Annotated[Path | None, typer.Option(help="Decide by the playbook in this folder instead.")] = None,
    as_json: AsJson = False,
) -> None:
    """Make a logged decision again: the same answer bit for bit, or which of its inputs is gone.

    With --bundle or --playbook it is made by those instead, and what changes is shown. The status is 1 when a decision
    that was made by its own bundle and playbook comes out otherwise.

    Example: holdfast replay --sample 200

    Example: holdfast replay d-9e14e72d-0c2f-4ab5-9c79-eb7d186c81da --playbook drafts/spring
    """
    if (decision is None) == (sample is None):
        raise InputError(
            "expected the id of a decision, or --sample with a number; found " + ("both" if sample else "neither")
        )
    with opened() as (place, history, _):
        with spinner("Loading what decides"):
            replayer = replayer_of(place, history, bundle, playbook)
        asked = [decision] if decision else drawn(history, sample or 0, seed)
        with bars() as tick:
            replayed = []
            for done, one in enumerate(asked, start=1):
                replayed.append(replayer.replay(one))
                tick("Deciding again", done, len(asked))
    anew = bundle is not None or playbook is not None
    if as_json:
        say_json([as_dict(one) for one in replayed])
    elif not replayed:
        out.print("No decision has been made yet: ask for one, with holdfast decide CUSTOMER.")
    elif decision:
        show(replayed[0], anew)
    else:
        _summarise(replayed, anew)
    if not anew and any(one.body is not None and not one.same for one in replayed):
        raise typer.Exit(1)


def drawn(history: History, sample: int, seed: int) -> list[str]:
    """Draw decisions at random by a seed."""
    ids = history.decisions.ids()
    return random.Random(seed).sample(ids, min(sample, len(ids)))


def replayer_of(
    place: Home, history: History, bundle: str | None, playbook: Path | None, everyone: str | None = None
) -> "Replayer":  # fmt: skip
    """Make what decides again, by another bundle or playbook if one is given.

    `everyone` puts all customers into one group; by default each is in their own.
    """
    from serving.decision import Decider
    from serving.kept_playbooks import deciders
    from serving.playbook import load_playbook
    from serving.replay import Replayer

    scorer = None if bundle is None else scorer_of(place, bundle)
    decider = None if playbook is None else Decider.of(load_playbook(playbook, NAMES), everyone)
    return Replayer(history, scorers(place), deciders(history, everyone), scorer, decider)


def scorers(place: Home) -> "Callable[[str], Scorer | None]":
    """Find scorers by their bundle's hash; each is loaded once."""
    from models.bundle import load
    from serving.bundle import fetch_by_hash
    from serving.scorer import Scorer

    @cache
    def find(bundle_hash: str) -> Scorer | None:
        found = fetch_by_hash(place, bundle_hash)
        return None if found is None else Scorer(load(*found))

    return find


def as_dict(one: "Replayed") -> dict[str, Any]:
    """A replay for JSON."""
    return {
        "decision_id": one.decision,
        "same": one.same,
        "gone": list(one.gone),
        "differences": [{"place": place, "then": then, "now": now} for place, then, now in one.differences],
        "body": one.body,
    }


def show(one: "Replayed", anew: bool) -> None:
    """Print what became of one decision."""
    if one.gone:
        out.print(f"{one.decision} can't be made again. Gone is {'; and '.join(one.gone)}.", soft_wrap=True)
        return
    if one.same:
        out.print(f"[green]{one.decision} comes out the same, to the last letter.[/]", soft_wrap=True)
        return
    assert one.body is not None
    then, now = offers_of(one.logged), offers_of(one.body)
    out.print(f"Then: {', '.join(then) or 'silence'}\nNow:  {', '.join(now) or 'silence'}", soft_wrap=True)
    rows = [(place, _short(before), _short(after)) for place, before, after in one.differences[:_SHOWN]]
    if not anew:
        out.print(f"[red]{one.decision} comes out otherwise.[/]", soft_wrap=True)
    out.print(table("What changes", ("place", "then", "now"), rows))
    if len(one.differences) > _SHOWN:
        out.print(f"and {len(one.differences) - _SHOWN:,} more; --json has all")


def offers_of(body: Mapping[str, Any]) -> list[str]:
    """The offers of a decision, by id."""
    return [one["offer"] for one in body["offers"]]


def _summarise(replayed: "list[Replayed]", anew: bool) -> None:
    made = [one for one in replayed if one.body is not None]
    gone: dict[str, int] = {}
    for one in replayed:
        for what in one.gone:
            gone[what] = gone.get(what, 0) + 1
    if anew:
        moved = sum(offers_of(one.logged) != offers_of(one.body or {}) for one in made)
        out.print(f"Of {len(made):,} decisions, {moved:,} would have made other offers.")
        _compare(made)
    else:
        differing = [one for one in made if not one.same]
        colour = "red" if differing else "green"
        out.print(f"[{colour}]Made again: {len(made):,} decisions, {len(differing):,} differ.[/]")
        for one in differing[:3]:
            out.print(f"For example {one.decision}: {', '.join(place for place, _, _ in one.differences[:5])}")
    for what, count in gone.items():
        out.print(f"{count:,} can't be made again. Gone is {what}.", soft_wrap=True)


def _compare(made: "list[Replayed]") -> None:
    counts: dict[str, list[int]] = {}
    for one in made:
        for side, body in enumerate((one.logged, one.body or {})):
            for offer in offers_of(body):
                counts.setdefault(offer, [0, 0])[side] += 1
    rows = [(offer, f"{then:,}", f"{now:,}") for offer, (then, now) in sorted(counts.items())]
    out.print(table("How often each offer is made", ("offer", "then", "now"), rows))


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 40 else f"{text[:39]}…"
