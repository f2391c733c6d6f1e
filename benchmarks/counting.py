"""What it costs a decision to be counted: its stages, what was withheld, and the request around it."""

import asyncio
import json
import os
import subprocess
import sys
from tempfile import TemporaryDirectory
from time import perf_counter_ns
from typing import Any

import numpy as np

# BentoML's workers count into files; what that costs shows only where Prometheus's client finds the folder at first.
_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
_TIMES = 20_000
_BODY: dict[str, Any] = {
    "experiment": {"group": "policy"},
    "tier": "high",
    "offers": [{}],
    "ages": {"newest_event_seconds": 3600.0},
    "withheld": [{"layer": layer, "rule": rule} for layer, rule in (
        *[("eligibility", "a")] * 12, *[("applicability", "b")] * 15, *[("suitability", "c")] * 12,
        *[("contact", "cap one_voucher")] * 4, ("contact", "quiet_hours"), *[("arbitration", "profit")] * 4,
    )],
}  # fmt: skip


def measured() -> dict[str, float]:
    """Count a decision with fifty offers, many times; returns milliseconds each: the median and 99th percentile."""
    from features.deadline import Deadline
    from serving import metrics
    from serving.degradation import STORE
    from serving.health import Watch
    from serving.probes import Counted

    async def nothing(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def silent() -> Any: ...

    async def swallow(_message: Any) -> None: ...

    counted, scope = Counted(nothing, ["/v1/decisions"], Watch()), {"type": "http", "path": "/v1/decisions"}

    def count() -> None:
        deadline = Deadline()
        for stage in metrics.STAGES:
            deadline.enter(STORE, stage)
        metrics.decided(_BODY, 1, deadline.stages())

    async def requests() -> dict[str, float]:
        plain = await _nanoseconds(lambda: nothing(scope, swallow, swallow))
        around = await _nanoseconds(lambda: counted(scope, silent, swallow))
        within = []
        for _ in range(_TIMES):
            began = perf_counter_ns()
            count()
            within.append(perf_counter_ns() - began)
        total = np.median(within) + np.median(around) - np.median(plain)
        figures = _percentiles("within the decision", within) | _percentiles("around the request", around)
        return figures | {"together, median": float(total) / 1e6}

    return asyncio.run(requests())


def _percentiles(name: str, nanoseconds: list[int]) -> dict[str, float]:
    parts = (("median", 50), ("99th percentile", 99))
    return {f"{name}, {part}": float(np.percentile(nanoseconds, at)) / 1e6 for part, at in parts}


async def _nanoseconds(ask: Any) -> list[int]:
    taken = []
    for _ in range(_TIMES):
        began = perf_counter_ns()
        await ask()
        taken.append(perf_counter_ns() - began)
    return taken


def main() -> None:
    """Measure in a process that counts into files, as workers do."""
    if _FOLDER in os.environ:
        print(json.dumps(measured()))
        return
    with TemporaryDirectory() as folder:
        done = subprocess.run([sys.executable, "-m", __spec__.name, *sys.argv[1:]], env={**os.environ, _FOLDER: folder},
                              stdout=subprocess.PIPE, check=True, text=True)  # fmt: skip
    figures = json.loads(done.stdout)
    if "--json" in sys.argv:
        print(json.dumps(figures, indent=1))
        return
    for name, milliseconds in figures.items():
        print(f"{name:<40}{milliseconds:8.4f} ms")


if __name__ == "__main__":
    main()
