"""What was served of what was decided: offers taken against the chance said, exploration and what it cost."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from training.checks import Check, Interval, Verdict, needed
from training.reliability import rate_of
from training.sample_ratio import sample_ratio
from training.thresholds import Thresholds

# What a decision says of where an offer's effect is from; takers may have been counted before what it changes is known.
STATED, MEASURED = "stated priors", "measured"
CHECK_PLAYBOOK, LIFT = "holdfast playbook check", "holdfast lift"
_WEIGHED = ("offers", "held_out", "runners_up", "withheld")
_NONE_STATED = "none; each answer says which it is"


def check_acceptance(
    bodies: Sequence[Mapping[str, Any]], outcomes: Mapping[tuple[str, str], bool], limits: Thresholds
) -> Check:
    """Hold how often each offer was taken against the propensity said, of each customer the first time alone.

    `outcomes` tell of offers that were made, by decision and offer, whether they were taken up. Intervals hold for all
    offers together (Bonferroni).
    """
    answered = _answered(bodies, outcomes)
    judged = {offer: told for offer, told in answered.items() if len(told) >= limits.fewest}
    threshold = f"{1 / limits.acceptance:.2f}–{limits.acceptance:g} times the chance said"
    if not judged:
        count = sum(map(len, answered.values()))
        found = f"{count:,} offers are known to have been made; {limits.fewest:,} of one offer are needed."
        return Check("acceptance", found, threshold, "too early", figures={"made": count})
    each = 1 - (1 - limits.confidence) / len(judged)
    found_of = {offer: _ratio(told, each) for offer, told in judged.items()}
    off = {name: ratio for name, ratio in found_of.items() if ratio.outside(1 / limits.acceptance, limits.acceptance)}
    verdict: Verdict = "act" if off else "well"
    said = "; ".join(_taken(name, judged[name], ratio) for name, ratio in (off or found_of).items())
    figures = {name: {"made": len(judged[name]), "ratio": ratio.as_dict()} for name, ratio in found_of.items()}
    return Check("acceptance", said + ".", threshold, verdict, needed(verdict, CHECK_PLAYBOOK), {"offers": figures})


def check_effects(bodies: Iterable[Mapping[str, Any]]) -> Check:
    """Count the offers whose effect isn't measured yet, and name those measured since; bodies come oldest first."""
    first: dict[str, str] = {}
    newest: dict[str, str] = {}
    for body in bodies:
        for offer in body["offers"]:
            newest[offer["offer"]] = effects = offer["breakdown"]["effects"]
            first.setdefault(offer["offer"], effects)
    if not newest:
        return Check("effects", "No offer has been made.", _NONE_STATED, "too early", figures={})
    stated = sorted(offer for offer, effects in newest.items() if effects.startswith(STATED))
    mature = sorted(offer for offer, effects in newest.items() if effects == MEASURED != first[offer])
    found = f"{len(stated)} of {len(newest)} offers that were made rest on stated priors" + (
        f"; measured since: {', '.join(mature)}." if mature else "; none became measured since."
    )
    return Check("effects", found, _NONE_STATED, "well", figures={"effects": newest, "mature": mature})


def check_exploration(
    bodies: Sequence[Mapping[str, Any]], budgets: Mapping[str, float], limits: Thresholds
) -> Iterator[Check]:
    """Hold the share of decisions in which another than the best was served against the budget, by tier.

    Of decisions by policy alone; a tier without a budget has none. What it cost is the expected profit given up.
    """
    told = [body for body in bodies if body.get("experiment", {}).get("group") == "policy" and body.get("arms")]
    if not told:
        yield Check(
            "exploration", "No decision has told its arms so far.", "the budget by tier", "too early",
            figures={"decisions": 0},
        )  # fmt: skip
        return
    tiers: defaultdict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for body in told:
        tiers[body["tier"]].append(body)
    for tier, mine in sorted(tiers.items()):
        yield _explored(tier, mine, budgets.get(tier, 0.0), limits)


def check_groups(bodies: Sequence[Mapping[str, Any]], plan: Mapping[str, float]) -> Check:
    """Count the decisions of each group, and what groups that don't get the best gave up in expected profit.

    `plan` has the shares of people, by group, that the playbook states; the rest are served by policy.
    """
    counts: defaultdict[str, int] = defaultdict(int)
    costs: defaultdict[str, float] = defaultdict(float)
    for body in bodies:
        if group := body.get("experiment", {}).get("group"):
            counts[group] += 1
            costs[group] += _given_up(body)[1]
    total = sum(counts.values())
    threshold = f"planned, of people: {', '.join(f'{name} {share:.1%}' for name, share in plan.items())}"
    if not total:
        return Check("groups", "No decision belongs to a group so far.", threshold, "too early", figures={})
    parts = (f"{name} {count:,} ({count / total:.1%}), gave up {costs[name]:,.2f}" for name, count in counts.items())
    return Check("groups", f"{'; '.join(parts)}.", threshold, "well", figures={
        name: {"decisions": count, "given_up": costs[name]} for name, count in counts.items()
    })  # fmt: skip


def check_sizes(bodies: Iterable[Mapping[str, Any]], salt: str, plan: Mapping[str, float]) -> Check:
    """Hold how many people each group of an experiment has against their planned shares."""
    groups = {
        body["customer"]: body["experiment"]["group"]
        for body in bodies
        if body.get("experiment", {}).get("salt") == salt
    }
    threshold = "less than once in a hundred experiments by chance, looked at all the time"
    if not groups:
        return Check("sample ratio", "Nobody belongs to a group so far.", threshold, "too early", figures={})
    found = sample_ratio(Counter(groups.values()), {name: share for name, share in plan.items() if share > 0})
    verdict: Verdict = "act" if found.mismatch else "well"
    said = found.said()
    return Check(
        "sample ratio", f"{said[0].upper()}{said[1:]}.", threshold, verdict, needed(verdict, LIFT), found.as_dict()
    )


def _explored(tier: str, bodies: Sequence[Mapping[str, Any]], budget: float, limits: Thresholds) -> Check:
    other, cost = (np.array(part, dtype=np.float64) for part in zip(*map(_given_up, bodies), strict=True))
    rate = rate_of(other, limits.confidence)
    verdict: Verdict = "act" if rate.low > budget else "well"
    found = (
        f"Another than the best was served in {rate.said('.1%')} of {len(other):,} decisions; it gave up"
        f" {cost.sum():,.2f} of expected profit."
    )
    figures = {"decisions": len(other), "share": rate.as_dict(), "given_up": float(cost.sum()), "budget": budget}
    name = f"exploration ({tier})"
    return Check(name, found, f"{budget:.1%} of decisions", verdict, needed(verdict, CHECK_PLAYBOOK), figures)


def _given_up(body: Mapping[str, Any]) -> tuple[float, float]:
    """Tell whether another first offer than the best was served, and the expected profit that this gave up.

    The best has the highest priority of all that could have been served, or is silence where none has any.
    """
    weighed = {one["offer"]: one["breakdown"] for name in _WEIGHED for one in body.get(name, ()) if one["breakdown"]}
    held_out = [one["offer"] for one in body.get("held_out", ())]
    free = {offer for offer in (*held_out, *(arm["offer"] for arm in body["arms"])) if offer in weighed}
    best = max(free, key=lambda offer: (weighed[offer]["priority"], offer), default=None)
    if best is not None and weighed[best]["priority"] <= 0:
        best = None
    served = next((one["offer"] for one in body["offers"] if not one["owed"]), None)
    gain, got = (weighed[one]["expected_incremental_profit"] if one in weighed else 0.0 for one in (best, served))
    return float(best != served), gain - got


def _answered(
    bodies: Sequence[Mapping[str, Any]], outcomes: Mapping[tuple[str, str], bool]
) -> dict[str, list[tuple[float, float]]]:
    """Collect, by offer, the propensity said and whether it was taken."""
    found: defaultdict[str, dict[str, tuple[float, float]]] = defaultdict(dict)
    for body in bodies:
        for offer in body["offers"]:
            taken = outcomes.get((body["decision_id"], offer["offer"]))
            if taken is not None:
                found[offer["offer"]].setdefault(body["customer"], (offer["breakdown"]["propensity"], taken))
    return {offer: list(told.values()) for offer, told in sorted(found.items())}


def _ratio(told: Sequence[tuple[float, float]], confidence: float) -> Interval:
    said, taken = (np.array(part) for part in zip(*told, strict=True))
    rate, mean = rate_of(taken, confidence), max(float(said.mean()), 1e-9)
    return Interval(rate.of / mean, rate.low / mean, rate.high / mean)


def _taken(name: str, told: Sequence[tuple[float, float]], ratio: Interval) -> str:
    return f"{name}: made {len(told):,} times, taken {ratio.said()} times as often as said"
