"""`holdfast retain`: what has been kept for long enough goes."""

from typing import Annotated

import typer

from features.errors import PlaybookError
from features.retention import load_retention
from features.retention import retain as take_out
from holdfast.places import opened
from holdfast.screen import AsJson, bars, out, say_json, table


def retain(
    apply: Annotated[bool, typer.Option("--apply", help="Delete it; otherwise it is only counted.")] = False,
    as_json: AsJson = False,
) -> None:
    """Count what is older than the playbook's privacy.toml keeps it, by kind; with --apply, delete it.

    A kind that isn't named there is kept. What caps and suppressions of the contact policy still count must be kept, so
    a playbook that says otherwise is refused; holdfast playbook check says more.

    Example: holdfast retain

    Example from cron: 0 4 * * 0 holdfast retain --apply --json >> retain.log
    """
    from features.definitions import NAMES
    from serving.lint import kept_too_briefly
    from serving.playbook import load_playbook

    with opened() as (place, history, clock), bars() as tick:
        retention, now = load_retention(place.playbook), clock()
        faults = [
            one for one in kept_too_briefly(retention, load_playbook(place.playbook, NAMES)) if one.severity == "error"
        ]
        if faults:
            raise PlaybookError(f"{faults[0].place}: expected it to be kept for longer, found it {faults[0].found}")
        found = take_out(history.expiry, retention, now, apply, lambda kind, gone: tick(f"Deleting {kind}", gone, None))
        # Whatever was deleted now: a run before may have broken off in between.
        if apply and retention.days:
            history.erasures.wipe()
    if as_json:
        say_json({"as_of": now.isoformat(), "applied": apply, "rows": found})
        return
    cuts = retention.cuts(now)
    rows = [(kind, f"{cuts[kind]:%Y-%m-%d}" if kind in cuts else "", f"{rows:,}") for kind, rows in found.items()]
    title = "Deleted" if apply else "To be deleted, with --apply"
    out.print(table(title if rows else "privacy.toml names no kind: all is kept", ("", "older than", "how many"), rows))
