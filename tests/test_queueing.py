import numpy as np
import pytest

from benchmarks.queueing import SECOND, Served, lognormal, overtaking, poisson, serve
from benchmarks.routing import BELIED, BROKEN, day, figures
from tests.desks import playbook


def whole(*numbers: int) -> np.ndarray:
    return np.array(numbers, dtype=np.int64)


def test_whoever_is_free_takes_the_first_in_order_of_those_who_wait() -> None:
    # One serves: the first comes to an idle line, then the third goes before the second, and the fourth finds it idle.
    served = serve(whole(0, 1, 2, 30), whole(10, 5, 5, 1), whole(3, 2, 1, 0), team=1)
    assert served.began.tolist() == [0, 15, 10, 30]
    assert served.place.tolist() == [0, 2, 1, 3]


def test_two_serve_side_by_side() -> None:
    served = serve(whole(0, 0, 1), whole(10, 4, 5), whole(0, 1, 2), team=2)
    assert served.began.tolist() == [0, 0, 4]


def test_who_is_overtaken_after_a_moment_is_counted_once_for_each_newcomer() -> None:
    arrived, served = whole(0, 5, 9, 20), Served(whole(0, 0, 0, 0), whole(3, 0, 1, 2))
    assert overtaking(arrived, arrived + 20, served) == 0
    assert overtaking(arrived, arrived + 19, served) == 1
    assert overtaking(arrived, arrived + 5, served) == 2
    assert overtaking(arrived, arrived, served) == 3


def test_simulated_arrivals_and_times_of_service_have_the_rate_and_the_mean_asked_for() -> None:
    rng = np.random.default_rng(0)
    arrived = poisson(lambda moments: np.where(moments < 43_200, 0.1, 0.3), 0.4, rng)
    assert (np.diff(arrived) >= 0).all()
    early, late = (int(half.sum()) for half in (arrived < 43_200 * SECOND, arrived >= 43_200 * SECOND))
    assert (early, late) == (pytest.approx(4_320, rel=0.05), pytest.approx(12_960, rel=0.03))
    takes = lognormal(100_000, 300.0, 1.0, rng) / SECOND
    assert (takes.mean(), takes.std()) == (pytest.approx(300, rel=0.02), pytest.approx(300, rel=0.05))


def test_a_simulated_day_keeps_the_bound_that_static_priority_breaks() -> None:
    loaded = playbook()
    told = figures(day(loaded, 0), tuple(loaded.glossary.tiers))
    assert told["ours", BROKEN] == told["ours", BELIED] == told["first come", BROKEN] == 0
    assert told["static priority", BROKEN] > 0
    assert told == figures(day(loaded, 0), tuple(loaded.glossary.tiers))
