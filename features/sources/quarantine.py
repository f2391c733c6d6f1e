"""The quarantine: the rows of a file that couldn't be taken, each with its number, the reason and the row itself."""

import csv
import json
import math
import os
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, TextIO

COLUMNS = ("file", "row", "reason", "record")


class Refused(NamedTuple):
    """A row that can't be taken: its number among the file's data rows from 1, why, and the row as JSON."""

    row: int
    reason: str
    record: str


class Quarantine:
    """Writes one file's refused rows; the file appears whole on leaving, or vanishes when none was refused.

    When it is left by an error, whatever was there before stays. Only its owner may read the file: the rows are those
    of customers.
    """

    def __init__(self, path: Path, file: str) -> None:
        self.path, self.count = path, 0
        self._file = file
        self._stream: TextIO | None = None

    def __enter__(self) -> "Quarantine":
        return self

    def add(self, refused: Iterable[Refused]) -> None:
        """Write rows down."""
        rows = sorted(refused)
        if not rows:
            return
        if self._stream is None:
            self._stream = self._open()
        csv.writer(self._stream).writerows((self._file, *row) for row in rows)
        self.count += len(rows)

    def _open(self) -> TextIO:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        number, name = tempfile.mkstemp(prefix=f".{self.path.stem}-", suffix=".part", dir=self.path.parent)
        self._part = Path(name)
        stream = os.fdopen(number, "w", encoding="utf-8", newline="")
        csv.writer(stream).writerow(COLUMNS)
        return stream

    def __exit__(self, error: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        if self._stream is not None:
            self._stream.close()
            if error is None:
                self._part.replace(self.path)
            else:
                self._part.unlink()
        elif error is None:
            self.path.unlink(missing_ok=True)


def record(row: Mapping[str, Any]) -> str:
    """Write a row as JSON; what JSON has no word for becomes text.

    >>> record({"amount": float("nan"), "city": "서울"})
    '{"amount": "nan", "city": "서울"}'
    """
    plain = {name: str(value) if _endless(value) else value for name, value in row.items()}
    return json.dumps(plain, ensure_ascii=False, default=str)


def _endless(value: Any) -> bool:
    return isinstance(value, float) and not math.isfinite(value)
