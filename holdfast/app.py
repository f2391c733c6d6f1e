"""The command `holdfast`."""

import os
import sys

import typer
from rich.markup import escape

from features.errors import HoldfastError
from features.home import home
from holdfast import keys, playbooks, policies, simulating
from holdfast.challenging import challenger
from holdfast.charging import challenge, promote, rollback
from holdfast.chasing import chase
from holdfast.checking import consistency, quality
from holdfast.deciding import decide
from holdfast.demo import demo
from holdfast.disclosing import export_person
from holdfast.doctor import doctor
from holdfast.exporting import export, features
from holdfast.health import health
from holdfast.ingesting import ingest
from holdfast.judging import backtest, evaluate
from holdfast.learning import train
from holdfast.lifting import lift
from holdfast.privacy import erase
from holdfast.replaying import replay
from holdfast.retaining import retain
from holdfast.scoring import score
from holdfast.screen import err
from holdfast.service import serve
from holdfast.storing import backup, migrate, restore
from holdfast.uplifting import uplift

app = typer.Typer(
    name="holdfast",
    help="Who is leaving, what they are worth, and what to offer next.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
for command in (
    demo, ingest, train, evaluate, backtest, promote, rollback, challenge, challenger, score, serve, decide, replay,
    chase, consistency, quality, health, lift, uplift, export, features, backup, restore, migrate, doctor, erase,
    export_person, retain,
):  # fmt: skip
    app.command()(command)
app.add_typer(keys.app, name="keys")
app.add_typer(playbooks.app, name="playbook")
app.add_typer(policies.app, name="policy")
app.add_typer(simulating.app, name="simulate")


def main() -> None:
    """Run a command; a foreseen error is one message on standard error and status 1."""
    try:
        place = home()
    except HoldfastError as error:
        err.print(f"[red]holdfast:[/] {escape(str(error))}", soft_wrap=True)
        sys.exit(1)
    # What libraries would keep in the user's own folder stays with the installation.
    os.environ.setdefault("BENTOML_DO_NOT_TRACK", "True")
    os.environ.setdefault("BENTOML_HOME", str(place.data / "bentoml"))
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
    os.environ.setdefault("MPLCONFIGDIR", str(place.data / "tools" / "matplotlib"))
    try:
        app()
    except HoldfastError as error:
        err.print(f"[red]holdfast:[/] {escape(str(error))}", soft_wrap=True)
        sys.exit(1)
    except KeyboardInterrupt:
        err.print("Stopped.")
        sys.exit(130)
