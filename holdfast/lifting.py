"""`holdfast lift`: what the offers brought, beside people who were left alone."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from features.errors import InputError
from features.history import History
from features.home import Home
from holdfast.frames import frame_of
from holdfast.places import glossary_of, opened
from holdfast.screen import AsJson, out, say_json, spinner, table

if TYPE_CHECKING:
    from training.decision_log import DecisionLog, Realised
    from training.lifted import Compared, Groups

# The training room takes seconds to import: the commands do so when they run.


def lift(  # noqa: PLR0913, PLR0917 - an option each
    file: Annotated[Path | None, typer.Option(help="Randomised data as CSV or Parquet, in place of the log.")] = None,
    group: Annotated[str, typer.Option(help="The file's column that names each row's group.")] = "group",
    outcome: Annotated[list[str] | None, typer.Option(help="A column of what came; give several, if you like.")] = None,
    before: Annotated[list[str] | None, typer.Option(help="A column known before; what it explains goes off.")] = None,
    person: Annotated[str | None, typer.Option(help="The column that says whom a row is of, if of several.")] = None,
    at: Annotated[str | None, typer.Option(help="The column of the day from which on a row was known.")] = None,
    control: Annotated[str, typer.Option(help="The group that the others are compared with.")] = "hold_out",
    shares: Annotated[str | None, typer.Option(help="Planned shares, such as a=0.5,b=0.5; alike if none.")] = None,
    as_json: AsJson = False,
) -> None:
    """Tell what offers brought beside people who were left alone: retention, purchases, margin, profit.

    Everybody counts once, by the days after their first decision. Intervals hold at every look, so look as often as you
    like (of a file only with --at); what people did before is taken off (CUPED). The groups' sizes are held against the
    plan first.

    Example: holdfast lift

    Example: holdfast lift --file trial.csv --group arm --outcome bought --before spent --control none
    """
    with spinner("Comparing groups"):
        if file is None:
            _check_of_log(outcome, before, person, at, shares)
            people, planned = _of_log()
        else:
            people = _of_file(file, group, outcome or [], before or [], person, at)
            planned = _shares(shares) or dict.fromkeys(people.counted, 1.0)
        answer, found = _answer(people, planned, control, once=file is not None and at is None)
    if as_json:
        say_json(answer)
    else:
        _show(answer, found, control)


def _check_of_log(*asked: object) -> None:
    if any(asked):
        raise InputError(
            "expected --file with --outcome, --before, --person, --at or --shares, found none; of the log all of that"
            " is known: leave them out"
        )


def came_of(place: Home, history: History, now: Any) -> "tuple[DecisionLog, Realised, int]":
    """Read the log and what came of it, by the champion's own horizon; its days, too."""
    from models.manifest import manifest_of
    from serving.bundle import fetch
    from training.decision_log import Yardstick, decision_log, realised

    manifest = manifest_of(fetch(place)[0])
    by = Yardstick.of(manifest, glossary_of(place).assumptions.margin_rate)
    log = decision_log(history, until=now)
    return log, realised(log, history.known_by(now), by, history.decisions.tries(now)), by.days


def _of_log() -> "tuple[Groups, dict[str, float]]":
    from serving.experiment import GROUPS, HOLD_OUT, RANDOM, load_experiment
    from training.lifted import from_log

    with opened() as (place, history, clock):
        log, came, days = came_of(place, history, clock())
        experiment = load_experiment(place.playbook / "learning.toml", glossary_of(place))
    planned = {HOLD_OUT: experiment.hold_out, RANDOM: experiment.random}
    shares = {name: planned.get(name, 1.0 - sum(planned.values())) for name in GROUPS}
    return from_log(log, came, days, experiment.salt), {name: share for name, share in shares.items() if share > 0}


def _of_file(
    file: Path, group: str, outcome: list[str], before: list[str], person: str | None, at: str | None
) -> "Groups":
    from training.lifted import from_file

    if not outcome:
        raise InputError("expected --outcome with a column of the file, found none; give one or several")
    return from_file(frame_of(file), group, outcome, before, person, at)


def _shares(text: str | None) -> dict[str, float] | None:
    """Read planned shares, such as "a=0.9,b=0.1"."""
    if text is None:
        return None
    try:
        told = {name.strip(): float(share) for name, share in (part.split("=") for part in text.split(","))}
    except ValueError as error:
        raise InputError(f"expected --shares such as a=0.5,b=0.5; found {text!r}") from error
    if not told or min(told.values()) <= 0:
        raise InputError(f"expected shares above 0, found {text!r}")
    return told


def _answer(
    people: "Groups", planned: dict[str, float], control: str, once: bool
) -> "tuple[dict[str, Any], list[Compared]]":  # fmt: skip
    from training.lifted import compare
    from training.sample_ratio import sample_ratio

    if people.groups and control not in people.counted:
        raise InputError(f"expected the control {control!r} among the groups, found {', '.join(people.counted)}")
    found = list(compare(people, control, once))
    ratio = sample_ratio(people.counted, planned)
    told = {
        "people": len(set(people.names)),
        "left_out": people.left_out,
        "control": control,
        "once": once,
        "sample_ratio": ratio.as_dict() | {"said": ratio.said()},
    }
    return told | {"lifts": [one.as_dict() for one in found]}, found


def _show(answer: dict[str, Any], found: "list[Compared]", control: str) -> None:
    if not answer["people"]:
        out.print(
            "No decision's horizon has passed yet under this salt, so there is nothing to compare: come back once the"
            " first decisions are a horizon old."
        )
        return
    ratio = answer["sample_ratio"]
    out.print(f"{'[red]' if ratio['mismatch'] else ''}Sample ratio: {escape(ratio['said'])}.", soft_wrap=True)
    if answer["left_out"]:
        out.print(f"Left out: {answer['left_out']:,} rows without a group, a person or an outcome.", soft_wrap=True)
    rows = [_row(one) for one in found if one.lift]
    span = "95 %, at this look" if answer["once"] else "95 %, at every look"
    columns = ("", "people", control, "difference", span, "relative", "narrowed", "")
    if rows:
        out.print(table(f"Lift over {control}, per person", columns, rows))
    for one in found:
        if one.why:
            out.print(f"{one.group}, {one.metric}: {one.why}.", soft_wrap=True, markup=False)


def _row(one: "Compared") -> tuple[str, ...]:
    told = one.lift
    assert told is not None
    relative = "–" if told.relative is None else f"{told.relative:+.1%}"
    return (
        f"{one.group}: {one.metric}", f"{told.people:,}", f"{told.control:,.4g}", f"{told.difference:+,.4g}",
        f"{told.low:+,.4g} – {told.high:+,.4g}", relative, f"{told.narrowed:.0%}", told.verdict,
    )  # fmt: skip
