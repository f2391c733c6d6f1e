"""The whole base is scored the same from the store and from an archive, part by part and on Spark."""

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner, Result

from features.archive import Archive, write_archive
from features.errors import InputError, RegistryError
from features.history import History
from features.home import Home
from holdfast import parts
from holdfast.app import app
from serving.base import SCHEMA

Trained = tuple[Home, History, dict[str, Any]]
FEW = 15_000  # events a part, so that 120 households lie in several


@pytest.fixture
def ran(trained: Trained, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.setenv("HOLDFAST_HOME", str(trained[0].folder))
    monkeypatch.setenv("HOLDFAST_CLOCK", "history")
    return lambda *words: CliRunner().invoke(app, ["score", *words])


@pytest.fixture(scope="module")
def archive(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Archive:
    _, history, made = trained
    folder = tmp_path_factory.mktemp("exported") / "archive"
    written = write_archive(history, folder, datetime.fromisoformat(made["as_of"]), lambda *_: None, FEW)
    assert len(written.events) > 2
    return written


def scored(done: Result, file: Path) -> tuple[dict[str, Any], pl.DataFrame]:
    assert done.exit_code == 0, done.exception
    read = pl.read_parquet(file / "*.parquet" if file.is_dir() else file).sort("customer")
    assert read.columns == SCHEMA.names
    return json.loads(done.stdout), read


def assert_alike(one: pl.DataFrame, other: pl.DataFrame) -> None:
    """Equal to 1e-9, next purchases included."""
    exact = ("customer", "as_of", "active", "tier", "bundle", "basis")
    assert one.select(exact).equals(other.select(exact))
    for name, kind in one.schema.items():
        if kind == pl.Float64:
            assert one[name].is_null().equals(other[name].is_null()), name
            np.testing.assert_allclose(one[name].to_numpy(), other[name].to_numpy(), rtol=1e-9, err_msg=name)
    mine, theirs = (base.explode("next_purchases").unnest("next_purchases") for base in (one, other))
    assert mine["item"].equals(theirs["item"])
    assert mine["item"].n_unique() > 20
    np.testing.assert_allclose(mine["probability"].to_numpy(), theirs["probability"].to_numpy(), rtol=1e-9)


@pytest.mark.parametrize("engine", ["polars", "spark"])
def test_an_archive_gives_the_scores_of_the_store(
    ran: Callable[..., Result], archive: Archive, trained: Trained, tmp_path: Path, engine: str,
    request: pytest.FixtureRequest,
):  # fmt: skip
    if engine == "spark":
        request.getfixturevalue("spark")
    at = ("--as-of", trained[2]["as_of"], "--json")
    _, expected = scored(ran("--to", str(tmp_path / "store.parquet"), *at), tmp_path / "store.parquet")
    target = tmp_path / "archived"
    told, found = scored(
        ran("--events", str(archive.folder), "--out", str(target), "--engine", engine, "--json"), target
    )  # fmt: skip
    assert (told["customers"], told["engine"]) == (len(found), engine)
    assert len(found) > 100
    assert_alike(found, expected)


def test_what_the_scores_stand_on_stands_beside_every_one_and_is_kept_once(
    ran: Callable[..., Result], trained: Trained, tmp_path: Path
):
    file, made = tmp_path / "base.parquet", trained[2]
    told, found = scored(ran("--to", str(file), "--json"), file)
    basis = {
        "horizon_days": made["horizon"]["days"],
        "active_rule": "silence",
        "active_days": made["active"]["days"],
        "learned_until": made["as_of"],
        "tested_from": made["cutoffs"]["test"],
    }
    assert told["basis"] == basis
    (one,) = found["basis"].unique().to_list()
    assert {name: part.isoformat() if isinstance(part, datetime) else part for name, part in one.items()} == basis
    columns = pq.ParquetFile(file).metadata.row_group(0)
    sizes = [
        columns.column(place).total_compressed_size
        for place in range(columns.num_columns)
        if columns.column(place).path_in_schema.startswith("basis.")
    ]
    assert len(sizes) == len(basis)
    assert max(sizes) < 200
    said = " ".join(ran("--to", str(file)).stdout.split())
    assert (
        f"scores look {basis['horizon_days']} days ahead; active is who bought within the last {basis['active_days']}"
        f" days; learned up to {made['as_of'][:10]}, judged on the {basis['horizon_days']} days from"
        f" {made['cutoffs']['test'][:10]}"
    ) in said


def test_what_is_missing_is_said_before_anything_is_computed(
    ran: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def refused(*words: str) -> str:
        done = ran("--out", str(tmp_path / "scores"), *words)
        assert isinstance(done.exception, InputError | RegistryError)
        return str(done.exception)

    assert refused("--events", str(tmp_path)).startswith(f"expected an archive at {tmp_path}, as holdfast export")
    assert refused("--version", "99").startswith("expected bundle '99' in the registry, found none")
    with monkeypatch.context() as patched:
        patched.setattr(parts, "find_spec", lambda name: None if name == "pyspark" else name)
        assert refused("--engine", "spark") == (
            "expected PySpark and a Java beside Holdfast, found no pyspark. Add them: make spark"
        )
    (tmp_path / "scores").mkdir()
    assert refused() == f"expected --out as a file, found the folder {tmp_path / 'scores'}"
    (tmp_path / "scores" / "letters.txt").touch()
    assert refused("--engine", "spark").startswith("expected --out as a new folder or one that Spark wrote")
    assert [path.name for path in tmp_path.iterdir()] == ["scores"]


def test_a_base_before_its_first_customer_is_empty_and_says_so(ran: Callable[..., Result], tmp_path: Path):
    file = tmp_path / "none.parquet"
    told, found = scored(ran("--to", str(file), "--as-of", "1999-01-01", "--json"), file)
    assert (told["customers"], len(found)) == (0, 0)
    assert ran("--to", str(file), "--as-of", "1999-01-01").stdout.startswith("There is nobody to score yet")
