"""The laws of tiers: near a floor nobody moves, beyond it everybody does, and the tiers keep about their sizes."""

from datetime import timedelta
from tempfile import TemporaryDirectory

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from features.clock import microseconds
from features.events import Interaction
from features.history import History
from features.identity import Reference
from features.packed import pack
from serving.tiers import Tiers, changes, record_of, records_of
from tests.making import AS_OF, filled, happened, interactions

NAMES = ("top", "high", "middle", "base")
VALUES = st.one_of(st.floats(-500, 2_000), st.sampled_from([0.0, 100.0, 90.0, 110.0, 10.0, 9.0, 11.0]))


@st.composite
def some_tiers(draw: st.DrawFn) -> Tiers:
    """Tiers with floors from the top down, some equal, below nothing or at it."""
    floors = sorted((draw(VALUES) for _ in NAMES[:-1]), reverse=True)
    return Tiers(NAMES, (*floors, min(0.0, floors[-1])), draw(st.sampled_from([0.0, 0.05, 0.1, 0.3])))


@st.composite
def around(draw: st.DrawFn) -> tuple[Tiers, float]:
    """Tiers, and a value that is likely to lie about as far from one of their floors as the band reaches."""
    tiers = draw(some_tiers())
    floor, away = draw(st.sampled_from(tiers.floors)), draw(st.sampled_from([-1.2, -0.8, -0.1, 0.0, 0.1, 0.8, 1.2]))
    return tiers, draw(st.one_of(VALUES, st.just(floor + away * tiers.band * abs(floor))))


def near(tiers: Tiers, value: float) -> bool:
    """Tell whether a value lies within the band of any floor."""
    return any(abs(value - floor) <= tiers.band * abs(floor) for floor in tiers.floors[:-1])


def held(tiers: Tiers, kept: str, value: float) -> bool:
    """Tell whether a value lies in a tier's own range, or within the band of its two floors."""
    place, ends = NAMES.index(kept), (*tiers.floors[:-1], -np.inf)
    slack = [tiers.band * abs(floor) for floor in tiers.floors[:-1]]
    below = place == len(NAMES) - 1 or value >= ends[place] - slack[place]
    return bool(below and (place == 0 or value < ends[place - 1] + slack[place - 1]))


@settings(max_examples=200)
@given(around(), st.sampled_from(NAMES))
def test_within_the_band_nobody_moves_and_beyond_it_everybody_does(drawn: tuple[Tiers, float], kept: str):
    tiers, value = drawn
    found = tiers.of(value, kept)
    if held(tiers, kept, value):
        assert found == kept
    else:
        assert found == tiers.plain(value) != kept


@given(around(), st.sampled_from([*NAMES, None, "gold"]))
def test_a_tier_that_was_set_stays_while_the_value_does(drawn: tuple[Tiers, float], kept: str | None):
    tiers, value = drawn
    found = tiers.of(value, kept)
    assert tiers.of(value, found) == found
    if kept not in NAMES:
        assert found == tiers.plain(value)


@given(some_tiers(), st.lists(st.tuples(VALUES, st.sampled_from([*NAMES, None])), min_size=1, max_size=60))
def test_no_tier_is_larger_or_smaller_than_asked_for_by_more_than_who_is_near_a_floor(tiers: Tiers, base: list):
    plain = [tiers.plain(value) for value, _ in base]
    found = [tiers.of(value, kept) for value, kept in base]
    wavering = sum(near(tiers, value) for value, _ in base)
    for name in NAMES:
        assert abs(found.count(name) - plain.count(name)) <= wavering


@given(some_tiers(), some_tiers(), st.lists(VALUES, min_size=1, max_size=40))
def test_a_bundle_with_other_floors_moves_only_whom_its_own_floors_move(before: Tiers, after: Tiers, base: list):
    for value in base:
        kept = before.plain(value)
        moved = after.of(value, kept)
        assert moved in (kept, after.plain(value))
        if after.plain(value) == kept:
            assert moved == kept


@st.composite
def told(draw: st.DrawFn) -> Interaction:
    """A tier that was set some time before or after the moment, perhaps known later, at one time with another."""
    age = draw(st.sampled_from([timedelta(0), timedelta(days=7), timedelta(days=14), timedelta(days=-1)]))
    late = draw(st.sampled_from([timedelta(0), timedelta(days=8)]))
    return happened(
        draw(st.integers(0, 10**9)),
        reference=Reference("customer", draw(st.sampled_from("ab"))),
        kind="tier",
        product=draw(st.sampled_from(NAMES)),
        occurred_at=AS_OF - age,
        recorded_at=AS_OF - age + late,
    )


@given(st.lists(st.one_of(told(), interactions()), max_size=30, unique_by=lambda one: one.id))
def test_the_tier_of_record_is_one_online_and_in_batch_whatever_the_order(drawn: list[Interaction]):
    for events in (drawn, drawn[::-1]):
        with TemporaryDirectory() as folder:
            history = filled(History(f"sqlite:///{folder}/h.db"), events)
            known = history.known_by(AS_OF)
            online = {
                customer: record
                for customer in known.events["customer"].unique()
                if (record := record_of(pack(history.of_customer([customer], AS_OF), AS_OF))) is not None
            }
            history.close()
        # What was set at the moment itself isn't known yet of it.
        assert records_of(known) == online
    before = [one for one in drawn if one.kind == "tier" and one.occurred_at < AS_OF and one.recorded_at <= AS_OF]
    assert set(online) == {str(one.reference) for one in before}


# Somebody who has only ordered: the purchase is known, and lies ahead.
ORDERED = happened(
    10**10,
    reference=Reference("customer", "orderer"),
    occurred_at=AS_OF + timedelta(days=1),
    recorded_at=AS_OF - timedelta(days=1),
)


@given(
    st.lists(interactions(), max_size=25, unique_by=lambda one: one.id), st.timedeltas(timedelta(0), timedelta(hours=2))
)
def test_a_tier_is_set_for_past_buyers_alone_and_known_from_its_writing_on(drawn: list[Interaction], wait: timedelta):
    with TemporaryDirectory() as folder:
        history = filled(History(f"sqlite:///{folder}/h.db"), [*(one for one in drawn if one.kind != "tier"), ORDERED])
        known, written = history.known_by(AS_OF), AS_OF + wait
        everyone = sorted(set(known.events["customer"]))
        scored = pl.DataFrame(
            {"customer": everyone, "tier": ["top"] * len(everyone)}, schema_overrides={"customer": str}
        )
        made = list(changes(known, scored, written))
        history.append(made, None)
        soon = timedelta(microseconds=1)
        before, after = (records_of(history.known_by(moment)) for moment in (written - soon, written + soon))
        # What is set already isn't set again.
        again = list(changes(history.known_by(written + soon), scored, written + 2 * soon))
        history.close()
    past = known.events.filter(pl.col("kind") == "purchase", pl.col("occurred_at") < microseconds(AS_OF))
    buyers = set(past["customer"])
    assert {str(one.reference) for one in made} == buyers
    assert before == {}
    assert after == dict.fromkeys(buyers, "top")
    assert {str(one.reference) for one in again} & buyers == set()
