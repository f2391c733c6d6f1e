"""`holdfast doctor`: what an installation needs, one line a check, and what to do about what it lacks."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Annotated

import typer
from rich.markup import escape

from features.errors import HoldfastError
from features.home import home
from holdfast.diagnosis import BAD, GOOD, POOR, Finding
from holdfast.screen import AsJson, out, say_json

_SIGNS = {GOOD: "[green]✓[/]", POOR: "[yellow]![/]", BAD: "[red]✗[/]"}


def doctor(
    port: Annotated[int, typer.Option(min=1, max=65535, help="The port that the service listens on.")] = 3000,
    as_json: AsJson = False,
) -> None:
    """Look whether everything that Holdfast needs is there and fits: one line a check, and what to do.

    Nothing is changed. The status is 1 when something is broken (✗), not when something is only poor (!).

    Example: holdfast doctor --port 3000
    """
    found = list(_findings(port))
    if as_json:
        say_json({"sound": all(one.state != BAD for one in found), "checks": [asdict(one) for one in found]})
    else:
        for one in found:
            todo = f" → [bold]{escape(one.do)}[/]" if one.do and one.state != GOOD else ""
            out.print(f"{_SIGNS[one.state]} [bold]{one.name}[/]: {escape(one.found)}{todo}", soft_wrap=True)
    if any(one.state == BAD for one in found):
        raise typer.Exit(1)


def _findings(port: int) -> Iterator[Finding]:
    from holdfast import machine, standing

    place = home()
    looked, bundle = standing.Looked(place), standing.Champion(place)
    checks = (
        ("Python", machine.python), ("packages", machine.packages), ("time zones", machine.time_zones),
        ("threads", machine.threads), ("memory", machine.memory),
        ("home", lambda: machine.home_writable(place)), ("disk", lambda: machine.disk(place)),
        ("store", looked.store), ("clock", looked.clock), ("keys", looked.keys),
        ("erasures", lambda: standing.erasures(place)), ("backups", lambda: standing.backups(place)),
        ("playbook", lambda: standing.playbook(place)), ("bundle", bundle.check),
        ("health", lambda: standing.health(place)), ("service", lambda: standing.service(port, bundle.version)),
    )  # fmt: skip
    for name, check in checks:
        try:
            state, found, do = check()
        except HoldfastError as error:
            state, found, do = BAD, str(error), ""
        yield Finding(name, state, found, do)
