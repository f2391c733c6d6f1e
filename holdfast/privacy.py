"""`holdfast erase`: everything of a person leaves, with a proof; and what belongs to it."""

import getpass
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from features.clock import live
from features.erasing import Finding, behind, marked
from features.errors import InputError, StoreError
from features.history import History
from features.home import Home
from features.naming import Names
from features.proofs import Request, doubts, marks_of, read_proof
from features.unfinished import Intent, Unfinished
from holdfast.finishing import erased, folder_of, resumed
from holdfast.places import glossary_of, opened
from holdfast.screen import AsJson, err, near, out, say_json, spinner, table


class Once(StrEnum):
    """What becomes of references that were once theirs, by links since undone."""

    erase = "erase"
    keep = "keep"


def erase(  # noqa: PLR0913, PLR0917 - an option each
    reference: Annotated[str | None, typer.Argument(help="Any reference of the person.", metavar="[REF]")] = None,
    why: Annotated[str | None, typer.Option(help="Why, which the proof says; without a name.")] = None,
    by: Annotated[str | None, typer.Option(help="Who does it; whoever is logged in, if not given.")] = None,
    once: Annotated[
        Once | None, typer.Option("--once-linked", help="What to do with references whose link was undone.")
    ] = None,
    to: Annotated[Path | None, typer.Option("--out", help="The proof; in data/erasures if not given.")] = None,
    folder: Annotated[
        list[Path] | None, typer.Option(help="A further folder whose files are cleared, such as of exports.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count what would go.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask.")] = False,
    rewrite: Annotated[bool, typer.Option(help="Rewrite the store's free space, which writers wait for.")] = True,
    again: Annotated[Path | None, typer.Option("--from", help="Erase again what a proof tells of.")] = None,
    check: Annotated[Path | None, typer.Option(help="Check that what a proof tells of still holds.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Only finish what broke off.")] = False,
    lift: Annotated[bool, typer.Option("--lift", help="Let something be told of the reference again.")] = False,
    as_json: AsJson = False,
) -> None:
    """Erase a person: whatever names them goes, under all of their references, and doesn't come back.

    What only counts stays nameless. What is told of them again isn't taken, and nothing is decided of them. The proof
    says what was done and names nobody; --check holds it against the store, status 1 when it doesn't hold, and --from
    does the same again in a store that came out of an older backup. An erasure that breaks off is finished by the next
    one, of whomever, or by --resume.

    Example: holdfast erase household:1574 --why "asked for it on 3 March" --dry-run

    Example: holdfast erase --check data/erasures/2026-03-03T101500.000000.json
    """
    asked = [one for one in (reference, again, check, resume or None) if one is not None]
    if len(asked) != 1:
        raise InputError(f"expected a reference, --from, --check or --resume; found {len(asked)} of them")
    folders = tuple(one.absolute() for one in folder or ())
    with opened() as (place, history, _):
        if check is not None:
            _hold(history, read_proof(check), as_json)
            return
        finished = [] if dry_run else resumed(place, history, rewrite)
        if resume:
            _say_finished(finished, as_json)
        elif again is not None:
            _again(place, history, again, folders, as_json)
        elif lift:
            _lift(place, history, reference or "", as_json)
        else:
            name = _reference(place, history, reference or "")
            if done := [one.intent.proof for one in finished if name in one.erased.references]:
                _say(read_proof(done[0]), done[0], as_json)
                return
            names = _whom(history, name, once)
            counts = history.erasures.counts(names)
            if dry_run:
                _show_counts(counts, names, as_json)
                return
            _confirm(why, yes, counts, names)
            request = Request(why or "", by or getpass.getuser(), live())
            intent = Intent(request, _target(place, to, request.at), folders, rewrite)
            _erase(place, history, behind(name, once is Once.erase), intent, as_json)


def _erase(place: Home, history: History, find: Finding, intent: Intent, as_json: bool) -> None:
    with spinner("Erasing"):
        _, proof = erased(place, history, find, intent)
    _say(proof, intent.proof, as_json)


def _target(place: Home, to: Path | None, at: datetime) -> Path:
    """See that a proof can be written before anything is erased."""
    path = (to or folder_of(place) / f"{at:%Y-%m-%dT%H%M%S.%f}.json").absolute()
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() or not os.access(path.parent, os.W_OK):
        raise InputError(f"expected --out as a new file that can be written, found {path}")
    return path


def _whom(history: History, name: str, once: Once | None) -> Names:
    person = history.erasures.person(name)
    if person.once and once is None:
        raise InputError(
            f"expected to be told whose {', '.join(sorted(person.once))} is, found that it was once linked with"
            f" {', '.join(sorted(person.references))} and isn't any more; add --once-linked erase where it is the same"
            " person's, or --once-linked keep where it is another's"
        )
    return Names(person.references | person.once if once is Once.erase else person.references)


def _reference(place: Home, history: History, text: str) -> str:
    # Phone numbers take a fifth of a second to import.
    from serving.callers import find_caller

    return find_caller(history, text, live(), glossary_of(place).region).reference


def _confirm(why: str | None, yes: bool, counts: Mapping[str, int], names: Names) -> None:
    if not why:
        raise InputError("expected --why, which the proof says; found none")
    if not yes:
        _show_counts(counts, names, as_json=False)
        typer.confirm("Erase all of it? There is no way back.", abort=True, err=True)


def _again(place: Home, history: History, path: Path, folders: tuple[Path, ...], as_json: bool) -> None:
    """Erase what a proof tells of in a store that doesn't know of it, and see that the proof holds."""
    proof = read_proof(path)
    history.tombstones.same(proof["secret"])
    intent = Intent(Request(proof["why"], getpass.getuser(), live()), path.absolute(), folders, again=True)
    with spinner("Erasing"):
        history.erasures.bury(marks_of(proof), live())
        went, now = erased(place, history, marked(history.tombstones, proof["references"]), intent)
    if not as_json:
        out.print(f"Erased again: {_counts(went.deleted)}.")
    _say_left(now["files_that_still_name"], now["free_space_rewritten"], err if as_json else out)
    _hold(history, proof, as_json)


def _say_finished(finished: Sequence[Unfinished], as_json: bool) -> None:
    if as_json:
        say_json({"finished": [str(one.intent.proof) for one in finished]})
    elif not finished:
        out.print("No erasure that broke off was left to finish.")


def _hold(history: History, proof: Mapping[str, Any], as_json: bool) -> None:
    said = doubts(proof, history)
    if as_json:
        say_json({"holds": not said, "doubts": said, "erased_at": proof["erased_at"]})
    elif said:
        out.print(
            f"[red]The proof doesn't hold: {'; '.join(said)}.[/] Erase again: holdfast erase --from", soft_wrap=True
        )
    else:
        out.print(
            f"The proof holds: erased on {proof['erased_at'][:10]}, {len(proof['references']):,} references and"
            f" {len(proof['decisions']):,} decisions; none of them is in the store, and none can come back.",
            soft_wrap=True,
        )
    if said:
        raise typer.Exit(1)


def _lift(place: Home, history: History, text: str, as_json: bool) -> None:
    name = _reference(place, history, text)
    lifted = history.erasures.lift([name], live())
    if as_json:
        say_json({"lifted": lifted})
    elif lifted:
        out.print("What is told of the reference is taken again. What was erased stays gone.")
    else:
        out.print("The reference wasn't erased; nothing to do.")


def _say(proof: Mapping[str, Any], path: Path, as_json: bool) -> None:
    if as_json:
        say_json({**proof, "proof": str(path)})
    else:
        out.print(table("Erased", ("", "rows"), [(name, f"{rows:,}") for name, rows in _parts(proof)]))
        _say_left(proof["files_that_still_name"], proof["free_space_rewritten"], out)
        out.print(f"The proof names nobody: {near(path)}", soft_wrap=True)
    if still := sum(proof["still_named_after"].values()):
        raise StoreError(f"expected nothing to name the person any more, found {still:,} texts that do; erase again")


def _say_left(files: Iterable[str], wiped: bool, on: Console) -> None:
    for file in files:
        on.print(f"[red]May still be named in {file}[/], which was left; see docs/privacy.md", soft_wrap=True)
    if not wiped:
        on.print("To rewrite the store's free space in a quiet hour: holdfast erase --from THE PROOF", soft_wrap=True)


def _parts(proof: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    yield from proof["deleted"].items()
    yield from ((f"{name}, kept without a name", rows) for name, rows in proof["left_nameless"].items())
    others = sum(proof["names_taken_out_of_others_rows"].values())
    yield "texts of others that named them", others
    yield from ((f"in {Path(file).name}", rows) for file, rows in proof["files"].items())


def _show_counts(counts: Mapping[str, int], names: Names, as_json: bool) -> None:
    if as_json:
        say_json({"references": sorted(names.references), "rows": dict(counts)})
        return
    out.print(f"To be erased: {', '.join(sorted(names.references))}.", soft_wrap=True)
    out.print(table("Rows that name them", ("", "rows"), [(name, f"{rows:,}") for name, rows in counts.items()]))


def _counts(rows: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in rows.items())
