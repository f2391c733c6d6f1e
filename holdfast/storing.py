"""`holdfast backup`, `restore` and `migrate`: the store as a whole."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from features.clock import live
from features.home import home
from features.revisions import REVISION
from holdfast.screen import near, out, say_json, spinner, table

if TYPE_CHECKING:
    from features.backups import Backup

_File = Annotated[Path, typer.Argument(help="The backup file.", metavar="FILE")]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


def backup(
    file: _File,
    replace: Annotated[bool, typer.Option("--replace", help="Replace a file that is there.")] = False,
    as_json: _Json = False,
) -> None:
    """Write all that the store holds at one moment into one file, while the service goes on.

    The file is checked before it takes its place, and is there whole or not at all. Whichever engine the store is on,
    the file is a SQLite database, and can be restored on either.

    Example: holdfast backup holdfast-2026-11-26.backup
    """
    from features.backups import write_backup

    with spinner("Backing up"):
        made = write_backup(home().database_url, file, live(), replace)
    _show("Backed up", made, as_json)


def restore(
    file: _File,
    replace: Annotated[bool, typer.Option("--replace", help="Lose what is in the store.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Only check the backup; the store isn't touched.")] = False,
    as_json: _Json = False,
) -> None:
    """Put what a backup holds into the store, all of it or nothing, and check that it is there; stop the service first.

    Example: holdfast restore holdfast-2026-11-26.backup --check
    """
    from features.backups import read_backup
    from features.recovering import restore as put_back

    place = home()
    with spinner("Checking" if check else "Restoring"):
        found = (
            read_backup(file) if check else put_back(file, place.database_url, place.data, replace, place.erasure_key)
        )
    _show("Sound" if check else "Restored", found, as_json)


def migrate(
    keep: Annotated[
        Path | None, typer.Option("--backup", help="Where to keep the store as it was; data/backups if not given.")
    ] = None,
) -> None:
    """Carry the store forwards to the tables of this Holdfast, all the way or not at all; stop the service first.

    The store as it was is kept as a backup. One that is of this version already is left alone.

    Example: holdfast migrate
    """
    from features.recovering import carried_forwards

    place = home()
    with spinner("Carrying the store forwards"):
        carried = carried_forwards(place.database_url, keep or place.data / "backups", live())
    if carried is None:
        out.print(f"The store is of version {REVISION} already; nothing to do.")
        return
    before, kept = carried
    out.print(
        f"The store was of version {before} and is of version {REVISION} now; as it was it is kept in {near(kept)}.",
        soft_wrap=True,
    )


def _show(title: str, found: "Backup", as_json: bool) -> None:
    if as_json:
        tables = {name: {"rows": one.rows, "sha256": one.sha256} for name, one in found.tables.items()}
        told = {"file": str(found.path), "made_at": found.made_at.isoformat(), "version": found.version}
        say_json(told | {"tables": tables})
        return
    rows = [(name, f"{one.rows:,}", one.sha256[:16]) for name, one in sorted(found.tables.items())]
    out.print(
        table(
            f"{title}: {near(found.path)}, of {found.made_at:%Y-%m-%d %H:%M:%S} UTC", ("table", "rows", "SHA-256"), rows
        )
    )
