"""What a person sees while a command runs: bars on standard error, results on standard output."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)
Tick = Callable[[str, int, int | None], None]


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
    made = Table(title=title, title_justify="left", header_style="bold")
    for place, column in enumerate(columns):
        made.add_column(column, justify="left" if place == 0 else "right")
    for row in rows:
        made.add_row(*row)
    return made


def leaderboard(figures: Sequence[Mapping[str, Any]]) -> Table:
    """Lay out a bundle's figures, each with its interval and the best simple rule beside it."""
    return table(
        "On the test window, which no choice has seen",
        ("model", "figure", "ours (95 % interval)", "best simple rule", "gain (95 % interval)"),
        [_line(figure) for figure in figures],
    )


def _line(figure: Mapping[str, Any]) -> tuple[str, ...]:
    ours = f"{figure['ours']:.4g} ({figure['low']:.4g} – {figure['high']:.4g})"
    if figure["best_baseline"] is None:
        return figure["model"].replace("_", " "), figure["metric"], ours, "", ""
    rule = f"{figure['best_baseline']}: {figure['baselines'][figure['best_baseline']]:.4g}"
    gain = f"{figure['gain']:+.2g} ({figure['gain_low']:+.2g} – {figure['gain_high']:+.2g})"
    return figure["model"].replace("_", " "), figure["metric"], ours, rule, gain
