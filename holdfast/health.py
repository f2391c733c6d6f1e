"""`holdfast health`: whether what serves still does what it was promised to, and what to do where it doesn't."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from features.clock import Clock, moment
from features.errors import ContractError, RegistryError
from features.history import History
from features.home import Home
from features.known import Known
from holdfast.places import glossary_of, opened
from holdfast.screen import AsJson, near, out, say_json, spinner

# The training room, MLflow and Altair take seconds to import: the command does so when it runs.

RETRAIN = "holdfast train"
NO_CHAMPION = "No bundle is in charge, so there is nothing to look after yet."
UNREADABLE = "The bundle in charge can't be read:"
_COLOURS = {"too early": "dim", "well": "green", "watch": "yellow", "act": "red"}
# Everything of a decision that no check reads, which is most of it.
_UNREAD = ("row", "terms", "reasons", "new_purchases", "ages", "assumptions", "inputs")


@dataclass(frozen=True)
class _Asked:
    """What a report rests on: the champion's folder and manifest, what is known, and from when predictions count."""

    place: Home
    history: History
    folder: Path
    version: str
    manifest: dict[str, Any]
    since: datetime
    now: datetime

    @property
    def span(self) -> timedelta:
        return timedelta(days=self.manifest["horizon"]["days"])

    @property
    def learned(self) -> datetime:
        return datetime.fromisoformat(self.manifest["as_of"])


def health(
    since: Annotated[
        str | None, typer.Option(metavar="DATE", help="Judge what was predicted at this moment or later.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Report whether what serves still does what it was promised to: one line a check, and the command that follows.

    Predictions against what happened, calibration, drift, age, effects and exploration, each against a threshold of
    playbook/health.toml. Beside what it prints it writes a picture (SVG) and the numbers (JSON) to data/health, and
    what Prometheus may know of it, which the service's /metrics tells. The status is 1 when there is something to act
    on.

    Example: holdfast health --since 2017-11-06
    """
    with opened() as (place, history, clock):
        try:
            asked = _asked(place, history, clock, since)
            answer = _empty(clock()) if asked is None else _answer(asked)
        except RegistryError as error:
            answer = _empty(clock()) | {"verdict": "act", "commands": [RETRAIN], "found": f"{UNREADABLE} {error}."}
    if as_json:
        say_json(answer)
    else:
        _show(answer)
    if answer["verdict"] == "act":
        raise typer.Exit(1)


def _asked(place: Home, history: History, clock: Clock, since: str | None) -> _Asked | None:
    from models.manifest import manifest_of
    from serving.bundle import fetch, has_champion

    with spinner("Reading the registry"):
        if not has_champion(place):
            return None
        folder, version = fetch(place)
        manifest = manifest_of(folder)
    learned = datetime.fromisoformat(manifest["as_of"])
    start = learned if since is None else max(moment(since), learned)
    return _Asked(place, history, folder, version, manifest, start, clock())


def _empty(now: datetime) -> dict[str, Any]:
    return {
        "version": None, "as_of": now.isoformat(), "verdict": "too early", "command": RETRAIN, "commands": [],
        "checks": [], "found": NO_CHAMPION, "files": [],
    }  # fmt: skip


def _answer(asked: _Asked) -> dict[str, Any]:
    from holdfast import health_metrics
    from holdfast.health_picture import picture, write
    from training.checks import commands, worst
    from training.thresholds import load_thresholds

    limits = load_thresholds(asked.place.playbook / "health.toml")
    with spinner("Holding predictions against what happened"):
        bodies = [*_bodies(asked)]
        checks = [*_standing(asked, limits), *_of_history(asked, bodies, limits), *_served(asked, bodies, limits)]
    follow = commands(checks)
    answer = {
        "version": asked.version,
        "bundle": _hash(asked),
        "learned": asked.manifest["as_of"],
        "since": asked.since.isoformat(),
        "as_of": asked.now.isoformat(),
        "verdict": worst(checks),
        "command": follow[0] if follow else None,
        "commands": list(follow),
        "checks": [check.as_dict() for check in checks],
    }
    files = write(answer, picture(answer), asked.place.data / "health", asked.now)
    health_metrics.write(answer, asked.place.health_metrics)
    return answer | {"files": [str(file) for file in (*files, asked.place.health_metrics)]}


def _hash(asked: _Asked) -> str:
    from models.manifest import found_hash

    return found_hash(asked.folder / "manifest.json")


def _standing(asked: _Asked, limits: Any) -> Iterator[Any]:
    from training.standing import check_age, check_contract, check_glossary

    yield check_age(asked.manifest, asked.now, limits)
    yield check_contract(asked.manifest)
    yield check_glossary(asked.manifest, glossary_of(asked.place))


def _of_history(asked: _Asked, bodies: Sequence[Mapping[str, Any]], limits: Any) -> Iterator[Any]:
    """Check what needs the whole history: the base as of the newest moments, the decisions, and the features."""
    from training.since import not_yet

    known = asked.history.known_by(asked.now)
    if asked.since + asked.span > asked.now:
        yield not_yet("base", asked.since + asked.span)
    else:
        yield from _base(asked, known, limits)
    yield from _decided(asked, known, bodies, limits)
    yield _drift(asked, known, limits)


def _base(asked: _Asked, known: Known, limits: Any) -> Iterator[Any]:
    from models.bundle import load
    from serving.scorer import Scorer
    from training.promises import came_of, of_base
    from training.since import Since, unreadable

    try:
        scorer = Scorer(load(asked.folder, asked.version))
    except ContractError:
        yield unreadable()
        return
    newest = asked.since + asked.span * ((asked.now - asked.since) // asked.span - 1)
    for cutoff in dict.fromkeys((asked.since, newest)):
        promised = of_base(scorer.score_base(known.at(cutoff)), cutoff)
        yield from Since.of(promised, came_of(known, promised, asked.manifest), asked.manifest, limits).checks()


def _decided(asked: _Asked, known: Known, bodies: Sequence[Mapping[str, Any]], limits: Any) -> Iterator[Any]:
    from training.promises import came_of, of_decisions
    from training.since import Since, none_decided, not_yet

    by = _hash(asked)
    mine = [body for body in bodies if body["bundle"]["hash"] == by]
    promised = of_decisions(mine, asked.now - asked.span)
    if not mine:
        yield none_decided()
    elif not promised.customers:
        yield not_yet("decisions", datetime.fromisoformat(mine[0]["as_of"]) + asked.span)
    else:
        yield from Since.of(promised, came_of(known, promised, asked.manifest), asked.manifest, limits).checks()


def _drift(asked: _Asked, known: Known, limits: Any) -> Any:
    from features.clock import from_microseconds
    from features.contract import rows_of
    from training.shifting import SHORTEST, check_drift, earlier_moments, shifts, too_short

    if asked.now - asked.learned < SHORTEST:
        return too_short(asked.learned)
    first = from_microseconds(known.events["occurred_at"].min())  # type: ignore[arg-type]
    moments = earlier_moments(asked.learned, asked.now, first)
    before, *earlier = (rows_of(known.at(one)) for one in (asked.learned, *moments))
    return check_drift(shifts(before, rows_of(known), earlier, limits), asked.learned, len(earlier), limits)


def _served(asked: _Asked, bodies: Sequence[Mapping[str, Any]], limits: Any) -> Iterator[Any]:
    from serving.experiment import load_experiment
    from training.served import check_acceptance, check_effects, check_exploration, check_groups, check_sizes

    experiment = load_experiment(asked.place.playbook / "learning.toml", glossary_of(asked.place))
    yield check_effects(bodies)
    yield check_acceptance(bodies, asked.history.decisions.tries(asked.now), limits)
    yield from check_exploration(bodies, experiment.exploration, limits)
    shares = {"hold_out": experiment.hold_out, "random": experiment.random}
    yield check_groups(bodies, shares)
    yield check_sizes(bodies, experiment.salt, shares | {"policy": 1.0 - sum(shares.values())})


def _bodies(asked: _Asked) -> Iterator[Mapping[str, Any]]:
    for body in asked.history.decisions.bodies(asked.since, asked.now):
        yield {name: part for name, part in json.loads(body).items() if name not in _UNREAD}


def _show(answer: Mapping[str, Any]) -> None:
    if answer["version"] is None:
        out.print(f"{answer['found']} Train one: [bold]{answer['command']}[/]", soft_wrap=True)
        return
    since, today = answer["since"][:10], answer["as_of"][:10]
    out.print(f"[bold]Health of version {answer['version']}, {since} to {today}[/]")
    for check in answer["checks"]:
        out.print(_line(check), soft_wrap=True)
    follow = f"Next: [bold]{' && '.join(answer['commands'])}[/]" if answer["commands"] else "Nothing has to be done."
    out.print(f"Verdict: [{_COLOURS[answer['verdict']]}]{answer['verdict']}[/]. {follow}", soft_wrap=True)
    out.print(f"Written to {', '.join(near(Path(file)) for file in answer['files'])}", soft_wrap=True)


def _line(check: Mapping[str, Any]) -> str:
    said = f"[{_COLOURS[check['verdict']]}]{check['verdict']:<9}[/] [bold]{check['name']}[/]: {escape(check['found'])}"
    todo = f" → [bold]{check['do']}[/]" if check["do"] else ""
    return f"{said} [dim]Threshold: {escape(check['threshold'])}.[/]{todo}"
