"""The only writer to MLflow: a run for each training, and one registered version for each bundle."""

import contextlib
import math
import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import mlflow
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import DBAPIError

from features.contract import CONTRACT
from features.errors import RegistryError
from features.home import Home
from models.grades import GRADES, REFUSED, rank
from training.evaluation import Figure
from training.succession import before, keep, succession

MODEL = "holdfast"
CHAMPION, CHALLENGER = "champion", "challenger"
# Why a version serves all the same: a running service takes up a worse grade only with it.
REASON = "promoted_because"
_NOT_THERE = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")


def register(
    home: Home,
    bundle: Path,
    manifest: Mapping[str, Any],
    bundle_hash: str,
    figures: Sequence[Figure],
    pictures: Mapping[str, str],
    documents: Mapping[str, str],
) -> str:
    """Log a run with its figures, documents and pictures, and register its bundle; returns the new version."""
    _client(home)
    named = f"as of {manifest['as_of'][:10]}"
    with mlflow.start_run(experiment_id=_experiment(home), run_name=named) as run:
        mlflow.set_tags(_tags(manifest, bundle_hash))
        mlflow.log_params(_parameters(manifest))
        mlflow.log_metrics(_metrics(figures))
        for name, text in documents.items():
            mlflow.log_text(text, name)
        for name, svg in pictures.items():
            mlflow.log_text(svg, f"pictures/{name}.svg")
        mlflow.log_artifacts(str(bundle), "bundle")
        uri = mlflow.get_artifact_uri("bundle")
    tags = {name: manifest[name] for name in ("grade", "as_of")}
    tags |= {"bundle_hash": bundle_hash, "contract": manifest["contract"]["definitions"]}
    tags |= {"ranks_only": ", ".join(manifest["ranks_only"])}
    version = register_version(home, uri, run.info.run_id, tags)
    # In a list of runs to compare, the version tells one from another.
    _client(home).set_tag(run.info.run_id, "mlflow.runName", f"version {version}, {named}")
    return version


def register_version(home: Home, uri: str, run_id: str | None, tags: Mapping[str, str]) -> str:
    """Register a bundle that lies at an address, and return its version."""
    return str(_client(home).create_model_version(MODEL, uri, run_id, tags=dict(tags)).version)


def promote(home: Home, version: str, *, why: str | None = None) -> str | None:
    """Make a version the champion and return the one it replaces, if any.

    Raises RegistryError when there is no such version, or when it was refused, its grade is worse than the champion's,
    or it only ranks what the champion tells in full, and no reason is given. A champion that was trained on other
    features can't serve any more, and gives way to any grade but "refused".
    """
    client = _client(home)
    new, old = _version(client, home, version), champion(home)
    if why is None:
        _check_grade(new, old)
    champions = succession(client, MODEL, None if old is None else str(old.version))
    _put_in_charge(client, old, new, why)
    keep(client, MODEL, champions if champions[-1:] == [version] else [*champions, version])
    return None if old is None else str(old.version)


def rollback(home: Home, *, why: str | None = None) -> tuple[str, str | None]:
    """Put the champion before this one back in charge, whatever its grade; returns it, and the one it replaces.

    Done twice, it goes back two. Why is kept with the version that is put back and with the one that is left.
    Raises RegistryError when none before it is registered any more.
    """
    client, old = _client(home), champion(home)
    left = None if old is None else str(old.version)
    champions = succession(client, MODEL, left)
    earlier = before(client, MODEL, champions if old is not None else [*champions, "none"])
    if not earlier:
        known = ", ".join(champions) or "none"
        raise RegistryError(
            f"expected a champion before this one, found {known}; to choose another: holdfast promote VERSION"
        )
    new = client.get_model_version(MODEL, earlier[-1])
    reason = f"rolled back from version {left}" + (f": {why}" if why else "")
    _put_in_charge(client, old, new, reason)
    if left is not None:
        client.set_model_version_tag(MODEL, left, "rolled_back_because", why or "nobody said why")
    keep(client, MODEL, earlier)
    return str(new.version), left


def challenge(home: Home, version: str | None) -> str | None:
    """Let a version score in the shadow of the champion, or none; returns the one that did until now.

    Raises RegistryError when there is no such version, or it is the champion.
    """
    client, old, serving = _client(home), _by_alias(home, CHALLENGER), champion(home)
    if version is None:
        client.delete_registered_model_alias(MODEL, CHALLENGER)
    else:
        new = _version(client, home, version)
        if serving is not None and serving.version == new.version:
            raise RegistryError(f"expected another version than the champion as its challenger, found {version}")
        client.set_registered_model_alias(MODEL, CHALLENGER, version)
    return None if old is None else str(old.version)


def _version(client: mlflow.MlflowClient, home: Home, version: str) -> Any:
    try:
        return client.get_model_version(MODEL, version)
    except MlflowException as error:
        known = ", ".join(str(found.version) for found in versions(home)) or "none"
        raise RegistryError(f"expected a registered version, found {version!r}; there are: {known}") from error


def _put_in_charge(client: mlflow.MlflowClient, old: Any | None, new: Any, why: str | None) -> None:
    """Move the alias; the reason is there before it, since a running service may look between the two."""
    if why is not None:
        client.set_model_version_tag(MODEL, new.version, REASON, why)
    elif REASON in new.tags and (old is None or old.version != new.version):
        client.delete_model_version_tag(MODEL, new.version, REASON)
    client.set_registered_model_alias(MODEL, CHAMPION, new.version)
    if str(client.get_registered_model(MODEL).aliases.get(CHALLENGER)) == str(new.version):
        client.delete_registered_model_alias(MODEL, CHALLENGER)
    _say_promoted(client, old, new)


def _say_promoted(client: mlflow.MlflowClient, old: Any | None, new: Any) -> None:
    """Say on their runs which serves, and which served until it."""
    if old is not None and old.run_id and old.version != new.version:
        client.set_tag(old.run_id, "promoted", f"yes, until version {new.version}")
    if new.run_id:
        client.set_tag(new.run_id, "promoted", "yes")


def _check_grade(new: Any, old: Any | None) -> None:
    all_the_same = f"To promote it all the same: holdfast promote {new.version} --why REASON"
    if rank(new.tags) >= REFUSED:
        raise RegistryError(
            f"expected a grade of {', '.join(GRADES[: REFUSED - 1])} or {GRADES[REFUSED - 1]}, found"
            f" {new.tags.get('grade', 'none')}: its figures are too poor to serve, as holdfast evaluate {new.version}"
            f" says. {all_the_same}"
        )
    if old is not None and _may_serve(old) and rank(new.tags) > rank(old.tags):
        raise RegistryError(
            f"expected a grade of {old.tags['grade']} or better, as the champion (version {old.version}) has; found"
            f" {new.tags['grade']}. {all_the_same}"
        )
    if old is not None and _may_serve(old) and (lost := _ranked(new) - _ranked(old)):
        raise RegistryError(
            f"expected probabilities and amounts, as the champion (version {old.version}) has; found ranks only of"
            f" {' and '.join(sorted(lost))}. {all_the_same}"
        )


def champion(home: Home) -> Any | None:
    """Find the version that serves, or None."""
    return _by_alias(home, CHAMPION)


def _by_alias(home: Home, alias: str) -> Any | None:
    try:
        return _client(home).get_model_version_by_alias(MODEL, alias)
    except MlflowException as error:
        if error.error_code in _NOT_THERE:
            return None
        raise RegistryError(f"expected the registry to answer, found: {error}; see to it: holdfast doctor") from error


def versions(home: Home) -> list[Any]:
    """List the registered versions, newest first."""
    found = _client(home).search_model_versions(f"name='{MODEL}'")
    return sorted(found, key=lambda version: -int(version.version))


def _may_serve(version: Any) -> bool:
    """Tell whether a version was trained on the features that the code defines; no other can be loaded."""
    return bool(version.tags.get("contract") == CONTRACT.definitions)


def _ranked(version: Any) -> set[str]:
    """Name the models of a version that only rank; those registered before there were any don't tell."""
    return set(filter(None, version.tags.get("ranks_only", "").split(", ")))


def _client(home: Home) -> mlflow.MlflowClient:
    _make_database(home)
    mlflow.set_tracking_uri(home.tracking_uri)
    try:
        client = mlflow.MlflowClient(home.tracking_uri)
        client.create_registered_model(MODEL)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise RegistryError(f"expected a registry at {home.tracking_uri}; found: {error.message}") from error
    except DBAPIError as error:
        raise RegistryError(
            f"expected a registry at {home.tracking_uri}; found: {error.orig}; where it is locked, wait for whoever"
            " holds it; where it isn't sound, put a copy back, or move it away and train again: holdfast train"
        ) from error
    return client


def _make_database(home: Home) -> None:
    """Make MLflow's SQLite database whole or not at all: one that was broken off in the making never opens again."""
    home.mlruns.mkdir(parents=True, exist_ok=True)
    database = home.mlruns / "mlflow.db"
    if home.registry_url or database.exists():
        return
    with tempfile.TemporaryDirectory(dir=home.mlruns) as folder:
        beside = Path(folder) / "mlflow.db"
        mlflow.MlflowClient(f"sqlite:///{beside}").create_registered_model(MODEL)
        # Another training may have been first.
        with contextlib.suppress(FileExistsError):
            os.link(beside, database)


def _experiment(home: Home) -> str:
    found = mlflow.get_experiment_by_name(MODEL)
    if found is not None:
        return str(found.experiment_id)
    local = home.tracking_uri.startswith("sqlite:")
    return str(mlflow.create_experiment(MODEL, (home.mlruns / "artifacts").as_uri() if local else None))


def _tags(manifest: Mapping[str, Any], bundle_hash: str) -> dict[str, str]:
    """What MLflow shows of a run: the commit, the grade and its reasons, and whether it was promoted."""
    reasons = "\n".join(f"- {reason}" for reason in manifest["grade_reasons"])
    return {
        "mlflow.source.git.commit": manifest["git_commit"],
        "mlflow.note.content": f"Grade {manifest['grade']}\n\n{reasons}",
        "grade": manifest["grade"],
        "bundle_hash": bundle_hash,
        "promoted": "no",
    }


def _parameters(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """What differs, or might, between one training and another; of the same names in every run."""
    names = ("as_of", "customers", "grade", "value_measure", "level", "git_commit", "seed", "glossary")
    cutoffs, contract, tuned = manifest["cutoffs"], manifest["contract"], manifest.get("tuned") or {}
    return {
        **{name: manifest[name] for name in names},
        "churn": manifest["active"]["kind"],
        "horizon_days": manifest["horizon"]["days"],
        "horizon_active_days": manifest["horizon"]["active_days"],
        "cutoffs": len(cutoffs["learn"]),
        "cutoffs_from": cutoffs["learn"][0],
        "cutoffs_to": cutoffs["learn"][-1],
        "cutoff_of_test": cutoffs["test"],
        "chosen_on_days": cutoffs["choose_days"],
        **{f"{model}_candidate": choice["candidate"] for model, choice in manifest["chosen"].items()},
        **{f"{model}_level": choice["level"] for model, choice in manifest["chosen"].items()},
        "features": len(contract["names"]),
        "contract": contract["definitions"],
        "tuned": {None: "no", True: "yes", False: "searched, the default stays"}[tuned.get("kept")],
        **{f"tuned_{name}": tuned.get(name) for name in ("minutes", "trials", "trees", "parameters")},
    }


def _metrics(figures: Sequence[Figure]) -> dict[str, float]:
    """Every figure with its interval, and the best rule beside it with the interval of the gain over it."""
    found: dict[str, float | None] = {}
    for figure in figures:
        # MLflow takes letters, digits and few signs.
        name = re.sub(r"[^\w.:/ -]", "", f"{figure.model}/{figure.metric}".replace("%", "percent"))
        found |= {name: figure.ours, f"{name}/low": figure.low, f"{name}/high": figure.high}
        if figure.best_baseline is not None:
            found[f"{name}/best baseline"] = figure.baselines[figure.best_baseline]
            gains = {"gain": figure.gain, "gain low": figure.gain_low, "gain high": figure.gain_high}
            found |= {f"{name}/{part}": value for part, value in gains.items()}
    return {name: value for name, value in found.items() if value is not None and math.isfinite(value)}
