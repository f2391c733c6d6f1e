"""A home whose registry has several versions of one small training, to move aliases between."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import mlflow

from features.history import History
from features.home import Home
from models.bundle import Bundle, load, write
from serving.bundle import CHALLENGER, CHAMPION, MODEL, fetch
from training import registry

# Versions 1 and 2 are alike in grade, 3 is worse, 4 will be damaged, 5 was trained on other features.
GRADES = ("B", "B", "C", "B", "B")


class Variants:
    """The home, its store a copy of the trained one's, and its registry."""

    def __init__(self, trained: tuple[Home, History, Any], folder: Path) -> None:
        source = trained[0]
        self.place = replace(source, folder=folder, database_url=f"sqlite:///{folder / 'data' / 'history.db'}")
        (folder / "data").mkdir(parents=True)
        (folder / "data" / "home.toml").write_text('clock = "history"\n', encoding="utf-8")
        with (
            closing(sqlite3.connect(source.database_url.removeprefix("sqlite:///"))) as store,
            closing(sqlite3.connect(folder / "data" / "history.db")) as copy,
        ):
            store.backup(copy)
        bundle = load(*fetch(source))
        for number, grade in enumerate(GRADES, start=1):
            self._register(bundle, number, grade)
        self.client = mlflow.MlflowClient(self.place.tracking_uri)

    def _register(self, bundle: Bundle, number: int, grade: str) -> None:
        models = replace(bundle.models, churn=bundle.models.churn.adjusted(1.0, 0.1 * number))  # type: ignore[union-attr]
        told = {name: part for name, part in bundle.manifest.items() if name not in ("files", "format")}
        if number == 5:
            told |= {"contract": told["contract"] | {"hashes": ["other", *told["contract"]["hashes"][1:]]}}
        digest = write(self.folder(str(number)), models, told | {"grade": grade})
        tags = {"grade": grade, "bundle_hash": digest, "contract": told["contract"]["definitions"]}
        registry.register_version(self.place, self.folder(str(number)).as_uri(), None, tags)

    def folder(self, version: str) -> Path:
        """Name the folder of a version's artifacts."""
        return self.place.mlruns / "made" / version

    def hash(self, version: str) -> str:
        """Look up the hash that a version was registered with."""
        return str(self.client.get_model_version(MODEL, version).tags["bundle_hash"])

    def move(self, version: str, alias: str = CHAMPION) -> None:
        """Move an alias as anybody may, through MLflow's own client."""
        self.client.set_registered_model_alias(MODEL, alias, version)

    def give_reason(self, version: str, why: str) -> None:
        """Say why a version serves all the same."""
        self.client.set_model_version_tag(MODEL, version, registry.REASON, why)

    def reset(self) -> None:
        """Put version 1 in charge, and let nothing challenge it."""
        self.client.delete_registered_model_alias(MODEL, CHALLENGER)
        for version in map(str, range(1, len(GRADES) + 1)):
            if registry.REASON in self.client.get_model_version(MODEL, version).tags:
                self.client.delete_model_version_tag(MODEL, version, registry.REASON)
        self.move("1")
