"""The laws of pairs, each over every pair feature; the plain reading of each feature; and numbers by hand."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features import candidates
from features.affinity import PAIR_FEATURES, ItemTable, Pairs, item_table, pairs_of, pairs_of_customer
from features.clock import DAY, microseconds
from features.events import Interaction
from features.feature import shown
from features.history import History
from features.identity import Reference
from features.items import POPULAR, STRONGEST, Links
from features.known import LEVELS
from features.pairs import PAIRS
from tests.making import AS_OF, filled, happened, histories
from tests.properties.test_feature_laws import packed

Opener = Callable[[], History]
Line = tuple[str, int, int]


def online(history: History, customer: str, table: ItemTable) -> tuple[list[str], np.ndarray]:
    return pairs_of_customer(packed(history, customer), table, microseconds(AS_OF))


def same(left: Pairs, right: Pairs) -> bool:
    together = left.customers.tolist() == right.customers.tolist() and left.items.tolist() == right.items.tolist()
    return together and np.array_equal(left.values, right.values, equal_nan=True)


def shop(baskets: dict[str, list[tuple[int, str]]]) -> list[Interaction]:
    """Make purchases from (days ago, products) of each customer; a product is a letter."""
    bought = [(who, day, what) for who, days in baskets.items() for day, basket in days for what in basket]
    return [
        happened(
            number,
            reference=Reference("customer", who),
            product=what,
            amount=1.0 + number,
            occurred_at=AS_OF - timedelta(days=day, minutes=number % 60),
        )
        for number, (who, day, what) in enumerate(bought)
    ]


SHOP = shop(
    {
        "x": [(1, "mb"), (8, "mb"), (15, "m")],
        "y": [(2, "mb"), (9, "t")],
        "z": [(3, "m"), (30, "t"), (200, "b")],
    }
)


def value(pairs: Pairs, customer: str, item: str, name: str) -> float:
    (place,) = np.flatnonzero((pairs.customers == f"customer:{customer}") & (pairs.items == item))
    return float(pairs.values[place, PAIR_FEATURES.index(name)])


def links(of: Links, table: ItemTable, one: str, other: str) -> float:
    """The weight of the link from one item to another, or 0."""
    row = table.places[one]
    return float(of.weights[row][of.places[row] == table.places[other]].sum()) if row < len(of.places) else 0.0


@given(happenings=histories(), level=st.sampled_from(LEVELS))
def test_a_batch_pair_equals_the_online_pair(new_history: Opener, happenings: list[Interaction], level: str):
    history = filled(new_history(), [*happenings, *SHOP])
    known = history.known_by(AS_OF)
    table = item_table(known, level)
    _equal_online(history, pairs_of(known, table), table)


@given(happenings=histories())
def test_a_batch_pair_equals_the_online_pair_under_an_older_table(new_history: Opener, happenings: list[Interaction]):
    new = [happened(10**10 + number, product=name) for number, name in enumerate(("new", "newer", "m", "before all"))]
    history = filled(new_history(), [*happenings, *SHOP, *new])
    known = history.known_by(AS_OF)
    table = item_table(known.at(AS_OF - timedelta(days=10)), "product")
    _equal_online(history, pairs_of(known, table), table)


def _equal_online(history: History, pairs: Pairs, table: ItemTable) -> None:
    for customer in ("a", "b", "ümläut 고객", "x", "y", "z"):
        items, values = online(history, f"customer:{customer}", table)
        which = pairs.customers == f"customer:{customer}"
        if not which.any():
            assert not (values[:, PAIR_FEATURES.index("item_days")] > 0).any()
            continue
        assert pairs.items[which].tolist() == items
        np.testing.assert_allclose(pairs.values[which], values, rtol=1e-9, atol=0)


@given(happenings=histories(), level=st.sampled_from(LEVELS))
def test_pairs_of_some_are_those_among_the_pairs_of_all(new_history: Opener, happenings, level: str):
    known = filled(new_history(), [*happenings, *SHOP]).known_by(AS_OF)
    table = item_table(known, level)
    whole, some = pairs_of(known, table), pairs_of(known, table, ["customer:a", "customer:y"])
    which = np.isin(whole.customers.astype(str), ["customer:a", "customer:y"])
    assert same(some, Pairs(whole.customers[which], whole.items[which], whole.values[which]))


@given(
    happenings=histories(), later=st.lists(st.timedeltas(timedelta(microseconds=1), timedelta(days=400)), max_size=10)
)
def test_nothing_recorded_after_a_moment_changes_a_pair_of_it(
    new_history: Opener, happenings: list[Interaction], later: list[timedelta]
):
    history = filled(new_history(), [*happenings, *SHOP])
    known = history.known_by(AS_OF)
    table = item_table(known, "product")
    pairs = pairs_of(known, table)
    after = [
        happened(10**10 + place, product="p1", occurred_at=AS_OF - wait, recorded_at=AS_OF + wait)
        for place, wait in enumerate(later)
    ]
    filled(history, after)
    for again in (history.known_by(AS_OF), history.known_by(AS_OF + timedelta(days=500)).at(AS_OF)):
        assert item_table(again, "product").as_json() == table.as_json()
        assert same(pairs_of(again, table), pairs)


@given(happenings=histories(), seed=st.randoms(use_true_random=False))
def test_the_order_of_storing_does_not_matter_to_pairs(new_history: Opener, happenings: list[Interaction], seed):
    # Of two with one id the first stays, so an order can only be shuffled among different ids.
    shuffled = [*{one.id: one for one in [*happenings, *SHOP]}.values()]
    first = filled(new_history(), shuffled).known_by(AS_OF)
    seed.shuffle(shuffled)
    second = filled(new_history(), shuffled).known_by(AS_OF)
    table = item_table(first, "type")
    assert item_table(second, "type").as_json() == table.as_json()
    assert same(pairs_of(first, table), pairs_of(second, table))


@given(happenings=histories(), level=st.sampled_from(LEVELS))
def test_every_pair_feature_is_what_its_plain_reading_says(new_history: Opener, happenings, level: str):
    known = filled(new_history(), [*happenings, *SHOP]).known_by(AS_OF)
    table = item_table(known, level)
    pairs = pairs_of(known, table)
    named = known.events.filter((pl.col("kind") == "purchase") & (pl.col(level) != ""))
    past = named.filter(pl.col("occurred_at") < microseconds(AS_OF))
    above = LEVELS[LEVELS.index(level) + 1 :]
    groups: dict[str, str] = {}
    for item, *groupings in named.select(level, *above).iter_rows():
        group = next(filter(None, groupings), "")
        groups[item] = min(filter(None, (group, groups.get(item, ""))), default="")
    lines: dict[str, list[Line]] = {}
    for customer, item, moment, amount in past.select("customer", level, "occurred_at", "amount").iter_rows():
        lines.setdefault(customer, []).append((item, moment // DAY, amount))
    for customer, item, values in zip(pairs.customers, pairs.items, pairs.values, strict=True):
        read = _plainly(lines[customer], item, table, groups)
        assert dict(zip(PAIR_FEATURES, values.tolist(), strict=True)) == pytest.approx(read, rel=1e-9, nan_ok=True)


def _plainly(lines: list[Line], item: str, table: ItemTable, groups: dict[str, str]) -> dict[str, float]:
    days = {name: sorted({day for other, day, _ in lines if other == name}) for name, _, _ in lines}
    its, every = days.get(item, []), {day for _, day, _ in lines}
    nan = float("nan")
    gap = (its[-1] - its[0]) / (len(its) - 1) if len(its) > 1 else nan
    kin = [day for name, of in days.items() if groups[item] and groups[name] == groups[item] for day in of]
    month, week, two, one, trend, repeat = table.statistics[table.places[item]].tolist()
    return {
        "item_days_91": _within(its, 91),
        "item_days": len(its),
        **{f"item_decayed_{life}": _decayed(its, life) for life in (28, 91)},
        "item_share_91": _within(its, 91) / _within(every, 91) if _within(every, 91) else nan,
        "item_share": len(its) / len(every),
        "item_share_since_first": len(its) / sum(day >= its[0] for day in every) if its else nan,
        "item_baskets_since": sum(day > its[-1] for day in every) if its else nan,
        "item_days_since": _age(its[-1]) if its else nan,
        "item_gap_mean": gap,
        "item_overdue": _age(its[-1]) / gap if its else nan,
        "item_basket_share_91": _basket_share(lines, item),
        "group_decayed_28": _decayed(kin, 28),
        "group_days_since": _age(max(kin)) if kin else nan,
        "item_popularity": month,
        "item_popularity_7": week,
        "item_popularity_2": two,
        "item_popularity_1": one,
        "item_popularity_trend": trend,
        "item_repeat_rate": repeat,
        "item_similarity": _similarity(days, item, table),
        "item_together": _together(lines, item, table),
        "own_days_28": _within(every, 28),
        "own_days_91": _within(every, 91),
        "own_days_since": _age(max(every)),
        "own_basket_size": sum(_within(of, 91) for of in days.values()) / _within(every, 91)
        if _within(every, 91)
        else nan,
        "own_variety": len(days) / sum(map(len, days.values())),
    }


def _age(day: int) -> float:
    return (microseconds(AS_OF) - day * DAY) / DAY


def _within(days: Any, most: int) -> int:
    return sum(_age(day) <= most for day in days)


def _decayed(days: list[int], half_life: int) -> float:
    return sum(0.5 ** (_age(day) / half_life) for day in days)


def _basket_share(lines: list[Line], item: str) -> float:
    recent = [(name, max(amount, 0)) for name, day, amount in lines if _age(day) <= 91]
    if spend := sum(amount for _, amount in recent):
        return sum(amount for name, amount in recent if name == item) / spend
    return sum(name == item for name, _ in recent) / len(recent) if recent else float("nan")


def _similarity(days: dict[str, list[int]], item: str, table: ItemTable) -> float:
    weights = {name: _decayed(of, 28) for name, of in days.items() if _within(of, 91)}
    scores = [links(table.similar, table, name, item) * weight for name, weight in weights.items()]
    return sum(scores) / sum(weights.values()) if weights else float("nan")


def _together(lines: list[Line], item: str, table: ItemTable) -> float:
    newest = max(day for _, day, _ in lines)
    basket = {name for name, day, _ in lines if day == newest}
    return sum(links(table.together, table, name, item) for name in basket) / len(basket)


def test_links_are_known_numbers_by_hand(history: History):
    known = filled(history, SHOP).known_by(AS_OF)
    table = item_table(known, "product")
    assert table.items == ("m", "b", "t")
    # In 91 days m was bought by x, y, z; b by x, y; t by y, z. Of baskets m is in five, b in three (with m), t in two.
    assert links(table.similar, table, "m", "b") == pytest.approx(2 / 6**0.5)
    assert links(table.similar, table, "b", "m") == pytest.approx(2 / 6**0.5)
    assert links(table.similar, table, "b", "t") == pytest.approx(1 / 2)
    assert links(table.similar, table, "m", "m") == 0.0
    assert links(table.together, table, "m", "b") == pytest.approx(3 / 5)
    assert links(table.together, table, "b", "m") == pytest.approx(1.0)
    assert links(table.together, table, "m", "t") == 0.0

    pairs = pairs_of(known, table)
    # x bought m and b last, so t is new to x: m and b weigh what is left of three days and two.
    m, b = (sum(0.5 ** ((day + 0.5) / 28) for day in days) for days in ((1, 8, 15), (1, 8)))
    assert value(pairs, "x", "t", "item_similarity") == pytest.approx((m * 2 / 6**0.5 + b / 2) / (m + b))
    assert value(pairs, "x", "m", "item_similarity") == pytest.approx(b * 2 / 6**0.5 / (m + b))
    assert value(pairs, "x", "b", "item_together") == pytest.approx((3 / 5 + 0) / 2)
    assert value(pairs, "x", "t", "item_days") == 0.0
    assert value(pairs, "z", "b", "item_together") == pytest.approx(3 / 5)
    assert value(pairs, "x", "m", "item_basket_share_91") == pytest.approx((1 + 3 + 5) / (1 + 2 + 3 + 4 + 5))


def test_of_equal_links_the_more_popular_item_then_the_first_by_name_is_kept(history: History):
    basket = [chr(0x4E00 + number) for number in range(STRONGEST + 5)]
    favourite = max(basket)
    known = filled(history, shop({"x": [(1, "".join(basket))], "y": [(1, favourite)]})).known_by(AS_OF)
    table = item_table(known, "product")
    assert [table.items[place] for place in table.together.places[1]] == [favourite, *sorted(basket)[1:STRONGEST]]
    assert table.similar.places.shape == table.together.weights.shape == (len(basket), STRONGEST)


def test_candidates_are_the_own_the_popular_and_the_trending_and_the_best_of_what_goes_with_them(history: History):
    letters = [chr(0x4E00 + number) for number in range(300)]
    rng = np.random.default_rng(3)
    baskets = {f"n{place}": [(5, rng.choice(letters, 40)), (1, rng.choice(letters, 10))] for place in range(80)}
    known = filled(history, shop(baskets)).known_by(AS_OF)
    table = item_table(known, "product")
    items, _ = online(history, "customer:n7", table)

    (_, first), (_, last) = baskets["n7"]
    today = microseconds(AS_OF) // DAY
    days = {item: [today - 5] * (item in first) + [today - 1] * (item in last) for item in {*first, *last}}
    lines = [(item, today - 1, 0) for item in last]
    plain = {*days, *table.items[:POPULAR], *(table.items[place] for place in table.trending)}
    others = sorted(set(table.items) - plain, key=lambda item: -_similarity(days, item, table))
    similar, left = others[: candidates.SIMILAR], others[candidates.SIMILAR :]
    together = [_together(lines, item, table) for item in left]
    found = [_together(lines, item, table) for item in set(items) - plain - set(similar)]
    assert plain | set(similar) <= set(items)
    assert len(items) == len(set(items)) <= 180
    assert sorted(found) == pytest.approx(sorted(together)[-candidates.TOGETHER :])


def test_of_many_own_items_those_bought_most_and_then_last_are_candidates(history: History):
    letters = [chr(0x4E00 + number) for number in range(candidates.OWN + 10)]
    days = [(1 + place, letter) for place, letter in enumerate(letters)]
    known = filled(history, shop({"x": [*days, (80, letters[-1]), (200, letters[-2])]})).known_by(AS_OF)
    items, _ = online(history, "customer:x", item_table(known, "product"))
    assert sorted(items) == [*letters[: candidates.OWN - 2], *letters[-2:]]


def test_a_share_of_the_basket_is_of_spend_and_where_there_is_none_of_lines(history: History):
    baskets = {"x": [("m", 3.0), ("b", 1.0), ("b", -5.0)], "y": [("m", 0.0), ("m", -1.0), ("b", 0.0)]}
    lines = [(who, what, amount) for who, basket in baskets.items() for what, amount in basket]
    happenings = [
        happened(number, reference=Reference("customer", who), product=what, amount=amount)
        for number, (who, what, amount) in enumerate(lines)
    ]
    known = filled(history, happenings).known_by(AS_OF)
    pairs = pairs_of(known, item_table(known, "product"))
    assert value(pairs, "x", "m", "item_basket_share_91") == pytest.approx(3 / 4)
    assert value(pairs, "y", "m", "item_basket_share_91") == pytest.approx(2 / 3)


def test_an_item_bought_of_late_is_a_candidate_of_everyone(history: History):
    popular = [chr(0x4E00 + number) for number in range(POPULAR)]
    often = [(day, "".join(popular)) for day in (1, 20, 21)]
    known = filled(history, shop({"w": often, "x": often, "y": [(1, "+")], "z": [(20, "-")]})).known_by(AS_OF)
    table = item_table(known, "product")
    assert [table.items[place] for place in table.trending] == ["+"]
    assert "+" in online(history, "customer:x", table)[0]
    assert "-" not in online(history, "customer:x", table)[0]


def test_the_popularity_of_an_item_is_counted_over_28_7_2_and_1_days(history: History):
    known = filled(history, shop({"y": [(1, "b")], "x": [(0, "m"), (5, "b")], "z": [(20, "b")]})).known_by(AS_OF)
    table = item_table(known, "product")
    assert table.statistics[table.places["b"], :4] == pytest.approx([1.0, 1.0, 1 / 2, 0.0])
    assert table.statistics[table.places["m"], :4] == pytest.approx([1 / 3, 1 / 2, 1 / 2, 1.0])


@given(happenings=histories(), level=st.sampled_from(LEVELS))
def test_an_item_table_is_read_from_its_json_to_the_last_digit(new_history: Opener, happenings, level: str):
    table = item_table(filled(new_history(), happenings).known_by(AS_OF), level)
    again = ItemTable.from_json(table.as_json())
    assert (again.level, again.items, again.places) == (table.level, table.items, table.places)
    pairs = [(table.statistics, again.statistics), (table.parents, again.parents)]
    for one, other in ((table.similar, again.similar), (table.together, again.together)):
        pairs += [(one.places, other.places), (one.weights, other.weights)]
    assert all(np.array_equal(one, other) and one.dtype == other.dtype for one, other in pairs)
    assert json.loads(again.as_json()) == json.loads(table.as_json())


def test_without_any_purchase_there_are_no_pairs_and_no_links(history: History):
    known = filled(history, []).known_by(AS_OF)
    table = ItemTable.from_json(item_table(known, "product").as_json())
    assert (table.items, len(table.trending), table.similar.places.shape) == ((), 0, (0, 0))
    assert pairs_of(known, table).values.shape == (0, len(PAIR_FEATURES))
    assert online(history, "customer:nobody", table)[1].shape == (0, len(PAIR_FEATURES))


def test_every_pair_feature_says_its_value_in_both_languages():
    said = [text.format(value=shown(0.25, pair.unit)) for pair in PAIRS for text in (pair.en, pair.ko)]
    assert len(set(said)) == 2 * len(PAIR_FEATURES) == 2 * len(set(PAIR_FEATURES))
    assert all(pair.en.endswith(": {value}") and pair.ko.endswith(": {value}") for pair in PAIRS)
