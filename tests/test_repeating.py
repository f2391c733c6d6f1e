"""What goes on beside the requests outlives the errors that nobody foresaw."""

import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from features.home import Home
from serving import checkpoints, following, repeating
from serving.keyring import Keyring
from serving.repeating import Outlived, repeat

PATIENCE_SECONDS = 5.0


class Failing:
    """A step that fails for some times, by an error that names somebody, and says when it has succeeded."""

    def __init__(self, times: int) -> None:
        self.left = times
        self.done = threading.Event()

    def __call__(self, *_: Any) -> None:
        self.left -= 1
        if self.left >= 0:
            raise ZeroDivisionError("+12024561111")
        self.done.set()


@pytest.fixture
def ended(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Whatever is begun in the test goes on quickly, and ends with it."""
    end = threading.Event()
    for place in (following, checkpoints):
        monkeypatch.setattr(place, "repeat", partial(repeat, ended=end))
    monkeypatch.setattr(following, "EVERY_SECONDS", 0.01)
    monkeypatch.setattr(checkpoints, "_EVERY_SECONDS", 0.01)
    yield end
    end.set()


def test_a_step_is_taken_again_after_an_error_and_others_are_taken_meanwhile(caplog: pytest.LogCaptureFixture) -> None:
    end, failing, going = threading.Event(), Failing(3), threading.Event()
    thread = repeat("watch", 0.01, failing, going.set, ended=end)
    assert going.wait(PATIENCE_SECONDS)
    assert failing.done.wait(PATIENCE_SECONDS)
    end.set()
    thread.join(PATIENCE_SECONDS)
    assert not thread.is_alive()
    assert [record.getMessage() for record in caplog.records] == ["step_failed"]
    assert caplog.records[0].__dict__["told"] == {"part": "watch"}


def test_an_error_is_logged_once_for_as_long_as_it_is_the_same(caplog: pytest.LogCaptureFixture) -> None:
    outlived = Outlived("disk")

    def tried(error: Exception | None) -> None:
        with outlived:
            if error:
                raise error

    for error in (OSError(5), OSError(116), ValueError(), None, ValueError()):
        tried(error)
    failed = [record.__dict__["failed"] for record in caplog.records]
    assert [type(error) for error in failed] == [OSError, ValueError, ValueError]


def test_what_ends_the_process_is_no_error_to_go_on_from() -> None:
    with pytest.raises(SystemExit), Outlived("disk"):
        raise SystemExit


def test_the_keys_are_read_again_after_an_error_of_any_sort(monkeypatch: pytest.MonkeyPatch) -> None:
    failing, ring = Failing(2), Keyring()
    monkeypatch.setattr("serving.keyring.PERIOD_SECONDS", 0.01)
    monkeypatch.setattr(ring, "read", failing)
    ring.begin()
    try:
        assert failing.done.wait(PATIENCE_SECONDS)
    finally:
        ring.end()


def test_the_log_of_the_store_is_carried_over_again_after_an_error_of_any_sort(ended: threading.Event) -> None:
    failing = Failing(2)
    checkpoints.keep(type("Kept", (), {"checkpoint": failing})())  # type: ignore[arg-type]
    assert failing.done.wait(PATIENCE_SECONDS)


@pytest.mark.parametrize("broken", ["serving.following.Watch.look", "serving.following.Following.look"])
def test_a_worker_follows_on_after_an_error_of_any_sort_and_sees_to_both_its_tasks(
    broken: str, ended: threading.Event, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing, looks = Failing(2), dict[str, threading.Event]()
    for name in ("serving.following.Watch.look", "serving.following.Following.look"):
        seen: Callable[..., None] = looks.setdefault(name, threading.Event()).set
        monkeypatch.setattr(name, failing if name == broken else lambda *_, seen=seen: seen())
    monkeypatch.delenv("HOLDFAST_BUNDLE", raising=False)
    scorer = type("Scorer", (), {"bundle_version": "1", "bundle_hash": "0" * 32})
    monkeypatch.setattr(following, "_first", lambda *_: type("Desk", (), {"scorer": scorer})())
    following.begin(Home(tmp_path, tmp_path, "sqlite://", "live"))
    assert failing.done.wait(PATIENCE_SECONDS)
    assert all(look.wait(PATIENCE_SECONDS) for name, look in looks.items() if name != broken)


def test_every_thread_that_goes_on_for_good_is_begun_where_errors_are_outlived() -> None:
    """Others end by themselves: those that wait for a process, and the one that reads a challenger's words."""
    room = Path(repeating.__file__).parent
    begun = {path.stem for path in room.glob("*.py") if "Thread(" in path.read_text(encoding="utf-8")}
    assert begun == {"repeating", "leash", "child", "shadow_writer"}
