"""An erasure from its commit to its proof, and those that broke off in between, which are gone on with."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from rich.markup import escape

from features.engines import file_of
from features.erasing import Erased, Finding
from features.errors import StoreError
from features.history import History
from features.home import Home
from features.naming import Names
from features.proofs import proof_of, write_proof
from features.tombstones import fingerprint
from features.traces import Traces, clear
from features.unfinished import ENDING, Intent, Unfinished, discard_halves, unfinished
from holdfast.locking import alone
from holdfast.screen import err

# MLflow's and BentoML's own, and what libraries keep: no rows of customers.
_OWN = ("bentoml", "tools")


def erased(place: Home, history: History, find: Finding, intent: Intent) -> tuple[Erased, Mapping[str, Any]]:
    """Erase whom `find` finds, clear the files of them, and write the proof; tells what went, and the proof.

    Whatever ends this after the commit, `resumed` goes on with it. Raises StoreError when another erasure is under way.
    """

    def unfinished_of(went: Erased) -> Unfinished:
        return Unfinished(history.erasures.store, fingerprint(history.tombstones.secret()), intent, went)

    def keep(went: Erased) -> None:
        if went.references:
            unfinished_of(went).keep(folder_of(place))

    with alone(place, "erasure", StoreError):
        went = history.erasures.erase(find, intent.request.at, keep)
        return went, _finished(place, history, unfinished_of(went), resumed=False)


def folder_of(place: Home) -> Path:
    """Name the folder of proofs, and of what is needed to finish an erasure that breaks off."""
    return place.data / "erasures"


def resumed(place: Home, history: History, rewrite: bool) -> list[Unfinished]:
    """Go on with the erasures of this store that broke off, and tell which were finished.

    Of one that broke off before its commit nothing was erased: that is said, and its file removed. Raises StoreError
    when another erasure is under way, and InputError when one can't be read.
    """
    if not folder_of(place).is_dir():
        return []
    with alone(place, "erasure", StoreError):
        discard_halves(folder_of(place))
        return list(_resumed(place, history, rewrite))


def _resumed(place: Home, history: History, rewrite: bool) -> Iterator[Unfinished]:
    for one in unfinished(folder_of(place)):
        begun = f"the erasure of {one.intent.request.at:%Y-%m-%d %H:%M:%S} UTC"
        if history.erasures.took_place(set(one.erased.references.values()), one.intent.request.at):
            if not one.proven():
                _say_named(_finished(place, history, one, resumed=True, rewrite=rewrite))
            one.remove(folder_of(place))
            err.print(f"Finished {begun}, which had broken off: {one.intent.proof}", soft_wrap=True)
            yield one
        elif one.store == history.erasures.store:
            one.remove(folder_of(place))
            names = escape(", ".join(sorted(one.erased.references)))
            err.print(f"[red]Nothing was erased[/] by {begun}, of {names}: ask for it again.", soft_wrap=True)
        else:
            err.print(f"[red]Not finished[/]: {begun}, from another store, {one.store}", soft_wrap=True)


def _finished(
    place: Home, history: History, one: Unfinished, resumed: bool, rewrite: bool = True
) -> Mapping[str, Any]:  # fmt: skip
    intent, names = one.intent, Names(one.erased.references)
    traces = _cleared(place, history, names, intent.folders)
    wiped = rewrite and intent.rewrite and _wiped(history)
    named = history.erasures.named(names)
    proof = proof_of(intent.request, one.erased, named, traces, wiped, one.secret, resumed)
    if not intent.again:
        write_proof(proof, intent.proof)
    one.remove(folder_of(place))
    return proof


def _cleared(place: Home, history: History, names: Names, folders: Iterable[Path]) -> Traces:
    """Clear the files that Holdfast wrote; those of the store and of MLflow aren't looked at."""
    used = [file_of(url) for url in (history.url, place.tracking_uri) if url.startswith("sqlite")]
    files = [file for path in used if path for file in (path.absolute(), path.resolve())]
    stores = [Path(f"{file}{ending}") for file in files for ending in ("", "-wal", "-shm")]
    own = [*(place.data / name for name in _OWN), *folder_of(place).glob(f"*{ENDING}")]
    return clear([place.data, place.mlruns, *folders], names, [place.erasure_key, *own, *stores])


def _wiped(history: History) -> bool:
    """Rewrite the store's free space, and tell whether that was done: a long look of somebody else is in its way."""
    try:
        history.erasures.wipe()
    except StoreError as error:
        err.print(f"[red]The store's free space wasn't rewritten[/]: {error}", soft_wrap=True)
        return False
    return True


def _say_named(proof: Mapping[str, Any]) -> None:
    for file in proof["files_that_still_name"]:
        err.print(f"[red]May still be named in {file}[/], which was left; see docs/privacy.md", soft_wrap=True)
    if still := sum(proof["still_named_after"].values()):
        err.print(f"[red]{still:,} texts of the store still name them[/]; erase again", soft_wrap=True)
