"""What a bundle's predictions came to: judged on a horizon that it hadn't seen when it learned."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from features.clock import from_microseconds
from features.errors import InputError, NotEnoughData
from features.feature import Array
from features.known import Known
from models.bundle import Bundle
from models.population import Active
from models.ranks import risks, worths
from training import labels
from training.costs import Costs
from training.dataset import Window, Windows
from training.evaluation import CHURN_METRICS, VALUE_METRICS, Figure, interval_figures, judge
from training.horizon import Horizon, choose_horizon

CHURN = {name: CHURN_METRICS[name] for name in ("AUC", "log loss", "ECE")}
VALUE = {name: VALUE_METRICS[name] for name in ("normalised Gini", "value in the top fifth", "bias of the total")}


@dataclass(frozen=True)
class Comparison:
    """Two bundles on one window: the first's figures with the second's beside them, and what isn't fair about it."""

    cutoff: datetime
    days: int
    customers: int
    active: int
    figures: tuple[Figure, ...]
    unfair: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """The comparison as JSON values."""
        counted = {"days": self.days, "customers": self.customers, "active": self.active}
        judged = {"figures": [figure.as_dict() for figure in self.figures], "unfair": list(self.unfair)}
        return {"cutoff": self.cutoff.isoformat(), **counted, **judged}


def compare(known: Known, ours: Bundle, other: Bundle) -> Comparison:
    """Score with both bundles as of the newest moment whose whole horizon is known, and judge them in pairs.

    Raises InputError unless both tell probabilities and amounts, of one horizon and one measure of value, NotEnoughData
    when too little happened.
    """
    bundles = (ours, other)
    for one in bundles:
        check_told(one.manifest, named(one))
    _check_alike(ours, other)
    horizon = horizon_of(known, ours.manifest)
    rules = [Active(**one.manifest["active"]) for one in bundles]
    cutoff = from_microseconds(horizon.end) - timedelta(days=horizon.days)
    # Both speak of whoever is active under the narrower rule.
    narrower, costs = min(rules, key=lambda rule: rule.days), Costs.read(ours.manifest)
    windows = Windows(known, narrower, ours.manifest["value_measure"], costs)
    window = windows.at(cutoff, horizon.days)
    active, rows = window.of_active, window.rows.values
    check_lapses(active.lapsed, cutoff)
    mine, theirs = (
        (risks(one.models.churn, active.rows.values)[0], worths(one.models.value, rows)[0]) for one in bundles
    )
    figures = judge_beside(window, mine, theirs, named(other), ours.manifest["seed"])
    unfair = tuple(_seen(one, cutoff) for one in bundles if one.as_of > cutoff)
    return Comparison(cutoff, horizon.days, len(rows), len(active.lapsed), tuple(figures), unfair)


def judge_beside(
    window: Window, ours: tuple[Array, Array], theirs: tuple[Array, Array], name: str, seed: int
) -> list[Figure]:
    """Judge two bundles on one window, in pairs; theirs stands among the baselines under its name.

    Each says the risk of the active, and the value of everyone, which is held against what they brought less what they
    cost.
    """
    return [
        *judge("churn", CHURN, window.of_active.lapsed, ours[0], {name: theirs[0]}, seed),
        *judge("value", VALUE, window.net, ours[1], {name: theirs[1]}, seed),
    ]


def named(bundle: Bundle) -> str:
    """Name a bundle as a table does."""
    return f"version {bundle.version}"


def horizon_of(known: Known, manifest: Mapping[str, Any]) -> Horizon:
    """Take a bundle's horizon and rule of who is active, over the whole days that are known."""
    told = manifest["horizon"]
    return replace(choose_horizon(known), days=told["days"], active_days=told["active_days"])


def check_lapses(lapsed: Array, cutoff: datetime) -> None:
    """Refuse to judge where nobody was active, all of them lapsed, or none did."""
    if not 0 < lapsed.sum() < len(lapsed):
        raise NotEnoughData(
            f"expected customers active on {cutoff:%Y-%m-%d} who lapsed and who came back, found"
            f" {int(lapsed.sum())} lapsed of {len(lapsed)}; ingest more history"
        )


def check_told(manifest: Mapping[str, Any], name: str) -> None:
    """Refuse a bundle that gives ranks only, where probabilities and amounts are held against what came.

    Raises InputError.
    """
    if ranks := manifest.get("ranks_only"):
        raise InputError(
            f"expected probabilities and amounts from {name}, found ranks only of {' and '.join(ranks)}; see how it was"
            " judged with holdfast evaluate, and train again once there is more history"
        )


def _check_alike(ours: Bundle, other: Bundle) -> None:
    mine, theirs = question(ours.manifest), question(other.manifest)
    if mine != theirs:
        raise InputError(
            f"expected two versions with the same horizon, churn and value, found {mine} in {named(ours)} and"
            f" {theirs} in {named(other)}: they answer different questions. Judge each by itself: holdfast evaluate"
            f" {other.version}"
        )


def question(manifest: Mapping[str, Any]) -> str:
    """Say what a bundle answers; only bundles of one question can be compared."""
    kind = manifest["active"]["kind"]
    return f"churn by {kind} and {manifest['value']['said']} over {manifest['horizon']['days']} days"


def _seen(bundle: Bundle, cutoff: datetime) -> str:
    return (
        f"{named(bundle)} learned up to {bundle.as_of:%Y-%m-%d}, so it has seen what came after"
        f" {cutoff:%Y-%m-%d} and isn't judged fairly here"
    )


def judge_since(known: Known, scored: Iterable[pl.DataFrame], manifest: Mapping[str, Any]) -> list[Figure]:
    """Judge scores made as of the bundle's own moment by what is known now; the rule beside is "everyone alike".

    Of a model that only ranks its order alone is judged, with no rule beside it.

    Raises NotEnoughData when nobody was active then, or all of them lapsed, or none did.
    """
    base = pl.concat(scored)
    cutoff, span = datetime.fromisoformat(manifest["as_of"]), timedelta(days=manifest["horizon"]["days"])
    active = base.filter(pl.col("active"))
    lapsed = labels.left(known, manifest["active"]["kind"], tuple(active["customer"]), cutoff, span)
    check_lapses(lapsed, cutoff)
    column = "margin" if manifest["value_measure"] == "margin" else "amount"
    ranks, seed = manifest.get("ranks_only", {}), manifest["seed"]
    if "churn" in ranks:
        figures = judge("churn", {"AUC": CHURN["AUC"]}, lapsed, active["churn_rank"].to_numpy(), {}, seed)
    else:
        alike = {"everyone alike": np.full(len(lapsed), lapsed.mean())}
        figures = judge("churn", CHURN, lapsed, active["churn_risk"].to_numpy(), alike, seed)
    if "value" in ranks:
        return figures
    brought = labels.value(known, tuple(base["customer"]), cutoff, span, column)
    costs = Costs.read(manifest).came(known, tuple(base["customer"]), cutoff, span)
    return figures + _value_since(base, brought, sum(costs.values(), np.zeros(len(brought))), seed)


def _value_since(base: pl.DataFrame, brought: Array, cost: Array, seed: int) -> list[Figure]:
    value, net = brought - cost, np.maximum(brought, 0.0) - cost
    same = {"everyone alike": np.full(len(value), value.mean())}
    figures = judge("value", VALUE, net, base["expected_value"].to_numpy(), same, seed)
    return figures + interval_figures(value, base["value_low"].to_numpy(), base["value_high"].to_numpy(), seed)
