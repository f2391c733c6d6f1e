"""Whether a bundle is still the one for today: its age, its features, and the words that it was trained by."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from features.clock import DAY, microseconds
from features.contract import CONTRACT
from features.glossary import Glossary
from training.checks import LOOK, RETRAIN, Check, Verdict, needed
from training.thresholds import Thresholds


def check_age(manifest: Mapping[str, Any], now: datetime, limits: Thresholds) -> Check:
    """Hold the age of a bundle against its horizon."""
    learned, horizon = datetime.fromisoformat(manifest["as_of"]), manifest["horizon"]["days"]
    days = (microseconds(now) - microseconds(learned)) / DAY
    age = days / horizon
    verdict: Verdict = "act" if age > limits.act_horizons else "watch" if age > limits.watch_horizons else "well"
    found = f"Learned up to {learned:%Y-%m-%d}, {days:,.0f} days or {age:.1f} horizons ago."
    figures = {"days": days, "horizons": age}
    return Check("age", found, f"{limits.act_horizons:g} horizons of {horizon} days", verdict,
                 needed(verdict, RETRAIN, LOOK), figures)  # fmt: skip


def check_contract(manifest: Mapping[str, Any]) -> Check:
    """Hold the features that a bundle was trained on against those that the code defines."""
    theirs, ours = manifest["contract"]["definitions"], CONTRACT.definitions
    verdict: Verdict = "well" if theirs == ours else "act"
    found = f"Trained on contract {theirs[:12]}; the code defines {ours[:12]}."
    return Check("features", found, "the same contract", verdict, needed(verdict, RETRAIN),
                 {"bundle": theirs, "code": ours})  # fmt: skip


def check_glossary(manifest: Mapping[str, Any], glossary: Glossary) -> Check:
    """Hold the words that training took from the glossary against what it says today."""
    changed = tuple(_changed(manifest, glossary))
    same = manifest["glossary"] == glossary.hash
    verdict: Verdict = "act" if changed else "well"
    found = (
        f"Training took other words: {'; '.join(changed)}."
        if changed
        else f"The same as at training, {glossary.hash[:12]}."
        if same
        else f"Its text has changed since training ({glossary.hash[:12]}), in nothing that training takes from it."
    )
    figures = {"bundle": manifest["glossary"], "playbook": glossary.hash, "changed": list(changed)}
    return Check("glossary", found, "what training takes is the same", verdict, needed(verdict, RETRAIN), figures)


def _changed(manifest: Mapping[str, Any], glossary: Glossary) -> Iterator[str]:
    horizon = manifest["horizon"]
    shares = {tier["name"]: tier["share"] for tier in manifest["tiers"]}
    costs = glossary.assumptions.cost_to_serve
    pairs = (
        ("churn", manifest["active"]["kind"], glossary.churn),
        ("horizon.days", horizon["days"], glossary.horizon_days or horizon["days"]),
        ("horizon.active_days", horizon["active_days"], glossary.active_days or horizon["active_days"]),
        ("tiers", shares, dict(glossary.tiers)),
        ("tier_band", manifest["tier_band"], glossary.tier_band),
        ("currency", manifest["currency"], glossary.currency),
        *((f"cost_to_serve.{kind}", cost, costs.get(kind)) for kind, cost in manifest["value"]["assumed"].items()),
    )
    for name, then, today in pairs:
        if then != today:
            yield f"{name} was {then}, is {today}"
