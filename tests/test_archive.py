"""The history as Parquet: every part's rows are those of the store, and nothing half-written stays."""

import json
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from features import archive
from features.archive import Archive, write_archive
from features.contract import CONTRACT, FeatureMatrix, rows_of
from features.errors import InputError
from features.events import Interaction
from features.history import History
from features.identity import IdentityLink, Reference
from features.known import Known
from features.rows import CONTRACT_KEY
from holdfast import parts
from holdfast.app import app
from tests.making import AS_OF, filled, happened, histories, tellings

MOMENTS = [AS_OF - timedelta(days=days) for days in (400, 60, 20, 0)]
NAMES = ("a", "b", "ümläut 고객", "somebody else")


def quiet(name: str, done: int, total: int | None) -> None:
    pass


def links() -> st.SearchStrategy[IdentityLink]:
    pairs = st.lists(st.sampled_from(NAMES), min_size=2, max_size=2, unique=True)
    made = lambda pair, moment, action: IdentityLink(*(Reference("customer", name) for name in pair), moment, action)  # noqa: E731
    return st.builds(made, pairs, st.sampled_from(MOMENTS), st.sampled_from(["link", "link", "unlink"]))


def rows(parts: Iterable[Known]) -> dict[str, list[float]]:
    """Every customer's row; each customer is in one part only."""
    found: dict[str, list[float]] = {}
    for known in parts:
        matrix = rows_of(known)
        assert not found.keys() & set(matrix.customers)
        found |= dict(zip(matrix.customers, matrix.values.tolist(), strict=True))
    return found


def same(one: dict[str, list[float]], other: dict[str, list[float]]) -> bool:
    return one.keys() == other.keys() and all(
        np.allclose(row, other[customer], rtol=1e-12, atol=0, equal_nan=True) for customer, row in one.items()
    )


@settings(max_examples=15)
@given(
    happenings=histories(),
    told=st.lists(tellings(MOMENTS), max_size=8),
    linked=st.lists(links(), max_size=6),
    rows_a_part=st.sampled_from([3, 10, 1000]),
)
def test_the_rows_of_its_parts_are_those_of_the_store_at_every_moment(
    new_history: Callable[[], History],
    tmp_path: Path,
    happenings: list[Interaction],
    told: list[Interaction],
    linked: list[IdentityLink],
    rows_a_part: int,
):
    history = filled(new_history(), [*happenings, *told])
    history.link(linked)
    written = write_archive(history, tmp_path / "archive", AS_OF, quiet, rows_a_part)
    assert len(written.events) == max(1, -(-sum(history.counts().values()) // rows_a_part))
    for moment in MOMENTS:
        assert same(rows(written.parts(moment)), rows([history.known_by(moment)]))


@pytest.mark.parametrize("rows_a_part", [1, 1000])
def test_links_by_way_of_references_without_events_join_customers(history: History, tmp_path: Path, rows_a_part: int):
    named = [Reference("customer", name) for name in "abcd"]
    filled(history, [happened(1, reference=named[0]), happened(2, reference=named[3])])
    history.link([IdentityLink(left, right, AS_OF) for left, right in pairwise(named)])
    written = write_archive(history, tmp_path / "archive", AS_OF, quiet, rows_a_part)
    assert list(rows(written.parts(AS_OF))) == ["customer:a"]


def test_an_archive_that_cannot_take_its_place_leaves_the_old_one(
    history: History, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    filled(history, [happened(1)])
    write_archive(history, tmp_path / "archive", AS_OF, quiet)

    def full(*_: object) -> None:
        raise OSError("no room")

    with monkeypatch.context() as patched:
        patched.setattr(archive.os, "replace", full)
        with pytest.raises(OSError, match="no room"):
            write_archive(history, tmp_path / "archive", AS_OF, quiet)
    assert Archive.open(tmp_path / "archive").count() == 1
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["archive"]


@pytest.mark.parametrize("wrong", [{"as_of": "soon"}, {"as_of": None}, {"files": ["events"]}])
def test_a_manifest_that_tells_no_moment_or_no_files_is_refused(
    history: History, tmp_path: Path, wrong: dict[str, object]
):
    write_archive(filled(history, [happened(1)]), tmp_path / "archive", AS_OF, quiet)
    manifest = tmp_path / "archive" / "archive.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | wrong))
    with pytest.raises(InputError, match="expected a moment as_of and the files' rows in "):
        Archive.open(tmp_path / "archive")


def test_a_part_is_in_the_order_of_customers_and_moments(history: History, tmp_path: Path):
    filled(history, [happened(n, reference=Reference("customer", NAMES[n % 4])) for n in range(40)])
    history.link([IdentityLink(Reference("customer", "a"), Reference("customer", "b"), AS_OF)])
    written = write_archive(history, tmp_path / "archive", AS_OF, quiet, 10)
    parts = [written.table(name) for name in written.events]
    assert sum(map(len, parts)) == written.count() == 40
    assert {"customer:a", "customer:somebody else", "customer:ümläut 고객"} == set(pl.concat(parts)["customer"])
    for part in parts:
        assert part.equals(part.sort("customer", "occurred_at", "recorded_at", "id"))
    columns = json.loads((tmp_path / "archive" / "archive.json").read_text())["columns"]
    assert list(columns) == parts[0].columns


def test_of_a_broken_off_export_nothing_stays(history: History, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    filled(history, [happened(1)])
    target = tmp_path / "out" / "archive"
    target.parent.mkdir()

    def broken_off(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(archive, "write_manifest", broken_off)
        with pytest.raises(KeyboardInterrupt):
            write_archive(history, target, AS_OF, quiet)
    assert list(target.parent.iterdir()) == []
    write_archive(history, target, AS_OF, quiet)
    history.append([happened(2)], None)
    with monkeypatch.context() as patched:
        patched.setattr(archive, "write_manifest", broken_off)
        with pytest.raises(KeyboardInterrupt):
            write_archive(history, target, AS_OF, quiet)
    assert Archive.open(target).count() == 1
    assert write_archive(history, target, AS_OF, quiet).count() == 2
    assert list(target.parent.iterdir()) == [target]


def test_it_never_overwrites_what_is_no_archive(history: History, tmp_path: Path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letters.txt").touch()
    for target in (tmp_path / "mine", tmp_path / "mine" / "letters.txt"):
        with pytest.raises(InputError, match="expected --out as a new folder or an archive to replace"):
            write_archive(history, target, AS_OF, quiet)
    with pytest.raises(InputError, match="expected --out in a folder that is there"):
        write_archive(history, tmp_path / "nowhere" / "archive", AS_OF, quiet)
    assert (tmp_path / "mine" / "letters.txt").exists()


def test_it_is_refused_when_it_is_damaged_and_beyond_its_moment(history: History, tmp_path: Path):
    filled(history, [happened(1)])
    folder = tmp_path / "archive"
    written = write_archive(history, folder, AS_OF, quiet)
    with pytest.raises(InputError, match=r"expected a moment until 2024-03-01T12:00:00\+00:00"):
        next(written.parts(AS_OF + timedelta(microseconds=1)))
    manifest = (folder / "archive.json").read_text()
    for text, message in ((manifest[:50], "expected JSON in"), ("{}", "expected the format 'holdfast history 2'")):
        (folder / "archive.json").write_text(text)
        with pytest.raises(InputError, match=message):
            Archive.open(folder)
    (folder / "archive.json").write_text(manifest)
    part = folder / written.events[0]
    whole = part.read_bytes()
    pl.read_parquet(part).clear().write_parquet(part)
    with pytest.raises(InputError, match=r"expected 1 rows in .*part-00000.parquet, found 0; export the history again"):
        Archive.open(folder)
    for damage in (whole[: len(whole) // 2], None):
        part.unlink()
        if damage is not None:
            part.write_bytes(damage)
        with pytest.raises(InputError, match=r"expected a whole Parquet file at .*part-00000.parquet, found: "):
            Archive.open(folder)
    with pytest.raises(InputError, match=r"expected an archive at .*, as holdfast export writes it"):
        Archive.open(tmp_path)


@pytest.fixture
def lived_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> History:
    monkeypatch.setenv("HOLDFAST_HOME", str(tmp_path))
    monkeypatch.delenv("HOLDFAST_DATABASE_URL", raising=False)
    history = History(f"sqlite:///{tmp_path / 'data' / 'history.db'}")
    happenings = [happened(n, reference=Reference("customer", NAMES[n % 4]), amount=n / 7) for n in range(50)]
    return filled(history, happenings)


def said(*words: str) -> str:
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.exception
    return " ".join(done.stdout.split())


def matrix(file: Path, as_of: datetime) -> FeatureMatrix:
    read = pl.read_parquet(file).sort("customer")
    assert read.columns == ["customer", "as_of", *CONTRACT.names]
    assert read["as_of"].unique().to_list() == [as_of]
    assert not read.select(pl.col(pl.Float64).is_nan().any()).row(0).count(True)
    return FeatureMatrix(as_of, tuple(read["customer"]), read.drop("customer", "as_of").to_numpy())


def test_the_commands_write_the_rows_of_the_store_whichever_way_they_come(
    lived_in: History, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    known = rows_of(lived_in.known_by(AS_OF))
    at = ("--as-of", AS_OF.isoformat())
    answer = json.loads(said("export", "--out", str(tmp_path / "archive"), *at, "--json"))
    assert (answer["events"], answer["parts"], answer["as_of"]) == (50, 1, AS_OF.isoformat())
    assert said("export", "--out", str(tmp_path / "archive"), *at).startswith("50 events as known at 2024-03-01T12:00")
    ways = [("--events", str(tmp_path / "archive")), at, at]
    for place, way in enumerate(ways):
        monkeypatch.setattr(parts, "AT_ONCE", 49 if place == 2 else 50)
        file = tmp_path / f"rows{place}.parquet"
        answer = json.loads(said("features", "--out", str(file), *way, "--json"))
        assert (answer["customers"], answer["engine"]) == (4, "polars")
        read = matrix(file, AS_OF)
        assert read.customers == known.customers
        assert np.allclose(read.values, known.values, rtol=1e-12, atol=0, equal_nan=True)
        assert pq.read_metadata(file).metadata[CONTRACT_KEY.encode()].decode() == CONTRACT.definitions
    assert said("features", "--out", str(file), *at).startswith("4 customers as known at 2024-03-01T12:00:00+00:00:")
    # Nothing of the archive made on the way stays.
    assert {path.name for path in (tmp_path / "data").iterdir() if path.is_dir()} == set()
    lived_in.close()


def test_rows_are_refused_a_place_that_is_taken(lived_in: History, tmp_path: Path):
    done = CliRunner().invoke(app, ["features", "--out", str(tmp_path)])
    assert str(done.exception) == f"expected --out as a file, found the folder {tmp_path}"
    done = CliRunner().invoke(app, ["features", "--out", str(tmp_path), "--engine", "spark"])
    assert str(done.exception).startswith("expected --out as a new folder or one that Spark wrote")
    lived_in.close()
