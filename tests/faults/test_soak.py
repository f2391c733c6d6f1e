import pytest

from benchmarks.soak import Watched, rows, slope


def test_the_slope_of_memory_is_that_of_its_line_with_an_interval_that_holds_it() -> None:
    samples = [(n / 12, 300 + 0.5 * n / 12 + (-1) ** n) for n in range(240)]
    grown, wide = slope(samples)
    assert grown == pytest.approx(0.5, abs=wide)
    assert 0 < wide < 0.1


def test_memory_that_grows_and_answers_that_fail_do_not_hold() -> None:
    watched = Watched(
        memory={1: [(n / 12, 300 + n / 12) for n in range(120)], 2: [(n / 12, 300.0) for n in range(120)]}
    )
    watched.statuses.update({"200": 5, "503 away": 1})
    held = {row.figure.split(",")[0]: row.holds for row in rows(watched)}
    assert held["memory of worker 1"] is False
    assert held["memory of worker 2"] is True
    assert held["requests not answered with 200"] is False
