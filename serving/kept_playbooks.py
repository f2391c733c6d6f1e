"""Playbooks as the store keeps them, made ready to decide by again."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from features.definitions import NAMES
from features.history import History
from serving.decision import Decider
from serving.playbook import load_playbook, write_files


def deciders(history: History, everyone: str | None = None) -> Callable[[str], Decider | None]:
    """Find deciders by their playbook's hash, None for one that isn't kept; each is read once.

    `everyone` puts all customers into one group; by default each is in their own.
    """

    @cache
    def find(playbook_hash: str) -> Decider | None:
        files = history.decisions.playbook(playbook_hash)
        if files is None:
            return None
        with TemporaryDirectory() as folder:
            write_files(files, Path(folder))
            return Decider.of(load_playbook(Path(folder), NAMES), everyone)

    return find
