"""The peers of next purchases and their questions, by hand."""

from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from benchmarks.baskets import Question, baskets, by_cutoff, by_turn, first_days, regular
from benchmarks.next_purchase import METRICS, _gain, _measured
from benchmarks.tifuknn import ByCount, ByTime, Past, frequency_best, neighbours_best
from features.history import History
from features.identity import Reference
from tests.making import AS_OF, filled, happened


def listed(rows: list[tuple[str, int, str]]) -> pl.DataFrame:
    made = pl.DataFrame(rows, schema={"customer": pl.String, "day": pl.Int64, "item": pl.String}, orient="row")
    turn = pl.col("day").rank("dense", descending=True).over("customer").cast(pl.Int64)
    return made.with_columns(turn=turn).sort("customer", "day", "item")


LISTED = listed(
    [("a", 1, "x"), ("a", 3, "x"), ("a", 3, "y"), ("a", 9, "z"), ("b", 2, "x"), ("b", 8, "z"), ("c", 5, "y")]
)


def test_the_last_basket_is_asked_for_by_the_day_it_was_bought_on_and_a_first_one_never():
    questions = by_turn(LISTED, 1, 10)
    assert [(question.day, question.answers.rows()) for question in questions] == [(8, [("b", "z")]), (9, [("a", "z")])]
    assert [question.day for question in by_turn(LISTED, 1, 1)] == [9]


def test_after_a_cutoff_only_customers_who_bought_before_it_are_asked_for():
    assert by_cutoff(LISTED, 5).answers.rows() == [("a", "z"), ("b", "z")]


def test_personal_frequency_counts_baskets_and_fills_up_with_what_all_buy():
    past = Past.of(LISTED)
    assert frequency_best(past, False, 2)["a"] == (["x", "y"], [])
    # x and z were bought by two each, x on one day more; c has bought neither.
    assert frequency_best(past, True, 3)["c"] == (["y", "x", "z"], ["x", "z"])


def test_a_vector_weighs_newer_groups_more_and_baskets_within_a_group_alike():
    past = Past.of(listed([("a", 1, "x"), ("a", 2, "y"), ("a", 3, "z")]))
    # Two groups, the newer of two baskets: x is alone in the older, which counts half.
    assert ByCount(2, 1.0, 0.5, 1, 1.0).weights(past) == pytest.approx([0.5 / 2, 1 / 4, 1 / 4])
    # Counted back from day 3 in spans of two days: y and z are in the newer one.
    assert ByTime(2, 1.0, 0.5, 1, 1.0).weights(past) == pytest.approx([0.5 / 2, 1 / 4, 1 / 4])


def test_neighbours_bring_what_people_alike_bought():
    past = Past.of(listed([("a", 1, "x"), ("b", 1, "x"), ("b", 1, "y"), ("c", 1, "z")]))
    best = neighbours_best(past, ByCount(1, 1.0, 1.0, 2, 0.5), 3)
    assert best["a"] == (["x", "y"], ["y"])
    assert best["c"][0][0] == "z"


def test_a_list_is_measured_by_all_that_was_bought_and_by_what_was_old_and_new():
    first = first_days(LISTED)
    question = Question(9, pl.DataFrame({"customer": ["a", "a"], "item": ["x", "z"]}))
    found = _measured(first, [question], {"a": (["x", "y"], ["w", "z"])})
    assert {metric: found[metric].tolist() for metric in METRICS} == {
        "recall": [0.5],
        "NDCG": [pytest.approx(1 / (1 + 1 / np.log2(3)))],
        "recall of repeats": [1.0],
        "recall of new items": [0.0],
        "recall of new items among the best new": [1.0],
    }


def test_the_ideal_of_the_gain_is_the_whole_basket_in_front():
    assert _gain(["milk", "tea"], {"tea", "bread"}) == pytest.approx(0.387, abs=5e-4)


def test_rare_items_one_day_customers_and_the_most_frequent_are_left_out(history: History):
    # Twenty customers buy m on five days; one has bought on a single day, one as many a day as nobody else.
    lines = [(f"c{place}", "m", day) for place in range(20) for day in range(1, 50, 10)]
    lines += [("once", "m", 3)] + [("often", "m", 1 + place % 5) for place in range(200)] + [("c0", "rare", 1)]
    happenings = [
        happened(
            number, reference=Reference("customer", who), product=what, occurred_at=AS_OF - timedelta(days=day)
        )
        for number, (who, what, day) in enumerate(lines)
    ]  # fmt: skip
    kept = baskets(regular(filled(history, happenings).known_by(AS_OF)), "product")
    assert set(kept["customer"]) == {f"customer:c{place}" for place in range(20)}
    assert set(kept["item"]) == {"m"}
