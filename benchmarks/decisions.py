"""Decisions: how long one takes, and what never happens: `python -m benchmarks.decisions [--json]`.

It decides with the champion of the home, so train one before (`make demo`). Customers and their events are simulated.
`--only` runs one section.
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import routing, visits
from benchmarks.deciding import latency, replays
from benchmarks.holding import caps
from benchmarks.report import Row, options, say
from benchmarks.telling import terms


def main() -> None:
    """Run the sections asked for, and print their rows."""
    told = _options().parse_args()
    with TemporaryDirectory() as folder:
        rows = [row for run in _sections(told, Path(folder)) for row in run()]
    say("Decisions, on simulated customers; lower is better", rows, told.json)


def _options() -> argparse.ArgumentParser:
    parser = options(__doc__ or "")
    parser.add_argument("--calls", type=int, default=3_000, help="decisions to time")
    parser.add_argument("--reservations", type=int, default=100_000, help="proposals to ask for under caps")
    parser.add_argument("--replays", type=int, default=10_000, help="decisions to make again")
    parser.add_argument("--customers", type=int, default=1_000_000, help="customers to tell the glossary's terms of")
    parser.add_argument("--only", choices=("latency", "caps", "replays", "glossary", "routing", "visits"))
    return parser


def _sections(told: argparse.Namespace, work: Path) -> list[Callable[[], list[Row]]]:
    sections: dict[str, Callable[[], list[Row]]] = {
        "latency": lambda: latency(work, told.calls),
        "caps": lambda: caps(work, told.reservations),
        "replays": lambda: replays(work, told.replays),
        "glossary": lambda: terms(told.customers),
        "routing": routing.rows,
        "visits": visits.rows,
    }
    return [sections[name] for name in ([told.only] if told.only else sections)]


if __name__ == "__main__":
    main()
