"""Learning what customers buy next: trees over (customer, item) pairs, and their calibration."""

from collections.abc import Sequence
from datetime import datetime
from functools import cache

import numpy as np

from features.affinity import PAIR_FEATURES, item_table
from features.feature import Array
from features.history import Known
from features.items import bought
from models.calibration import Calibration, calibrate
from models.next_purchase import NextPurchaseModel
from models.trees import Trees
from training.baselines import next_purchase_baselines
from training.boosting import Fit, boost
from training.cutoffs import Cutoffs
from training.dataset import PairWindow, halved, pair_window
from training.evaluation import Figure
from training.horizon import Horizon
from training.ranking import catalogue_coverage, judge_ranking, pair_calibration, ranking_parts

_SHAPE = {"learning_rate": 0.1, "num_leaves": 15, "feature_fraction": 0.6}
_TREES = 200
_CUTOFFS = 3


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
    learn = [at(moment) for moment in cutoffs.learn[-_CUTOFFS:]]
    earlier = [moment for moment in cutoffs.learn if moment + cutoffs.horizon <= cutoffs.learn[-1]]
    if earlier:
        seen, chosen = [at(moment) for moment in earlier[-_CUTOFFS:]], learn[-1]
    else:
        seen, chosen = [halved(window, True) for window in learn], halved(learn[-1], False)
    if not all(window.taken.any() for window in (*seen, chosen, test)):
        return None, []
    calibration = calibrate_pairs(fit_pairs(seen, fit), chosen)
    owned = set(bought(known.at(cutoffs.test), level).select("customer", "item").unique().iter_rows())
    figures = _judge_pairs(NextPurchaseModel(fit_pairs(learn, fit), calibration, test.table), test, owned, fit.seed)
    served = fit_pairs([*learn[1:], test], fit)
    return NextPurchaseModel(served, calibration, item_table(known, level)), figures


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
    return [*judge_ranking(buyers, ours, rules, seed), calibrated, shown]
