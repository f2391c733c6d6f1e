"""A store is kept, carried forwards and brought back whole, on either engine, or not at all."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from benchmarks.postgres import Server
from features import recovering, revisions
from features.backups import disposed, read_backup, write_backup
from features.clock import after_history
from features.decisions import Window
from features.digests import Digest, digests
from features.engines import engine_of
from features.errors import InputError, StoreError
from features.history import History
from features.home import ROOT, Home
from features.migrating import carry_forwards, versions
from features.recovering import carried_forwards, restore
from features.store import metadata
from holdfast import ingesting, sample
from holdfast.app import app
from serving.desk import Desk
from serving.requests import Ask, Report
from tests.desks import NOW, FakeScorer, desk_over, ids, playbook
from tests.making import BOTH, filled, happened

ENGINES = BOTH
AT = datetime(2026, 11, 1, 12, 30, tzinfo=UTC)


def held(url: str) -> dict[str, Any]:
    """What a store holds, by table."""
    with disposed(engine_of(url)) as engine, engine.connect() as connection:
        return digests(connection)


def held_all(url: str, before: Mapping[str, Digest]) -> bool:
    """Whether a store holds what it did, and nothing in tables that it hadn't."""
    found = held(url)
    return {name: found.pop(name) for name in before} == before and not any(one.rows for one in found.values())


def busy(desk: Desk, *customers: str) -> Desk:
    """A desk that has decided about three customers, and been told what came of it."""
    for customer in customers or ("household:7", "household:8", "nobody"):
        body = desk.decide(Ask(customer=customer, channel="phone", offers=2))
        for one in body["offers"]:
            desk.outcome(Report(decision_id=body["decision_id"], offer=one["offer"], status="presented"))
    return desk


@pytest.fixture
def url(history: History) -> str:
    """A store in which something is of every sort that is kept."""
    busy(desk_over(history))
    history.put_products([{"product": "우유", "name": "milk", "type": "t", "category": "c", "department": "d"}])
    history.decisions.keep_playbook("hash", {"offers.toml": "ünïcödé\n"}, AT)
    with disposed(engine_of(history.url)) as engine, engine.begin() as connection:
        connection.execute(sa.insert(metadata.tables["keys"]).values(key="k", made_at=1))
        connection.execute(sa.insert(metadata.tables["erasures"]).values(digest="d", erased_at=1))
        connection.execute(sa.insert(metadata.tables["shadows"]).values(decision="d-1", made_at=1))
    assert all(one.rows for one in held(history.url).values())
    return history.url


@pytest.fixture(scope="session")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of the version before versions were written down: the purchases of 20 real households, and decisions."""
    folder = tmp_path_factory.mktemp("before")
    place = Home(folder, ROOT / "playbook", f"sqlite:///{folder / 'now.db'}", "history")
    history = History(place.database_url)
    ingesting.take(place, history, [sample.cut(folder / "cut", 20)], sample.SOURCE, lambda name, done, total: None)
    clock = after_history(history.newest)
    busy(Desk(history, FakeScorer(), playbook(), clock, ids()), *history.known_by(AT).events["reference"].unique()[:3])
    history.close()
    with closing(sqlite3.connect(folder / "before.db")) as old:
        old.executescript((Path(__file__).parent / "stores" / "unversioned.sql").read_text(encoding="utf-8"))
        old.execute("ATTACH ? AS now", (str(folder / "now.db"),))
        for name in metadata.tables:
            columns = ", ".join(f'"{row[1]}"' for row in old.execute(f'PRAGMA table_info("{name}")'))
            old.execute(f'INSERT INTO "{name}" ({columns}) SELECT {columns} FROM now."{name}"')
        old.commit()
        assert old.execute("SELECT count(*) FROM events").fetchone()[0] > 9_000
    return folder / "before.db"


@pytest.fixture
def old(before: Path, tmp_path: Path) -> str:
    return f"sqlite:///{shutil.copy(before, tmp_path / 'old.db')}"


# -- opening


def test_the_version_is_that_of_the_newest_migration():
    assert versions()[-1] == revisions.REVISION
    assert versions()[0] == revisions.FIRST


def test_what_migrations_make_is_what_a_new_store_has(new_url: Callable[[], str]):
    made, carried = new_url(), new_url()
    History(made).close()
    with disposed(engine_of(carried)) as engine:
        carry_forwards(engine)
    assert schema(made) == schema(carried)


def schema(url: str) -> dict[str, Any]:
    with disposed(engine_of(url)) as engine:
        found = sa.inspect(engine)
        return {
            name: (
                [(one["name"], str(one["type"]), one["nullable"], one["default"]) for one in found.get_columns(name)],
                sorted((one["name"], *one["column_names"]) for one in found.get_indexes(name)),
                sorted(one["column_names"] for one in found.get_unique_constraints(name)),
                found.get_pk_constraint(name)["constrained_columns"],
            )
            for name in found.get_table_names()
        }


def test_a_new_file_is_its_owners_alone_and_the_mode_of_one_that_is_there_stays(tmp_path: Path):
    modes = lambda: {file.name: file.stat().st_mode & 0o777 for file in (tmp_path / "data").iterdir()}  # noqa: E731
    before = os.umask(0o022)
    try:
        url = f"sqlite:///{tmp_path / 'data' / 'some.db'}"
        history = filled(History(url), [happened(1)])
        assert modes() == dict.fromkeys(["some.db", "some.db-wal", "some.db-shm"], 0o600)
        history.close()
        (tmp_path / "data" / "some.db").chmod(0o640)
        with closing(History(url)):
            assert set(modes().values()) == {0o640}
    finally:
        os.umask(before)


def test_a_store_of_an_earlier_version_says_how_it_is_carried_forwards(old: str):
    with pytest.raises(StoreError) as refused:
        History(old)
    assert str(refused.value) == (
        f"expected the store at {old} to be of version {revisions.REVISION}, found version 0001; stop what uses it and"
        " carry it forwards: holdfast migrate"
    )


def test_a_store_of_a_newer_version_is_refused(history: History):
    with disposed(engine_of(history.url)) as engine:
        with engine.begin() as connection:
            connection.exec_driver_sql(f"UPDATE {revisions.TABLE} SET version_num = '9999'")
        with pytest.raises(StoreError, match=r"found version 9999, which a newer Holdfast made; update Holdfast"):
            History(history.url)
        with pytest.raises(StoreError, match=r"found version 9999, which a newer Holdfast made; update Holdfast"):
            carry_forwards(engine)


@pytest.mark.parametrize("wrong", ["mysql://user:secret@host/db", "host=here password=secret", ""])
def test_an_address_of_another_kind_is_refused_without_its_password(wrong: str):
    with pytest.raises(StoreError, match="expected HOLDFAST_DATABASE_URL as sqlite:////folder") as refused:
        History(wrong)
    assert "secret" not in str(refused.value)


def test_a_server_that_is_not_there_is_told_without_the_password():
    with pytest.raises(StoreError) as refused:
        History("postgres://me:secret@127.0.0.1:1/holdfast")
    said = str(refused.value)
    assert said.startswith("expected the store to open at postgresql://me:***@127.0.0.1:1/holdfast; found: connection")
    assert said.endswith("; check HOLDFAST_DATABASE_URL")
    assert "secret" not in said


def test_on_postgresql_what_it_cannot_hold_is_told_as_bad_input(postgres: Server):
    with closing(History(postgres.url())) as history, pytest.raises(InputError, match="expected what a store can hold"):
        history.decisions.get("d-\0")


# -- carrying forwards


def test_a_store_of_the_version_before_is_carried_forwards_with_all_that_it_holds(old: str, tmp_path: Path):
    expected = held(old)
    carried = carried_forwards(old, tmp_path / "kept", AT)
    assert carried == ("0001", tmp_path / "kept" / "version-0001-20261101T123000.backup")
    assert held_all(old, expected)
    assert carried_forwards(old, tmp_path / "kept", AT) is None
    with closing(History(old)) as history:
        assert history.counts()["purchase"] > 9_000
        assert len(history.decisions.ids()) == 3
        assert history.decisions.everybody(Window(datetime(1970, 1, 1, tzinfo=UTC), AT)).contacts


def test_a_store_that_cannot_be_carried_forwards_stays_as_it_was(old: str):
    with closing(sqlite3.connect(old.removeprefix("sqlite:///"))) as connection:
        connection.execute("CREATE INDEX contacts_of_contact ON contacts (contact)")
        connection.execute("DROP INDEX ix_events_recorded_at")
    expected = schema(old)
    with (
        disposed(engine_of(old)) as engine,
        pytest.raises(StoreError, match=r"contacts_of_contact already exists"),
    ):
        carry_forwards(engine)
    assert schema(old) == expected


# -- backing up and restoring


def test_a_backup_is_restored_whole_on_either_engine(url: str, new_url: Callable[[], str], tmp_path: Path):
    numbers = count(100)
    made = write_backup(url, tmp_path / "it.backup", AT)
    assert (made.version, made.made_at, made.tables) == (revisions.REVISION, AT, held(url))
    for target in (new_url(), f"sqlite:///{tmp_path / 'other.db'}"):
        restore(tmp_path / "it.backup", target, tmp_path)
        assert held(target) == held(url)
        with closing(History(target)) as history:
            # What is written next comes after what was there.
            newest = history.state_of(["household:8"]).seq
            busy(Desk(history, FakeScorer(), playbook(), lambda: NOW, lambda: UUID(int=next(numbers))))
            assert history.state_of(["household:8"]).seq > newest


def test_a_backup_of_the_version_before_is_carried_forwards_when_it_is_restored(
    old: str, new_url: Callable[[], str], tmp_path: Path
):
    made = write_backup(old, tmp_path / "old.backup", AT)
    assert (made.version, made.tables) == ("0001", held(old))
    target = new_url()
    restore(tmp_path / "old.backup", target, tmp_path)
    assert held_all(target, made.tables)
    assert schema(target)["contacts"][1][0][0] == "contacts_of_contact"


def test_a_store_that_holds_something_is_replaced_only_when_told(url: str, tmp_path: Path):
    write_backup(url, tmp_path / "it.backup", AT)
    expected = held(url)
    with closing(History(url)) as history:
        history.decisions.keep_playbook("another", {}, AT)
    with pytest.raises(InputError, match=r"expected an empty store at .*, found rows in contacts; name another"):
        restore(tmp_path / "it.backup", url, tmp_path)
    assert held(url) != expected
    restore(tmp_path / "it.backup", url, tmp_path, replace=True)
    assert held(url) == expected


def test_on_postgresql_a_restore_that_breaks_off_leaves_the_store_as_it_was(
    postgres: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    with closing(History(postgres.url())) as history:
        busy(desk_over(history))
        write_backup(history.url, tmp_path / "it.backup", AT)
        history.decisions.keep_playbook("another", {}, AT)
        expected = held(history.url)
        numbers = count()
        monkeypatch.setattr(recovering, "digests", lambda connection: {"links": Digest(next(numbers), "")})
        with pytest.raises(StoreError, match="expected 0 rows in links, found 1; nothing was written"):
            restore(tmp_path / "it.backup", history.url, tmp_path, replace=True)
        assert held(history.url) == expected


def test_a_backup_is_not_written_over_another_unless_told(url: str, tmp_path: Path):
    (tmp_path / "it.backup").write_text("mine")
    with pytest.raises(InputError, match=r"expected a new file for the backup, found .*; name another, or add --repl"):
        write_backup(url, tmp_path / "it.backup", AT)
    assert write_backup(url, tmp_path / "it.backup", AT, replace=True).tables == held(url)
    assert sorted(path.name for path in tmp_path.iterdir() if "backup" in path.name) == ["it.backup"]


def changed(path: Path, statement: str) -> Path:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(statement)
        connection.commit()
    return path


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("DELETE FROM links", "expected 1 rows in links, found 0, in the backup"),
        ("UPDATE decisions SET body = body || ' '", "expected the 3 rows of decisions as they were, found others"),
        ("DROP TABLE spending", "expected .* rows in spending, found 0"),
        ("UPDATE holdfast_backup SET version = '9999'", "expected a backup of a version up to .*, found version 9999"),
        ("DROP TABLE holdfast_backup", "expected a backup, as holdfast backup writes it, at .*; found another"),
    ],
)  # fmt: skip
def test_a_backup_that_is_not_what_was_written_is_refused(url: str, tmp_path: Path, statement: str, message: str):
    write_backup(url, tmp_path / "it.backup", AT)
    expected = held(url)
    changed(tmp_path / "it.backup", statement)
    with pytest.raises(InputError, match=message):
        restore(tmp_path / "it.backup", url, tmp_path, replace=True)
    assert held(url) == expected


def test_a_file_that_is_damaged_or_no_backup_is_refused(url: str, tmp_path: Path):
    path = write_backup(url, tmp_path / "it.backup", AT).path
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"expected a sound backup at .*; take another"):
        read_backup(path)
    path.write_bytes(b"no database at all, but long enough to be looked at as one, page for page" * 100)
    with pytest.raises(InputError, match=r"expected a sound backup at .*, found: file is not a database; take another"):
        read_backup(path)
    with pytest.raises(InputError, match=r"expected a backup, as holdfast backup writes it, at .*; found none"):
        read_backup(tmp_path / "nowhere")


def test_the_commands_keep_bring_back_and_carry_forwards(old: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOLDFAST_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HOLDFAST_DATABASE_URL", old)
    run = CliRunner().invoke
    carried = run(app, ["migrate", "--backup", str(tmp_path / "kept")])
    assert carried.stdout.startswith(
        f"The store was of version 0001 and is of version {revisions.REVISION} now; as it was it is kept in"
    )
    assert run(app, ["migrate"]).stdout == f"The store is of version {revisions.REVISION} already; nothing to do.\n"
    file = str(tmp_path / "it.backup")
    made = json.loads(run(app, ["backup", file, "--json"]).stdout)
    assert made["tables"]["decisions"] == {"rows": 3, "sha256": held(old)["decisions"].sha256}
    assert "Sound: " in run(app, ["restore", file, "--check"]).stdout
    refused = run(app, ["restore", file])
    assert isinstance(refused.exception, InputError)
    assert json.loads(run(app, ["restore", file, "--replace", "--json"]).stdout) == made


def test_a_store_that_is_there_is_not_opened_but_by_the_engine(tmp_path: Path):
    """On POSIX, to close a file takes the locks of all that has it open: whoever then leaves throws away the log."""
    file = tmp_path / "history.db"
    history = History(f"sqlite:///{file}")
    with history._store.reading() as held, history._store._engine.connect() as another:
        for one in (held, another):
            one.exec_driver_sql("SELECT count(*) FROM events").all()
        History(history.url).close()
        leaving = "import sqlite3, sys; other = sqlite3.connect(sys.argv[1]); other.execute('DELETE FROM links');"
        subprocess.run([sys.executable, "-c", f"{leaving} other.commit(); other.close()", str(file)], check=True)
        assert Path(f"{file}-wal").exists()
    history.close()
