"""The feature engine beside the strongest plain ways to the same numbers: `python -m benchmarks.features [--json]`.

The history is simulated, seeded, and made part by part. All rows are lower-is-better. `--only` runs one section;
`--work` keeps what was made for the next run. Feast needs a Python of its own (`benchmarks/feast_peer.py` says how) and
`--feast`; Spark needs `make spark` and `--spark`.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks.batches import by_hand_in_pandas, by_hand_in_polars, growth, memory, spark
from benchmarks.lookups import feast, online
from benchmarks.report import Row, options, say


def main() -> None:
    """Run the sections asked for, and print their rows."""
    told = _options().parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = told.work or Path(folder)
        work.mkdir(parents=True, exist_ok=True)
        rows = [row for run in _sections(told, work) for row in run()]
    say("Feature engine, on simulated histories; lower is better", rows, told.json)


def _options() -> argparse.ArgumentParser:
    parser = options(__doc__ or "")
    parser.add_argument("--events", type=_count, default=10_000_000, help="events of a batch, such as 10e6")
    parser.add_argument("--large", type=_count, default=100_000_000, help="events of the large archive")
    parser.add_argument("--feast", type=Path, metavar="PYTHON", help="a Python that has Feast")
    parser.add_argument("--spark", action="store_true", help="run Spark, too")
    parser.add_argument("--work", type=Path, metavar="FOLDER", help="where to make the data, and keep it")
    parser.add_argument("--only", choices=("batch", "pandas", "memory", "growth", "online", "feast", "spark"))
    return parser


def _count(text: str) -> int:
    return int(float(text))


def _sections(told: argparse.Namespace, work: Path) -> list[Callable[[], list[Row]]]:
    sections: dict[str, Callable[[], list[Row]]] = {
        "batch": lambda: by_hand_in_polars(work, told.events),
        "pandas": lambda: by_hand_in_pandas(work, told.events),
        "memory": lambda: memory(work, told.events),
        "growth": lambda: growth(work, told.events, told.large),
        "online": online,
        "feast": lambda: feast(told.feast),
        "spark": lambda: spark(work, told.events),
    }
    asked = [told.only] if told.only else [*sections]
    for name, able, how in (("feast", told.feast, "--feast PYTHON"), ("spark", told.spark, "--spark")):
        if name in asked and not able:
            print(f"not run: {name}; ask for it with {how}", file=sys.stderr)
            asked.remove(name)
    return [sections[name] for name in asked]


if __name__ == "__main__":
    main()
