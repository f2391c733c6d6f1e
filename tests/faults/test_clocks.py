from pathlib import Path

from benchmarks.faults.clocks import clocks
from benchmarks.faults.served import Place


def test_under_a_clock_that_steps_back_nothing_fails_and_no_cap_is_overshot(place: Place, tmp_path: Path) -> None:
    found = clocks(place, tmp_path, 60)
    assert found.holds, found.note
    assert found.caused > 10
