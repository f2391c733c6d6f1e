"""How a benchmark says what it found: a table for people, rows for machines."""

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Row:
    """One figure of ours beside a peer's; `holds` says whether the ratio meets its bar, None where there is no bar."""

    figure: str
    ours: float
    peer: float
    ratio: float
    bar: str
    holds: bool | None


def options(about: str) -> argparse.ArgumentParser:
    """Make the options that every benchmark has."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--json", action="store_true", help="print rows of {figure, ours, peer, ratio, bar, holds}")
    return parser


def say(title: str, rows: Sequence[Row], as_json: bool) -> None:
    """Print the rows."""
    if as_json:
        print(json.dumps([asdict(row) for row in rows], indent=1))
        return
    made = Table(title=title, title_justify="left")
    for column in ("figure", "ours", "peer", "ratio", "bar", "holds"):
        made.add_column(column, justify="left" if column in ("figure", "bar") else "right")
    for row in rows:
        holds = "" if row.holds is None else "yes" if row.holds else "no"
        made.add_row(row.figure, f"{row.ours:.4g}", f"{row.peer:.4g}", f"{row.ratio:.3g}", row.bar, holds)
    Console(highlight=False).print(made)
