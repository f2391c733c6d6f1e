"""CSV and other delimited text, streamed with every cell as text: what a cell means is for the mapping to say."""

import io
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count, islice
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
from pyarrow import csv as arrow_csv

from features.sources.cells import ROW
from features.sources.mapping import Table
from features.sources.quarantine import Refused, record

# A quoted cell may hold line breaks, but a row must fit into one block.
BLOCK = 4 << 20
PART = 1 << 16
UNREADABLE = "\ufffd"


class _Recoded(io.RawIOBase):
    """A text file as UTF-8; bytes that are no text become U+FFFD, and runs of whitespace one tab if asked to."""

    def __init__(self, path: Path, encoding: str, whitespace: bool) -> None:
        self._text = path.open(encoding=encoding, errors="replace", newline=None if whitespace else "")
        self._whitespace, self._waiting = whitespace, b""

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        self._text.close()
        super().close()

    def readinto(self, target: Any) -> int:
        if not self._waiting:
            self._waiting = self._next().encode()
        size = min(len(target), len(self._waiting))
        target[:size] = self._waiting[:size]
        self._waiting = self._waiting[size:]
        return size

    def _next(self) -> str:
        if not self._whitespace:
            return self._text.read(PART)
        return "".join("\t".join(line.split()) + "\n" for line in self._text.readlines(PART))


@contextmanager
def _opened(path: Path, table: Table, names: Sequence[str], refused: deque[Any]) -> Iterator[Any]:
    """Open a file for streaming, the named columns as text; rows of another number of cells go to `refused`."""

    def refuse(row: Any) -> str:
        refused.append(row)
        return "skip"

    whitespace = table.separator == "whitespace"
    split: dict[str, Any] = {"delimiter": "\t", "quote_char": False} if whitespace else {"delimiter": table.separator}
    parsing = arrow_csv.ParseOptions(newlines_in_values=True, invalid_row_handler=refuse, **split)
    # In one thread, so that rows keep their numbers.
    reading = arrow_csv.ReadOptions(use_threads=False, block_size=BLOCK, autogenerate_column_names=not table.header)
    converting = arrow_csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False)
    with (
        io.BufferedReader(_Recoded(path, table.encoding, whitespace), BLOCK) as stream,
        arrow_csv.open_csv(pa.PythonFile(stream, mode="r"), reading, parsing, converting) as reader,
    ):
        yield reader


def header(path: Path, table: Table) -> list[str]:
    """Name the columns of a file; without a header they are column_1, column_2 and so on."""
    return _named(_written(path, table), table)


def _written(path: Path, table: Table) -> list[str]:
    with _opened(path, table, (), deque()) as reader:
        return list(reader.schema.names)


def _named(written: Sequence[str], table: Table) -> list[str]:
    return [name.strip() for name in written] if table.header else [f"column_{n + 1}" for n in range(len(written))]


def rows(path: Path, table: Table) -> Iterator[tuple[pl.DataFrame, list[Refused]]]:
    """Stream the rows with their numbers, and the rows that can't be split into cells or decoded."""
    written = _written(path, table)
    names, ragged = _named(written, table), deque[Any]()
    numbers = _Numbers(ragged, header_rows=int(table.header))
    with _opened(path, table, written, ragged) as reader:
        for part in reader:
            frame = pl.DataFrame(pl.from_arrow(part), schema=names)
            frame = frame.insert_column(0, pl.Series(ROW, numbers.of(frame.height), pl.Int64))
            legible, illegible = _legible(frame, table.encoding)
            yield legible, [*numbers.refused(), *illegible]
        yield pl.DataFrame(schema={ROW: pl.Int64} | dict.fromkeys(names, pl.String)), numbers.refused()


class _Numbers:
    """Numbers the rows that the reader passes on, leaving out those that it skipped on the way."""

    def __init__(self, ragged: deque[Any], header_rows: int) -> None:
        self._ragged, self._header_rows = ragged, header_rows
        self._next, self._skipped, self._pending = 1, set[int](), list[Refused]()

    def of(self, height: int) -> list[int]:
        """Give the next rows their numbers; the reader has told of every row it skipped before them."""
        self._hear()
        numbers = list(islice((n for n in count(self._next) if n not in self._skipped), height))
        self._next = numbers[-1] + 1 if numbers else self._next
        self._skipped = {n for n in self._skipped if n >= self._next}
        return numbers

    def refused(self) -> list[Refused]:
        """Hand over the rows skipped since it was last asked."""
        self._hear()
        pending, self._pending = self._pending, []
        return pending

    def _hear(self) -> None:
        # The reader runs ahead and may add to the list at any moment, so each row is taken out of it once.
        while self._ragged:
            row = self._ragged.popleft()
            number = row.number - self._header_rows
            reason = f"expected {row.expected_columns} cells, found {row.actual_columns}"
            self._skipped.add(number)
            self._pending.append(Refused(number, reason, record({"line": row.text})))


def _legible(frame: pl.DataFrame, encoding: str) -> tuple[pl.DataFrame, list[Refused]]:
    """Part the rows with bytes that are no text in the file's encoding from the others."""
    broken = pl.any_horizontal(pl.col(pl.String).str.contains(UNREADABLE, literal=True))
    illegible = frame.filter(broken)
    if illegible.is_empty():
        return frame, []
    reason = f"expected text in {encoding}, found other bytes"
    refused = [Refused(row.pop(ROW), reason, record(row)) for row in illegible.iter_rows(named=True)]
    return frame.filter(~broken), refused
