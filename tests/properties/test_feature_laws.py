"""The laws of features, each over every feature and over histories that hold everything that hurts."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features import batch
from features.contract import CONTRACT, FeatureMatrix, row_of, rows_of
from features.events import Interaction
from features.history import History
from features.identity import IdentityLink, Reference
from features.packed import CustomerEvents, pack
from tests.making import AS_OF, filled, happened, histories

Opener = Callable[[], History]


def packed(history: History, customer: str, as_of=AS_OF) -> CustomerEvents:
    return pack(history.of_customer(history.references_of(customer, as_of), as_of), as_of)


def same(left: FeatureMatrix, right: FeatureMatrix) -> bool:
    return left.customers == right.customers and np.array_equal(left.values, right.values, equal_nan=True)


def differing(batch: np.ndarray, online: np.ndarray) -> dict[str, tuple[float, float]]:
    close = np.isclose(batch, online, rtol=1e-9, atol=0, equal_nan=True)
    return {CONTRACT.names[place]: (batch[place], online[place]) for place in np.flatnonzero(~close)}


@given(
    happenings=histories(), later=st.lists(st.timedeltas(timedelta(microseconds=1), timedelta(days=400)), max_size=10)
)
def test_nothing_recorded_after_a_moment_changes_a_row_of_it(
    new_history: Opener, happenings: list[Interaction], later: list[timedelta]
):
    history = filled(new_history(), happenings)
    before = rows_of(history.known_by(AS_OF))
    after = [
        happened(10**10 + place, amount=77.0, occurred_at=AS_OF - wait, recorded_at=AS_OF + wait)
        for place, wait in enumerate(later)
    ]
    history.append(after, None)
    assert same(rows_of(history.known_by(AS_OF)), before)
    assert same(rows_of(history.known_by(AS_OF + timedelta(days=500)).at(AS_OF)), before)


@given(happenings=histories(), seed=st.randoms(use_true_random=False))
def test_the_order_of_storing_does_not_matter(new_history: Opener, happenings: list[Interaction], seed):
    shuffled = list(happenings)
    seed.shuffle(shuffled)
    first, second = filled(new_history(), happenings), filled(new_history(), shuffled)
    assert same(rows_of(first.known_by(AS_OF)), rows_of(second.known_by(AS_OF)))


@given(happenings=histories())
def test_a_batch_row_equals_the_online_row_for_every_feature(new_history: Opener, happenings: list[Interaction]):
    history = filled(new_history(), happenings)
    matrix = rows_of(history.known_by(AS_OF))
    for place, customer in enumerate(matrix.customers):
        row = row_of(packed(history, customer), AS_OF)
        assert differing(matrix.values[place], row.values) == {}


@settings(max_examples=20)
@given(happenings=histories())
def test_linking_gives_the_row_of_having_always_known_and_unlinking_restores(
    new_history: Opener, happenings: list[Interaction]
):
    a, b = Reference("customer", "a"), Reference("customer", "b")
    history = filled(new_history(), happenings)
    day = timedelta(days=1)
    history.link([IdentityLink(b, a, AS_OF + day), IdentityLink(a, b, AS_OF + 3 * day, "unlink")])
    renamed = [one if one.reference != b else _as(one, a) for one in happenings]
    always = filled(new_history(), renamed)
    apart = filled(new_history(), happenings)

    linked = AS_OF + 2 * day
    assert same(rows_of(history.known_by(linked)), rows_of(always.known_by(linked)))
    again = AS_OF + 4 * day
    for moment in (AS_OF, again):
        assert same(rows_of(history.known_by(moment)), rows_of(apart.known_by(moment)))
    if "customer:a" in rows_of(history.known_by(linked)).customers:
        joined = row_of(packed(history, "customer:b", linked), linked).values
        batch = rows_of(always.known_by(linked))
        assert differing(batch.values[batch.customers.index("customer:a")], joined) == {}


def _as(one: Interaction, reference: Reference) -> Interaction:
    return happened(
        0, id=one.id, source_reference=one.source_reference, reference=reference, kind=one.kind, channel=one.channel,
        product=one.product, place=one.place, quantity=one.quantity, amount=one.amount, margin=one.margin,
        discount=one.discount, occurred_at=one.occurred_at, recorded_at=one.recorded_at,
    )  # fmt: skip


@given(happenings=histories(), at_once=st.sampled_from([1, 3, 17]), ordered=st.booleans())
def test_a_frame_cut_into_parts_gives_the_same_rows(
    new_history: Opener, happenings: list[Interaction], at_once: int, ordered: bool
):
    known = filled(new_history(), happenings).known_by(AS_OF)
    if ordered:
        known = replace(known, records=known.records.sort("customer", "occurred_at"))
    whole = rows_of(known)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(batch, "AT_ONCE", at_once)
        cut = rows_of(known)
    assert cut.customers == whole.customers
    np.testing.assert_allclose(cut.values, whole.values, rtol=1e-9)


def test_a_window_is_half_open(history: History):
    filled(
        history,
        [
            happened(1, amount=1.0, occurred_at=AS_OF - timedelta(days=28)),
            happened(2, amount=2.0, occurred_at=AS_OF - timedelta(days=28, microseconds=1)),
            happened(3, amount=4.0, occurred_at=AS_OF, recorded_at=AS_OF - timedelta(days=1)),
        ],
    )
    assert rows_of(history.known_by(AS_OF)).column("spend_28") == pytest.approx([1.0])


def test_long_even_gaps_keep_their_spread(history: History):
    days = (1, 6001, 12001, 18002)
    filled(history, [happened(day, occurred_at=AS_OF - timedelta(days=day)) for day in days])
    spread = rows_of(history.known_by(AS_OF)).column("gap_spread_days")
    assert spread == pytest.approx([3**-0.5], rel=1e-12)


def test_known_numbers_by_hand(history: History):
    days = (1, 3, 7)
    filled(history, [happened(day, amount=10.0 * day, occurred_at=AS_OF - timedelta(days=day)) for day in days])
    row = row_of(packed(history, "customer:a"), AS_OF).as_dict()
    assert row["days_since_purchase"] == 1.0
    assert row["tenure_days"] == 7.0
    assert row["spend"] == 110.0
    assert row["gap_mean_days"] == 3.0
    assert row["gap_spread_days"] == pytest.approx(2**0.5)
    assert row["gap_longest_days"] == 4.0
    assert row["overdue"] == pytest.approx(1 / 3)
    assert row["complaints_91"] == 0.0
    assert row["days_since_complaint"] is None
