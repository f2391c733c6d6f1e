"""Learning what customers buy next: who comes at all, what is bought then, and the calibration of both together."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache

import numpy as np

from features.affinity import PAIR_FEATURES, ItemTable, item_table
from features.feature import Array
from features.items import bought
from features.known import Known
from features.segments import Segments, segments_of
from models.calibration import IDENTITY, Calibration, calibrate
from models.next_purchase import VISIT_COLUMNS, VISIT_FEATURES, NextPurchaseModel
from models.trees import Trees
from training.baselines import next_purchase_baselines
from training.boosting import Fit, boost
from training.cutoffs import Cutoffs
from training.dataset import PairWindow, halved, pair_window
from training.evaluation import Figure
from training.horizon import Horizon
from training.newcomers import judge_newcomers
from training.ranking import catalogue_coverage, judge_ranking, pair_calibration, ranking_parts

_SHAPE = {"learning_rate": 0.1, "num_leaves": 15, "feature_fraction": 0.6}
_TREES = 100
_VISIT_SHAPE, _VISIT_TREES = {"learning_rate": 0.05, "num_leaves": 7, "feature_fraction": 1.0}, 60
_CUTOFFS = 3
_DAYS = PAIR_FEATURES.index("item_days")


def fit_pairs(windows: Sequence[PairWindow], fit: Fit) -> Trees:
    """Fit a booster on every candidate at several cutoffs, none left out."""
    rows = np.concatenate([window.pairs.values for window in windows])
    taken = np.concatenate([window.taken for window in windows])
    shape = Fit(fit.seed, fit.threads, _TREES, _SHAPE)
    return boost({"objective": "binary"}, rows, taken, PAIR_FEATURES, shape)


def fit_visits(windows: Sequence[PairWindow], fit: Fit) -> Trees:
    """Fit a booster on whether each customer bought anything within the horizon, a row for each."""
    rows, came = [], []
    for window in windows:
        customers, places = np.unique(window.pairs.customers, return_index=True)
        visitors = {customer for customer, _ in window.bought}
        rows.append(window.pairs.values[places][:, VISIT_COLUMNS])
        came.append(np.array([customer in visitors for customer in customers.tolist()], dtype=np.float64))
    shape = Fit(fit.seed, fit.threads, _VISIT_TREES, _VISIT_SHAPE)
    return boost({"objective": "binary"}, np.concatenate(rows), np.concatenate(came), VISIT_FEATURES, shape)


def of_visitors(window: PairWindow) -> PairWindow:
    """Keep the customers who bought anything within the horizon: what is bought is learned from them alone."""
    return window.of({customer for customer, _ in window.bought})


def fit_model(windows: Sequence[PairWindow], fit: Fit, calibration: Calibration, segments: Segments, table: ItemTable,
) -> NextPurchaseModel:  # fmt: skip
    """Fit both boosters on several windows."""
    trees = fit_pairs([of_visitors(window) for window in windows], fit)
    return NextPurchaseModel(trees, fit_visits(windows, fit), calibration, table, segments)


def calibrated_on(model: NextPurchaseModel, window: PairWindow) -> Calibration:
    """Calibrate a model on a window that it wasn't fitted on."""
    pairs = window.pairs.values
    return calibrate(replace(model, calibration=IDENTITY).probabilities(pairs, model.rank(pairs)), window.taken)


def train_next_purchase(
    known: Known, level: str, cutoffs: Cutoffs, horizon: Horizon, fit: Fit
) -> tuple[NextPurchaseModel | None, list[Figure]]:
    """Fit and judge a ranker on the newest cutoffs, a horizon apart; None when too little is bought to learn from."""
    if not level:
        return None, []

    @cache
    def at(moment: datetime) -> PairWindow:
        return pair_window(known, moment, horizon, level)

    test = at(cutoffs.test)
    learn = [at(moment) for moment in spaced(cutoffs.learn, cutoffs.horizon)]
    if len(learn) > 1:
        seen, chosen = learn[:-1], learn[-1]
    else:
        seen, chosen = [halved(learn[0], True)], halved(learn[0], False)
    if not all(window.taken.any() for window in (*seen, chosen, test)):
        return None, []
    then, table = known.at(cutoffs.test), item_table(known, level)
    segments = segments_of(then, test.table)
    calibration = calibrated_on(fit_model(seen, fit, IDENTITY, segments, test.table), chosen)
    twin = fit_model(learn, fit, calibration, segments, test.table)
    owned = set(bought(then, level).select("customer", "item").unique().iter_rows())
    figures = [*_judge_pairs(twin, test, owned, fit.seed), *judge_newcomers(twin.segments, then, test, fit.seed)]
    return fit_model([*learn[1:], test], fit, calibration, segments_of(known, table), table), figures


def spaced(moments: Sequence[datetime], apart: timedelta, most: int = _CUTOFFS) -> list[datetime]:
    """Take the newest of some moments in order, and of those before it the newest that lie a horizon apart.

    >>> days = [datetime(2024, 1, day) for day in (1, 8, 15, 22)]
    >>> [moment.day for moment in spaced(days, timedelta(days=14))]
    [8, 22]
    """
    kept: list[datetime] = []
    for moment in reversed(moments):
        if len(kept) < most and (not kept or kept[-1] - moment >= apart):
            kept.append(moment)
    return kept[::-1]


def _judge_pairs(
    model: NextPurchaseModel, test: PairWindow, owned: set[tuple[str, str]], seed: int
) -> list[Figure]:  # fmt: skip
    pairs = test.pairs
    scores = model.rank(pairs.values)
    simple = next_purchase_baselines(test)
    buyers, ours = ranking_parts(pairs.customers, pairs.items, scores, test.bought, owned=owned)
    rules: dict[str, dict[str, Array]] = {name: {} for name in ours}
    for rule, ranked in simple.items():
        _, parts = ranking_parts(pairs.customers, pairs.items, ranked, test.bought, owned=owned)
        for name, part in parts.items():
            rules[name][rule] = part
    probability = model.probabilities(pairs.values, scores)
    calibrated = pair_calibration(pairs.customers, test.taken, probability, seed)
    shown = catalogue_coverage(pairs.customers, pairs.items, scores, simple, len(test.table.items), seed)
    return [
        *judge_ranking(buyers, ours, rules, seed),
        *_judge_new(test, scores, simple, owned, seed),
        calibrated,
        shown,
    ]


def _judge_new(
    test: PairWindow, scores: Array, simple: dict[str, Array], owned: set[tuple[str, str]], seed: int
) -> list[Figure]:  # fmt: skip
    """Judge the ten likeliest of the items that a customer hasn't bought yet, which are told apart from the rest."""
    new = test.pairs.values[:, _DAYS] == 0
    customers, items = test.pairs.customers[new], test.pairs.items[new]
    named, firsts = "recall at 10", test.bought - owned
    buyers, ours = ranking_parts(customers, items, scores[new], firsts)
    rules = {rule: ranking_parts(customers, items, ranked[new], firsts)[1][named] for rule, ranked in simple.items()}
    told = "recall among the ten likeliest new items"
    return judge_ranking(buyers, {told: ours[named]}, {told: rules}, seed)
