"""Open a desk: the store, the playbook, the bundle and the clock of one home."""

import importlib
from collections.abc import Callable
from pathlib import Path
from uuid import UUID, uuid4

from features.clock import chosen
from features.definitions import NAMES
from features.history import History
from features.home import Home
from serving.desk import Desk
from serving.playbook import files_of, load_playbook


def open_desk(
    home: Home, bundle: Path, version: str = "unregistered", new_id: Callable[[], UUID] = uuid4
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
