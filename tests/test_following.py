"""A running service serves what the alias names: what is taken up, what is refused, what a registry away changes."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from features.errors import RegistryError, StoreError
from features.history import History
from features.home import Home
from serving import follower, following, opening
from serving.follower import Follower
from serving.following import Following, Watch, begin
from serving.requests import Ask
from serving.shelf import Pick, Said, Shelf
from tests.variants import Variants

ASK = Ask(customer="nobody", channel="phone")


@pytest.fixture(scope="module")
def made(trained: tuple[Home, History, Any], tmp_path_factory: pytest.TempPathFactory) -> Variants:
    return Variants(trained, tmp_path_factory.mktemp("variants") / "home")


@pytest.fixture
def variants(made: Variants) -> Variants:
    """The variants with version 1 in charge, and nothing on the shelf."""
    shutil.rmtree(made.place.data / "serving", ignore_errors=True)
    made.reset()
    return made


class Service:
    """A worker and the follower, each looking when told to; `clock` is the follower's, in seconds."""

    def __init__(self, place: Home) -> None:
        self.clock = 1000.0
        self.shelf = Shelf.of(place)
        opening.choose(place)
        self.following = Following(opening.open_last(place), self.shelf)
        self.follower = Follower(place, lambda: self.clock)

    def look(self) -> str:
        """Let both look once, and tell which version serves."""
        self.follower.look()
        self.following.look()
        return self.following.state.version

    def answered(self) -> tuple[str, str]:
        """Decide, and tell by which bundle."""
        bundle = self.following.desk.decide(ASK)["bundle"]
        return bundle["version"], bundle["hash"]


@pytest.fixture
def service(variants: Variants) -> Iterator[Service]:
    opened = Service(variants.place)
    yield opened
    opened.following.desk.history.close()


def test_a_moved_alias_changes_the_whole_desk_and_a_request_keeps_the_one_it_has(
    service: Service, variants: Variants
) -> None:
    before = service.following.desk
    assert service.look() == "1"
    assert service.following.desk is before
    variants.move("2")
    assert service.look() == "2"
    assert service.answered() == ("2", variants.hash("2"))
    assert before.decide(ASK)["bundle"] == {"version": "1", "hash": variants.hash("1")}
    after = service.following.desk
    assert (after.history, after._customers) == (before.history, before._customers)
    assert (service.following.state.taken, service.following.state.refusals) == (1, 0)
    variants.client.delete_registered_model_alias("holdfast", "champion")
    assert service.look() == "2"


def test_a_worse_grade_is_taken_up_only_with_a_reason(
    service: Service, variants: Variants, caplog: pytest.LogCaptureFixture
) -> None:
    variants.move("3")
    assert [service.look() for _ in range(3)] == ["1"] * 3
    state = service.following.state
    assert (state.refused, state.refusals) == ("3", 1)
    assert state.reason == (
        "expected a grade as what serves has, or a reason; found C without one. To let it serve all the same:"
        " holdfast promote 3 --why REASON"
    )
    assert [record.getMessage() for record in caplog.records] == ["bundle_refused"]
    variants.give_reason("3", "a trial")
    assert service.look() == "3"
    assert service.following.state.refused == ""


def test_a_refusal_is_over_once_the_alias_is_back_at_what_serves(service: Service, variants: Variants) -> None:
    variants.move("3")
    service.look()
    assert service.following.state.stands == "refused"
    variants.move("1")
    service.look()
    assert (service.following.state.stands, service.following.state.refusals) == ("following", 1)


def test_a_damaged_bundle_leaves_the_last_good_one_until_it_is_mended(service: Service, variants: Variants) -> None:
    value = variants.folder("4") / "value.json"
    whole = value.read_bytes()
    for damaged in (whole[:-10], whole[:50] + bytes([whole[50] ^ 1]) + whole[51:]):
        value.write_bytes(damaged)
        variants.move("4")
        assert service.look() == "1"
        assert service.following.state.reason.startswith("expected value.json of the bundle with hash")
        variants.move("1")
        service.look()
        service.clock += 60
    value.write_bytes(whole)
    variants.move("4")
    assert service.look() == "4"


def test_a_bundle_of_other_features_is_refused(service: Service, variants: Variants) -> None:
    variants.move("5")
    assert service.look() == "1"
    assert "expected a bundle trained under feature contract" in service.following.state.reason


def test_a_copy_that_was_damaged_here_is_refused_until_the_follower_brings_another(
    service: Service, variants: Variants
) -> None:
    variants.move("2")
    service.follower.look()
    kept = service.shelf.bundle(Pick("2", variants.hash("2"))) / "churn.json"
    kept.write_bytes(kept.read_bytes() + b" ")
    service.following.look()
    service.following.look()
    assert service.following.state.reason.startswith("expected churn.json of the bundle with hash")
    assert (service.following.state.refusals, service.answered()[0]) == (1, "1")
    assert service.look() == "2"


def test_another_bundle_under_the_name_of_a_registered_one_is_refused(service: Service, variants: Variants) -> None:
    shutil.copytree(variants.folder("2"), service.shelf.folder / "bundles" / "0123")
    service.shelf.say(Said(1.0, 1.0, champion=Pick("2", "0123")))
    service.following.look()
    assert service.following.state.reason.startswith("expected bundle 2 with hash 0123, found")


def test_a_store_that_is_away_while_a_bundle_is_tried_is_not_the_bundles_fault(
    service: Service, variants: Variants, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise StoreError("expected the store, found none")

    variants.move("2")
    with monkeypatch.context() as patched:
        patched.setattr("serving.following.warm", away)
        assert service.look() == "1"
    assert service.following.state.refusals == 0
    assert service.look() == "2"


def test_a_full_disk_stops_neither_what_serves_nor_the_follower(
    service: Service, variants: Variants, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError("No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("pathlib.Path.write_text", full)
        for version in ("1", "1", "2"):
            variants.move(version)
            assert service.look() == "1"
    assert [record.getMessage() for record in caplog.records] == ["registry_unkept"]
    service.follower.look()
    with monkeypatch.context() as patched:
        patched.setattr("pathlib.Path.write_text", full)
        service.following.look()
    assert service.answered()[0] == "2"


def test_the_follower_goes_on_after_an_error_of_any_sort_and_writes_what_a_challenger_told_meanwhile(
    variants: Variants, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Three rounds, in the first of which the look fails, and in the second the writing."""
    rounds, looked, written = iter((False, False, False, True)), list[int](), list[int]()

    def failing(at: int, seen: list[int]) -> Callable[..., Said]:
        def step(*_: object) -> Said:
            seen.append(len(seen))
            if len(seen) == at:
                raise ZeroDivisionError
            return Said()

        return step

    for name in ("end_with_parent", "spread", "logs.begin", "time.sleep"):
        monkeypatch.setattr(f"serving.follower.{name}", lambda *_: None)
    monkeypatch.setattr("serving.follower.home", lambda: variants.place)
    monkeypatch.setattr(Follower, "outdated", lambda _: next(rounds))
    monkeypatch.setattr(Follower, "look", failing(1, looked))
    monkeypatch.setattr("serving.follower.ShadowWriter.write", failing(2, written))
    follower.main()
    assert (len(looked), len(written)) == (3, 3)
    assert [record.getMessage() for record in caplog.records] == ["step_failed", "step_failed"]


def test_a_registry_whose_file_cannot_be_looked_at_is_not_taken_for_another(
    variants: Variants, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stale(*_: object, **__: object) -> None:
        raise OSError(116, "Stale file handle")

    asking = Follower(variants.place)
    monkeypatch.setattr("pathlib.Path.stat", stale)
    assert not asking.outdated()


def test_what_another_holdfast_kept_counts_for_nothing(variants: Variants) -> None:
    shelf = Shelf.of(variants.place)
    shelf.serve(Pick("1", variants.hash("1")))
    kept = shelf.folder / "served.json"
    kept.write_text(kept.read_text(encoding="utf-8").replace('"form": 1', '"form": 0'), encoding="utf-8")
    assert shelf.served() is None
    kept.write_text("{", encoding="utf-8")
    assert (shelf.served(), shelf.said()) == (None, Said())


def test_a_bundle_that_fails_its_trial_decision_is_refused(
    service: Service, variants: Variants, monkeypatch: pytest.MonkeyPatch
) -> None:
    variants.move("2")
    monkeypatch.setattr("serving.following.warm", lambda desk: desk.scorer.bundle.manifest["nothing"])
    assert service.look() == "1"
    assert service.following.state.reason == "'nothing'"


def gone(database: Path) -> None:
    database.rename(database.with_suffix(".away"))


def corrupt(database: Path) -> None:
    shutil.copy(database, database.with_suffix(".whole"))
    with database.open("r+b") as opened:
        opened.write(bytes(range(256)) * 256)


def back(database: Path) -> None:
    if database.exists():
        # In place: MLflow holds the file open.
        database.write_bytes(database.with_suffix(".whole").read_bytes())
    else:
        database.with_suffix(".away").rename(database)


@pytest.mark.parametrize("fault", [gone, corrupt])
def test_a_registry_that_is_away_or_corrupt_changes_nothing(
    service: Service, variants: Variants, caplog: pytest.LogCaptureFixture, fault: Callable[[Path], None]
) -> None:
    database, first = variants.place.mlruns / "mlflow.db", Pick("1", variants.hash("1"))
    service.look()
    fault(database)
    try:
        assert [service.look() for _ in range(3)] == ["1"] * 3
        said = service.following.state.registry
        assert said.fault.startswith("expected ")
        assert (said.misses, said.reached_at, said.champion) == (3, 1000.0, first)
        assert service.answered()[0] == "1"
    finally:
        back(database)
    variants.move("2")
    assert service.look() == "2"
    assert service.following.state.registry.fault == ""
    assert [record.getMessage() for record in caplog.records] == ["registry_away", "registry_back"]


def test_a_registry_that_answers_what_nobody_foresaw_is_away_and_each_sort_of_error_is_logged(
    service: Service, variants: Variants, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def away(*_: object) -> None:
        raise RegistryError("expected the registry, found none")

    def odd(*_: object) -> None:
        raise KeyError("aliases")

    service.look()
    with monkeypatch.context() as patched:
        patched.setattr("serving.bundle.look", away)
        service.look()
        patched.setattr("serving.bundle.look", odd)
        variants.move("2")
        assert [service.look() for _ in range(2)] == ["1"] * 2
        assert [record.getMessage() for record in caplog.records] == ["registry_away"] * 2
        assert (service.following.state.stands, service.shelf.said().fault) == ("away", "KeyError('aliases')")
    assert service.look() == "2"


def test_a_follower_gives_way_when_another_file_takes_the_registrys_place(service: Service, variants: Variants) -> None:
    database = variants.place.mlruns / "mlflow.db"
    assert not service.follower.outdated()
    gone(database)
    assert not service.follower.outdated()
    shutil.copy(database.with_suffix(".away"), database)
    assert service.follower.outdated()
    database.unlink()
    back(database)
    assert not service.follower.outdated()


def test_a_service_that_starts_while_the_registry_is_away_serves_what_served_last(variants: Variants) -> None:
    database = variants.place.mlruns / "mlflow.db"
    assert opening.choose(variants.place) == ("1", "")
    gone(database)
    try:
        version, why = opening.choose(variants.place)
        assert version == "1"
        assert why.startswith("version 1, which served last, serves on: expected a registry at ")
        shutil.rmtree(variants.place.data / "serving")
        with pytest.raises(RegistryError, match="expected a registry at"):
            opening.choose(variants.place)
    finally:
        back(database)


def test_a_service_starts_with_no_worse_a_grade_than_it_ended_with(variants: Variants) -> None:
    opening.choose(variants.place)
    variants.move("3")
    assert opening.choose(variants.place)[0] == "1"
    variants.give_reason("3", "a trial")
    assert opening.choose(variants.place)[0] == "3"


def test_the_shelf_keeps_the_last_few_bundles_and_nothing_of_another_registry(variants: Variants) -> None:
    shelf, pick = Shelf.of(variants.place), Pick("1", variants.hash("1"))
    shelf.serve(pick)
    for number in range(9):
        (shelf.folder / "bundles" / f"{number}").mkdir(parents=True)
        os.utime(shelf.folder / "bundles" / f"{number}", (number, number))
    shelf.keep(pick, lambda into: Path(shutil.copytree(variants.folder("1"), into / "1")))
    shelf.tidy([Pick("0", "0")])
    assert sorted(path.name for path in (shelf.folder / "bundles").iterdir()) == sorted(["0", *"5678", pick.hash])
    other = Shelf(shelf.folder, "another registry")
    assert (shelf.served(), other.served()) == (pick, None)


def test_a_worker_without_a_good_copy_waits_for_what_the_registry_says(
    variants: Variants, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    place, shelf = variants.place, Shelf.of(variants.place)
    monkeypatch.setattr(Watch, "look", lambda _: Follower(place).look())
    monkeypatch.setattr(following, "EVERY_SECONDS", 0.0)
    first = following._first(place, shelf, Watch(shelf))
    assert (first.scorer.bundle_version, shelf.served()) == ("1", Pick("1", variants.hash("1")))
    first.history.close()
    kept = shelf.bundle(Pick("1", variants.hash("1"))) / "value.json"
    kept.write_bytes(b"")
    second = following._first(place, shelf, Watch(shelf))
    assert second.scorer.bundle_version == "1"
    second.history.close()
    assert caplog.records[0].getMessage() == "last_unfit"
    variants.client.delete_registered_model_alias("holdfast", "champion")
    shutil.rmtree(shelf.folder)
    with pytest.raises(RegistryError, match="expected a champion in the registry, found none; train one"):
        following._first(place, shelf, Watch(shelf))


def test_a_pinned_version_is_served_and_not_followed(variants: Variants, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLDFAST_BUNDLE", str(variants.folder("2")))
    monkeypatch.setenv("HOLDFAST_BUNDLE_VERSION", "2")
    begun = begin(variants.place)
    assert (begun.state.version, begun.state.follows) == ("2", False)
    assert not (variants.place.data / "serving").exists()
    begun.desk.history.close()
