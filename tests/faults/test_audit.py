"""What finds faults has to be able to find them."""

from pathlib import Path
from typing import Any

import pytest

from benchmarks.faults.audit import audit, overshot
from benchmarks.faults.callers import Journal
from features.clock import DAY
from features.decisions import CONFIRMED, HELD, RELEASED
from features.history import History
from serving.contact import Cap
from tests.making import AS_OF, happened, log

SAID = {"en": "Enough.", "ko": "충분합니다."}
TWO_A_WEEK = Cap("all", 2, 7, (), (), (), ("phone",), (), False, SAID)


def row(number: int, day: float, state: str = HELD, channel: str = "phone") -> tuple[Any, ...]:
    return (f"d-{number}/it", f"d-{number}", "a:1", "it", "", "", channel, "base", state, int(day * DAY))


@pytest.mark.parametrize(
    ("rows", "above"),
    [
        ([row(1, 1), row(2, 2)], 0),
        ([row(1, 1), row(2, 2), row(3, 3)], 1),
        ([row(1, 1), row(2, 2), row(3, 8.5)], 0),
        ([row(1, 1), row(2, 2), row(3, 3, channel="web")], 0),
        ([row(1, 1), row(2, 2), row(1, 1, RELEASED), row(3, 3)], 0),
        ([row(1, 1), row(2, 2), row(1, 1, CONFIRMED), row(3, 3)], 1),
        ([row(1, 9), row(2, 9.5), row(3, 2)], 1),
    ],
)
def test_a_proposal_above_a_cap_is_counted(rows: list[Any], above: int) -> None:
    assert overshot(rows, [TWO_A_WEEK]) == above


def test_what_was_answered_and_is_not_there_as_it_was_answered_is_lost(tmp_path: Path) -> None:
    history = History(f"sqlite:///{tmp_path / 'store.db'}")
    log(history, "d-1", "a:1", AS_OF, '{"is": "as answered"}')
    log(history, "d-2", "a:1", AS_OF, "{}")
    history.append([happened(1)], AS_OF)
    journal = Journal(decisions={"d-1": '{"is": "as answered"}', "d-2": '{"was": "more"}', "d-3": "{}"})
    journal.outcomes.add(("d-1", "it", "accepted"))
    journal.interactions.add("nobody wrote it")
    assert audit(history.url, journal, []).lost == 4
    history.close()
