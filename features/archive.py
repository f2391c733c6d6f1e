"""The history as Parquet, in parts that hold whole customers: what is larger than memory is read part by part."""

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar
from zlib import crc32

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from features.clock import microseconds
from features.errors import InputError
from features.history import History
from features.identity import components, standing
from features.known import Known, with_levels

FORMAT = "holdfast history 2"
ROWS_A_PART = 2_000_000
MANIFEST = "archive.json"
LINKS, PRODUCTS, EVENTS = "links.parquet", "products.parquet", "events"
T = TypeVar("T")
Progress = Callable[[str, int, int | None], None]
_ROWS_AT_ONCE = 1_000_000
_AGAIN = "export the history again: holdfast export"
_LINKS = {"first": pl.String, "second": pl.String, "recorded_at": pl.Int64, "action": pl.String}
_ORDER = ("occurred_at", "recorded_at", "id")
_MEANINGS = {
    "id": "the event; a row is one version of it",
    "source": "where it was told",
    "reference": "whom it is about, as type:value",
    "kind": "what happened; void withdraws the event",
    "channel": "by which channel",
    "product": "the product, as in products.parquet, or empty",
    "place": "where, or empty",
    "quantity": "ten-thousandths",
    "amount": "ten-thousandths of the currency",
    "margin": "ten-thousandths of the currency, null where unknown",
    "discount": "ten-thousandths of the currency",
    "occurred_at": "when it happened, microseconds since 1970 in UTC",
    "recorded_at": "the version is known from this moment on, microseconds since 1970 in UTC",
    "utc_offset": "what the local clock was ahead of UTC, seconds",
    "wording": "of an attribute, as it was told; else empty",
    "superseded_at": "the version is known until before this moment; null where it stands",
    "customer": "whom the reference belonged to at the archive's moment",
}
_TEXTS = ("id", "source", "reference", "kind", "channel", "product", "place", "wording")
_SCHEMA = pa.schema([(name, pa.string() if name in _TEXTS else pa.int64()) for name in _MEANINGS if name != "customer"])


@dataclass(frozen=True)
class Archive:
    """A history as it was known at a moment, with every version and every link recorded by then.

    `files` maps each file, by its path within the folder, to its number of rows.
    """

    folder: Path
    as_of: datetime
    files: Mapping[str, int]

    @classmethod
    def open(cls, folder: Path) -> "Archive":
        """Open an archive and check that its files are there and whole.

        Raises InputError.
        """
        archive = cls(folder, *_manifest(folder))
        for name, rows in archive.files.items():
            found = _read(folder / name, lambda path: pq.read_metadata(path).num_rows)
            if found != rows:
                raise InputError(f"expected {rows:,} rows in {folder / name}, found {found:,}; {_AGAIN}")
        return archive

    @property
    def events(self) -> tuple[str, ...]:
        """The files of the parts."""
        return tuple(name for name in sorted(self.files) if name.startswith(f"{EVENTS}/"))

    def count(self) -> int:
        """Count the versions of events in all parts."""
        return sum(self.files[name] for name in self.events)

    def check(self, at: datetime) -> None:
        """Refuse a moment that the archive doesn't reach.

        Raises InputError.
        """
        if at > self.as_of:
            raise InputError(
                f"expected a moment until {self.as_of.isoformat()}, up to which the archive {self.folder} goes; found"
                f" {at.isoformat()}. Export a newer one: holdfast export"
            )

    def parts(self, at: datetime) -> Iterator[Known]:
        """Go through what was known at a moment, part by part; each part holds whole customers.

        Raises InputError when the archive doesn't reach the moment, or a file is damaged.
        """
        self.check(at)
        for name in self.events:
            yield self.part(name, at)

    def part(self, name: str, at: datetime) -> Known:
        """Read one part, as it was known at a moment that the archive reaches."""
        # A chain of links may join two customers of a part by way of references without events: all are needed.
        links, products = tuple(self.table(LINKS).iter_rows()), self.table(PRODUCTS)
        records = with_levels(self.table(name).drop("id", "source"), products)
        return Known(self.as_of, records, links, products).at(at)

    def table(self, name: str) -> pl.DataFrame:
        """Read one file of the archive."""
        return _read(self.folder / name, pl.read_parquet)

    def customers(self, at: datetime) -> dict[str, str]:
        """Map every reference that was linked at a moment to its customer."""
        links = self.table(LINKS).filter(pl.col("recorded_at") <= microseconds(at))
        return components(standing(list(links.iter_rows())))


def write_archive(
    history: History, folder: Path, as_of: datetime, on_progress: Progress, rows_a_part: int = ROWS_A_PART
) -> Archive:
    """Write what was known at a moment as an archive of about so many rows a part, with memory for one part.

    An archive that is there is replaced once the new one is complete; of a failure nothing stays. A part holds whole
    customers by all links ever made, so that at any earlier moment, too, a customer lies in one part.
    Raises InputError when something else is at the folder.
    """
    _check_target(folder)
    with completed(folder) as made:
        (made / EVENTS).mkdir(parents=True)
        known = history.known_by(as_of, ())
        links = pl.DataFrame(known.links, schema=_LINKS, orient="row").sort(*_LINKS)
        links.write_parquet(made / LINKS)
        known.products.sort("product").write_parquet(made / PRODUCTS)
        ever = _names(components(links.select("first", "second").iter_rows()), "ever")
        count = max(1, -(-sum(history.counts().values()) // rows_a_part))
        _spread(history.batches(as_of), ever, _files(made, count, "unsorted"), on_progress)
        now = _names(components(standing(known.links)), "customer")
        _sort(made, count, ever, now, on_progress)
        write_manifest(made, as_of)
    return Archive.open(folder)


@contextmanager
def completed(target: Path) -> Iterator[Path]:
    """Lend a path beside a target, which takes the target's place once all is written; of a failure nothing stays.

    Raises InputError when the target isn't in a folder that is there.
    """
    if not target.absolute().parent.is_dir():
        raise InputError(f"expected --out in a folder that is there, found {target}")
    with TemporaryDirectory(dir=target.absolute().parent, prefix=f".{target.name}-") as beside:
        made = Path(beside) / "made"
        yield made
        replaced = Path(beside) / "replaced"
        if target.is_dir():
            os.rename(target, replaced)
        try:
            os.replace(made, target)
        except OSError:
            if replaced.exists():
                os.rename(replaced, target)
            raise


# -- reading


def _manifest(folder: Path) -> tuple[datetime, dict[str, int]]:
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(
            f"expected an archive at {folder}, as holdfast export writes it; found no {MANIFEST} there to read"
        ) from error
    except ValueError as error:
        raise InputError(f"expected JSON in {path}, found: {error}; {_AGAIN}") from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise InputError(f"expected the format {FORMAT!r} in {path}, found another; {_AGAIN}")
    try:
        as_of, files = datetime.fromisoformat(manifest["as_of"]), dict(manifest["files"])
        return as_of.astimezone(UTC), files
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"expected a moment as_of and the files' rows in {path}, found: {error!r}; {_AGAIN}"
        ) from error


def _read(path: Path, read: Callable[[Path], T]) -> T:
    try:
        return read(path)
    except (OSError, pa.ArrowException, pl.exceptions.PolarsError) as error:
        raise InputError(f"expected a whole Parquet file at {path}, found: {error}; {_AGAIN}") from error


# -- writing


def _check_target(folder: Path) -> None:
    if folder.exists() and not (folder / MANIFEST).exists() and (folder.is_file() or any(folder.iterdir())):
        raise InputError(f"expected --out as a new folder or an archive to replace, found something else at {folder}")


def _files(folder: Path, count: int, ending: str) -> list[Path]:
    return [folder / EVENTS / f"part-{place:05}.{ending}" for place in range(count)]


def _names(customers: Mapping[str, str], name: str) -> pl.DataFrame:
    columns = {"reference": list(customers), name: list(customers.values())}
    return pl.DataFrame(columns, schema={"reference": pl.String, name: pl.String})


def _named(rows: pl.DataFrame, names: pl.DataFrame) -> pl.DataFrame:
    """Add whom each row's reference belongs to; whoever isn't linked goes by the reference."""
    name = names.columns[-1]
    return rows.join(names, on="reference", how="left").with_columns(pl.col(name).fill_null(pl.col("reference")))


def _spread(batches: Iterable[pl.DataFrame], ever: pl.DataFrame, files: list[Path], on_progress: Progress) -> None:
    """Write rows into the parts in which their customers lie, in the order in which they come."""
    done = 0
    with ExitStack() as open_files:
        writers = [open_files.enter_context(pq.ParquetWriter(path, _SCHEMA)) for path in files]
        for rows in _gathered(batches):
            places = _places(_named(rows, ever)["ever"], len(files))
            for (place,), some in rows.with_columns(part=places).partition_by("part", as_dict=True).items():
                writers[place].write_table(some.select(_SCHEMA.names).to_arrow().cast(_SCHEMA))
            done += len(rows)
            on_progress("Reading the history", done, None)


def _gathered(batches: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    waiting: list[pl.DataFrame] = []
    for batch in batches:
        waiting.append(batch)
        if sum(map(len, waiting)) >= _ROWS_AT_ONCE:
            yield pl.concat(waiting)
            waiting = []
    if waiting:
        yield pl.concat(waiting)


def _places(customers: pl.Series, count: int) -> pl.Series:
    names = customers.unique()
    places = [crc32(name.encode()) % count for name in names]
    return customers.replace_strict(names, pl.Series(places, dtype=pl.Int64))


def _sort(folder: Path, count: int, ever: pl.DataFrame, now: pl.DataFrame, on_progress: Progress) -> None:
    unsorted, parts = _files(folder, count, "unsorted"), _files(folder, count, "parquet")
    for done, (loose, part) in enumerate(zip(unsorted, parts, strict=True), start=1):
        rows = _named(_named(pl.read_parquet(loose), ever), now)
        rows.sort("ever", *_ORDER).drop("ever").write_parquet(part)
        loose.unlink()
        on_progress("Sorting parts", done, count)


def write_manifest(folder: Path, as_of: datetime) -> None:
    """Say what the Parquet files in a folder are, which makes it an archive."""
    files = sorted(folder.rglob("*.parquet"))
    manifest = {
        "format": FORMAT,
        "as_of": as_of.isoformat(),
        "files": {str(path.relative_to(folder).as_posix()): pq.read_metadata(path).num_rows for path in files},
        "columns": _MEANINGS,
    }
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2, ensure_ascii=False), encoding="utf-8")
