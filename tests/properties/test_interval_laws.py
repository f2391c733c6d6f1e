"""The law of intervals: there is always one, and its ends are in order."""

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from tests.test_choosing import WIDTH, window
from training.choosing import Round
from training.interval import conform


@example(seed=4, size=50, share=0.9)
@example(seed=7, size=64, share=0.98)
@given(seed=st.integers(0, 10_000), size=st.integers(50, 80), share=st.sampled_from([0.5, 0.9, 0.98]))
def test_there_is_always_a_narrowest_interval_however_few_and_unlike_the_customers(seed: int, size: int, share: float):
    rng = np.random.default_rng(seed)
    judged = [max(1, int(size * part)) for part in (share, 1 - share)]
    truths, expected = ([rng.gamma(2, 20, count) for count in judged] for _ in range(2))
    rounds = [Round(window(np.zeros((len(truth), WIDTH)), truth), truth, {}) for truth in truths]
    low, high = conform(rounds, expected, [None, None], None).around(expected[0], np.zeros((judged[0], WIDTH)))
    assert np.isfinite(high).all()
    assert (low <= high).all()
