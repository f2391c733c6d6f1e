"""Learning what works: profit, uplift, lift, what-if, health: `python -m benchmarks.learning [--json]`.

All of it is simulated but where a row says that it is real. `--only` runs one section; `--peers` names the Python of an
environment with causalml and scikit-uplift, for the rows of uplift.
"""

import argparse
from collections.abc import Callable

from benchmarks import health, lifts, pilots, uplift, what_if
from benchmarks.report import Row, options, say

SECTIONS = ("profit", "uplift", "lift", "what-if", "health")


def main() -> None:
    """Run the sections asked for, and print their rows."""
    told = _options().parse_args()
    rows = [row for name in ([told.only] if told.only else SECTIONS) for row in _sections(told)[name]()]
    say("Learning what works, simulated unless said", rows, told.json)


def _options() -> argparse.ArgumentParser:
    parser = options(__doc__ or "")
    parser.add_argument("--seeds", type=int, default=3, help="worlds for profit, trials for uplift, runs of what-if")
    parser.add_argument("--runs", type=int, default=1_000, help="runs for the rates of intervals and alarms")
    parser.add_argument("--decisions", type=int, default=50_000, help="decisions by lot for profit")
    parser.add_argument("--peers", help="the Python of an environment with causalml and scikit-uplift")
    parser.add_argument("--only", choices=SECTIONS)
    return parser


def _sections(told: argparse.Namespace) -> dict[str, Callable[[], list[Row]]]:
    return {
        "profit": lambda: pilots.rows(told.seeds, told.decisions),
        "uplift": lambda: uplift.rows(told.seeds, told.peers),
        "lift": lambda: lifts.rows(told.runs),
        "what-if": lambda: what_if.rows(told.seeds),
        "health": lambda: health.rows(told.runs),
    }


if __name__ == "__main__":
    main()
