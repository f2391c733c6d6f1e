"""Files that are on the disk whole, under their name, or not at all, whatever ends the process or the machine."""

import os
import tempfile
from pathlib import Path


def write_whole(path: Path, text: str) -> None:
    """Write a file for its owner alone, in place of one that is there: it takes its name once it is on the disk."""
    _make(path.absolute().parent)
    number, made = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with os.fdopen(number, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(made, path)
    except BaseException:
        Path(made).unlink(missing_ok=True)
        raise
    flush(path.parent)


def remove(path: Path) -> None:
    """Remove a file, if it is there, for good: it doesn't come back with the power."""
    path.unlink(missing_ok=True)
    if path.parent.is_dir():
        flush(path.parent)


def flush(path: Path) -> None:
    """Wait until what a file holds, or a folder lists, is on the disk."""
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _make(folder: Path) -> None:
    if not folder.is_dir():
        _make(folder.parent)
        folder.mkdir(exist_ok=True)
        flush(folder.parent)
