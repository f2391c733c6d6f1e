"""What is named to be bought next: kept until an event changes it, and of newcomers what people alike buy."""

from datetime import datetime, timedelta

import numpy as np
import pytest

from features.affinity import PAIR_FEATURES, item_table
from features.cache import CustomerCache
from features.history import History
from features.identity import Reference
from features.segments import Segments
from models.calibration import Calibration
from models.next_purchase import VISIT_COLUMNS, VISIT_FEATURES, NextPurchaseModel
from serving.ranking import KEPT, NEW_PURCHASES, Ranker
from serving.rankings import rankings
from tests.making import AS_OF, filled, happened
from training.boosting import Fit, boost
from training.next_purchase import spaced

BY_DAYS = PAIR_FEATURES.index("item_days")


@pytest.fixture
def shop(history: History) -> History:
    """Customer a bought p0 thrice and p1 once; b has told an age; a crowd buys six products."""
    lines = [("a", "p0", 9), ("a", "p0", 5), ("a", "p0", 2), ("a", "p1", 2)]
    lines += [(f"crowd{place}", f"p{place % 6}", 3) for place in range(24)]
    bought = [
        happened(
            number, reference=Reference("customer", who), product=what, occurred_at=AS_OF - timedelta(days=day)
        )
        for number, (who, what, day) in enumerate(lines)
    ]  # fmt: skip
    told = happened(99, reference=Reference("customer", "b"), kind="attribute", product="age", quantity=2.0)
    return filled(history, [*bought, told])


@pytest.fixture
def ranker(shop: History) -> Ranker:
    table = item_table(shop.known_by(AS_OF), "product")
    rows = np.random.default_rng(5).poisson(1.0, (400, len(PAIR_FEATURES))).astype(np.float64)
    trees = boost({"objective": "binary"}, rows, rows[:, BY_DAYS] > 1, PAIR_FEATURES, Fit(trees=30))
    days = rows[:, VISIT_COLUMNS]
    visits = boost({"objective": "binary"}, days, days[:, 0] > 0, VISIT_FEATURES, Fit(trees=30))
    everyone = table.statistics[:, 0]
    segments = Segments((("age", 20_000),), everyone[None, ::-1] + np.arange(6) / 100, everyone)
    return Ranker(NextPurchaseModel(trees, visits, Calibration((0.0, 1.0), (0.05, 0.95)), table, segments))


def ranked(history: History, ranker: Ranker, customer: str, at: datetime):
    return ranker.rank(CustomerCache(history).events([f"customer:{customer}"], at), at)


def test_a_ranking_is_kept_until_an_event_changes_it(shop: History, ranker: Ranker):
    cache, soon = CustomerCache(shop), AS_OF + timedelta(minutes=5)
    first = ranker.rank(cache.events(["customer:a"], AS_OF), AS_OF)
    kept = ranker.rank(cache.events(["customer:a"], soon), soon)
    assert kept is first
    assert kept.as_of == AS_OF
    bought = happened(500, product="p3", occurred_at=soon, recorded_at=soon)
    shop.append([bought], None)
    after = soon + timedelta(seconds=1)
    fresh = ranker.rank(cache.events(["customer:a"], after), after)
    assert fresh.as_of == after
    assert "p3" in {one.item for one in fresh.likely if one.bought_before}
    assert "p3" not in {one.item for one in fresh.new}


def test_a_ranking_is_used_for_an_hour_at_most_and_never_for_an_earlier_moment(shop: History, ranker: Ranker):
    events = CustomerCache(shop).events(["customer:a"], AS_OF)
    first = ranker.rank(events, AS_OF)
    assert ranker.rank(events, AS_OF + KEPT - timedelta(seconds=1)) is first
    assert ranker.rank(events, AS_OF + KEPT).as_of == AS_OF + KEPT
    assert ranker.rank(events, AS_OF).as_of == AS_OF


def test_another_bundles_ranker_does_not_use_what_this_one_kept(shop: History, ranker: Ranker):
    events = CustomerCache(shop).events(["customer:a"], AS_OF)
    assert Ranker(ranker._model).rank(events, AS_OF) is not ranker.rank(events, AS_OF)


def test_what_was_bought_and_what_is_new_are_told_apart(shop: History, ranker: Ranker):
    found = ranked(shop, ranker, "a", AS_OF)
    assert found.likely[0].item == "p0"
    assert {one.item for one in found.likely if one.bought_before} == {"p0", "p1"}
    assert {one.item for one in found.new} == {"p2", "p3", "p4", "p5"}
    assert len(found.new) <= NEW_PURCHASES
    assert found.chances[found.likely[0].item] == found.likely[0].probability


def test_a_newcomer_gets_what_is_popular_among_people_alike_and_a_stranger_what_everyone_buys(
    shop: History, ranker: Ranker
):
    alike, stranger = (ranked(shop, ranker, who, AS_OF) for who in ("b", "nobody"))
    assert alike.likely[0].item == "p5"
    assert stranger.likely[0].item == "p0"
    assert stranger.likely[0].probability == pytest.approx(5 / 25)
    assert alike.chances == {}


def test_the_base_is_ranked_as_each_customer_is(shop: History, ranker: Ranker):
    customers = ("customer:a", "customer:b", "customer:crowd3", "customer:nobody")
    parts = list(rankings(ranker._model, shop.known_by(AS_OF), customers, at_once=3))
    base = [one for part in parts for one in part.each()]
    assert base == [ranked(shop, ranker, customer.removeprefix("customer:"), AS_OF) for customer in customers]


def test_what_is_asked_of_the_base_is_what_ranking_everything_says(shop: History, ranker: Ranker):
    customers = ("customer:nobody", "customer:a", "customer:b", "customer:crowd3")
    asked, items = next(rankings(ranker._model, shop.known_by(AS_OF), customers, at_once=4)), ["p0", "p5", "not sold"]
    every = [ranked(shop, ranker, customer.removeprefix("customer:"), AS_OF) for customer in customers]
    some, all_of_them = asked.chances(items, first=False), asked.chances(items, first=True)
    assert some.likeliest is None
    assert all_of_them.likeliest is not None
    for item in items:
        told = [one.chances.get(item, np.nan) for one in every]
        np.testing.assert_array_equal(some.of[item], told)
        np.testing.assert_array_equal(all_of_them.of[item], told)
    names, chances = all_of_them.likeliest
    assert names == [one.likely[0].item for one in every]
    np.testing.assert_array_equal(chances, [one.likely[0].probability if one.chances else np.nan for one in every])


def test_cutoffs_to_rank_from_lie_a_horizon_apart_and_the_newest_is_among_them():
    weeks = [AS_OF + timedelta(days=7 * week) for week in range(20)]
    found = spaced(weeks, timedelta(days=28))
    assert found == [weeks[11], weeks[15], weeks[19]]
    assert spaced(weeks[:2], timedelta(days=28)) == [weeks[1]]


def test_nothing_is_likelier_to_be_bought_than_the_customer_to_come(ranker: Ranker):
    model = ranker._model
    pairs = np.random.default_rng(9).poisson(1.0, (500, len(PAIR_FEATURES))).astype(np.float64)
    comes = 1 / (1 + np.exp(-model.visits.scores(pairs[:, VISIT_COLUMNS])))
    probability = model.probabilities(pairs, np.full(500, 9.0))
    assert (probability <= comes).all()
    assert (probability > 0.9 * comes).all()
