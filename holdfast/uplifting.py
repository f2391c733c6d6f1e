"""`holdfast uplift`: whom a treatment changed, from the file of a randomised trial."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from features.archive import completed
from holdfast.frames import frame_of
from holdfast.screen import AsJson, bars, near, out, say_json, spinner, table

if TYPE_CHECKING:
    from training.trial import TrialFile
    from training.uplift import FittedUplift
    from training.uplift_grading import Judged

# The training room takes seconds to import: the command does so when it runs.


def uplift(  # noqa: PLR0913, PLR0917 - an option each
    file: Annotated[Path, typer.Argument(help="CSV or Parquet: a row for everybody treated or not, by lot.")],
    treatment: Annotated[str, typer.Option(help="The column that says who was treated; it has two values.")],
    outcome: Annotated[str, typer.Option(help="The column of what came: yes or no, a count, an amount.")],
    propensity: Annotated[
        str | None, typer.Option(help="The chance of treatment, a column or a number; the share treated by default.")
    ] = None,
    cluster: Annotated[str | None, typer.Option(help="The column that says whom a row is of, if of several.")] = None,
    features: Annotated[str | None, typer.Option(help="Columns known before, with commas; all others if none.")] = None,
    control: Annotated[str | None, typer.Option(help="Which value of the treatment is the control.")] = None,
    to: Annotated[Path | None, typer.Option("--out", help="A Parquet file for each row's uplift.")] = None,
    seed: Annotated[int, typer.Option(help="The seed of folds, fits and intervals.")] = 7,
    as_json: AsJson = False,
) -> None:
    """Learn from a randomised trial whom the treatment changes, and say how well it can be told.

    Everything shown is of rows that the learners hadn't seen; a cluster's rows stay together.

    Example: holdfast uplift trial.csv --treatment mailed --outcome bought --out uplift.parquet
    """
    from training.trial import Columns, doubts, read_trial
    from training.uplift import fit_uplift
    from training.uplift_grading import judge

    chosen = tuple(name.strip() for name in features.split(",")) if features else None
    columns = Columns(treatment, outcome, _number(propensity), cluster, chosen, control)
    told = read_trial(frame_of(file), columns)
    with spinner("Whether it was by lot"):
        warnings, trial = list(doubts(told, seed)), told.trial
    with bars() as tick:
        arms = trial.treated, trial.outcome, trial.propensity
        fitted = fit_uplift(trial.rows, trial.names, *arms, clusters=told.clusters, seed=seed, on_progress=tick)
        judged = judge(fitted, *arms, seed, tick)
    if to is not None:
        _write(to, told, fitted)
    answer = _answer(told, fitted, judged, warnings)
    if as_json:
        say_json(answer)
    else:
        _show(answer, to)


def _number(propensity: str | None) -> str | float | None:
    try:
        return None if propensity is None else float(propensity)
    except ValueError:
        return propensity


def _answer(told: "TrialFile", fitted: "FittedUplift", judged: "Judged", warnings: list[str]) -> dict[str, Any]:
    estimate, low, high = fitted.average
    slope, error = float(fitted.calibration.coefficients[1]), float(fitted.calibration.covariance[1, 1] ** 0.5)
    return {
        "rows": len(told.rows),
        "clusters": int(told.clusters.max()) + 1,
        "treated": int(told.trial.treated.sum()),
        "columns": len(told.trial.names),
        "left_out": list(told.left_out),
        "warnings": warnings,
        "average": {"value": estimate, "low": low, "high": high},
        "qini": asdict(judged.figures.qini),
        "area_under_uplift_curve": asdict(judged.figures.area),
        "calibration_error": asdict(judged.figures.calibration_error),
        "calibration_slope": {"value": slope, "standard_error": error},
        "deciles": [{**asdict(one), "within": one.within} for one in judged.deciles],
        "learners": dict(fitted.shares),
        "positives": fitted.positives,
        "mature": fitted.mature,
        "grade": judged.verdict.grade,
        "reasons": list(judged.verdict.reasons),
    }


def _show(answer: dict[str, Any], to: Path | None) -> None:
    spans = [("average effect", answer["average"], ""), ("Qini coefficient", answer["qini"], "0"),
             ("area under the uplift curve", answer["area_under_uplift_curve"], _half(answer))]  # fmt: skip
    lines = [(name, _said(one["value"]), *map(_said, (one["low"], one["high"])), beside) for name, one, beside in spans]
    out.print(table("On rows that the learners hadn't seen", ("", "ours", "low", "high", "constant, random"), lines))
    tenths = [
        (str(place), f"{one['rows']:,}", *(_said(one[name]) for name in ("predicted", "came", "low", "high")),
         "yes" if one["within"] else "no")
        for place, one in enumerate(answer["deciles"], 1)
    ]  # fmt: skip
    columns = ("tenth by uplift", "rows", "predicted", "came", "low", "high", "within")
    out.print(table("What was said, and what came", columns, tenths))
    ripe = "mature" if answer["mature"] else "not mature"
    out.print(
        f"{answer['rows']:,} rows of {answer['clusters']:,} clusters, {answer['treated']:,} treated;"
        f" {answer['columns']} columns. {answer['positives']:,} outcomes tell something: {ripe}."
        f" Grade [bold]{answer['grade']}[/].",
        soft_wrap=True,
    )
    for sentence in answer["reasons"]:
        out.print(f"  • {sentence}", soft_wrap=True, markup=False)
    for sentence in answer["left_out"]:
        out.print(f"Left out: {sentence}.", soft_wrap=True, markup=False)
    for sentence in answer["warnings"]:
        out.print(f"[yellow]Doubtful:[/] {escape(sentence)}", soft_wrap=True)
    if to is not None:
        out.print(f"Each row's uplift and its interval: {near(to)}", soft_wrap=True)


def _half(answer: dict[str, Any]) -> str:
    """The area of no order: half of what treating everybody brings."""
    return _said(answer["area_under_uplift_curve"]["value"] - answer["qini"]["value"])


def _said(number: float) -> str:
    return f"{number:+z.4g}" if number else "0"


def _write(to: Path, told: "TrialFile", fitted: "FittedUplift") -> None:
    """Write each row's held-out uplift, and the 95 % interval of the mean effect of rows with as much of it."""
    import polars as pl

    low, high = fitted.intervals()
    trial = told.trial
    arrays = {"row": told.rows, "treated": trial.treated, "outcome": trial.outcome, "propensity": trial.propensity,
              "cluster": told.clusters, "fold": fitted.folds, "uplift": fitted.held_out, "low": low, "high": high,
              "pseudo_outcome": fitted.pseudo}  # fmt: skip
    with completed(to) as made:
        pl.DataFrame(arrays).write_parquet(made)
