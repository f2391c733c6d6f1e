"""Where the bundle that serves is found; the only reader of the registry."""

import importlib
from pathlib import Path

from features.errors import RegistryError
from features.home import Home
from models.bundle import found_hash

MODEL = "holdfast"
CHAMPION = "champion"


def fetch_by_hash(home: Home, bundle_hash: str) -> tuple[Path, str] | None:
    """Find a registered bundle by its hash, whatever became of its aliases; None when it isn't there."""
    mlflow = importlib.import_module("mlflow")
    client = mlflow.MlflowClient(home.tracking_uri)
    found = client.search_model_versions(f"name = '{MODEL}'")
    version = next((one.version for one in found if one.tags.get("bundle_hash") == bundle_hash), None)
    return None if version is None else fetch(home, str(version))


def has_champion(home: Home) -> bool:
    """Tell whether any bundle is in charge, whether or not it can still be read."""
    if _missing(home):
        return False
    mlflow = importlib.import_module("mlflow")
    try:
        mlflow.MlflowClient(home.tracking_uri).get_model_version_by_alias(MODEL, CHAMPION)
    except mlflow.exceptions.MlflowException:
        return False
    return True


def fetch(home: Home, wanted: str = CHAMPION) -> tuple[Path, str]:
    """Find a registered bundle by alias or version number; returns its folder and its version.

    Raises RegistryError when it isn't there.
    """
    # MLflow takes seconds to import: only those who ask the registry pay, never a worker.
    mlflow = importlib.import_module("mlflow")
    hint = "train one: holdfast train"
    if missing := _missing(home):
        raise RegistryError(f"expected a registry at {missing}, found none; {hint}")
    client = mlflow.MlflowClient(home.tracking_uri)
    try:
        by_number = client.get_model_version if wanted.isdigit() else client.get_model_version_by_alias
        found = by_number(MODEL, wanted)
        mlflow.set_tracking_uri(home.tracking_uri)
        folder = Path(mlflow.artifacts.download_artifacts(found.source))
        registered = found.tags.get("bundle_hash")
    except mlflow.exceptions.MlflowException as error:
        raise RegistryError(f"expected bundle {wanted!r} in the registry, found: {error}; {hint}") from error
    if (digest := found_hash(folder / "manifest.json")) != registered:
        raise RegistryError(f"expected bundle {found.version} with hash {registered}, found {digest}; {hint}")
    return folder, str(found.version)


def _missing(home: Home) -> str:
    """Name the registry's database where it is a file that isn't there."""
    database = home.tracking_uri.removeprefix("sqlite:///")
    return database if database != home.tracking_uri and not Path(database).exists() else ""
