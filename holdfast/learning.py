"""`holdfast train`: a bundle is made, and put in charge where its grade allows."""

import tempfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from features.errors import ContractError, RegistryError
from features.glossary import Glossary
from features.history import History
from features.home import Home
from features.sources.source import find_source
from holdfast.locking import alone
from holdfast.places import glossary_of, moment_or_now, opened
from holdfast.screen import AsJson, Tick, bars, leaderboard, out, say_json

_LAPSED = {"silence": "nothing bought for", "contract": "a contract ended within"}

# The training room, MLflow and Optuna take seconds to import: each command does so when it runs.


def train(
    as_of: Annotated[str | None, typer.Option(help="Learn only from what was known by this moment.")] = None,
    tune: Annotated[
        float | None, typer.Option(metavar="MINUTES", min=0.1, help="First search for better trees, for some minutes.")
    ] = None,
    seed: Annotated[int, typer.Option(help="The seed of everything random.")] = 7,
    threads: Annotated[int, typer.Option(min=1, help="How many threads to fit with.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Train churn, value and next purchase on the history, judge them, and register them as one bundle.

    The bundle becomes the champion when there is none and its grade isn't "refused", or when its grade is no worse than
    the champion's; so it can be trained anew unattended.

    Example: holdfast train --as-of 2017-12-31 --tune 10

    Example from cron: 0 3 * * 0 holdfast train --json >> train.log
    """
    with opened() as (place, history, clock), bars() as tick:
        made = make_bundle(place, history, moment_or_now(as_of, clock), seed, threads, tick, tune)
    if as_json:
        say_json(made)
    else:
        show(made)


def make_bundle(
    place: Home, history: History, as_of: datetime, seed: int, threads: int, tick: Tick, minutes: float | None = None
) -> dict[str, Any]:
    """Train, register, and promote if the grade allows; returns what `train --json` prints.

    `minutes` are for tuning beforehand; None tunes nothing. Raises RegistryError when another training is at it.
    """
    from training.boosting import Fit

    with alone(place):
        tick("Reading the history", 0, 1)
        known = history.known_by(as_of)
        tick("Reading the history", 1, 1)
        past = past_of(place, history, as_of)
        origin = _origin(place, history, as_of)
        trained = _fitted(known, plan_of(glossary_of(place)), Fit(seed, threads), minutes, tick, past, origin)
        tick("Registering in MLflow", 0, 1)
        bundle_hash, version = _registered(place, trained)
        promoted, why = _put_in_charge(place, version)
        tick("Registering in MLflow", 1, 1)
    return {"version": version, "bundle": bundle_hash, "promoted": promoted, "why": why, **trained.manifest}


def past_of(place: Home, history: History, as_of: datetime) -> Any:
    """Read the decisions made before a moment, and what had come of them by then."""
    from serving.experiment import load_experiment
    from training.decision_log import decision_log
    from training.pipeline import Past

    experiment = load_experiment(place.playbook / "learning.toml", glossary_of(place))
    tries = history.decisions.tries(as_of)
    return Past(decision_log(history, until=as_of), tries, experiment.prior_uncertainty)


def _origin(place: Home, history: History, as_of: datetime) -> dict[str, Any]:
    """Say where the history came from, and what its sources' data may be used for."""
    from training.whose import origin_of
    from world.frames import SOURCE

    rights = {SOURCE: "anything: simulated, no real person's data"}
    told = history.origins(as_of)
    for name in {source for source, *_ in told}:
        if (place.playbook / "sources" / f"{name}.toml").is_file():
            rights[name] = find_source(place.playbook / "sources", name).rights
    return origin_of(told, rights, history.erasures.newest())


def _fitted(
    known: Any, plan: Any, fit: Any, minutes: float | None, tick: Tick, past: Any, origin: dict[str, Any]
) -> Any:  # fmt: skip
    from training.pipeline import train as fit_all
    from training.tuning import tune

    if minutes is None:
        return fit_all(known, plan, fit, tick, past=past, origin=origin)
    found = tune(known, plan, fit, minutes, tick)
    return fit_all(known, plan, found.fit, tick, found.as_dict(), past, origin)


def _registered(place: Home, trained: Any) -> tuple[str, str]:
    """Write the bundle and register it with its documents, the champion beside it among them."""
    from training.comparison import comparison
    from training.registry import register

    documents = trained.documents | {"comparison.md": comparison(trained, _champion(place))}
    with tempfile.TemporaryDirectory() as folder:
        bundle_hash = trained.write(Path(folder))
        version = register(
            place, Path(folder), trained.manifest, bundle_hash, trained.figures, trained.pictures, documents
        )
    return bundle_hash, version


def _champion(place: Home) -> Any | None:
    """Open what serves until now; None where nothing does, or it can't be read any more."""
    from models.bundle import load
    from models.manifest import manifest_of
    from serving.bundle import fetch
    from training.comparison import Champion

    try:
        folder, version = fetch(place)
        manifest = manifest_of(folder)
    except RegistryError:
        return None
    try:
        return Champion(version, manifest, load(folder, version).models)
    except ContractError:
        return Champion(version, manifest, None)


def _put_in_charge(place: Home, version: str) -> tuple[bool, str]:
    from training.registry import promote as put_in_charge

    try:
        put_in_charge(place, version)
    except RegistryError as error:
        return False, str(error)
    return True, "no worse than the champion before it"


def plan_of(glossary: Glossary) -> Any:
    """Take from the glossary what the business decides of a training."""
    from training.pipeline import Plan

    return Plan(
        glossary.churn,
        glossary.horizon_days,
        glossary.active_days,
        tuple(glossary.tiers.items()),
        glossary.next_level,
        glossary.currency,
        glossary.hash,
        glossary.tier_band,
        glossary.assumptions.cost_to_serve,
        glossary.assumptions.margin_rate,
    )


def show(made: dict[str, Any]) -> None:
    """Print a training's result as a person reads it."""
    horizon = made["horizon"]
    out.print(leaderboard(made["figures"]))
    out.print(
        f"Version {made['version']}, grade [bold]{made['grade']}[/]. Lapsed means: {_LAPSED[made['active']['kind']]}"
        f" {horizon['days']} days ({horizon['why']}). {_value(made)}"
    )
    for sentence in explained(made):
        out.print(f"  • {sentence}")
    out.print("It is the champion now." if made["promoted"] else f"It isn't the champion: {made['why']}")


def _value(made: dict[str, Any]) -> str:
    if "value" in made["ranks_only"]:
        return "Value is only ranked: no amounts are known."
    return f"Value is {made['value']['said']} over {made['horizon']['days']} days."


def explained(manifest: dict[str, Any]) -> Iterator[str]:
    """Say what was chosen and why, what the grade rests on, what is too good, and what the data were too few for."""
    for model, choice in manifest["chosen"].items():
        yield f"{model.capitalize().replace('_', ' ')}: [bold]{choice['candidate']}[/], {_why(choice)}."
    for kind, cost in manifest["value"]["assumed"].items():
        yield f"Assumed: a {kind} costs {cost:,.2f} {manifest['currency']}, as the glossary states; no source tells."
    if "tuned" in manifest:
        yield f"Tuning: {manifest['tuned']['said']}."
    for reason in manifest["grade_reasons"]:
        yield f"Grade: {reason}"
    for alarm in manifest["alarms"]:
        if alarm not in manifest["grade_reasons"]:
            yield f"[red]Alarm:[/] {alarm}"
    for lack in manifest["minimum"]:
        yield f"Data: {lack}."
    for one in manifest["effects"]:
        yield f"Effect of {one['offer']} on having {one['what']}: {measured(one)}."


def measured(one: dict[str, Any]) -> str:
    """Say what was found of an offer's effect, and how far it is believed."""
    if "average" not in one:
        return f"stated prior; {one['why']}"
    found = f"{one['average']:+.2%} ({one['low']:+.2%} to {one['high']:+.2%}), stated {one['stated']:+.2%}"
    return f"{found}, {one['decisions']:,} decisions, grade {one['grade']}: {one['why']}"


def _why(choice: dict[str, Any]) -> str:
    rungs = {rung["candidate"]: rung for rung in choice["ladder"]}
    if not rungs:
        return str(choice["level_said"])
    rung = rungs[choice["candidate"]]
    if rung["gain"] is None:
        return "the simplest: no other was better by more than a standard error on the later windows"
    return f"{rung['said']} on the later windows ({rung['gain']:.4g} ± {rung['error']:.2g})"
