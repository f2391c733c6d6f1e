"""Files lose what names an erased person, and what may still name them is told of, whatever is wrong with it."""

import csv
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from typer.testing import CliRunner

from features import engines
from features.archive import Archive, write_archive
from features.history import History
from features.identity import IdentityLink, Reference
from features.naming import Names
from features.traces import clear
from holdfast.app import app
from tests.making import AS_OF, happened

ANNA, PHONE, BERT = "customer:anna", "phone:+12024561111", "customer:bert"
NAMES = Names([ANNA, PHONE, "email:anna@x.de"])


def left(folder: Path) -> list[str]:
    return [Path(file).name for file in clear([folder], NAMES, []).left]


def test_files_lose_the_rows_that_name_the_erased_and_others_stay(tmp_path: Path):
    scores = pl.DataFrame({"customer": [ANNA, BERT, "customer:anna-2"], "risk": [0.1, 0.2, 0.3]})
    scores.write_parquet(tmp_path / "scores.parquet")
    (tmp_path / "refused.csv").write_text(f'file,record\na.csv,"{{""who"": ""{ANNA}""}}"\na.csv,other\n')
    (tmp_path / "asked.log").write_text(f"{PHONE}\n+12024561111\n+120245611112\n")
    (tmp_path / "note.json").write_text(f'{{"of": "{ANNA}"}}')
    (tmp_path / "other.json").write_text('{"of": "customer:anna-2"}')
    (tmp_path / "kept.backup").write_bytes(b"")
    found = clear([tmp_path], Names([ANNA, PHONE]), [])
    assert pl.read_parquet(tmp_path / "scores.parquet")["customer"].to_list() == [BERT, "customer:anna-2"]
    assert (tmp_path / "refused.csv").read_text() == "file,record\na.csv,other\n"
    assert (tmp_path / "asked.log").read_text() == "+120245611112\n"
    assert {Path(file).name: rows for file, rows in found.cleared.items()} == {
        "asked.log": 2, "refused.csv": 1, "scores.parquet": 1
    }  # fmt: skip
    assert [Path(file).name for file in found.left] == ["kept.backup", "note.json"]


def test_what_was_half_written_when_a_clearing_broke_off_is_told_of(tmp_path: Path):
    (tmp_path / ".scores.parquet-k3_x9qa0").write_bytes(b"PAR1")
    (tmp_path / ".other-k3_x9qa0").write_bytes(b"PAR1")
    assert left(tmp_path) == [".scores.parquet-k3_x9qa0"]


@pytest.mark.parametrize(
    "column",
    [["Anna@X.de", "b"], [[ANNA], ["b"]], [{"who": PHONE}, {"who": "b"}], [b"tel:+12024561111", b"b"]],
    ids=["upper case", "list", "struct", "bytes"],
)
def test_a_table_loses_the_rows_that_name_them_in_any_kind_of_column(tmp_path: Path, column: list[Any]):
    path = tmp_path / "some.parquet"
    pl.DataFrame({"number": [1, 2], "said": column}).write_parquet(path)
    assert list(clear([tmp_path], NAMES, []).cleared.values()) == [1]
    assert pl.read_parquet(path)["number"].to_list() == [2]


def test_categories_and_the_first_row_of_a_file_without_a_header_are_looked_at(tmp_path: Path):
    categories = pl.Series("who", [ANNA, "b"], dtype=pl.Categorical)
    pl.DataFrame([categories]).write_parquet(tmp_path / "some.parquet")
    (tmp_path / "some.csv").write_text(f"{ANNA},3\n{BERT},4\n")
    assert list(clear([tmp_path], NAMES, []).cleared.values()) == [1, 1]
    assert (tmp_path / "some.csv").read_text().splitlines() == [f"{BERT},4"]
    assert pl.read_parquet(tmp_path / "some.parquet")["who"].to_list() == ["b"]


@pytest.mark.parametrize("record", [{"id": "anna"}, {"phone": "(202) 456-1111"}, {"id": "carl"}])
def test_a_quarantine_that_may_name_them_as_the_rows_came_is_told_of(tmp_path: Path, record: dict[str, str]):
    (tmp_path / "quarantine").mkdir()
    with (tmp_path / "quarantine" / "some.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([("file", "row", "reason", "record"), ("a.csv", "1", "odd", json.dumps(record))])
    assert left(tmp_path) == ([] if record == {"id": "carl"} else ["some.csv"])


def test_whatever_is_wrong_with_a_file_the_others_are_cleared_and_it_is_told_of(tmp_path: Path):
    (tmp_path / "broken.parquet").write_bytes(b"PAR1, and no more")
    (tmp_path / "latin.csv").write_bytes("city\nM\xfcnchen\n".encode("latin-1"))
    (tmp_path / "long.csv").write_text("x" * 140_000)
    (tmp_path / "other.db").write_bytes(b"")
    (tmp_path / "packed.csv.gz").write_bytes(b"")
    (tmp_path / "some.log").write_text(f"{ANNA}\n")
    found = clear([tmp_path], NAMES, [])
    assert [Path(file).name for file in found.left] == [
        "broken.parquet", "latin.csv", "long.csv", "other.db", "packed.csv.gz"
    ]  # fmt: skip
    assert list(found.cleared) == [str(tmp_path / "some.log")]


def test_an_archive_opens_when_rows_have_left_it_and_one_that_did_not_is_left_alone(history: History, tmp_path: Path):
    for number, name in enumerate(("anna", "bert")):
        history.append([happened(number, reference=Reference("customer", name))], None)
    folder = tmp_path / "exports"
    for name in ("sound", "changed"):
        folder.mkdir(exist_ok=True)
        write_archive(history, folder / name, AS_OF, lambda *_: None)
    (folder / "changed" / "products.parquet").unlink()
    assert set(left(folder)) == {"links.parquet", "part-00000.parquet"}
    assert Archive.open(folder / "sound").files["events/part-00000.parquet"] == 1
    assert len(pl.read_parquet(folder / "changed" / "events" / "part-00000.parquet")) == 2


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home whose store knows Anna by phone, too, with scores of that phone."""
    url = f"sqlite:///{tmp_path}/data/history.db"
    for name, value in (("HOME", tmp_path), ("DATABASE_URL", url), ("CLOCK", "live")):
        monkeypatch.setenv(f"HOLDFAST_{name}", str(value))
    (tmp_path / "data").mkdir()
    with closing(History(url, tmp_path / "data" / "erasure.key")) as history:
        anna, phone = Reference("customer", "anna"), Reference("phone", "+12024561111")
        history.append([happened(1, reference=anna), happened(2, reference=phone)], None)
        history.link([IdentityLink(anna, phone, AS_OF)])
    pl.DataFrame({"customer": [PHONE, BERT]}).write_parquet(tmp_path / "data" / "scores.parquet")
    return tmp_path


def proved(*words: str) -> dict[str, Any]:
    """Erase Anna, and read the proof."""
    said = CliRunner().invoke(app, ["erase", ANNA, "--why", "asked", "--yes", "--json", *words])
    assert said.exception is None
    proof: dict[str, Any] = json.loads(said.stdout)
    return proof


def test_a_file_that_cannot_be_read_keeps_no_other_from_being_cleared_and_no_proof_from_being_written(home: Path):
    (home / "data" / "a.csv").write_bytes(b"customer,city\ncustomer:bert,M\xfcnchen\n")
    (home / "data" / "before.db").write_bytes(b"")
    proof = proved()
    assert [Path(file).name for file in proof["files_that_still_name"]] == ["a.csv", "before.db"]
    assert list(proof["files"].values()) == [1]
    assert Path(proof["proof"]).exists()


def test_a_long_look_keeps_free_space_from_being_rewritten_and_the_proof_says_so(
    home: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(engines, "_PATIENCE_SECONDS", 0.2)
    with closing(sqlite3.connect(home / "data" / "history.db", isolation_level=None)) as looking:
        looking.execute("BEGIN")
        looking.execute("SELECT count(*) FROM events").fetchone()
        proof = proved()
    assert not proof["free_space_rewritten"]
    assert pl.read_parquet(home / "data" / "scores.parquet")["customer"].to_list() == [BERT]
    again = CliRunner().invoke(app, ["erase", "--from", proof["proof"]])
    assert "The proof holds" in again.stdout
    assert "quiet hour" not in again.stdout


def test_nothing_is_erased_when_the_proof_could_not_be_written(home: Path):
    said = CliRunner().invoke(app, ["erase", ANNA, "--why", "asked", "--yes", "--out", str(home)])
    assert "expected --out as a new file that can be written" in str(said.exception)
    with closing(History(f"sqlite:///{home}/data/history.db")) as history:
        assert history.find(ANNA) == ANNA
