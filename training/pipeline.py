"""The whole training, from what is known to a bundle and its judgement."""

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from features.affinity import item_table
from features.clock import from_microseconds
from features.contract import CONTRACT, FeatureMatrix, rows_of
from features.errors import NotEnoughData
from features.feature import Array
from features.history import LEVELS, Known
from training import baselines, pictures
from training.boosting import Fit
from training.bundle import write_bundle
from training.churn import ChurnModel, choose_calibration, fit_churn
from training.cutoffs import Cutoffs, plan_cutoffs
from training.dataset import PairWindow, Progress, Window, halved, pair_window, value_measure, windows
from training.evaluation import (
    CHURN_METRICS,
    VALUE_METRICS,
    Figure,
    grade,
    interval_figures,
    judge,
    judge_ranking,
    pair_calibration,
    ranking_parts,
)
from training.horizon import Horizon, choose_horizon
from training.next_purchase import NextPurchaseModel, calibrate_pairs, fit_pairs
from training.splits import keep
from training.value import ValueModel, conform, fit_value, tier_floors

_PAIR_CUTOFFS = 3


@dataclass(frozen=True)
class Plan:
    """What the business decides of a training: words and shares from the glossary."""

    horizon_days: int | None
    active_days: int | None
    tiers: tuple[tuple[str, float], ...]
    level: str
    currency: str
    glossary: str


@dataclass(frozen=True)
class Trained:
    """Three models fitted on everything, and the judgement of their twins that hadn't seen the test window."""

    churn: ChurnModel
    value: ValueModel
    next_purchase: NextPurchaseModel | None
    figures: tuple[Figure, ...]
    manifest: dict[str, Any]
    pictures: dict[str, str]

    def write(self, folder: Path) -> str:
        """Write the bundle into an empty folder and return its hash."""
        return write_bundle(folder, self.churn, self.value, self.next_purchase, self.manifest)


def train(known: Known, plan: Plan, fit: Fit, progress: Progress) -> Trained:
    """Choose the horizon, lay out cutoffs, fit and judge three models, and fit them again on everything.

    Raises NotEnoughData when the history is too short or too small.
    """
    horizon = choose_horizon(known, plan.horizon_days, plan.active_days)
    check_fresh(known, horizon)
    cutoffs = plan_cutoffs(horizon)
    measure = value_measure(known)
    made = windows(known, cutoffs, horizon, measure, progress)
    check_enough(made)
    churn, churn_figures, reliability, said = _train_churn(made, cutoffs, fit)
    progress("Churn, value and next purchase", 1, 3)
    value, value_figures, captured = _train_value(made, cutoffs, fit)
    progress("Churn, value and next purchase", 2, 3)
    level = usable_level(known, plan.level)
    ranker, ranker_figures = _train_next_purchase(known, level, cutoffs, horizon, fit)
    progress("Churn, value and next purchase", 3, 3)
    figures = (*churn_figures, *value_figures, *ranker_figures)
    base = rows_of(known)
    base = base.keep(~np.isnan(base.column("days_since_purchase")))
    manifest = _manifest(known, plan, horizon, cutoffs, base, value, fit) | {
        "calibration": said,
        "figures": [figure.as_dict() for figure in figures],
        "grade": grade(figures),
        "level": level,
        "value_measure": measure,
    }
    shown = {"churn importance": _importance(churn), "churn reliability": reliability, "value captured": captured}
    return Trained(churn, value, ranker, figures, manifest, shown)


def check_fresh(known: Known, horizon: Horizon) -> None:
    """Refuse to serve from a history that ended long ago: nobody would be active, and nothing popular.

    Raises NotEnoughData when the last purchase lies more than a horizon before the moment of training.
    """
    ended = from_microseconds(horizon.end)
    if known.as_of - ended > timedelta(days=horizon.days):
        raise NotEnoughData(
            f"expected purchases up to about {known.as_of:%Y-%m-%d}, found the last by {ended:%Y-%m-%d}; to live in"
            " an old data set as if its last day were today: HOLDFAST_CLOCK=history holdfast train"
        )


def check_enough(made: Sequence[Window]) -> None:
    """Refuse to learn from windows in which nothing differs.

    Raises NotEnoughData unless both the learning windows and the test hold active customers who lapsed and who came
    back, and value.
    """
    for name, part in (("past windows", made[:-1]), ("last window", made[-1:])):
        lapsed = np.concatenate([window.lapsed[window.active] for window in part])
        if not 0 < lapsed.sum() < len(lapsed):
            raise NotEnoughData(
                f"expected active customers who lapsed and who came back in the {name}, found {int(lapsed.sum())}"
                f" lapsed of {len(lapsed)}; ingest more history, or set another [horizon] in the glossary"
            )
        if sum(np.maximum(window.value, 0.0).sum() for window in part) <= 0:
            raise NotEnoughData(
                f"expected amounts above 0 in the {name}, found none; does the mapping name the amount?"
            )


def usable_level(known: Known, wanted: str) -> str:
    """Take the catalogue level that is wanted, else the product itself; "" when purchases name no product."""
    bought = known.events.filter(known.events["kind"] == "purchase")
    for level in (wanted, LEVELS[0]):
        if 2 * int((bought[level] != "").sum()) > len(bought):
            return level
    return ""


def _train_churn(made: Sequence[Window], cutoffs: Cutoffs, fit: Fit) -> tuple[ChurnModel, list[Figure], str, str]:
    learn, test = made[:-1], made[-1]
    calibration, said = choose_calibration(learn, cutoffs, fit)
    judged = keep(test, test.active)
    risk = fit_churn(learn, calibration, fit).predict(judged.rows.values, fit.threads)
    rules = baselines.churn_baselines(learn, test)
    figures = judge("churn", CHURN_METRICS, judged.lapsed, risk, rules, fit.seed)
    drawn = pictures.reliability(judged.lapsed, risk)
    return fit_churn(made, calibration, fit), figures, drawn, said


def _train_value(made: Sequence[Window], cutoffs: Cutoffs, fit: Fit) -> tuple[ValueModel, list[Figure], str]:
    learn, test = made[:-1], made[-1]
    scale, margin = conform(learn, cutoffs, fit)
    expected, low, high = fit_value(learn, scale, margin, fit).predict(test.rows.values, fit.threads)
    rules = baselines.value_baselines(learn, test)
    actual = np.maximum(test.value, 0.0)
    figures = judge("value", VALUE_METRICS, actual, expected, rules, fit.seed)
    figures += interval_figures(test.value, low, high, fit.seed)
    drawn = pictures.lorenz(actual, {"this model": expected, **rules})
    return fit_value(made, scale, margin, fit), figures, drawn


def _train_next_purchase(
    known: Known, level: str, cutoffs: Cutoffs, horizon: Horizon, fit: Fit
) -> tuple[NextPurchaseModel | None, list[Figure]]:
    if not level:
        return None, []

    @cache
    def at(moment: datetime) -> PairWindow:
        return pair_window(known, moment, horizon, level)

    test = at(cutoffs.test)
    learn = [at(moment) for moment in cutoffs.learn[-_PAIR_CUTOFFS:]]
    if cutoffs.choose is None:
        seen, chosen = [halved(window, True) for window in learn], halved(learn[-1], False)
    else:
        seen, chosen = [at(moment) for moment in cutoffs.before(cutoffs.choose)[-_PAIR_CUTOFFS:]], learn[-1]
    if not all(window.taken.any() for window in (*seen, chosen, test)):
        return None, []
    calibration = calibrate_pairs(fit_pairs(seen, fit), chosen, fit)
    figures = _judge_pairs(NextPurchaseModel(fit_pairs(learn, fit), calibration, test.table), test, fit)
    table = item_table(known, level)
    return NextPurchaseModel(fit_pairs([*learn[1:], test], fit), calibration, table), figures


def _judge_pairs(model: NextPurchaseModel, test: PairWindow, fit: Fit) -> list[Figure]:
    pairs = test.pairs
    scores = model.rank(pairs.values, fit.threads)
    buyers, ours = ranking_parts(pairs.customers, pairs.items, scores, test.bought)
    rules: dict[str, dict[str, Array]] = {name: {} for name in ours}
    for rule, simple in baselines.next_purchase_baselines(test).items():
        for name, part in ranking_parts(pairs.customers, pairs.items, simple, test.bought)[1].items():
            rules[name][rule] = part
    probability = model.calibration.apply(scores)
    calibrated = pair_calibration(pairs.customers, test.taken, probability, fit.seed)
    return [*judge_ranking(buyers, ours, rules, fit.seed), calibrated]


def _manifest(
    known: Known, plan: Plan, horizon: Horizon, cutoffs: Cutoffs, base: FeatureMatrix, value: ValueModel, fit: Fit
) -> dict[str, Any]:
    expected, low, high = value.predict(base.values, fit.threads)
    floors = tier_floors(expected, [share for _, share in plan.tiers])
    names = [name for name, _ in plan.tiers]
    return {
        "as_of": known.as_of.isoformat(),
        "contract": CONTRACT.as_dict(),
        "currency": plan.currency,
        "customers": len(base.customers),
        "cutoffs": {
            "learn": [moment.isoformat() for moment in cutoffs.learn],
            "choose": cutoffs.choose.isoformat() if cutoffs.choose else None,
            "test": cutoffs.test.isoformat(),
        },
        "git_commit": _commit(),
        "glossary": plan.glossary,
        "horizon": {"days": horizon.days, "active_days": horizon.active_days, "why": horizon.why},
        "newcomer": _newcomer(base, expected, low, high, horizon),
        "seed": fit.seed,
        "tiers": [{"name": name, "floor": floor} for name, floor in zip(names, (*floors, 0.0), strict=True)],
    }


def _newcomer(base: FeatureMatrix, expected: Array, low: Array, high: Array, horizon: Horizon) -> dict[str, float]:
    """What a customer without history is taken to be: the average of those who began within the last horizon."""
    new = base.column("tenure_days") <= horizon.days
    which = new if new.any() else np.ones(len(new), dtype=bool)
    means = (float(part[which].mean()) for part in (expected, low, high))
    return dict(zip(("expected", "low", "high"), means, strict=True))


def _importance(churn: ChurnModel) -> str:
    gains = churn.booster.feature_importance("gain")
    shares = dict(zip(CONTRACT.names, gains / max(gains.sum(), 1e-9), strict=True))
    return pictures.importance("Churn: what the model reads", shares)


def _commit() -> str:
    """Name the commit that trains; "unknown" without git or outside a clone."""
    asking = ["git", "rev-parse", "HEAD"]
    try:
        asked = subprocess.run(asking, cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
    except OSError:
        return "unknown"
    return asked.stdout.strip() if asked.returncode == 0 else "unknown"
