"""What a home keeps of the registry, so that workers need not ask it, and serve on while it is away.

data/serving/registry.json     what the registry said last, and when; written by the follower
data/serving/shadow.json       how many decisions the challenger shadowed; written by its process
data/serving/served.json       the bundle that serves, the last good one; written by whoever takes one up
data/serving/bundles/HASH      bundles, each whole or not at all; the last few are kept
"""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from features.errors import RegistryError
from features.home import Home
from models.manifest import found_hash, manifest_of

_KEPT = 5
# What the files look like; another Holdfast's count for nothing.
_FORM = 1


@dataclass(frozen=True, slots=True)
class Pick:
    """A version that an alias names: its hash, and why it serves whatever its grade; what is wrong with its files."""

    version: str
    hash: str
    why: str = ""
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Said:
    """What the registry said last; moments are seconds since 1970, 0 for never.

    `fault` says why it couldn't be asked the last time, "" when it could; `misses` counts how often it couldn't.
    """

    asked_at: float = 0.0
    reached_at: float = 0.0
    fault: str = ""
    misses: int = 0
    champion: Pick | None = None
    challenger: Pick | None = None


@dataclass(frozen=True)
class Shelf:
    """The folder of a home in which that is kept; what another registry said there counts for nothing."""

    folder: Path
    registry: str = field(repr=False)

    @classmethod
    def of(cls, home: Home) -> "Shelf":
        """Find a home's shelf."""
        return cls(home.data / "serving", hashlib.blake2b(home.tracking_uri.encode(), digest_size=16).hexdigest())

    def said(self) -> Said:
        """Read what the registry said last."""
        told = self._read("registry.json")
        return Said(**(told | {name: _pick(told.get(name)) for name in ("champion", "challenger")}))

    def say(self, said: Said) -> None:
        """Write down what the registry said."""
        self._write("registry.json", asdict(said))

    def served(self) -> Pick | None:
        """Read which bundle served last, whoever took it up."""
        return _pick(self._read("served.json"))

    def serve(self, pick: Pick) -> None:
        """Write down which bundle serves."""
        if self.served() != pick:
            self._write("served.json", asdict(pick))

    def count(self, challenger: Pick, counts: Mapping[str, int]) -> None:
        """Write down how many decisions a challenger shadowed since its process began, and how many it couldn't."""
        self._write("shadow.json", {"version": challenger.version, "hash": challenger.hash, **counts})

    def counted(self) -> dict[str, Any]:
        """Read what the last challenger counted; nothing where there was none."""
        return self._read("shadow.json")

    def bundle(self, pick: Pick) -> Path:
        """Name the folder in which a bundle is kept, if it is."""
        return self.folder / "bundles" / pick.hash

    def keep(self, pick: Pick, bring: Callable[[Path], Path]) -> Path:
        """Keep a bundle, whole or not at all, unless it is here without a fault; `bring` lays it into a folder.

        Raises RegistryError when a file is missing or differs.
        """
        kept = self.bundle(pick)
        if not self.holds(pick):
            self._bring(kept, bring)
        return kept

    def stamp(self, pick: Pick) -> int:
        """Tell one copy of a bundle from another that took its place; 0 where there is none."""
        kept = self.bundle(pick)
        return kept.stat().st_mtime_ns if kept.exists() else 0

    def _bring(self, kept: Path, bring: Callable[[Path], Path]) -> None:
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=kept.parent) as beside:
            brought = bring(Path(beside))
            manifest_of(brought)
            if kept.exists():
                kept.rename(Path(beside) / "damaged")
            os.utime(brought)
            brought.rename(kept)

    def holds(self, pick: Pick) -> bool:
        """Tell whether a bundle is kept here, with every file as it was."""
        kept = self.bundle(pick)
        try:
            manifest_of(kept)
        except RegistryError:
            return False
        return found_hash(kept / "manifest.json") == pick.hash

    def tidy(self, needed: Collection[Pick]) -> None:
        """Drop all bundles but those needed and the newest few."""
        folders = sorted((self.folder / "bundles").glob("*"), key=lambda path: path.stat().st_mtime)
        for folder in folders[:-_KEPT]:
            if folder.name not in {pick.hash for pick in needed}:
                shutil.rmtree(folder, ignore_errors=True)

    def _read(self, name: str) -> dict[str, Any]:
        """Read a file of this registry's; nothing where there is none, or it can't be read."""
        try:
            told = dict(json.loads((self.folder / name).read_text(encoding="utf-8")))
        except (OSError, ValueError):
            return {}
        return told if (told.pop("registry", None), told.pop("form", None)) == (self.registry, _FORM) else {}

    def _write(self, name: str, told: dict[str, Any]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        part = self.folder / f"{name}.{os.getpid()}"
        part.write_text(json.dumps(told | {"registry": self.registry, "form": _FORM}, ensure_ascii=False), "utf-8")
        os.replace(part, self.folder / name)


def _pick(told: dict[str, Any] | None) -> Pick | None:
    return Pick(**told) if told else None
