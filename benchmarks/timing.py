"""How a benchmark measures: several ways in turn, calls one by one, and work in a process of its own."""

import time
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import ParamSpec, TypeVar

import numpy as np
import psutil  # type: ignore[import-untyped]

from benchmarks.report import Row

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def interleaved(*ways: Callable[[], object], repeats: int) -> list[list[float]]:
    """Time several ways in turn, so that a busy moment hits all, and return each one's seconds."""
    return [list(taken) for taken in zip(*([seconds(way) for way in ways] for _ in range(repeats)), strict=True)]


def seconds(way: Callable[[], object]) -> float:
    """Time one run."""
    start = time.perf_counter()
    way()
    return time.perf_counter() - start


def beside(figure: str, ours: list[float], peer: list[float], most: float | None) -> Row:
    """Set medians side by side, with the range of the ratio over the repeats; it should be `most` at most."""
    ratios = [mine / other for mine, other in zip(ours, peer, strict=True)]
    spread = f"{figure} (ratio {min(ratios):.2g} to {max(ratios):.2g})" if len(ratios) > 1 else f"{figure} (run once)"
    return against(spread, median(ours), median(peer), most, median(ratios))


def against(figure: str, ours: float, peer: float, most: float | None, ratio: float | None = None) -> Row:
    """Set one figure beside another."""
    found = ours / peer if ratio is None else ratio
    if most is None:
        return Row(figure, ours, peer, found, "none", None)
    return Row(figure, ours, peer, found, f"<= {most:g}", found <= most)


def within(figure: str, ours: float, bar: float) -> Row:
    """Set a figure beside the one that it should stay within."""
    return against(figure, ours, bar, 1)


def none(figure: str, count: int) -> Row:
    """Set a count beside the none that there should be."""
    return Row(figure, count, 0, float(count), "<= 0", count == 0)


def quantile(times: Iterable[float], share: float) -> float:
    """Find the time that a share of the calls stays under."""
    return float(np.quantile(list(times), share))


def alone(work: Callable[Arguments, Result], *arguments: Arguments.args, **named: Arguments.kwargs) -> Result:
    """Run a function in a process of its own, started afresh."""
    with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as pool:
        return pool.submit(work, *arguments, **named).result()


def resident() -> int:
    """Tell what this process holds in memory, in bytes."""
    return int(psutil.Process().memory_info().rss)


def peak() -> int:
    """Tell the most that this process has held in memory, in bytes; Linux only.

    What `getrusage` tells starts with the memory of the process that started this one.
    """
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return 1024 * int(status.partition("VmHWM:")[2].split()[0])
