"""What is popular among people alike: batch and online read the same attributes, and shares by hand."""

from collections.abc import Callable
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given

from features import segments
from features.events import Interaction
from features.history import History
from features.identity import Reference
from features.items import item_table
from features.segments import Segments, attributes_of, attributes_of_customer, segments_of
from tests.making import AS_OF, filled, happened, histories
from tests.properties.test_feature_laws import packed


@given(happenings=histories())
def test_attributes_in_batch_are_those_online(new_history: Callable[[], History], happenings: list[Interaction]):
    history = filled(new_history(), happenings)
    batch = attributes_of(history.known_by(AS_OF))
    for customer in ("customer:a", "customer:b", "customer:ümläut 고객"):
        assert attributes_of_customer(packed(history, customer)) == batch.get(customer, {})


def crowd(levels: dict[str, float], baskets: dict[str, str]) -> list[Interaction]:
    """Tell an age band of some customers, and what each bought yesterday."""
    told = [
        happened(
            1_000 + number, reference=Reference("customer", who), kind="attribute", product="age", quantity=level,
            occurred_at=AS_OF - timedelta(days=90),
        )
        for number, (who, level) in enumerate(levels.items())
    ]  # fmt: skip
    bought = [(who, item) for who, basket in baskets.items() for item in basket]
    return told + [
        happened(number, reference=Reference("customer", who), product=item)
        for number, (who, item) in enumerate(bought)
    ]


def made(history: History, monkeypatch: pytest.MonkeyPatch) -> Segments:
    """Two segments of two customers each: the young drink tea (t), the old coffee (c), and all eat bread (b)."""
    monkeypatch.setattr(segments, "FEWEST", 2)
    levels = {"young": 1.0, "younger": 1.0, "old": 2.0, "older": 2.0, "alone": 3.0, "gone": 1.0}
    baskets = {"young": "bt", "younger": "bt", "old": "bc", "older": "bc", "alone": "b"}
    known = filled(history, crowd(levels, baskets)).known_by(AS_OF)
    return segments_of(known, item_table(known, "product"))


def test_a_segments_share_is_drawn_towards_everyones(history: History, monkeypatch: pytest.MonkeyPatch):
    found = made(history, monkeypatch)
    assert found.names == (("age", 10_000), ("age", 20_000))
    # Items by popularity, then by name: b of all five, c and t of two each. "gone" bought nothing and doesn't count.
    assert found.everyone == pytest.approx([1.0, 0.4, 0.4])
    assert found.shares[0] == pytest.approx([(2 + 50) / 52, (0 + 50 * 0.4) / 52, (2 + 50 * 0.4) / 52])


def test_who_belongs_to_no_segment_gets_what_is_popular_with_everyone(
    history: History, monkeypatch: pytest.MonkeyPatch
):
    found = made(history, monkeypatch)
    assert found.popular({}) is found.everyone
    assert found.popular({"age": 30_000, "income": 10_000}) is found.everyone
    assert found.popular({"age": 20_000}) == pytest.approx(found.shares[1])


def test_segments_are_read_from_their_json_to_the_last_digit(history: History, monkeypatch: pytest.MonkeyPatch):
    for found in (made(history, monkeypatch), Segments((), np.zeros((0, 2)), np.array([0.1, 1 / 3]))):
        again = Segments.from_json(found.as_json())
        assert again.names == found.names
        assert np.array_equal(again.shares, found.shares)
        assert np.array_equal(again.everyone, found.everyone)
