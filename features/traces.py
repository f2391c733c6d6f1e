"""What files beside the store say of a person: rows that name them go, and what isn't made of rows is told of."""

import csv
import os
import tempfile
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import polars as pl

from features.naming import Names

BACKUP = ".backup"
T = TypeVar("T")


@dataclass
class Traces:
    """What became of the files of some folders: rows that went, by file, and the files that may still name the person.

    A backup always may: it stays as it was.
    """

    cleared: dict[str, int] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)


def clear(folders: Collection[Path], names: Names, skip: Collection[Path]) -> Traces:
    """Take the rows that name a person out of every table of Parquet and CSV, and lines out of logs.

    A file is replaced whole, or stays. `skip` are files and folders that aren't looked at.
    """
    traces = Traces()
    for path in _files(folders, skip):
        remove = _REMOVING.get(path.suffix)
        gone = remove(path, names) if remove else 0
        if gone:
            traces.cleared[str(path)] = gone
        elif path.suffix == BACKUP or (remove is None and names.within_bytes(path.read_bytes())):
            traces.left.append(str(path))
    return traces


def _files(folders: Collection[Path], skip: Collection[Path]) -> Iterator[Path]:
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not any(path == one or one in path.parents for one in skip):
                yield path


def _parquet(path: Path, names: Names) -> int:
    frame = pl.read_parquet(path)
    texts = [name for name, kind in frame.schema.items() if kind == pl.String]
    if not texts:
        return 0
    likely = frame.select(pl.any_horizontal(pl.col(texts).str.contains_any(list(names.spellings)))).to_series()
    named = likely.fill_null(False).to_list()
    places = [place for place, one in enumerate(named) if one]
    rows = frame.select(texts)[places].iter_rows()
    gone = {place for place, row in zip(places, rows, strict=True) if any(text and names.within(text) for text in row)}
    if gone:
        kept = frame.filter(~pl.int_range(pl.len()).is_in(sorted(gone)))
        _replace(path, kept.write_parquet)
    return len(gone)


def _csv(path: Path, names: Names) -> int:
    with path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.reader(stream))
    kept = [row for place, row in enumerate(rows) if not place or not any(names.within(cell) for cell in row)]

    def write(made: Path) -> None:
        with made.open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream).writerows(kept)

    if len(kept) < len(rows):
        _replace(path, write)
    return len(rows) - len(kept)


def _lines(path: Path, names: Names) -> int:
    lines = path.read_text(encoding="utf-8", errors="surrogateescape").splitlines(keepends=True)
    kept = [line for line in lines if not names.within(line)]
    if len(kept) < len(lines):
        _replace(path, lambda made: made.write_text("".join(kept), encoding="utf-8", errors="surrogateescape"))
    return len(lines) - len(kept)


def _replace(path: Path, write: Callable[[Path], T]) -> None:
    """Write a file anew beside, readable by whom it was, and give it its name."""
    number, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    os.close(number)
    try:
        write(Path(name))
        Path(name).chmod(path.stat().st_mode & 0o777)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


_REMOVING: dict[str, Callable[[Path, Names], int]] = {
    ".parquet": _parquet,
    ".csv": _csv,
    ".log": _lines,
    ".jsonl": _lines,
}
