"""Scoring on PySpark, for bases that have outgrown one machine: an archive and a bundle in, a folder of scores out."""

from collections.abc import Iterator
from datetime import datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import pyarrow as pa
from pyspark.sql import SparkSession
from pyspark.sql.pandas.types import from_arrow_schema

from features.archive import Archive
from features.definitions import NAMES
from features.glossary import Glossary, load_glossary
from features.known import Known
from features.spark import standing
from models.bundle import load
from serving.base import SCHEMA, scored_tables
from serving.scorer import Scorer

Files = tuple[tuple[str, bytes], ...]


def write_scores(
    spark: SparkSession, archive: Archive, at: datetime, bundle: Path, version: str, glossary: Path, folder: Path
) -> int:  # fmt: skip
    """Write the scores of every customer at a moment as Parquet files, and return how many customers there are.

    They are those of one machine, to 1e-9: each partition holds whole customers, and scores them by the same code. The
    bundle's files and the glossary's travel to the workers with the work. Raises InputError as `Archive.parts` does.
    """
    archive.check(at)
    scored = _Scores(at, _files(bundle), version, glossary.read_text(encoding="utf-8"))
    scores = standing(spark, archive, at).mapInArrow(scored, from_arrow_schema(SCHEMA))
    scores.write.parquet(str(folder))
    customers: int = spark.read.parquet(str(folder)).count()
    return customers


class _Scores:
    """The scores of a partition's customers."""

    def __init__(self, at: datetime, bundle: Files, version: str, glossary: str) -> None:
        self._at, self._bundle, self._version, self._glossary = at, bundle, version, glossary

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        if events := list(batches):
            known = Known(self._at, pl.DataFrame(pa.Table.from_batches(events)), (), pl.DataFrame())
            for table in scored_tables(_opened(self._bundle, self._version), _read(self._glossary), known):
                yield from table.to_batches()


def _files(bundle: Path) -> Files:
    found = (path for path in sorted(bundle.rglob("*")) if path.is_file())
    return tuple((path.relative_to(bundle).as_posix(), path.read_bytes()) for path in found)


@cache
def _read(glossary: str) -> Glossary:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "glossary.toml"
        path.write_text(glossary, encoding="utf-8")
        return load_glossary(path, NAMES)


@cache
def _opened(bundle: Files, version: str) -> Scorer:
    """Load a bundle that came as bytes, checked as any other; a worker does it once for all of its partitions."""
    with TemporaryDirectory() as folder:
        for name, content in bundle:
            path = Path(folder) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return Scorer(load(Path(folder), version))
