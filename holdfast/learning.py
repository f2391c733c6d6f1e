"""`holdfast train`, `evaluate` and `promote`: a bundle is made, judged, and put in charge."""

import tempfile
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from features.errors import RegistryError
from features.glossary import Glossary
from features.history import History
from features.home import Home
from holdfast.places import glossary_of, moment_or_now, opened
from holdfast.screen import AsJson, Tick, bars, err, leaderboard, out, say_json, spinner

# The training room and MLflow take seconds to import: each command does so when it runs.


def train(
    as_of: Annotated[str | None, typer.Option(help="Learn only from what was known by this moment.")] = None,
    seed: Annotated[int, typer.Option(help="The seed of everything random.")] = 7,
    threads: Annotated[int, typer.Option(min=1, help="How many threads to fit with.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Train churn, value and next purchase on the history, judge them, and register them as one bundle.

    The bundle becomes the champion when there is none, or when its grade is no worse than the champion's.

    Example: holdfast train --as-of 2017-12-31
    """
    with opened() as (place, history, clock), bars() as tick:
        made = make_bundle(place, history, moment_or_now(as_of, clock), seed, threads, tick)
    if as_json:
        say_json(made)
    else:
        show(made)


def make_bundle(place: Home, history: History, as_of: datetime, seed: int, threads: int, tick: Tick) -> dict[str, Any]:
    """Train, register, and promote if the grade allows; returns what `train --json` prints."""
    from training.boosting import Fit
    from training.pipeline import train as fit_all
    from training.registry import promote as put_in_charge
    from training.registry import register

    tick("Reading the history", 0, 1)
    known = history.known_by(as_of)
    tick("Reading the history", 1, 1)
    trained = fit_all(known, plan_of(glossary_of(place)), Fit(seed, threads), tick)
    tick("Registering in MLflow", 0, 1)
    with tempfile.TemporaryDirectory() as folder:
        bundle_hash = trained.write(Path(folder))
        board = _markdown(trained.manifest["figures"])
        version = register(place, Path(folder), trained.manifest, bundle_hash, trained.figures, trained.pictures, board)
    try:
        put_in_charge(place, version)
        promoted, why = True, "no worse than the champion before it"
    except RegistryError as error:
        promoted, why = False, str(error)
    tick("Registering in MLflow", 1, 1)
    return {"version": version, "bundle": bundle_hash, "promoted": promoted, "why": why, **trained.manifest}


def plan_of(glossary: Glossary) -> Any:
    """Take from the glossary what the business decides of a training."""
    from training.pipeline import Plan

    return Plan(
        glossary.horizon_days,
        glossary.active_days,
        tuple(glossary.tiers.items()),
        glossary.next_level,
        glossary.currency,
        glossary.hash,
    )


def show(made: dict[str, Any]) -> None:
    """Print a training's result as a person reads it."""
    horizon = made["horizon"]
    out.print(leaderboard(made["figures"]))
    out.print(
        f"Version {made['version']}, grade [bold]{made['grade']}[/]. Lapsed means: nothing bought for"
        f" {horizon['days']} days ({horizon['why']}). Value is {made['value_measure']} over {horizon['days']} days."
    )
    out.print("It is the champion now." if made["promoted"] else f"It isn't the champion: {made['why']}.")


def evaluate(
    version: Annotated[str | None, typer.Argument(help="A version; the champion by default.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show how a registered bundle was judged, and what its predictions have come to since.

    Since needs a whole horizon of history after the moment up to which the bundle learned.

    Example: holdfast evaluate 3
    """
    from serving.bundle import fetch, load

    with opened() as (place, history, clock):
        with spinner("Reading the registry"):
            folder, number = fetch(place, version or "champion")
        bundle = load(folder, number)
        since = _since(history, bundle, clock())
    answer = {"version": number, "bundle": bundle.hash, **bundle.manifest, "since": since}
    if as_json:
        say_json(answer)
        return
    out.print(leaderboard(answer["figures"]))
    out.print(f"Version {number}, grade [bold]{answer['grade']}[/], learned from what was known by {answer['as_of']}.")
    out.print(
        leaderboard(since["figures"], "Since then, against the same figure for everyone")
        if "figures" in since
        else f"Since then: {since['missing']}."
    )


def _since(history: History, bundle: Any, now: datetime) -> dict[str, Any]:
    from datetime import timedelta

    from serving.scorer import Scorer
    from training.outcome import judge_since

    days = bundle.manifest["horizon"]["days"]
    due = bundle.as_of + timedelta(days=days)
    if now < due:
        return {"missing": f"what it predicted can be judged from {due:%Y-%m-%d %H:%M} UTC on"}
    with spinner("Judging what it predicted"):
        known = history.known_by(now)
        scored = Scorer(bundle).score_base(known.at(bundle.as_of))
        return {"figures": [figure.as_dict() for figure in judge_since(known, scored, bundle.manifest)]}


def promote(
    version: Annotated[str, typer.Argument(help="The version to put in charge.")],
    why: Annotated[str | None, typer.Option(help="Why a worse grade is put in charge all the same.")] = None,
    as_json: AsJson = False,
) -> None:
    """Make a registered bundle the champion, which is what serves.

    Example: holdfast promote 3
    """
    from training.registry import promote as put_in_charge

    with opened() as (place, _, _):
        before = put_in_charge(place, version, why=why)
    if as_json:
        say_json({"champion": version, "before": before})
    else:
        out.print(f"Version {version} is the champion now" + (f"; before it was version {before}." if before else "."))
        err.print("A running service takes it up when it is started again.")


def _markdown(figures: list[dict[str, Any]]) -> str:
    lines = ["| model | figure | ours | 95 % interval | best simple rule | its figure |", "|---|---|---|---|---|---|"]
    for figure in figures:
        rule = figure["best_baseline"]
        beside = f"{rule} | {figure['baselines'][rule]:.4f}" if rule else "– | –"
        interval = f"{figure['low']:.4f} – {figure['high']:.4f}"
        lines.append(f"| {figure['model']} | {figure['metric']} | {figure['ours']:.4f} | {interval} | {beside} |")
    return "\n".join(lines) + "\n"
