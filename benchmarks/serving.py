"""The running service beside a no-op, and beside other servers of one model: `python -m benchmarks.serving [--json]`.

It serves the champion of the home under its playbook, over a copy of its history with a million customers more, so
train one before (`make demo`). Clients ask by bare sockets from a process of their own. What is set side by side is
asked in short blocks by turns, so that a busy moment hits both. `--only` runs one section, `--work` keeps the copy for
the next run.
"""

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import beside, starting
from benchmarks.crowded import Crowd, crowded
from benchmarks.load import Client, client
from benchmarks.rates import latency, prioritising, side_by_side, tails
from benchmarks.report import Row, options, say
from features.home import home

SECTIONS = ("noop", "tails", "start", "memory", "peers", "visits")


def main() -> None:
    """Run the sections asked for, and print their rows."""
    told = _options().parse_args()
    with TemporaryDirectory() as folder:
        crowd = crowded(home(), Path(told.work or folder), told.customers)
        rows = list[Row]()
        for name in [told.only] if told.only else SECTIONS:
            rows += (found := _section(name, crowd, told))
            if not told.json:
                # At once: all of it takes minutes.
                say(f"{name}: {told.workers} worker, {told.customers:,} customers more in the store", found, False)
    if told.json:
        say("", rows, True)


def _options() -> argparse.ArgumentParser:
    parser = options(__doc__ or "")
    parser.add_argument("--only", choices=SECTIONS)
    parser.add_argument("--work", help="a folder to keep the copied store in")
    parser.add_argument("--customers", type=int, default=1_000_000, help="customers to add to the home's own")
    parser.add_argument("--decisions", type=int, default=20_000, help="decisions whose tails are told")
    parser.add_argument("--rounds", type=int, default=60, help="blocks to ask by turns")
    parser.add_argument("--starts", type=int, default=3, help="starts to time")
    parser.add_argument("--workers", type=int, default=1, help="processes that answer")
    return parser


def _section(name: str, crowd: Crowd, told: argparse.Namespace) -> list[Row]:
    if name == "start":
        return starting.rows(crowd, told.starts)
    with _serving(crowd, told.workers) as (asked, memory):
        sections: dict[str, Callable[[], list[Row]]] = {
            "noop": lambda: latency(asked, crowd, told.rounds),
            "tails": lambda: tails(asked, crowd, told.decisions),
            "memory": lambda: starting.memory(asked, crowd, memory),
            "peers": lambda: side_by_side(asked, crowd),
            "visits": lambda: prioritising(asked, crowd),
        }
        return sections[name]()


@contextmanager
def _serving(crowd: Crowd, workers: int) -> Iterator[tuple[Client, Callable[[], float]]]:
    """Serve with the no-op beside; yields a client, and what tells the largest worker's memory in MB."""
    with starting.running(crowd, f"{beside.__name__}:BesideService", workers) as server, client(server.url) as asked:
        yield asked, lambda: starting.largest(server)


if __name__ == "__main__":
    main()
