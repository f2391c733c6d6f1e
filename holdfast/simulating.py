"""`holdfast simulate`: what a playbook would do, and a world whose truth is known; nothing of it has happened."""

import typer

from holdfast.realism import compare
from holdfast.what_if import playbook
from holdfast.worlds import world

app = typer.Typer(
    help="""Simulate what a new playbook would do to the whole base, or a world whose truth is known.

    Example: holdfast simulate playbook drafts/spring

    Example: holdfast simulate world trial --people 3000
    """,
    no_args_is_help=True,
)
app.callback()(lambda: None)
app.command("playbook")(playbook)
app.command("world")(world)
app.command("compare")(compare)
