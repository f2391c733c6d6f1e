"""Ingest: read a source's files twice, once to check every row and once to append those that can be taken.

Nothing is written to the history before every file has been checked. An ingest that breaks off while it appends has
appended whole chunks; running it again adds the rest, since a row that is known already changes nothing. A row whose
id is known and that says something else is a correction, known from the moment of its ingest on; where the source dates
its records, from that date on.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from time import perf_counter

import polars as pl

from features.clock import from_microseconds
from features.errors import SourceError, TooManyBadRows
from features.history import History
from features.identity import IdentityLink, Reference
from features.pacing import paced
from features.sources.cells import ROW
from features.sources.conversion import converted
from features.sources.fields import Fields
from features.sources.jobs import Job, plan
from features.sources.mapping import HOLDS
from features.sources.quarantine import Quarantine, Refused, record
from features.sources.reading import Batch, batches, check_columns
from features.sources.records import Records
from features.sources.source import Source
from features.versions import Written

# A file's name, the rows done, and their total: None while rows are checked, known while they are appended.
Progress = Callable[[str, int, int | None], None]


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What became of one file under one table.

    `rows` and `quarantined` count the file's rows; `new`, `corrected` and `known` what was made of them: events, links
    or products (a row of attributes makes several events, or none). What was told of `erased` customers wasn't taken.
    `quarantine` is the file of the refused rows, if there are any.
    """

    table: str
    file: Path
    rows: int
    new: int
    corrected: int
    known: int
    erased: int
    quarantined: int
    seconds: float
    quarantine: Path | None


@dataclass(frozen=True, slots=True)
class _Checked:
    job: Job
    rows: int
    bad: int
    seconds: float


def ingest(
    history: History,
    source: Source,
    paths: Sequence[Path],
    quarantine: Path,
    now: datetime,
    on_progress: Progress = lambda file, done, total: None,
    corrections_from: datetime | None = None,
) -> list[IngestReport]:
    """Take files, and the files in folders, into the history; `quarantine` is the folder of the refused rows.

    Corrections count as known from `now` on, or from another moment where one is given.

    Raises SourceError when a file doesn't fit the source, and TooManyBadRows when more of a table's rows than
    `source.max_bad_share` can't be taken; both before anything is written to the history.
    """
    jobs = plan(source, paths, quarantine)
    for job in jobs:
        check_columns(job.path, job.table, source)
    checked = [_check(job, source, now, on_progress) for job in jobs]
    _weigh(source, checked)
    return [_append(history, one, source, now, on_progress, corrections_from or now) for one in checked]


def _check(job: Job, source: Source, now: datetime, on_progress: Progress) -> _Checked:
    start, rows = perf_counter(), 0
    with Quarantine(job.quarantine, job.path.name) as quarantine:
        for good, refused in _parted(job, source, now):
            quarantine.add(refused)
            rows += good.height + len(refused)
            on_progress(job.path.name, rows, None)
    return _Checked(job, rows, quarantine.count, perf_counter() - start)


def _parted(job: Job, source: Source, now: datetime) -> Iterator[tuple[pl.DataFrame, list[Refused]]]:
    """Read a file, and part the converted rows that can be taken from the rows that can't."""
    for batch in batches(job.path, job.table):
        good, refused = converted(Fields(batch.frame, job.table, source, now))
        yield good, [*batch.refused, *_refused(batch, refused)]


def _refused(batch: Batch, refused: pl.DataFrame) -> Iterator[Refused]:
    originals = batch.frame.join(refused.select(ROW), on=ROW, how="semi", maintain_order="left").select(batch.names)
    for (row, reason), original in zip(refused.iter_rows(), originals.iter_rows(named=True), strict=True):
        yield Refused(row, reason, record(original))


def _weigh(source: Source, checked: Sequence[_Checked]) -> None:
    """Refuse the whole run when too many rows of one table are bad."""
    findings, files = [], []
    for table in source.tables:
        mine = [one for one in checked if one.job.table.name == table.name]
        rows, bad = sum(one.rows for one in mine), sum(one.bad for one in mine)
        if bad > rows * source.max_bad_share:
            findings.append(f"{bad:,} of {rows:,} in table {table.name}")
            files += [str(one.job.quarantine) for one in mine if one.bad]
    if findings:
        raise TooManyBadRows(
            f"expected at most {source.max_bad_share:.1%} of the rows of source {source.name} to be refused; "
            f"found {', '.join(findings)}, so nothing was written. The rows and the reasons are in {', '.join(files)}. "
            f"Correct the file or {source.name}.toml, or raise max_bad_share there"
        )


def _append(
    history: History,
    checked: _Checked,
    source: Source,
    now: datetime,
    on_progress: Progress,
    corrections_from: datetime,
) -> IngestReport:
    job, start = checked.job, perf_counter()
    records = Records(source, job.table, job.path.name)
    dated = "recorded_at" in job.table.columns
    done = made = new = corrected = erased = 0
    for good, refused in _parted(job, source, now):
        for offered, written in _write(history, records, job.table.holds, good, None if dated else corrections_from):
            made, new, corrected = made + offered, new + written.new, corrected + written.corrected
            erased += written.erased
        done += good.height + len(refused)
        on_progress(job.path.name, done, checked.rows)
    if done != checked.rows:
        raise SourceError(
            f"expected {job.path} to stay as it was; found {done:,} rows after {checked.rows:,}. Run it again"
        )
    seconds = checked.seconds + perf_counter() - start
    kept = job.quarantine if checked.bad else None
    counts = new, corrected, made - new - corrected - erased, erased
    return IngestReport(job.table.name, job.path, done, *counts, checked.bad, seconds, kept)


def _write(
    history: History, records: Records, holds: str, good: pl.DataFrame, corrections_from: datetime | None
) -> Iterator[tuple[int, Written]]:
    """Write a chunk, and tell of each part how many things it holds and what became of them."""
    if holds == "products":
        yield good.height, _put_products(history, good)
    elif holds == "links":
        links = list(_links(good))
        yield len(links), history.link(links)
    else:
        yield from paced(records.events(good), lambda part: history.append_rows(part, corrections_from))


def _put_products(history: History, good: pl.DataFrame) -> Written:
    required, optional = HOLDS["products"]
    latest = good.select(*required, *optional).unique("product", keep="last", maintain_order=True)
    return history.put_products(latest.to_dicts())


def _links(good: pl.DataFrame) -> Iterator[IdentityLink]:
    """Make the links; a row without a second reference tells of none."""
    told = good.drop_nulls("linked").select("reference", "linked", "recorded_at", "action")
    for left, right, recorded_at, action in told.iter_rows():
        yield IdentityLink(Reference.of(left), Reference.of(right), from_microseconds(recorded_at), action)
