"""A bundle's manifest: what it is, and the hash of every other file, by which a damaged one shows.

It is read without LightGBM, which takes a second and much memory to import.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

from features.errors import RegistryError

FORMAT = 7


def manifest_of(folder: Path) -> dict[str, Any]:
    """Read a bundle's manifest, and check every file against it.

    Raises RegistryError when a file is missing or differs, or the bundle has another format.
    """
    try:
        manifest = read(folder / "manifest.json")
    except (OSError, ValueError) as error:
        raise RegistryError(f"expected a bundle with a manifest in {folder}, found: {error}") from error
    if manifest.get("format") != FORMAT:
        raise RegistryError(
            f"expected a bundle of format {FORMAT}, found {manifest.get('format')}; train again: holdfast train"
        )
    for name, digest in manifest["files"].items():
        if (found := found_hash(folder / name)) != digest:
            raise RegistryError(
                f"expected {name} of the bundle with hash {digest}, found {found}; train again: holdfast train"
            )
    return manifest


def found_hash(path: Path) -> str:
    """Hash a bundle's file; "no file" where there is none."""
    return digest(path) if path.exists() else "no file"


def read(path: Path) -> dict[str, Any]:
    """Read a file of JSON."""
    told: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return told


def digest(path: Path) -> str:
    """Hash a file, by 128 bits of BLAKE2b."""
    return hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest()
