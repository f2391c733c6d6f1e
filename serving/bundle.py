"""The bundle that serves: found in the registry, checked, and loaded; the only reader of the registry."""

import hashlib
import importlib
import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np

from features.affinity import PAIR_FEATURES, ItemTable
from features.contract import CONTRACT, FeatureContract
from features.errors import ContractError, RegistryError
from features.feature import Array
from features.home import Home

FORMAT = 1
MODEL = "holdfast"
CHAMPION = "champion"


@dataclass(frozen=True)
class Calibration:
    """A rising line from scores to probabilities."""

    scores: Array
    probabilities: Array

    def apply(self, scores: Array) -> Array:
        """Read the probabilities of scores, shape (n,)."""
        return np.interp(scores, self.scores, self.probabilities)


@dataclass(frozen=True)
class Ranker:
    """The next-purchase model and the population's item table it serves with."""

    booster: lgb.Booster
    calibration: Calibration
    table: ItemTable


@dataclass(frozen=True)
class Bundle:
    """Three models with one manifest, loaded and checked."""

    hash: str
    version: str
    manifest: dict[str, Any]
    churn: lgb.Booster
    churn_calibration: Calibration
    value: lgb.Booster
    value_low: lgb.Booster
    value_high: lgb.Booster
    ranker: Ranker | None

    @property
    def as_of(self) -> datetime:
        """The moment up to which the bundle learned."""
        return datetime.fromisoformat(self.manifest["as_of"])


def load(folder: Path, version: str = "unregistered") -> Bundle:
    """Load a bundle from its folder, checking every file against the manifest and the contract against the code.

    Raises RegistryError when a file is missing or differs, ContractError when it was trained on other features.
    """
    manifest = _manifest(folder)
    CONTRACT.check(FeatureContract.from_dict(manifest["contract"]))
    ranker = folder / "next_purchase"
    bundle = Bundle(
        _digest(folder / "manifest.json"),
        version,
        manifest,
        _booster(folder / "churn" / "model.lgb"),
        _calibration(folder / "churn" / "calibration.json"),
        _booster(folder / "value" / "expected.lgb"),
        _booster(folder / "value" / "low.lgb"),
        _booster(folder / "value" / "high.lgb"),
        _ranker(ranker) if ranker.exists() else None,
    )
    rows = (bundle.churn, bundle.value, bundle.value_low, bundle.value_high)
    pairs = (bundle.ranker.booster,) if bundle.ranker else ()
    if any(tuple(booster.feature_name()) != CONTRACT.names for booster in rows) or any(
        tuple(booster.feature_name()) != PAIR_FEATURES for booster in pairs
    ):
        raise ContractError(
            "expected the models' columns in the contract's order, found another; train again: holdfast train"
        )
    return bundle


def fetch(home: Home, wanted: str = CHAMPION) -> tuple[Path, str]:
    """Find a registered bundle by alias or version number; returns its folder and its version.

    Raises RegistryError when it isn't there.
    """
    # MLflow takes seconds to import: only those who ask the registry pay, never a worker.
    mlflow = importlib.import_module("mlflow")
    hint = "train one: holdfast train"
    database = home.tracking_uri.removeprefix("sqlite:///")
    if database != home.tracking_uri and not Path(database).exists():
        raise RegistryError(f"expected a registry at {database}, found none; {hint}")
    client = mlflow.MlflowClient(home.tracking_uri)
    try:
        by_number = client.get_model_version if wanted.isdigit() else client.get_model_version_by_alias
        found = by_number(MODEL, wanted)
        mlflow.set_tracking_uri(home.tracking_uri)
        folder = Path(mlflow.artifacts.download_artifacts(found.source))
        registered = found.tags.get("bundle_hash")
    except mlflow.exceptions.MlflowException as error:
        raise RegistryError(f"expected bundle {wanted!r} in the registry, found: {error}; {hint}") from error
    if (digest := _found(folder / "manifest.json")) != registered:
        raise RegistryError(f"expected bundle {found.version} with hash {registered}, found {digest}; {hint}")
    return folder, str(found.version)


def _manifest(folder: Path) -> dict[str, Any]:
    try:
        manifest: dict[str, Any] = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RegistryError(f"expected a bundle with a manifest in {folder}, found: {error}") from error
    if manifest.get("format") != FORMAT:
        raise RegistryError(
            f"expected a bundle of format {FORMAT}, found {manifest.get('format')}; train again: holdfast train"
        )
    for name, digest in manifest["files"].items():
        if (found := _found(folder / name)) != digest:
            raise RegistryError(
                f"expected {name} of the bundle with hash {digest}, found {found}; train again: holdfast train"
            )
    return manifest


def _ranker(folder: Path) -> Ranker:
    table = ItemTable.from_json((folder / "items.json").read_text(encoding="utf-8"))
    return Ranker(_booster(folder / "model.lgb"), _calibration(folder / "calibration.json"), table)


def _booster(path: Path) -> lgb.Booster:
    return lgb.Booster(model_str=path.read_text(encoding="utf-8"))


def _calibration(path: Path) -> Calibration:
    points = json.loads(path.read_text(encoding="utf-8"))
    return Calibration(np.array(points["scores"]), np.array(points["probabilities"]))


def _found(path: Path) -> str:
    return _digest(path) if path.exists() else "no file"


def _digest(path: Path) -> str:
    return hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest()
