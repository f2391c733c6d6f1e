"""The whole OpenAPI document of a real service, asked by Schemathesis: what fits it and what doesn't, in every phase.

No status of 500 and above but 503, which the document promises; every answer of a status, a type and a shape that it
names; and what doesn't fit it refused. Not checked is that all that fits is answered with 200: an offer, a language or
an intent is a text, but has to be one that the playbook knows.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.faults.found import Found

NOT_CHECKED = ("positive_data_acceptance",)
PHASES = ("examples", "coverage", "fuzzing", "stateful")
_PATIENCE_SECONDS = 3_600.0


def documents(url: str, folder: Path, examples: int = 400, phases: tuple[str, ...] = PHASES) -> Found:
    """Ask so many examples of each operation, besides those that the document's bounds suggest."""
    report = folder / "schemathesis.json"
    command = [
        str(Path(sys.executable).with_name("st")), "run", f"{url}/docs.json", "--mode", "all", "--seed", "7",
        "--max-examples", str(examples), "--phases", ",".join(phases), "--exclude-checks", ",".join(NOT_CHECKED),
        "--continue-on-failure", "--report", "json", "--report-json-path", str(report), "--request-timeout", "30",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, timeout=_PATIENCE_SECONDS, check=False)
    if not report.exists():
        raise RuntimeError(f"expected Schemathesis to report, found: {done.stdout[-500:]} {done.stderr[-500:]}")
    told = json.loads(report.read_text(encoding="utf-8"))
    operations, cases = told["operations"], told["test_cases"]
    missed = operations["total"] - operations["tested"] if "coverage" in phases else 0
    faults = [*told["failures"], *told["errors"]]
    return Found(
        fault="Schemathesis over the whole OpenAPI document", caused=cases["generated"], answered=_accepted(told),
        refused=cases["generated"] - _accepted(told) - cases["with_failures"], wrong=len(faults) + missed,
        note="; ".join([f"{operations['tested']} of {operations['total']} operations", *map(str, faults[:3])]),
    )  # fmt: skip


def _accepted(told: dict[str, Any]) -> int:
    """Count the answers with 200 to what fitted; those to what didn't are refusals."""
    rates = (phase for phases in told["valid_rates"].values() for phase in phases.values())
    return sum(rate["accepted"] for rate in rates)
