"""Where the bundle that serves is found; the only reader of the registry."""

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from features.errors import RegistryError
from features.home import Home
from models.manifest import found_hash

MODEL = "holdfast"
CHAMPION, CHALLENGER = "champion", "challenger"
_HINT = "train one: holdfast train"
_NOT_THERE = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")


def fetch_by_hash(home: Home, bundle_hash: str) -> tuple[Path, str] | None:
    """Find a registered bundle by its hash, whatever became of its aliases; None when it isn't there."""
    mlflow = importlib.import_module("mlflow")
    client = mlflow.MlflowClient(home.tracking_uri)
    found = client.search_model_versions(f"name = '{MODEL}'")
    version = next((one.version for one in found if one.tags.get("bundle_hash") == bundle_hash), None)
    return None if version is None else fetch(home, str(version))


def has_champion(home: Home) -> bool:
    """Tell whether any bundle is in charge, whether or not it can still be read."""
    try:
        return look(home) is not None
    except RegistryError:
        return False


def fetch(home: Home, wanted: str = CHAMPION) -> tuple[Path, str]:
    """Find a registered bundle by alias or version number; returns its folder and its version.

    Raises RegistryError when it isn't there.
    """
    found = registered(home, wanted)
    return download(home, found), found.version


@dataclass(frozen=True, slots=True)
class Registered:
    """What the registry says of a version: its hash, why it was promoted all the same, and where its files are."""

    version: str
    hash: str
    why: str
    source: str


def look(home: Home, wanted: str = CHAMPION) -> Registered | None:
    """Ask the registry for a version by alias or number; None when there is none of that name.

    Raises RegistryError when the registry can't be asked.
    """
    # MLflow takes seconds to import: only those who ask the registry pay, never a worker.
    mlflow = importlib.import_module("mlflow")
    database = file_of(home)
    if database and not database.exists():
        raise RegistryError(f"expected a registry at {database}, found none; {_HINT}")
    with _asking(mlflow, wanted):
        client = mlflow.MlflowClient(home.tracking_uri)
        by_number = client.get_model_version if wanted.isdigit() else client.get_model_version_by_alias
        try:
            found = by_number(MODEL, wanted)
        except mlflow.exceptions.MlflowException as error:
            # MLflow calls an alias that nothing has a bad parameter.
            if error.error_code in _NOT_THERE:
                return None
            raise
    return Registered(
        str(found.version), found.tags.get("bundle_hash", ""), found.tags.get("promoted_because", ""), found.source
    )


def registered(home: Home, wanted: str = CHAMPION) -> Registered:
    """Ask the registry for a version as `look` does, which has to be there.

    Raises RegistryError when it isn't.
    """
    found = look(home, wanted)
    if found is None:
        raise RegistryError(f"expected bundle {wanted!r} in the registry, found none; {_HINT}")
    return found


def download(home: Home, found: Registered, into: Path | None = None) -> Path:
    """Bring a registered bundle's files into a folder and return where they are; without one, only if they aren't here.

    Raises RegistryError when they aren't there, or aren't those that were registered.
    """
    mlflow = importlib.import_module("mlflow")
    with _asking(mlflow, found.version):
        mlflow.set_tracking_uri(home.tracking_uri)
        folder = Path(mlflow.artifacts.download_artifacts(found.source, dst_path=into and str(into)))
    if (digest := found_hash(folder / "manifest.json")) != found.hash:
        raise RegistryError(f"expected bundle {found.version} with hash {found.hash}, found {digest}; {_HINT}")
    return folder


@contextmanager
def _asking(mlflow: Any, wanted: str) -> Iterator[None]:
    """Tell whatever goes wrong with the registry as one sort of error."""
    try:
        yield
    except (mlflow.exceptions.MlflowException, SQLAlchemyError, OSError) as error:
        found = str(error).partition("\n")[0]
        raise RegistryError(
            f"expected bundle {wanted!r} in the registry, found: {found}; see that the registry can be reached"
        ) from error


def file_of(home: Home) -> Path | None:
    """Name the registry's database where it is a file."""
    database = home.tracking_uri.removeprefix("sqlite:///")
    return Path(database) if database != home.tracking_uri else None
