"""A breaker leaves alone what failed three times in a row, for ten seconds, and then lets one try."""

from hypothesis import given
from hypothesis import strategies as st

from serving.breaker import MISSES, OPEN_SECONDS, Breaker, Pass

_STEPS = st.lists(
    st.tuples(
        st.sampled_from(["ask", "missed", "passed", "neither"]),
        st.integers(0, 5),
        st.sampled_from([0.0, 0.4, OPEN_SECONDS - 0.5, OPEN_SECONDS]),
    ),
    max_size=60,
)


@given(_STEPS)
def test_whoever_is_let_in_and_in_whatever_order_they_come_back_one_tries_while_it_is_open(
    steps: list[tuple[str, int, float]],
) -> None:
    breaker, now, inside = Breaker(), 0.0, list[Pass]()
    opened, row = None, 0
    for what, which, passes in steps:
        now += passes
        if what == "ask":
            state = breaker.state
            by = breaker.admit(now)
            if state == "closed":
                assert by == "closed"
            elif state == "half-open":
                assert by is None
            else:
                assert opened is not None
                assert (by == "half-open") == (now >= opened + OPEN_SECONDS)
            inside += [by] if by else []
        elif inside:
            by, before = inside.pop(which % len(inside)), breaker.state
            counts = by == before
            if what == "missed":
                breaker.missed(by, now)
                row += counts
                if counts and (by == "half-open" or row >= MISSES):
                    assert breaker.state == "open"
                    opened = now
                else:
                    assert breaker.state == before
            elif what == "passed":
                breaker.passed(by)
                row = 0 if counts else row
                assert breaker.state == ("closed" if counts else before)
            else:
                breaker.neither(by, now)
                if by == before == "half-open":
                    assert breaker.state == "open"
                    opened = now - OPEN_SECONDS
        assert inside.count("half-open") <= 1 or breaker.state != "half-open"
        assert (breaker.since is None) == (breaker.misses == 0)


def test_three_misses_open_it_and_the_third_trial_that_passes_closes_it() -> None:
    breaker = Breaker()
    for moment in (1.0, 2.0, 3.0):
        assert breaker.admit(moment) == "closed"
        breaker.missed("closed", moment)
    assert (breaker.state, breaker.since, breaker.retry_after(5.0)) == ("open", 1.0, 8.0)
    assert [breaker.admit(moment) for moment in (3.0, 12.9, 13.0, 13.1)] == [None, None, "half-open", None]
    breaker.missed("half-open", 13.5)
    assert [breaker.admit(moment) for moment in (23.4, 23.5)] == [None, "half-open"]
    breaker.neither("half-open", 23.6)
    assert breaker.admit(23.6) == "half-open"
    breaker.passed("half-open")
    assert (breaker.state, breaker.misses, breaker.since) == ("closed", 0, None)


def test_misses_that_are_not_in_a_row_do_not_open_it() -> None:
    breaker = Breaker()
    for _ in range(5):
        breaker.missed("closed", 1.0)
        breaker.missed("closed", 1.0)
        breaker.passed("closed")
    assert breaker.state == "closed"
