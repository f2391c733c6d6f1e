"""What a person sees while a command runs: bars on standard error, results on standard output."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
Tick = Callable[[str, int, int | None], None]
_HELD_OUT = "On the last horizon, which no fit and no calibration has seen"


@contextmanager
def bars() -> Iterator[Tick]:
    """Show a bar for each named piece of work; call the result with its name, what is done, and the total."""
    columns = (
        SpinnerColumn(finished_text="[green]✓[/]"), TextColumn("{task.description}"), BarColumn(bar_width=30),
        MofNCompleteColumn(), TimeElapsedColumn(),
    )  # fmt: skip
    with Progress(*columns, console=err) as progress:
        tasks: dict[str, Any] = {}

        def tick(name: str, done: int, total: int | None) -> None:
            if name not in tasks:
                tasks[name] = progress.add_task(name, total=total)
            progress.update(tasks[name], completed=done, total=total)

        yield tick
        for task in progress.tasks:
            if task.total is None:
                progress.update(task.id, total=task.completed)


def near(path: Path) -> str:
    """Write a path as short as it can be from where the command runs."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


@contextmanager
def spinner(doing: str) -> Iterator[None]:
    """Show that something without steps is under way, and for how long."""
    with Progress(
        SpinnerColumn(finished_text="[green]✓[/]"), TextColumn("{task.description}"), TimeElapsedColumn(), console=err
    ) as progress:
        task = progress.add_task(doing, total=1)
        yield
        progress.update(task, completed=1)


def say_json(answer: Any) -> None:
    """Print an answer for machines."""
    out.print_json(json.dumps(answer, ensure_ascii=False, default=str, allow_nan=False))


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """Make a table; the first column is text, the others numbers."""
    made = Table(title=escape(title), title_justify="left", header_style="bold", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for place, column in enumerate(columns):
        made.add_column(escape(column), justify="left" if place == 0 else "right")
    for row in rows:
        made.add_row(*map(escape, row))
    return made


def basis(told: Mapping[str, Any]) -> str:
    """Say what stands beside every score: the horizon, who is active, and until when was learned and judged."""
    days, rule = told["horizon_days"], told["active_rule"]
    bought = f"bought within the last {told['active_days']} days"
    active = "has bought and hasn't ended the contract since" if rule == "contract" else bought
    return (
        f"scores look {days} days ahead; active is who {active}; learned up to {told['learned_until'][:10]}, judged on"
        f" the {days} days from {told['tested_from'][:10]}"
    )


def leaderboard(figures: Sequence[Mapping[str, Any]], title: str = _HELD_OUT) -> Table:
    """Lay out a bundle's figures, each with its interval and the best simple rule beside it."""
    made = table(title, ("", "ours", "best simple rule", "gain", "95 % interval"), [])
    models: list[str] = []
    for figure in figures:
        if figure["model"] not in models:
            models.append(figure["model"])
            made.add_section()
            made.add_row(f"[bold]{figure['model'].replace('_', ' ')}[/]")
        made.add_row(*_line(figure))
    return made


def _line(figure: Mapping[str, Any]) -> tuple[str, ...]:
    rule = figure["best_baseline"]
    if rule is None:
        return figure["metric"], _short(figure["ours"]), "", "", ""
    beside = f"{rule} {_short(figure['baselines'][rule])}"
    if figure["gain"] is None:
        return figure["metric"], _short(figure["ours"]), beside, "–", "can't be measured"
    interval = f"{figure['gain_low']:.3f} – {figure['gain_high']:.3f}"
    return figure["metric"], _short(figure["ours"]), beside, f"{figure['gain']:+.3f}", interval


def _short(number: float | None) -> str:
    if number is None:
        return "–"
    return f"{number:,.1f}" if abs(number) >= 10 else f"{number:.3f}"
