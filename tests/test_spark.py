"""On Spark the same definitions give the same rows, and the command writes them."""

import json
import random
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from pyspark.sql import SparkSession
from typer.testing import CliRunner

from features.archive import Archive, write_archive
from features.contract import CONTRACT, rows_of
from features.definitions import BY_NAME
from features.errors import InputError
from features.events import CHANNELS, KINDS, LARGEST, Interaction
from features.history import History
from features.identity import IdentityLink, Reference
from features.rows import CONTRACT_KEY
from features.spark import write_rows
from holdfast.app import app
from tests.making import AS_OF, CATALOGUE, filled, happened

MOMENT = AS_OF - timedelta(days=2)
PRODUCTS = [*(row["product"] for row in CATALOGUE), "", "not in the catalogue", "age", "income"]
AMOUNTS = [0.0, -1.5, 0.0001, LARGEST * 1.0, 1e-9, 12.34, 99.0]
ZONES = [timezone(timedelta(hours=9)), timezone(timedelta(hours=-7, minutes=-30))]
# Ties, the edges of windows and of days, a leap day, and the far past, before 1970 and before 1700.
MOMENTS = [
    *(MOMENT - timedelta(days=days) for days in (0, 1, 28, 91, 366, 20_000, 100_000)),
    MOMENT - timedelta(days=28, microseconds=1),
    *(datetime(2024, 2, 29, hour, tzinfo=UTC) - timedelta(microseconds=early) for hour in (0, 8) for early in (0, 1)),
    *(datetime(year, 1, 1, tzinfo=UTC) - timedelta(microseconds=1) for year in (1500, 1970, 1960, 2024)),
]


def drawn(draw: random.Random, number: int) -> Interaction:
    occurred = draw.choice([*MOMENTS, *(MOMENT - timedelta(days=draw.uniform(-5, 800)) for _ in range(20))])
    late = draw.choice([timedelta(0), timedelta(0), timedelta(hours=1), timedelta(days=40)])
    return happened(
        # Some are told more than once, as corrections and withdrawals.
        draw.randrange(6_000),
        reference=Reference(draw.choice(["customer", "phone"]), f"ümläut 고객 {draw.randrange(100)}"),
        kind=draw.choice(["purchase"] * len(KINDS) + [*KINDS, "void"]),
        channel=draw.choice(CHANNELS),
        product=draw.choice(PRODUCTS),
        place=draw.choice(["", "north", "south"]),
        quantity=draw.choice([0.0, 1.0, 2.5, -1.0]),
        amount=draw.choice([*AMOUNTS, draw.uniform(-1e4, 1e6)]),
        margin=draw.choice([None, *AMOUNTS]),
        discount=draw.choice([0.0, 0.5, 3.0]),
        occurred_at=occurred.astimezone(draw.choice([UTC, *ZONES])),
        recorded_at=occurred + late,
        source_reference=str(number),
    )


@pytest.fixture
def archive(history: History, tmp_path: Path) -> Archive:
    draw = random.Random(7)
    filled(history, [drawn(draw, number) for number in range(5_000)])
    people = [Reference(kind, f"ümläut 고객 {number}") for kind in ("customer", "phone") for number in range(100)]
    for place in range(40):
        pair = draw.sample(people, 2)
        recorded = MOMENT + timedelta(days=draw.choice([-400, -30, 0, 1]))
        history.link([IdentityLink(*pair, recorded)])
        if place % 3 == 0:
            history.link([IdentityLink(*pair, MOMENT, "unlink")])
    return write_archive(history, tmp_path / "archive", AS_OF, lambda name, done, total: None, 1_000)


def test_spark_gives_the_rows_of_polars_for_everything_that_hurts(
    spark: SparkSession, archive: Archive, history: History, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("HOLDFAST_HOME", str(tmp_path))
    words = ["features", "--out", str(tmp_path / "rows"), "--events", str(archive.folder), "--engine", "spark"]
    done = CliRunner().invoke(app, [*words, "--as-of", MOMENT.isoformat(), "--json"])
    assert done.exit_code == 0, done.exception
    expected = rows_of(history.known_by(MOMENT))
    assert json.loads(done.stdout)["customers"] == len(expected.customers) > 150
    found = pl.read_parquet(tmp_path / "rows").sort("customer")
    assert found.columns == ["customer", "as_of", *CONTRACT.names]
    assert found["as_of"].unique().to_list() == [MOMENT]
    assert found["customer"].to_list() == list(expected.customers)
    for name in CONTRACT.names:
        ours, theirs = expected.column(name), found[name].to_numpy()
        close = 0 if BY_NAME[name].unit == "count" else 1e-9
        assert not np.isnan(theirs).any() or found[name].null_count() == np.isnan(theirs).sum()
        np.testing.assert_allclose(theirs, ours, rtol=close, atol=0, equal_nan=True, err_msg=name)
    contract = spark.read.parquet(str(tmp_path / "rows")).schema["customer"].metadata
    assert contract == {CONTRACT_KEY: CONTRACT.definitions}
    with pytest.raises(InputError, match="expected a moment until"):
        write_rows(spark, archive, AS_OF + timedelta(days=1), tmp_path / "later")
