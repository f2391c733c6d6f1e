"""`holdfast simulate`: what would come, before anybody is asked."""

import typer

from holdfast.what_if import playbook

app = typer.Typer(
    help="""Simulate before launch.

    Example: holdfast simulate playbook drafts/spring
    """,
    no_args_is_help=True,
)
app.callback()(lambda: None)
app.command("playbook")(playbook)
