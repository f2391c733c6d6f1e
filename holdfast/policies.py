"""`holdfast policy`: what another playbook or bundle would have brought, told from the log."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from features.errors import InputError
from features.home import Home
from holdfast.lifting import came_of
from holdfast.places import opened
from holdfast.replaying import replayer_of
from holdfast.screen import AsJson, Tick, bars, out, say_json, table

if TYPE_CHECKING:
    from serving.replay import Replayer
    from training.decision_log import DecisionLog

app = typer.Typer(
    help="""Judge another policy by the decisions that chance made.

    Example: holdfast policy evaluate --playbook drafts/spring
    """,
    no_args_is_help=True,
)

# The training room takes seconds to import: the command does so when it runs.


@app.callback()
def policy() -> None:  # With a single command, Typer would leave its name out.
    """Judge another policy by the decisions that chance made."""


@app.command()
def evaluate(
    playbook: Annotated[Path | None, typer.Option(help="The playbook to judge, a folder.")] = None,
    bundle: Annotated[
        str | None, typer.Option(help="The version or alias to judge; what decided then if none.")
    ] = None,
    most: Annotated[int, typer.Option(min=1, help="The newest so many decisions, at most.")] = 20_000,
    seed: Annotated[int, typer.Option(help="The seed of folds and fits.")] = 7,
    as_json: AsJson = False,
) -> None:
    """Estimate what another playbook or bundle would have brought per decision, from decisions that chance made.

    Each is made again under it, and weighed by how much likelier its first offer then is (IPS, SNIPS, doubly robust).
    What rides along below the first offer is taken to change nothing. Nothing is estimated where the log says too
    little.

    Example: holdfast policy evaluate --playbook drafts/spring --bundle 3
    """
    from serving.experiment import POLICY
    from training.off_policy import evaluate as judge

    if playbook is None and bundle is None:
        raise InputError("expected --playbook or --bundle, or both, to judge; found neither")
    with opened() as (place, history, clock), bars() as tick:
        log, came, days = came_of(place, history, clock())
        chance = np.array([len(arms) > 1 for arms in log.arms], dtype=bool)
        places = np.flatnonzero(came.complete & chance)[-most:]
        which = np.zeros(len(log), dtype=bool)
        which[places] = True
        kept, rewards = log.only(which), came.profit[which]
        replayer = replayer_of(place, history, bundle, playbook, POLICY)
        others, gone = _others(replayer, kept, tick)
        found = judge(_logged(kept, others, rewards), seed)
        seen = _seen(place, bundle, kept)
    answer = {"horizon_days": days, "gone": gone, "doubts": seen, **found.as_dict()}
    if as_json:
        say_json(answer)
    else:
        _show(answer)


def _others(
    replayer: "Replayer", log: "DecisionLog", tick: Tick
) -> tuple[list[dict[str, float] | None], dict[str, int]]:  # fmt: skip
    """Make every decision again, and tell the probability of each first offer; None where an input is gone, and why."""
    others: list[dict[str, float] | None] = []
    gone: dict[str, int] = {}
    for done, name in enumerate(log.ids, start=1):
        made = replayer.replay(name)
        if made.body is None:
            gone[made.gone[0]] = gone.get(made.gone[0], 0) + 1
        arms = None if made.body is None else made.body["arms"]
        others.append(None if arms is None else {arm["offer"] or "": arm["probability"] for arm in arms})
        tick("Deciding again", done, len(log))
    return others, gone


def _logged(log: "DecisionLog", others: list[dict[str, float] | None], rewards: Any) -> Any:
    from training.off_policy import Logged

    made = np.array([other is not None for other in others], dtype=bool)
    kept = log.only(made)
    told = tuple(other for other in others if other is not None)
    return Logged(kept.rows, kept.actions, kept.probabilities, kept.arms, told, rewards[made], kept.customers)


def _seen(place: Home, bundle: str | None, log: "DecisionLog") -> list[str]:
    """Say whether the bundle has learned from decisions that it is judged by."""
    from features.clock import from_microseconds
    from models.manifest import manifest_of
    from serving.bundle import fetch

    if bundle is None or not len(log):
        return []
    learned = manifest_of(fetch(place, bundle)[0])["as_of"]
    if learned <= from_microseconds(int(log.as_of.min())).isoformat():
        return []
    return [f"{bundle} learned up to {learned[:10]}, so from decisions that it is judged by here: it is flattered"]


def _show(answer: dict[str, Any]) -> None:
    if not answer["decisions"] and not answer["gone"]:
        out.print(
            "No decision that chance made is a horizon old yet. Let some be drawn: random and exploration in"
            " learning.toml."
        )
        return
    out.print(
        f"{answer['decisions']:,} decisions by chance, of {answer['customers']:,} customers, each with the"
        f" {answer['horizon_days']} days after it; they brought {answer['logged']:,.2f} each. They are worth"
        f" {answer['effective']:,.0f} of the other policy's own; the largest weight is {answer['largest']:.1f}, and"
        f" {answer['unsupported']:.1%} of what it does was never served there.",
        soft_wrap=True,
    )
    for reason, count in answer["gone"].items():
        out.print(f"Left out: {count:,}, for want of {reason}.", soft_wrap=True)
    for doubt in answer["doubts"]:
        out.print(f"[yellow]{doubt}.[/]", soft_wrap=True)
    if answer["refusal"]:
        out.print(f"[yellow]It can't be said:[/] {answer['refusal']}.", soft_wrap=True)
        return
    rows = [
        (
            one["estimator"], f"{one['value']:,.2f}", f"{one['low']:,.2f} – {one['high']:,.2f}", f"{one['gain']:+,.2f}",
            f"{one['gain_low']:+,.2f} – {one['gain_high']:+,.2f}",
        )
        for one in answer["estimates"]
    ]  # fmt: skip
    columns = ("estimator", "profit a decision", "95 %", "gain over what was done", "95 %")
    out.print(table("What the other policy would have brought", columns, rows))
