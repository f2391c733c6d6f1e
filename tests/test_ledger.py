"""A cap is never overshot, whatever the number of callers, processes and restarts."""

import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from features.decisions import Window
from features.history import History
from features.home import ROOT
from tests.callers import CAPS, overshot
from tests.desks import NOW, stocked
from tests.making import BOTH

ENGINES = BOTH

CUSTOMERS = ["household:7", "household:8"]
PROCESSES, THREADS = 4, 16
WINDOW = Window(datetime(1970, 1, 1, tzinfo=UTC), NOW)


def calling(history: History, process: int, times: int, began: Path) -> "subprocess.Popen[bytes]":
    given = [history.url, ",".join(CUSTOMERS), str(THREADS), str(times), str(process), str(began)]
    return subprocess.Popen([sys.executable, "-m", "tests.callers", *given], cwd=ROOT)


def told(began: Path) -> list[str]:
    """Return the decisions that were answered; an id may be cut short where its writer was killed."""
    return began.read_text(encoding="utf-8").split("\n")[:-1] if began.exists() else []


def test_sixty_four_callers_in_four_processes_never_overshoot_a_cap(history: History, tmp_path: Path) -> None:
    stocked(history)
    running = [calling(history, number, 3, tmp_path / str(number)) for number in range(PROCESSES)]
    assert [one.wait(300) for one in running] == [0] * PROCESSES
    held, over = overshot(history, CUSTOMERS)
    assert over == 0
    # All of their moments lie within a week, and everybody wants more than is left.
    assert held == len(CUSTOMERS) * CAPS[0].most
    assert len(history.decisions.ids()) == PROCESSES * THREADS * 3 * len(CUSTOMERS)


def test_what_was_answered_and_held_when_a_process_was_killed_is_there_when_it_is_back(
    history: History, tmp_path: Path
) -> None:
    stocked(history)
    for number in range(3):
        began = tmp_path / str(number)
        running = calling(history, number, 1_000, began)
        for _ in range(600):
            if told(began):
                break
            time.sleep(0.05)
        os.kill(running.pid, signal.SIGKILL)
        running.wait()
        answered = told(began)
        assert answered
        assert set(answered) <= set(history.decisions.ids())
        held, over = overshot(history, CUSTOMERS)
        assert (held <= len(CUSTOMERS) * CAPS[0].most, over) == (True, 0)
    # No contact without the decision that holds it, and none of half a decision.
    made = set(history.decisions.ids())
    for customer in CUSTOMERS:
        assert {one.decision for one in history.decisions.ledger([customer], WINDOW).contacts} <= made
