"""`holdfast simulate`: what would come, before anybody is asked."""

import typer

from holdfast.realism import compare
from holdfast.worlds import world

app = typer.Typer(
    help="""Simulate: what comes of it is always labelled so.

    Example: holdfast simulate world trial --people 3000
    """,
    no_args_is_help=True,
)
app.callback()(lambda: None)
app.command("world")(world)
app.command("compare")(compare)
