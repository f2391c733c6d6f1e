"""Which files an ingest takes, each under which table of the source, in which order."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from os.path import commonpath
from pathlib import Path

from features.errors import SourceError
from features.sources.mapping import HOLDS, Table
from features.sources.source import Source


@dataclass(frozen=True, slots=True)
class Job:
    """One file under one table, and where the rows of it that can't be taken go."""

    table: Table
    path: Path
    quarantine: Path


def plan(source: Source, paths: Sequence[Path], quarantine: Path) -> list[Job]:
    """Match files, and the files in folders, with the source's tables: catalogues, attributes and links first.

    Raises SourceError when a path isn't there, or a file or a whole folder matches no table.
    """
    # One file reached by two paths is taken once, under the name that it was given.
    found = list({file.resolve(): file.absolute() for path in paths for file in _files(source, path)}.values())
    order = list(HOLDS)
    pairs = [(table, file) for file in found for table in _tables(source, file)]
    pairs.sort(key=lambda pair: order.index(pair[0].holds))
    names = Counter(file.name for file in found)
    return [Job(table, file, quarantine / _quarantine_name(source, table, file, found, names)) for table, file in pairs]


def _tables(source: Source, file: Path) -> list[Table]:
    return [table for table in source.tables if any(fnmatchcase(file.name, pattern) for pattern in table.files)]


def _files(source: Source, path: Path) -> Iterable[Path]:
    if not path.exists():
        raise SourceError(f"expected a file or a folder at {path}; found nothing. Check the path")
    inside = sorted(path.iterdir()) if path.is_dir() else [path]
    matching = [file for file in inside if file.is_file() and _tables(source, file)]
    if not matching:
        patterns = ", ".join(pattern for table in source.tables for pattern in table.files)
        names = ", ".join(file.name for file in inside[:8]) or "nothing"
        more = f" and {len(inside) - 8} more" if len(inside) > 8 else ""
        raise SourceError(
            f"expected files named {patterns} for source {source.name}; found {names}{more} at {path}. "
            f"Name another path, or the file in {source.name}.toml"
        )
    return matching


def _quarantine_name(source: Source, table: Table, file: Path, found: Sequence[Path], names: Counter[str]) -> str:
    """Name a file's quarantine; twins in two folders, and a file of two tables, get longer names."""
    label = file.name
    if names[file.name] > 1:
        label = "-".join(file.relative_to(commonpath([one.parent for one in found])).parts)
    if len(_tables(source, file)) > 1:
        label = f"{table.name}-{label}"
    return f"{source.name}-{label}.csv"
