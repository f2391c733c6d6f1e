"""The whole training, from what is known to a bundle and its judgement."""

import subprocess
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np

from features.clock import from_microseconds
from features.consent import objectors
from features.contract import CONTRACT, FeatureMatrix
from features.errors import NotEnoughData
from features.feature import Array
from features.glossary import TIER_BAND
from features.known import LEVELS, Known
from models.bundle import Models, write
from models.population import Active
from models.ranks import Ranks, worths
from models.ranks import costs as held
from models.value import ValueModel
from training import labels
from training.boosting import Fit
from training.churn import train_churn
from training.costing import train_costs
from training.costs import Costs
from training.cutoffs import Cutoffs
from training.dataset import Progress, Windows, value_measure
from training.decision_log import DecisionLog, Yardstick, realised
from training.effects import Measured, effects_of, measure_effects, takers
from training.evaluation import Figure
from training.horizon import Horizon, choose_horizon
from training.judgement import Judgement, Tested
from training.minimum import allowed
from training.next_purchase import train_next_purchase
from training.placing import place_cutoffs
from training.ranks import Ranked, rank_risk, rank_value
from training.tiers import tier_floors
from training.value import ValueTrained, train_value
from training.whose import learned_from


@dataclass(frozen=True)
class Plan:
    """What the business decides of a training: words, shares and standard costs from the glossary."""

    churn: str
    horizon_days: int | None
    active_days: int | None
    tiers: tuple[tuple[str, float], ...]
    level: str
    currency: str
    glossary: str
    tier_band: float = TIER_BAND
    cost_to_serve: Mapping[str, float] = field(default_factory=dict)
    margin_rate: float = 1.0


@dataclass(frozen=True)
class Past:
    """The log of decisions, and of every offer that was made, by (decision, offer), whether it was taken up.

    `uncertainty` is the standard deviation of a stated effect, as a share of it.
    """

    log: DecisionLog
    tries: Mapping[tuple[str, str], bool]
    uncertainty: float

    def without(self, customers: Collection[str]) -> "Past":
        """Leave out the decisions about some customers."""
        if not customers:
            return self
        kept = np.array([one not in customers for one in self.log.customers], dtype=bool)
        return replace(self, log=self.log.only(kept))


@dataclass(frozen=True)
class Trained:
    """Three models fitted on everything, and the judgement of their twins that hadn't seen the test window."""

    models: Models
    tested: Tested
    figures: tuple[Figure, ...]
    manifest: dict[str, Any]
    documents: dict[str, str]
    pictures: dict[str, str]

    def write(self, folder: Path) -> str:
        """Write the bundle into an empty folder and return its hash."""
        return write(folder, self.models, self.manifest)


def train(
    known: Known, plan: Plan, fit: Fit, progress: Progress, tuned: Mapping[str, Any] | None = None,
    past: Past | None = None, origin: Mapping[str, Any] | None = None,
) -> Trained:  # fmt: skip
    """Choose the horizon, lay out cutoffs, choose and judge three models, and fit them again on everything.

    Where too little happened to learn from, churn or value is an order that needs no labels. `tuned` is what a search
    told of itself, for the manifest and the card; `fit` is what it came to. What offers change is measured by `past`.
    `origin` says where the history came from. Nothing is learned from whoever asked not to be profiled.
    Raises NotEnoughData when the history is too short, too old, or of too few customers.
    """
    past = past.without(objectors(known)) if past else None
    known, customers = learned_from(known)
    horizon = choose_horizon(known, plan.horizon_days, plan.active_days)
    check_fresh(known, horizon)
    measure, costs = value_measure(known), Costs.of(known, plan.cost_to_serve)
    windows = Windows(known, Active(plan.churn, horizon.active_days), measure, costs)
    horizon, cutoffs, moved = place_cutoffs(windows, horizon, plan.horizon_days, plan.active_days, progress)
    made = [windows.at(moment, horizon.days) for moment in (*cutoffs.learn, cutoffs.test)]
    base, process = windows.rows(known.as_of)
    enough = allowed(made, windows.fits((*cutoffs.moments, known.as_of)), cutoffs, horizon)
    progress("Churn, value and next purchase", 0, 3)
    learned, ranks = (windows, made, cutoffs, (base, process), enough, fit), enough.ranks
    churn = (
        rank_risk(made[-1], windows.active, base, ranks["churn"]) if "churn" in ranks else train_churn(*learned)
    )  # fmt: skip
    progress("Churn, value and next purchase", 1, 3)
    costings = () if "value" in ranks else train_costs(*learned)
    value = rank_value(made[-1], base, ranks["value"]) if "value" in ranks else train_value(*learned, costings)
    progress("Churn, value and next purchase", 2, 3)
    level = usable_level(known, plan.level)
    ranker, ranked = train_next_purchase(known, level, cutoffs, horizon, fit)
    progress("Churn, value and next purchase", 3, 3)
    tested = Tested(made[-1], churn.tested, *_tested(value), ranks)
    judgement = Judgement(made[:-1], tested, fit.seed)
    figures = (*judgement.figures(), *ranked)
    verdict, alarms = judgement.verdict(figures)
    manifest = _manifest(known, plan, horizon, cutoffs, base, value.served, fit) | {
        "alarms": alarms,
        "chosen": {
            "churn": churn.choice.as_dict(),
            "value": {**value.choice.as_dict(), "interval": _interval_said(value)},
            **{costing.name: costing.choice.as_dict() for costing in costings},
        },
        "data": {**customers, **(origin or {})},
        "figures": [figure.as_dict() for figure in figures],
        "grade": verdict.grade,
        "grade_reasons": list(verdict.reasons),
        "level": level,
        "minimum": [*moved, *enough.said],
        "ranks_only": dict(ranks),
        "totals_claimed": enough.totals,
        "value": costs.as_dict(measure),
        "value_measure": measure,
        **({"tuned": dict(tuned)} if tuned else {}),
    }
    measured = _measured(past, known, manifest, plan, fit)
    manifest["effects"] = [one.said for one in measured]
    manifest["takers"] = takers(past.log, past.tries) if past else []
    models = Models(churn.served, value.served, ranker, effects_of(measured))
    documents = judgement.documents(manifest, figures, _revenue(known, cutoffs, tested, manifest))
    return Trained(models, tested, figures, manifest, documents, judgement.drawn(churn.served))


def _measured(
    past: Past | None, known: Known, manifest: Mapping[str, Any], plan: Plan, fit: Fit
) -> list[Measured]:  # fmt: skip
    """Measure what offers change, by the horizon and the level that the bundle tells."""
    if past is None or not len(past.log):
        return []
    came = realised(past.log, known, Yardstick.of(manifest, plan.margin_rate), past.tries)
    return measure_effects(past.log, came, past.uncertainty, fit.seed)


def _tested(value: ValueTrained | Ranked) -> tuple[Array, Array, Array]:
    return (value.tested, value.tested, value.tested) if isinstance(value, Ranked) else value.tested


def _interval_said(value: ValueTrained | Ranked) -> str:
    return "no bounds around a rank" if isinstance(value, Ranked) else value.interval_said


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


def _revenue(known: Known, cutoffs: Cutoffs, tested: Tested, manifest: Mapping[str, Any]) -> Array | None:
    """What each customer brought in the test window, before margin and costs; None where value is just that."""
    if manifest["value"]["said"] == "revenue":
        return None
    return labels.value(known, tested.window.rows.customers, cutoffs.test, cutoffs.horizon, "amount")


def usable_level(known: Known, wanted: str) -> str:
    """Take the catalogue level that is wanted, else the product itself; "" when purchases name no product."""
    bought = known.events.filter(known.events["kind"] == "purchase")
    for level in (wanted, LEVELS[0]):
        if 2 * int((bought[level] != "").sum()) > len(bought):
            return level
    return ""


def _manifest(
    known: Known, plan: Plan, horizon: Horizon, cutoffs: Cutoffs, base: FeatureMatrix, value: ValueModel | Ranks,
    fit: Fit,
) -> dict[str, Any]:  # fmt: skip
    expected, low, high, rank = worths(value, base.values)
    shares = [share for _, share in plan.tiers]
    if isinstance(value, Ranks):
        expected = low = high = rank
        floors = tuple(1 - above for above in accumulate(shares[:-1]))
    else:
        floors = tier_floors(expected, shares)
    return {
        "as_of": known.as_of.isoformat(),
        "active": {"kind": plan.churn, "days": horizon.active_days},
        "contract": CONTRACT.as_dict(),
        "currency": plan.currency,
        "customers": len(base.customers),
        "cutoffs": {
            "learn": [moment.isoformat() for moment in cutoffs.learn],
            "choose": [moment.isoformat() for moment, _ in cutoffs.rehearsal.rounds] if cutoffs.rehearsal else [],
            "choose_days": cutoffs.rehearsal.days if cutoffs.rehearsal else None,
            "test": cutoffs.test.isoformat(),
        },
        "git_commit": _commit(),
        "glossary": plan.glossary,
        "horizon": {"days": horizon.days, "active_days": horizon.active_days, "why": horizon.why},
        "newcomer": _newcomer(base, expected, low, high, value, horizon),
        "seed": fit.seed,
        "tier_band": plan.tier_band,
        "tiers": [
            {"name": name, "share": share, "floor": floor}
            for (name, share), floor in zip(plan.tiers, (*floors, min(0.0, float(expected.min()))), strict=True)
        ],
    }


def _newcomer(
    base: FeatureMatrix, expected: Array, low: Array, high: Array, value: ValueModel | Ranks, horizon: Horizon
) -> dict[str, float]:
    """What a customer without history is taken to be: the average of those who began within the last horizon."""
    new = base.column("tenure_days") <= horizon.days
    which = new if new.any() else np.ones(len(new), dtype=bool)
    parts = {"expected": expected, "low": low, "high": high, **held(value, base.values)}
    return {name: float(part[which].mean()) for name, part in parts.items()}


def _commit() -> str:
    """Name the commit that trains; "unknown" without git or outside a clone."""
    asking = ["git", "rev-parse", "HEAD"]
    try:
        asked = subprocess.run(asking, cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
    except OSError:
        return "unknown"
    return asked.stdout.strip() if asked.returncode == 0 else "unknown"
