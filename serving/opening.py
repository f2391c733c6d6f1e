"""Open a desk: the store, the playbook, the bundle and the clock of one home."""

import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

from features.clock import chosen
from features.definitions import NAMES
from features.errors import ContractError, RegistryError
from features.history import History
from features.home import Home
from features.ids import ordered_id
from serving.bundle import download, registered
from serving.desk import Desk
from serving.playbook import files_of, load_playbook
from serving.shelf import Pick, Shelf

if TYPE_CHECKING:
    from serving.scorer import Scorer


def open_desk(
    home: Home, bundle: Path, version: str = "unregistered", new_id: Callable[[], UUID] = ordered_id
) -> Desk:  # fmt: skip
    """Open the desk of a home with the bundle in a folder.

    `new_id` names each decision, and what is left to chance is drawn by that name.

    Raises PlaybookError, RegistryError, ContractError or StoreError when something isn't fit to serve.
    """
    playbook = load_playbook(home.playbook, NAMES)
    # LightGBM takes a second to import: whoever only wants the playbook checked doesn't wait for it.
    loading, scoring = (importlib.import_module(name) for name in ("models.bundle", "serving.scorer"))
    scorer = scoring.Scorer(loading.load(bundle, version))
    history = History(home.database_url, home.erasure_key)
    clock = chosen(home.clock, history.newest)
    history.decisions.keep_playbook(playbook.hash, files_of(home.playbook), clock())
    return Desk(history, scorer, playbook, clock, new_id)


def open_last(home: Home) -> Desk:
    """Open the desk of a home with the bundle that served last.

    Raises RegistryError when none did, and else as `open_desk`.
    """
    shelf = Shelf.of(home)
    last = shelf.served()
    if last is None:
        raise RegistryError(f"expected a bundle that served in {shelf.folder}, found none; train one: holdfast train")
    return open_desk(home, shelf.bundle(last), last.version)


def fit_scorer(shelf: Shelf, pick: Pick, serving: Mapping[str, Any] | None) -> "Scorer":
    """Make a bundle of the shelf ready to score, if it may serve in place of the one with a manifest, or of none.

    Raises RegistryError or ContractError when it may not.
    """
    fitness, scoring = (importlib.import_module(name) for name in ("serving.fitness", "serving.scorer"))
    scorer: Scorer = scoring.Scorer(fitness.fit(shelf.bundle(pick), pick, serving))
    return scorer


def choose(home: Home) -> tuple[str, str]:
    """Ask the registry for the champion, keep it on the shelf as what serves, and return its version.

    Where the registry is away, or its champion isn't fit to serve, it is what served last, with the reason; else the
    reason is "". Raises RegistryError or
    ContractError when there is nothing to serve.
    """
    fitness, shelf = importlib.import_module("serving.fitness"), Shelf.of(home)
    last = shelf.served()
    standing = fitness.standing(shelf.bundle(last)) if last else None
    try:
        found = registered(home)
        pick = Pick(found.version, found.hash, found.why)
        shelf.keep(pick, lambda into: download(home, found, into))
        fit_scorer(shelf, pick, standing)
    except (RegistryError, ContractError) as error:
        if not last or standing is None:
            raise
        return last.version, f"version {last.version}, which served last, serves on: {error}"
    shelf.serve(pick)
    return pick.version, ""
