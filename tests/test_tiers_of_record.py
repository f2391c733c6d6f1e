"""The tiers of a whole base are written in parts, and a service beside decides between them; on either engine."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from features import pacing
from features.history import History
from features.identity import Reference
from features.versions import Written
from holdfast.scoring import _record
from serving.tiers import changes, records_of
from tests.making import AS_OF, BOTH, happened

ENGINES = BOTH
CUSTOMERS = [f"customer:{number}" for number in range(25)]
SOON = timedelta(seconds=1)


@pytest.fixture
def base(new_url: Callable[[], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[History]:
    """Buyers with no tier of record, in the store of the environment, whose tiers are written ten at a time."""
    history = History(new_url())
    bought = [happened(n, reference=Reference(*name.split(":"))) for n, name in enumerate(CUSTOMERS)]
    history.append(bought, None)
    monkeypatch.setattr(pacing, "ROWS_AT_ONCE", 10)
    for name, value in (("HOME", str(tmp_path)), ("DATABASE_URL", history.url), ("CLOCK", "history")):
        monkeypatch.setenv(f"HOLDFAST_{name}", value)
    yield history
    history.close()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Scores as the command writes them."""
    pl.DataFrame({"customer": CUSTOMERS, "tier": "top"}).write_parquet(tmp_path / "scores.parquet")
    return tmp_path / "scores.parquet"


def tiers(history: History) -> dict[str, str]:
    return records_of(history.known_by(AS_OF + SOON))


def told(history: History) -> int:
    return history.counts().get("tier", 0)


def test_others_write_between_the_parts(base: History, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A writer who had to wait for the whole would be here only afterwards, or be given up."""
    other, numbers, seen = History(base.url), itertools.count(1_000), list[int]()

    def meanwhile(_seconds: float) -> None:
        other.append([happened(next(numbers))], None)
        seen.append(told(base))

    monkeypatch.setattr(pacing, "sleep", meanwhile)
    assert _record(file, AS_OF) == 25
    assert seen == [10, 20, 25]
    other.close()


def test_each_part_is_known_from_its_own_writing_on(base: History, file: Path) -> None:
    assert _record(file, AS_OF) == 25
    known = [len(records_of(replace(base.known_by(AS_OF + n * SOON), as_of=AS_OF + SOON))) for n in range(3)]
    assert known == [10, 20, 25]


def test_a_run_that_breaks_off_has_set_whole_parts_and_the_next_sets_the_rest(
    base: History, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses = itertools.count(1)

    def broken(_seconds: float) -> None:
        if next(pauses) == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(pacing, "sleep", broken)
        with pytest.raises(KeyboardInterrupt):
            _record(file, AS_OF)
    assert list(tiers(base).values()) == ["top"] * 20
    assert _record(file, AS_OF + SOON) == 5
    assert records_of(base.known_by(AS_OF + 5 * SOON)) == dict.fromkeys(CUSTOMERS, "top")
    assert told(base) == 25
    assert _record(file, AS_OF + 2 * SOON) == 0


def test_what_a_run_at_the_same_moment_had_set_is_known(base: History, file: Path) -> None:
    """Two at once, or one that asks before the other is seen: a tier's id is of its customer and moment."""
    made = list(changes(base.known_by(AS_OF), pl.read_parquet(file), AS_OF))
    base.append(made[:10], None)
    assert base.append([replace(one, recorded_at=AS_OF + SOON) for one in made], None) == Written(15, 0, 10)
    assert told(base) == 25


def test_parts_are_told_one_by_one_with_what_became_of_them_and_as_long_a_pause_as_a_quarter_of_their_writing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pacing, "ROWS_AT_ONCE", 2)
    now, paused = itertools.count(0.0, 4.0), list[float]()
    monkeypatch.setattr(pacing, "perf_counter", lambda: next(now))
    monkeypatch.setattr(pacing, "sleep", paused.append)
    found = list(pacing.paced(iter("abc"), lambda part: Written(len(part), 0, 0)))
    assert found == [(2, Written(2, 0, 0)), (1, Written(1, 0, 0))]
    assert paused == [1.0, 1.0]
