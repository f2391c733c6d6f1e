"""`holdfast promote`, `rollback` and `challenge`: which bundle serves, and which decides in its shadow."""

from typing import Annotated

import typer

from features.errors import InputError
from features.home import home
from holdfast.screen import AsJson, err, out, say_json

_TAKEN_UP = "Running services take it up within 10 seconds, if it passes their checks."

# MLflow takes seconds to import: each command does so when it runs.


def promote(
    version: Annotated[str, typer.Argument(help="The version to put in charge.")],
    why: Annotated[str | None, typer.Option(help="Why a worse grade is put in charge all the same.")] = None,
    as_json: AsJson = False,
) -> None:
    """Make a registered bundle the champion, which is what serves.

    A grade worse than the champion's, or "refused", needs a reason, which is kept with the version.

    Example: holdfast promote 3 --why "a trial in the north"
    """
    from training.registry import promote as put_in_charge

    before = put_in_charge(home(), version, why=why)
    _say(version, before, "Version {} is the champion now", as_json)


def rollback(
    why: Annotated[str | None, typer.Option(help="What was wrong; it is kept with the version.")] = None,
    as_json: AsJson = False,
) -> None:
    """Put the champion before this one back in charge, whatever its grade; done twice, it goes back two.

    Example: holdfast rollback --why "it offered vouchers to everybody"
    """
    from training.registry import rollback as put_back

    version, before = put_back(home(), why=why)
    _say(version, before, "Version {} is the champion again", as_json)


def _say(version: str, before: str | None, sentence: str, as_json: bool) -> None:
    if as_json:
        say_json({"champion": version, "before": before})
    else:
        out.print(sentence.format(version) + (f"; before it was version {before}." if before else "."))
        err.print(_TAKEN_UP)


def challenge(
    version: Annotated[str | None, typer.Argument(help="The version to set beside the champion.")] = None,
    none: Annotated[bool, typer.Option("--none", help="Let nothing challenge the champion.")] = False,
    as_json: AsJson = False,
) -> None:
    """Let a registered bundle decide in the shadow of each decision, or none; nothing it decides is ever offered.

    Example: holdfast challenge 4

    Example: holdfast challenge --none
    """
    from training.registry import challenge as set_beside

    if (version is None) == (not none):
        raise InputError("expected a version, or --none; found " + ("both" if none else "neither"))
    before = set_beside(home(), version)
    if as_json:
        say_json({"challenger": version, "before": before})
    elif version is None:
        out.print("Nothing challenges the champion now" + (f"; before it was version {before}." if before else "."))
    else:
        out.print(f"Version {version} decides in the champion's shadow now; to see how it does: holdfast challenger")
        err.print("Running services begin within 10 seconds.")
