"""What files beside the store say of a person: rows that name them go, and what isn't made of rows is told of."""

import csv
import os
import re
import tempfile
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import phonenumbers
import polars as pl
from polars.exceptions import PolarsError

from features.archive import MANIFEST, Archive, write_manifest
from features.errors import InputError
from features.naming import Names

# What is never looked into, and so may always name somebody: backups, other stores, and what is packed.
_WHOLE = (".backup", ".db", ".gz", ".zip", ".xlsx")
# What was half written when a clearing broke off; the file itself stands whole beside it.
_HALF = re.compile(r"\..+\.(?:parquet|csv|log|jsonl)-\w{8}")
_UNREADABLE = (OSError, ValueError, csv.Error, PolarsError, InputError)
# Here rows are as they came: an id without its type, a phone number as it is dialled.
_RAW = "quarantine"
_TEXTS = (pl.String, pl.Categorical, pl.Enum)
_NESTED = (pl.List, pl.Array, pl.Struct, pl.Binary)
T = TypeVar("T")


@dataclass
class Traces:
    """What became of the files of some folders: rows that went, by file, and the files that may still name the person.

    A backup, another store and what is packed always may: they stay as they were. So may what can't be read.
    """

    cleared: dict[str, int] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)


def clear(folders: Collection[Path], names: Names, skip: Collection[Path]) -> Traces:
    """Take the rows that name a person out of every table of Parquet and CSV, and lines out of logs.

    A file is replaced whole, or stays; an archive's manifest says how many rows are left. `skip` are files and folders
    that aren't looked at. Nothing that is wrong with a file keeps the others from being cleared.
    """
    traces = Traces()
    for path in _files(folders, skip):
        try:
            gone, left = _cleared(path, names)
        except _UNREADABLE:
            gone, left = 0, True
        if gone:
            traces.cleared[str(path)] = gone
        if left:
            traces.left.append(str(path))
    return traces


def _cleared(path: Path, names: Names) -> tuple[int, bool]:
    """Clear a file; tells how many rows went, and whether what is left may still name the person."""
    if path.suffix in _WHOLE or _HALF.fullmatch(path.name):
        return 0, True
    remove = _REMOVING.get(path.suffix)
    gone = 0 if remove is None else _removed(path, names, remove)
    if path.parent.name == _RAW:
        return gone, _raw_within(path.read_text(encoding="utf-8", errors="replace"), names)
    return gone, remove is None and names.within_bytes(path.read_bytes())


def _removed(path: Path, names: Names, remove: Callable[[Path, Names], int]) -> int:
    archive = _archive_of(path)
    gone = remove(path, names)
    if gone and archive is not None:
        write_manifest(archive.folder, archive.as_of)
    return gone


def _archive_of(path: Path) -> Archive | None:
    """Open the archive that a file is a part of, if it is one."""
    folder = next((folder for folder in path.parents if (folder / MANIFEST).exists()), None)
    return None if folder is None else Archive.open(folder)


def _raw_within(text: str, names: Names) -> bool:
    """Tell whether a text may name the person by an id without its type, or a phone number however it is written."""
    return any(re.search(form, text, re.IGNORECASE) for name in names.references for form in _raw_forms(name))


def _raw_forms(name: str) -> Iterator[str]:
    kind, _, value = name.partition(":")
    yield rf"(?<![^\W_]){re.escape(value)}(?![^\W_])"
    if kind == "phone":
        with suppress(phonenumbers.NumberParseException):
            yield r"[\s().,/-]*".join(str(phonenumbers.parse(value).national_number))


def _files(folders: Collection[Path], skip: Collection[Path]) -> Iterator[Path]:
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not any(path == one or one in path.parents for one in skip):
                yield path


def _parquet(path: Path, names: Names) -> int:
    frame = pl.read_parquet(path)
    gone = {place for place, row in _spoken(frame, names) if any(text and names.within(str(text)) for text in row)}
    if gone:
        kept = frame.filter(~pl.int_range(pl.len()).is_in(sorted(gone)))
        _replace(path, kept.write_parquet)
    return len(gone)


def _spoken(frame: pl.DataFrame, names: Names) -> Iterator[tuple[int, tuple[Any, ...]]]:
    """Go through what may name the person in a table: texts, where they are likely, and whatever is nested."""
    kinds = frame.schema.items()
    texts, nested = ([name for name, kind in kinds if isinstance(kind, some)] for some in (_TEXTS, _NESTED))
    if texts:
        columns = pl.col(texts).cast(pl.String).str.contains_any(list(names.spellings), ascii_case_insensitive=True)
        places = frame.select(pl.any_horizontal(columns).fill_null(False).arg_true()).to_series().to_list()
        yield from zip(places, frame.select(texts)[places].iter_rows(), strict=True)
    if nested:
        yield from enumerate(frame.select(nested).iter_rows())


def _csv(path: Path, names: Names) -> int:
    with path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.reader(stream))
    kept = [row for row in rows if not any(names.within(cell) for cell in row)]

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
