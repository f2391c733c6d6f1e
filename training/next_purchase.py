"""Learning what customers buy next: trees over (customer, item) pairs, and their calibration."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cache

import numpy as np

from features.affinity import PAIR_FEATURES, item_table
from features.feature import Array
from features.history import Known
from features.items import bought
from features.segments import segments_of
from models.calibration import Calibration, calibrate
from models.next_purchase import NextPurchaseModel
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
_CUTOFFS = 3
_DAYS = PAIR_FEATURES.index("item_days")


def fit_pairs(windows: Sequence[PairWindow], fit: Fit) -> Trees:
    """Fit a booster on every candidate at several cutoffs, none left out."""
    rows = np.concatenate([window.pairs.values for window in windows])
    taken = np.concatenate([window.taken for window in windows])
    shape = Fit(fit.seed, fit.threads, _TREES, _SHAPE)
    return boost({"objective": "binary"}, rows, taken, PAIR_FEATURES, shape)


def calibrate_pairs(trees: Trees, window: PairWindow) -> Calibration:
    """Calibrate trees on a window that they weren't fitted on."""
    return calibrate(trees.scores(window.pairs.values), window.taken)


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
    calibration = calibrate_pairs(fit_pairs(seen, fit), chosen)
    then = known.at(cutoffs.test)
    twin = NextPurchaseModel(fit_pairs(learn, fit), calibration, test.table, segments_of(then, test.table))
    owned = set(bought(then, level).select("customer", "item").unique().iter_rows())
    figures = [*_judge_pairs(twin, test, owned, fit.seed), *judge_newcomers(twin.segments, then, test, fit.seed)]
    table = item_table(known, level)
    served = fit_pairs([*learn[1:], test], fit)
    return NextPurchaseModel(served, calibration, table, segments_of(known, table)), figures


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
    probability = model.calibration.apply(scores)
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
