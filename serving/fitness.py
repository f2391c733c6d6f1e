"""Whether a bundle may serve in place of another: its files, its contract, its answers and its grade."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from features.contract import CONTRACT, FeatureContract
from features.errors import ContractError, RegistryError
from models.bundle import Bundle, load
from models.grades import REFUSED, rank
from models.manifest import manifest_of
from serving.shelf import Pick


def fit(folder: Path, pick: Pick, serving: Mapping[str, Any] | None) -> Bundle:
    """Load a bundle that may serve in place of the one with a manifest, or of none.

    Raises RegistryError or ContractError when it may not.
    """
    bundle = checked(folder, pick)
    if not pick.why:
        check_grade(bundle.manifest, serving, pick.version)
    return bundle


def checked(folder: Path, pick: Pick) -> Bundle:
    """Load the bundle that was registered, whatever its grade.

    Raises RegistryError when it is another or damaged, ContractError when it is of other features.
    """
    bundle = load(folder, pick.version)
    if bundle.hash != pick.hash:
        raise RegistryError(f"expected bundle {pick.version} with hash {pick.hash}, found {bundle.hash}")
    return bundle


def check_grade(new: Mapping[str, Any], serving: Mapping[str, Any] | None, version: str) -> None:
    """Refuse a grade that nobody gave a reason for: "refused", or one worse than that of what serves.

    Raises RegistryError.
    """
    worst = REFUSED - 1 if serving is None else min(REFUSED - 1, rank(serving))
    if rank(new) > worst:
        than = "a bundle that may serve" if serving is None or rank(serving) >= REFUSED else "what serves has"
        raise RegistryError(
            f"expected a grade as {than}, or a reason; found {new.get('grade')} without one. To let it serve all the"
            f" same: holdfast promote {version} --why REASON"
        )


def standing(folder: Path) -> dict[str, Any] | None:
    """Read the manifest of a bundle that could go on serving; None where it is damaged, or of other features."""
    try:
        manifest = manifest_of(folder)
        CONTRACT.check(FeatureContract.from_dict(manifest["contract"]))
    except (RegistryError, ContractError):
        return None
    return manifest
