"""`holdfast evaluate` and `backtest`: what a bundle's predictions came to, by itself and beside another's."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any

import typer
from rich.table import Table

from features.errors import InputError, NotEnoughData
from features.history import History
from features.home import Home
from holdfast.learning import explained
from holdfast.places import opened
from holdfast.screen import AsJson, bars, leaderboard, out, say_json, spinner, table

# The training room and MLflow take seconds to import: each command does so when it runs.

Version = Annotated[str | None, typer.Argument(help="A version; the champion by default.")]


def evaluate(
    version: Version = None,
    against: Annotated[str | None, typer.Option(metavar="OTHER", help="Another version to judge beside it.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show how a registered bundle was judged, and what its predictions have come to since.

    Since needs a whole horizon of history after the moment up to which the bundle learned. With --against, both
    versions are scored as of the newest moment whose whole horizon is known.

    Example: holdfast evaluate 3 --against 2
    """
    if against is not None:
        _evaluate_both(version, against, as_json)
        return
    with opened() as (place, history, clock):
        bundle = _bundle(place, version)
        since = _since(history, bundle, clock())
    answer = {"version": bundle.version, "bundle": bundle.hash, **bundle.manifest, "since": since}
    if as_json:
        say_json(answer)
    else:
        _show(answer, since)


def _show(answer: dict[str, Any], since: Mapping[str, Any]) -> None:
    out.print(leaderboard(answer["figures"]))
    out.print(
        f"Version {answer['version']}, grade [bold]{answer['grade']}[/], learned from what was known by"
        f" {answer['as_of']}."
    )
    for sentence in explained(answer):
        out.print(f"  • {sentence}")
    out.print(
        leaderboard(since["figures"], "Since then, against the same figure for everyone")
        if "figures" in since
        else f"Since then: {since['missing']}."
    )


def _bundle(place: Home, version: str | None) -> Any:
    from models.bundle import load
    from serving.bundle import fetch

    with spinner("Reading the registry"):
        folder, number = fetch(place, version or "champion")
    return load(folder, number)


def _since(history: History, bundle: Any, now: datetime) -> dict[str, Any]:
    from serving.scorer import Scorer
    from training.outcome import judge_since

    due = bundle.as_of + timedelta(days=bundle.manifest["horizon"]["days"])
    if now < due:
        return {"missing": f"what it predicted can be judged from {due:%Y-%m-%d %H:%M} UTC on"}
    with spinner("Judging what it predicted"):
        known = history.known_by(now)
        scored = Scorer(bundle).score_base(known.at(bundle.as_of))
        try:
            return {"figures": [figure.as_dict() for figure in judge_since(known, scored, bundle.manifest)]}
        except NotEnoughData as error:
            return {"missing": str(error)}


def _evaluate_both(version: str | None, against: str, as_json: bool) -> None:
    from training.outcome import compare

    with opened() as (place, history, clock):
        ours, other = _bundle(place, version), _bundle(place, against)
        if ours.version == other.version:
            raise InputError(f"expected two versions, found version {ours.version} twice; give another to --against")
        with spinner("Scoring both and judging them"):
            found = compare(history.known_by(clock()), ours, other).as_dict()
    if as_json:
        say_json({"version": ours.version, "against": other.version, **found})
        return
    out.print(_side_by_side(found["figures"], ours.version, other.version))
    out.print(
        f"Scored as of {found['cutoff'][:10]}, judged by the {found['days']} days after: {found['customers']:,}"
        f" customers, of whom {found['active']:,} were active. A gain above zero means that"
        f" version {ours.version} is better."
    )
    for sentence in found["unfair"]:
        out.print(f"[yellow]Not fair:[/] {sentence}.")


def _side_by_side(figures: Sequence[Mapping[str, Any]], ours: str, other: str) -> Table:
    rows = []
    for figure in figures:
        gain, low, high = (f"{figure[part]:+z.4f}" for part in ("gain", "gain_low", "gain_high"))
        beside = figure["baselines"][figure["best_baseline"]]
        name = f"{figure['model']}: {figure['metric']}"
        rows.append((name, f"{figure['ours']:.4f}", f"{beside:.4f}", gain, f"{low} – {high}"))
    columns = ("", f"version {ours}", f"version {other}", "gain", "95 % interval")
    return table(f"Version {ours} beside version {other}", columns, rows)


def backtest(
    version: Version = None,
    months: Annotated[int, typer.Option(min=1, help="How far back the oldest moment may lie from the newest.")] = 3,
    threads: Annotated[int, typer.Option(min=1, help="How many threads to fit with.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Show what the last months' predictions came to: a row for each past moment, a horizon apart.

    The bundle's kinds of model are fitted anew on what was known by each moment, since the bundle itself has seen what
    came after. Predicted stands beside what happened, and our order of customers beside the best simple rule's.

    Example: holdfast backtest 3 --months 6
    """
    from training.backtest import backtest as look_back

    with opened() as (place, history, clock):
        bundle = _bundle(place, version)
        with bars() as tick:
            found = look_back(history.known_by(clock()), bundle.manifest, months, threads, tick)
    moments = [moment.as_dict() for moment in found.moments]
    if as_json:
        manifest = {name: bundle.manifest[name] for name in ("horizon", "value_measure", "currency")}
        say_json({"version": bundle.version, **manifest, "moments": moments, "skipped": list(found.skipped)})
    else:
        _show_moments(bundle, moments, found.skipped)


def _show_moments(bundle: Any, moments: Sequence[Mapping[str, Any]], skipped: Sequence[str]) -> None:
    manifest = bundle.manifest
    if moments:
        columns = (
            "as of",
            "risk",
            "left",
            "AUC",
            "rule",
            "value",
            "came",
            "Gini",
            "rule",
            "held",
        )
        out.print(table(f"What version {bundle.version}'s models said, and what came", columns, [*map(_row, moments)]))
        chosen = ", ".join(f"{manifest['chosen'][model]['candidate']} for {model}" for model in ("churn", "value"))
        costs = " Costs are expected by what was best by then." if manifest["value"]["told"] else ""
        out.print(
            f"Each row: {chosen}, fitted anew on what was known then. Risk and value ({manifest['value']['said']}) are"
            f" for the next {manifest['horizon']['days']} days; left is the share that did, held that within the 80 %"
            " interval, rule the best simple rule's figure. That these kinds of model are fitted was chosen on what was"
            f" known by {manifest['cutoffs']['test'][:10]}: older rows are not a test of that choice.{costs}"
        )
    else:
        out.print("No past moment could be judged.")
    for sentence in skipped:
        out.print(f"Left out, {sentence}.")


def _row(moment: Mapping[str, Any]) -> tuple[str, ...]:
    found = {figure["metric"]: figure for figure in moment["figures"]}
    covered = next(figure["ours"] for name, figure in found.items() if name.startswith("within the"))
    rates = (f"{moment['risk']:.1%}", f"{moment['lapsed']:.1%}")
    sums = (f"{moment['expected']:,.0f}", f"{moment['came']:,.0f}")
    return (
        moment["cutoff"][:10], *rates, *_beside(found["AUC"]),
        *sums, *_beside(found["normalised Gini"]), f"{covered:.0%}",
    )  # fmt: skip


def _beside(figure: Mapping[str, Any]) -> tuple[str, str]:
    rule = figure["baselines"][figure["best_baseline"]]
    return f"{figure['ours']:.3f}", f"{rule:.3f}"
