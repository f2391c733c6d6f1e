"""`holdfast uplift` on files that it hasn't seen: what it takes, and what it says where it can't."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from features.errors import HoldfastError
from holdfast.app import app


def frame(rows: int = 900, seed: int = 1) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    people = np.arange(rows) // 2
    treated = np.repeat(rng.random(rows // 2) < 0.6, 2)
    kind = rng.choice(["loyal", "new", "old"], rows)
    return pl.DataFrame(
        {
            "customer_id": np.arange(rows) * 7 + 3, "person": [f"person {one}" for one in people],
            "arm": np.where(treated, "letter", "control"), "kind": kind, "same": 1,
            "age": [None if old < 20 else float(old) for old in rng.integers(15, 70, rows)],
            "bought": (rng.random(rows) < 0.2 + 0.3 * treated * (kind == "new")).astype(int),
        }
    )  # fmt: skip


def asked(told: pl.DataFrame, folder: Path, *options: str) -> Any:
    file = folder / "trial.csv"
    told.write_csv(file)
    common = ["uplift", str(file), "--json"]
    given = ["--treatment", "arm", "--outcome", "bought"]
    return CliRunner().invoke(app, [*common, *given, *options])


def test_a_trial_is_read_judged_and_written_row_by_row(tmp_path: Path):
    scores = tmp_path / "scores.parquet"
    found = asked(frame(), tmp_path, "--cluster", "person", "--out", str(scores))
    told = json.loads(found.stdout)
    assert found.exit_code == 0
    assert (told["rows"], told["clusters"], told["mature"]) == (900, 450, True)
    assert told["average"]["low"] < 0.1 < told["average"]["high"]
    assert told["grade"] in ("A", "B")
    assert told["left_out"] == [
        "column customer_id, which looks like an identifier", "column same, which never differs",
    ]  # fmt: skip
    written = pl.read_parquet(scores)
    assert written.height == 900
    assert written["uplift"].is_finite().all()
    assert (written["low"] < written["high"]).all()
    assert written.group_by("cluster").agg(pl.col("fold").n_unique())["fold"].max() == 1


def test_a_lottery_that_its_columns_foretell_is_doubted_and_the_column_named(tmp_path: Path):
    told = frame().with_columns(opened=pl.when(pl.col("arm") == "letter").then(pl.int_range(900) % 3).otherwise(0))
    found = json.loads(asked(told, tmp_path).stdout)
    assert found["warnings"][0].startswith("This doesn't look randomised by the propensity told: the columns tell who")
    assert "Look first at opened" in found["warnings"][0]
    assert json.loads(asked(frame(), tmp_path, "--propensity", "0.6").stdout)["warnings"] == []


def test_a_share_that_the_propensity_doesnt_explain_is_doubted(tmp_path: Path):
    [warning] = json.loads(asked(frame(), tmp_path, "--propensity", "0.4").stdout)["warnings"]
    assert "were treated, where the propensity says 40.0 %" in warning


ERRORS = {
    "no column": (
        ("--outcome", "spent"), lambda told: told,
        "expected the column spent, found customer_id, person, arm, kind, same, age, bought; name one of these",
    ),
    "three arms": (
        ("--treatment", "kind"), lambda told: told,
        "expected two values in --treatment kind, found 3 (loyal, new, old); keep the rows of one treatment and of the"
        " control",
    ),
    "which is control": (
        (), lambda told: told.with_columns(arm=pl.col("arm").replace("control", "postcard")),
        "expected to know which value of arm is the control, found letter and postcard; say it: --control \"letter\"",
    ),
    "constant outcome": (
        ("--outcome", "same"), lambda told: told,
        "expected outcomes that differ in same, found 1 in every row; name another column",
    ),
    "text outcome": (
        ("--outcome", "person"), lambda told: told,
        "expected numbers, or yes and no, in --outcome person, found String such as “person 0”; name another column",
    ),
    "few in an arm": (
        (), lambda told: told.filter((pl.col("arm") == "letter") | (pl.int_range(900) < 30)).head(700),
        "expected 20 rows or more in each arm, found 558 treated and 10 not; bring more",
    ),
    "impossible propensity": (
        ("--propensity", "same"), lambda told: told,
        "expected chances of treatment above 0 and below 1 in --propensity same, found 1 (900 such rows); leave out"
        " rows that could only have gone one way",
    ),
    "few clusters": (
        ("--cluster", "kind"), lambda told: told,
        "expected 20 clusters or more in kind, found 3; name the column that tells whom each row is of",
    ),
}  # fmt: skip


@pytest.mark.parametrize("named", list(ERRORS))
def test_what_cant_be_judged_is_said(named: str, tmp_path: Path):
    options, changed, said = ERRORS[named]
    found = asked(changed(frame()), tmp_path, *options)
    assert isinstance(found.exception, HoldfastError)
    assert str(found.exception) == said
