"""An erasure that breaks off at whatever instant is finished by the next, or never happened."""

import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from features import durable, store, tombstones
from features.clock import live
from features.erasing import Erased, behind
from features.errors import InputError, StoreError
from features.history import History
from features.home import ROOT, Home
from features.identity import IdentityLink, Reference
from features.unfinished import ENDING, Unfinished
from holdfast import finishing, standing
from holdfast.app import app
from holdfast.diagnosis import BAD, GOOD
from holdfast.locking import alone
from tests.making import AS_OF, BOTH, happened

ENGINES = BOTH
ANNA, PHONE, BERT = Reference("customer", "anna"), Reference("phone", "+12024561111"), Reference("customer", "bert")
WHY = ("--why", "asked for it", "--yes")


@pytest.fixture
def told(new_url: Callable[[], str], tmp_path: Path) -> Iterator[History]:
    """Anna, who is known by phone, too, and Bert, in a store that has a secret beside it."""
    with closing(History(new_url(), tmp_path / "data" / "erasure.key")) as history:
        history.append([happened(1, reference=ANNA), happened(2, reference=PHONE), happened(3, reference=BERT)], None)
        history.link([IdentityLink(ANNA, PHONE, AS_OF)])
        yield history


@pytest.fixture
def home(told: History, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A home with a file that names Anna by her phone number alone."""
    place = Home(tmp_path, ROOT / "playbook", told.url, "live")
    for name, value in (("HOME", tmp_path), ("DATABASE_URL", told.url)):
        monkeypatch.setenv(f"HOLDFAST_{name}", str(value))
    place.data.mkdir(exist_ok=True)
    (place.data / "calls.csv").write_text(f"who\n{PHONE}\n{BERT}\n")
    return place


def commanded(*words: str) -> Any:
    return CliRunner().invoke(app, ["erase", *words])


def kept(home: Home) -> list[Path]:
    return sorted(finishing.folder_of(home).glob(f"*{ENDING}"))


def proofs(home: Home) -> list[Path]:
    return sorted(finishing.folder_of(home).glob("*.json"))


def broken_off(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, *words: str) -> None:
    """Erase, stopped right before something is called."""

    def stop(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(owner, name, stop)
        assert commanded(*words).exit_code != 0


AFTER = [(finishing, "clear"), (finishing, "_wiped"), (finishing, "write_proof"), (Unfinished, "remove")]


@pytest.mark.parametrize(("owner", "name"), AFTER, ids=[name for _, name in AFTER])
def test_one_that_broke_off_after_its_commit_is_finished_by_the_next_of_any_of_the_references(
    told: History, home: Home, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str
):
    broken_off(monkeypatch, owner, name, str(ANNA), *WHY)
    assert told.find(str(ANNA)) is None
    (file,) = kept(home)
    assert file.stat().st_mode & 0o777 == 0o600
    assert standing.erasures(home)[0] == BAD
    said = json.loads(commanded(str(PHONE), *WHY, "--json").stdout)
    assert (said["why"], said["deleted"]["events"], len(said["references"])) == ("asked for it", 2, 2)
    assert (said["resumed"], said["files_that_still_name"]) == (name != "remove", [])
    assert (home.data / "calls.csv").read_text().split() == ["who", str(BERT)]
    assert [str(path) for path in proofs(home)] == [said["proof"]]
    assert (kept(home), standing.erasures(home)[0]) == ([], GOOD)
    assert "The proof holds" in commanded("--check", said["proof"]).stdout


def test_one_that_broke_off_before_its_commit_never_happened_and_is_asked_for_again(
    told: History, home: Home, monkeypatch: pytest.MonkeyPatch
):
    writes = Unfinished.keep

    def keep_and_stop(self: Unfinished, folder: Path) -> None:
        writes(self, folder)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Unfinished, "keep", keep_and_stop)
        assert commanded(str(ANNA), *WHY).exit_code != 0
    assert (len(kept(home)), told.find(str(ANNA))) == (1, str(ANNA))
    done = commanded("--resume")
    assert f"Nothing was erased by the erasure of {live():%Y-%m-%d}" in done.stderr
    assert (kept(home), proofs(home), told.find(str(ANNA))) == ([], [], str(ANNA))
    assert json.loads(commanded(str(ANNA), *WHY, "--json").stdout)["deleted"]["events"] == 2


def test_the_names_are_on_the_disk_before_the_commit_and_without_them_nothing_is_erased(
    told: History, home: Home, monkeypatch: pytest.MonkeyPatch
):
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(durable.os, "replace", full)
    assert "No space left" in str(commanded(str(ANNA), *WHY).exception)
    assert told.find(str(ANNA)) == str(ANNA)
    assert list(finishing.folder_of(home).iterdir()) == []


def test_whether_it_was_committed_is_told_once_whoever_commits_it_is_done(told: History):
    with closing(History(told.url, told.tombstones.file)) as other, ThreadPoolExecutor() as beside:
        asking = list[Future[bool]]()

        def ask(went: Erased) -> None:
            asking.append(beside.submit(other.erasures.took_place, {*went.references.values()}, AS_OF))
            assert not wait(asking, timeout=0.3).done

        told.erasures.erase(behind(str(ANNA), once=False), AS_OF, ask)
        assert asking[0].result()


def test_no_other_secret_is_made_where_the_one_of_the_marks_is_gone(
    told: History, home: Home, monkeypatch: pytest.MonkeyPatch
):
    broken_off(monkeypatch, finishing, "clear", str(ANNA), *WHY)
    secret = home.erasure_key.rename(home.folder / "elsewhere.key")
    commanded("--resume")
    assert not home.erasure_key.exists()
    secret.rename(home.erasure_key)
    assert "The proof holds" in commanded("--check", str(proofs(home)[0])).stdout


def test_what_a_power_cut_left_half_written_goes(told: History, home: Home):
    folder = finishing.folder_of(home)
    folder.mkdir()
    for ending in (ENDING, ".json"):
        (folder / f".2026-03-03T101500.000000{ending}-abc").write_text(str(ANNA))
    commanded("--resume")
    assert list(folder.iterdir()) == []


def test_an_erasure_again_from_a_proof_is_finished_too(told: History, home: Home, monkeypatch: pytest.MonkeyPatch):
    proof = json.loads(commanded(str(ANNA), *WHY, "--json").stdout)["proof"]
    told.erasures.lift([str(ANNA), str(PHONE)], live())
    told.append([happened(9, reference=PHONE)], None)
    (home.data / "calls.csv").write_text(f"who\n{PHONE}\n")
    broken_off(monkeypatch, finishing, "clear", "--from", proof)
    before = Path(proof).read_text()
    assert json.loads(commanded("--resume", "--json").stdout) == {"finished": [proof]}
    assert (home.data / "calls.csv").read_text().split() == ["who"]
    assert Path(proof).read_text() == before


def test_one_of_another_store_is_left_for_that_store(
    told: History, home: Home, new_url: Callable[[], str], monkeypatch: pytest.MonkeyPatch
):
    broken_off(monkeypatch, finishing, "clear", str(ANNA), *WHY)
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("HOLDFAST_DATABASE_URL", new_url())
        elsewhere.setenv("HOLDFAST_ERASURE_KEY", str(home.folder / "other.key"))
        assert "Not finished" in commanded("--resume").stderr
    assert len(kept(home)) == 1
    commanded(str(BERT), *WHY)
    assert (len(proofs(home)), kept(home)) == (2, [])


def test_one_that_is_under_way_is_not_taken_for_one_that_broke_off(told: History, home: Home):
    finishing.folder_of(home).mkdir()
    with alone(home, "erasure", StoreError):
        found = commanded("--resume").exception
    assert str(found).startswith(f"expected no other erasure in {home.folder}, found process {os.getpid()} at it")


def test_a_proof_of_somebody_else_is_not_written_over(told: History, home: Home, monkeypatch: pytest.MonkeyPatch):
    proof = home.folder / "proof.json"
    commanded(str(BERT), *WHY, "--out", str(proof))
    taken = proof.read_text()
    proof.rename(home.folder / "elsewhere.json")
    broken_off(monkeypatch, finishing, "clear", str(ANNA), *WHY, "--out", str(proof))
    proof.write_text(taken)
    found = commanded("--resume").exception
    assert isinstance(found, InputError)
    assert "to be free for the proof of the erasure" in str(found)
    assert (proof.read_text(), len(kept(home))) == (taken, 1)


def test_the_secret_is_on_the_disk_under_its_name_before_a_mark_that_needs_it(
    told: History, monkeypatch: pytest.MonkeyPatch
):
    steps, secret = list[str](), told.tombstones.file
    assert secret is not None
    flush, link, insert = durable.os.fsync, os.link, store.insert_new

    def flushed(number: int) -> None:
        path = Path(os.readlink(f"/proc/self/fd/{number}"))
        steps.append("folder" if path.is_dir() else f"{path.stat().st_size} bytes")
        flush(number)

    def linked(made: Path, file: Path) -> None:
        steps.append("name")
        link(made, file)

    def inserted(*given: Any) -> int:
        steps.append("mark")
        return insert(*given)

    monkeypatch.setattr(durable.os, "fsync", flushed)
    monkeypatch.setattr(tombstones.os, "link", linked)
    monkeypatch.setattr(store, "insert_new", inserted)
    told.erasures.bury(["ab" * 32], AS_OF)
    assert steps == ["65 bytes", "name", "65 bytes", "folder", "mark"]


def test_a_whole_file_is_on_the_disk_before_it_has_its_name_and_its_name_is_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    steps, replace = list[str](), os.replace

    def flushed(number: int) -> None:
        steps.append(Path(f"/proc/self/fd/{number}").resolve().name)

    def renamed(made: str, path: Path) -> None:
        steps.append("name")
        replace(made, path)

    monkeypatch.setattr(durable.os, "fsync", flushed)
    monkeypatch.setattr(durable.os, "replace", renamed)
    durable.write_whole(tmp_path / "new" / "some", "text")
    assert steps[0] == tmp_path.name
    assert steps[1].startswith(".some-")
    assert steps[2:] == ["name", "new"]
