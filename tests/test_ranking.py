import numpy as np
import pytest

from training.ranking import catalogue_coverage, judge_ranking, pair_calibration, ranking_parts

CUSTOMERS, ITEMS = np.array(["a", "a", "a", "b"]), np.array(["x", "y", "z", "x"])
SCORES = np.array([3.0, 2.0, 1.0, 1.0])


def test_ranking_by_hand():
    buyers, parts = ranking_parts(CUSTOMERS, ITEMS, SCORES, {("a", "y"), ("a", "unseen")}, at=2)
    assert buyers.tolist() == ["a"]
    assert parts["recall at 2"] == pytest.approx([0.5])
    assert parts["hit rate at 2"] == pytest.approx([1.0])
    assert parts["NDCG at 2"] == pytest.approx([(1 / np.log2(3)) / (1 + 1 / np.log2(3))])


def test_items_bought_again_and_new_items_are_told_apart():
    bought, owned = {("a", "y"), ("a", "z"), ("a", "unseen"), ("b", "x")}, {("a", "y"), ("a", "z")}
    buyers, parts = ranking_parts(CUSTOMERS, ITEMS, SCORES, bought, at=2, owned=owned)
    assert buyers.tolist() == ["a", "b"]
    assert parts["recall at 2 of items bought again"] == pytest.approx([0.5, np.nan], nan_ok=True)
    assert parts["recall at 2 of new items"] == pytest.approx([0.0, 1.0])
    assert parts["hit rate at 2 of items bought again"] == pytest.approx([1.0, np.nan], nan_ok=True)
    assert parts["NDCG at 2 of new items"] == pytest.approx([0.0, 1.0])
    # The parts add up to the whole: items found again and new ones are all that were found.
    assert pytest.approx(3 * parts["recall at 2"][0]) == 2 * 0.5 + 1 * 0.0


def test_equal_scores_rank_by_the_items_name():
    _, parts = ranking_parts(CUSTOMERS[:3], ITEMS[:3], np.zeros(3), {("a", "x")}, at=1)
    assert parts["hit rate at 1"].tolist() == [1.0]


def test_a_figure_speaks_of_those_of_whom_it_can_be_told():
    parts = {"recall": np.array([1.0, np.nan, 0.0, 1.0]), "untold": np.full(4, np.nan)}
    (figure,) = judge_ranking(np.array(list("abcd")), parts, {"recall": {"rule": np.array([0.0, np.nan, 0.0, 0.0])}}, 1)
    assert (figure.metric, figure.best_baseline) == ("recall", "rule")
    assert figure.ours == pytest.approx(2 / 3)
    assert figure.gain == pytest.approx(2 / 3)


def test_coverage_counts_items_that_anybody_sees_first():
    rule = np.array([0.0, 0.0, 5.0, 1.0])
    figure = catalogue_coverage(CUSTOMERS, ITEMS, SCORES, {"rule": rule}, 4, seed=1, at=1)
    assert figure.ours == pytest.approx(1 / 4)
    assert figure.baselines["rule"] == pytest.approx(2 / 4)


def test_calibration_of_pairs_by_hand():
    customers = np.repeat(["a", "b"], 10)
    figure = pair_calibration(customers, np.zeros(20), np.full(20, 0.25), seed=1)
    assert figure.ours == pytest.approx(0.25)
    assert (figure.low, figure.high) == pytest.approx((0.25, 0.25))
