"""Threads that wait for their turn to write share one flush to disk, and none goes on before it."""

import shutil
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Event

import pytest
import sqlalchemy as sa

from features import store
from features.errors import StoreError
from features.history import History
from tests.making import AS_OF, log


@pytest.fixture
def file(history: History) -> Path:
    return Path(history.url.removeprefix("sqlite:///"))


def writing(history: History, name: str) -> None:
    log(history, name, "household:7", AS_OF, "{}")


def giving_up(history: History, name: str) -> None:
    with history._store.alone() as connection:
        connection.exec_driver_sql("INSERT INTO decisions (id, customer, made_at, body) VALUES (?, '', 0, '')", (name,))
        raise ValueError(name)


def undone_by_the_engine(history: History, name: str) -> None:
    with history._store.alone() as connection:
        connection.exec_driver_sql("ROLLBACK")


def together(
    history: History, *others: Callable[[History, str], None], told: list[Future[None]] | None = None
) -> list[Future[None]]:
    """Write as "first" until all others wait for their turn, then let them write, one after the other."""
    turns = history._store._turns
    with ThreadPoolExecutor(1 + len(others)) as pool:
        with history._store.alone() as connection:
            connection.execute(sa.insert(store.decisions).values(id="first", customer="", made_at=0, body=""))
            asked = [] if told is None else told
            for number, other in enumerate(others, start=1):
                asked.append(pool.submit(other, history, f"other {number}"))
                while turns._waiting < number:
                    time.sleep(0.001)
                # It is counted right before it waits, and the next mustn't overtake it.
                time.sleep(0.05)
        return asked


def test_those_who_wait_for_their_turn_are_flushed_together(history: History) -> None:
    flushes: list[object] = []
    sa.event.listen(history._store._engine, "commit", flushes.append)
    for one in together(history, writing, writing, writing):
        one.result()
    assert sorted(history.decisions.ids()) == ["first", "other 1", "other 2", "other 3"]
    assert len(flushes) == 1


def test_whoever_gives_up_undoes_nothing_of_the_others(history: History) -> None:
    before, fails, after = together(history, writing, giving_up, writing)
    assert (before.result(), after.result()) == (None, None)
    with pytest.raises(ValueError, match="other 2"):
        fails.result()
    assert sorted(history.decisions.ids()) == ["first", "other 1", "other 3"]


def test_when_the_engine_undoes_what_was_shared_nobody_is_told_that_it_is_written(history: History) -> None:
    with pytest.raises(StoreError, match="expected the store to be written; found that it undid what was"):
        together(history, undone_by_the_engine)
    assert history.decisions.ids() == []
    writing(history, "later")
    assert history.decisions.ids() == ["later"]


def test_whoever_comes_after_the_engine_undid_what_was_shared_writes_by_themselves(history: History) -> None:
    asked: list[Future[None]] = []
    with pytest.raises(StoreError, match="expected the store to be written; found that it undid what was"):
        together(history, undone_by_the_engine, writing, told=asked)
    with pytest.raises(StoreError, match="found that it undid what was"):
        asked[0].result()
    assert asked[1].result() is None
    assert history.decisions.ids() == ["other 2"]


def test_nobody_goes_on_before_the_flush_that_holds_what_they_wrote(history: History) -> None:
    def slow(history: History, name: str) -> None:
        with history._store.alone():
            seen.append((time.monotonic(), ended.done()))
            time.sleep(0.2)

    seen: list[tuple[float, bool]] = []
    with ThreadPoolExecutor(2) as pool:
        with history._store.alone():
            ended = pool.submit(writing, history, "quick")
            while history._store._turns._waiting < 1:
                time.sleep(0.001)
            pool.submit(slow, history, "slow")
            while history._store._turns._waiting < 2:
                time.sleep(0.001)
        ended.result()
        assert time.monotonic() - seen[0][0] >= 0.2
    assert seen[0][1] is False


def test_what_was_logged_is_carried_over_into_the_file(history: History, file: Path, tmp_path: Path) -> None:
    writing(history, "logged")
    history.checkpoint()
    shutil.copy(file, tmp_path / "alone.db")
    with closing(sqlite3.connect(tmp_path / "alone.db")) as alone:
        assert alone.execute("SELECT id FROM decisions").fetchall() == [("logged",)]


def test_whoever_is_done_does_not_wait_for_much_that_is_written_apart(history: History) -> None:
    waiting, done = Event(), Event()

    def much() -> bool:
        waiting.set()
        with history._store.alone(apart=True):
            return done.wait(5)

    with ThreadPoolExecutor(1) as pool:
        with history._store.alone():
            told = pool.submit(much)
            waiting.wait()
            time.sleep(0.05)
        done.set()
        assert told.result()


def test_whoever_looks_keeps_few_pages_and_the_one_who_writes_more(history: History) -> None:
    with history._store.reading() as looking, history._store.alone() as writing:
        kept = [one.exec_driver_sql("PRAGMA cache_size").scalar() for one in (looking, writing)]
    assert kept == [-1024, -4096]
