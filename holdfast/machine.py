"""What `holdfast doctor` looks at on the machine: Python, packages, time zones, threads, memory, disk."""

import importlib.metadata
import os
import platform
import shutil
import sys
import tempfile
import zoneinfo
from collections.abc import Iterator
from pathlib import Path

from features.home import ROOT, Home
from holdfast.diagnosis import BAD, GOOD, POOR, Said, weighed

MEGABYTE, GIGABYTE = 2**20, 2**30
_OLDEST = (3, 11)
_NAMED = 5
# What a worker takes, with room to breathe.
_WORKER = 350 * MEGABYTE


def python() -> Said:
    """Look whether Python is new enough."""
    found = f"{platform.python_version()} at {sys.executable}"
    if sys.version_info[:2] < _OLDEST:
        return BAD, found, "make PYTHON=python3.12"
    return GOOD, found, ""


def packages() -> Said:
    """Hold what is installed against what is pinned."""
    pins = list(_pins())
    if not pins:
        return POOR, f"no requirements.txt in {ROOT} to hold what is installed against", "make requirements"
    wrong = [f"{name} {_installed(name)} instead of {pin}" for name, pin in pins if _installed(name) != pin]
    if wrong:
        more = f" and {len(wrong) - _NAMED} more" if len(wrong) > _NAMED else ""
        return POOR, f"{len(wrong)} of {len(pins)} differ: {', '.join(wrong[:_NAMED])}{more}", "make environment"
    return GOOD, f"{len(pins)} as pinned", ""


def _pins() -> Iterator[tuple[str, str]]:
    """Read what is pinned for this machine."""
    from packaging.requirements import Requirement

    file = ROOT / "requirements.txt"
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    for line in lines:
        text = line.split("#")[0].strip().removesuffix("\\").strip()
        if text and not text.startswith("-"):
            wanted = Requirement(text)
            if wanted.marker is None or wanted.marker.evaluate():
                yield wanted.name, str(wanted.specifier).removeprefix("==")


def _installed(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "nothing"


def time_zones() -> Said:
    """Look whether zones are known by name, which customers' clocks go by."""
    try:
        zoneinfo.ZoneInfo("America/New_York")
    except zoneinfo.ZoneInfoNotFoundError:
        return BAD, "no zone is known by its name", "pip install tzdata"
    return GOOD, f"{len(zoneinfo.available_timezones())} known", ""


def threads() -> Said:
    """Look whether this environment would let numbers run on several threads, which stalls busy machines."""
    named = os.environ.get("OMP_NUM_THREADS")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if named not in (None, "1"):
        return POOR, f"OMP_NUM_THREADS is {named}; each worker of the service takes one", "unset OMP_NUM_THREADS"
    return GOOD, f"one each; {cores} cores", ""


def memory() -> Said:
    """Look whether there is room for a worker."""
    import psutil  # type: ignore[import-untyped]

    free = psutil.virtual_memory().available
    found = f"{free / GIGABYTE:.1f} GB free, room for {free // _WORKER} workers"
    return weighed(free, 2 * _WORKER, _WORKER), found, "fewer workers, or more memory"


def home_writable(place: Home) -> Said:
    """Look whether what Holdfast keeps can be written."""
    folder = _nearest(place.data)
    try:
        with tempfile.TemporaryFile(dir=folder):
            return GOOD, str(place.folder), ""
    except OSError as error:
        return BAD, f"{folder} can't be written: {error.strerror}", "set HOLDFAST_HOME to a folder of yours"


def disk(place: Home) -> Said:
    """Look whether the disk has room."""
    folder = _nearest(place.data)
    found = shutil.disk_usage(folder)
    said = f"{found.free / GIGABYTE:.1f} GB free of {found.total / GIGABYTE:.1f}"
    return weighed(found.free, 2 * GIGABYTE, 100 * MEGABYTE), said, f"make room on the disk of {folder}"


def _nearest(folder: Path) -> Path:
    """Find the folder, or the nearest above it that is there."""
    return next(one for one in (folder, *folder.parents) if one.exists())
