"""The figures of a what-if, out of what was counted: offers, profit with intervals, pressure, groups, and the gate."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from serving.chase import FOUR_FIFTHS, SMALLEST_GROUP
from serving.playbook import Playbook
from serving.what_if import SIDES, Tally

COVERS = (
    "95 %: which customers there are, and how unsure each effect is by the playbook's prior_uncertainty or what was"
    " learned; not how unsure takers, incentives, margins, risks and values are, nor what the models don't know"
)
_Z = 1.959964
_REASONS = 5


@dataclass(frozen=True)
class Interval:
    """An expectation in currency with 95 % limits, and the two standard deviations that they are made of.

    `sampling` is for which customers there are (the base taken for a draw of such customers, Cochran 1977); `effects`
    for how unsure each offer's effect is, alike for everybody who is made it, offers independent of each other.
    """

    expected: float
    low: float
    high: float
    sampling: float
    effects: float


def profit(tally: Tally, name: str, scale: float) -> Interval:
    """Add up the profit `before`, `after`, or the `gain`; `scale` takes a sample to the base."""
    count, total = tally["customers",], float(tally["sum", name])
    spare = max(float(tally["squares", name]) - total**2 / count, 0.0) / max(count - 1, 1) if count else 0.0
    sampling = scale * math.sqrt(count * spare)
    effects = scale * math.sqrt(sum(_spread(tally, offer, name) ** 2 for offer in offers_of(tally)))
    reach = _Z * math.hypot(sampling, effects)
    return Interval(scale * total, scale * total - reach, scale * total + reach, sampling, effects)


def _spread(tally: Tally, offer: str, name: str) -> float:
    if name == "gain":
        return float(tally["spread", offer, "after"] - tally["spread", offer, "before"])
    return float(tally["spread", offer, name])


def offers_of(tally: Tally) -> list[str]:
    """List the offers of both playbooks."""
    return sorted({key[1] for key in tally if key[0] == "made"})


def offer_rows(tally: Tally, scale: float) -> list[dict[str, Any]]:
    """Tell of each offer how many are made it before and after, who gains and loses it and why, and what it brings."""
    return [
        {
            "offer": offer,
            **{name: round(scale * tally["made", offer, name]) for name in SIDES},
            "gained": round(scale * sum(_reasons(tally, "gained", offer).values())),
            "lost": round(scale * sum(_reasons(tally, "lost", offer).values())),
            "gained_because": _said(_reasons(tally, "gained", offer), scale),
            "lost_because": _said(_reasons(tally, "lost", offer), scale),
            **{f"profit_{name}": scale * float(tally["profit", offer, name]) for name in SIDES},
        }
        for offer in offers_of(tally)
    ]


def _reasons(tally: Tally, sort: str, offer: str) -> dict[tuple[str, ...], float]:
    return {key[2:]: count for key, count in tally.items() if key[:2] == (sort, offer)}


def _said(reasons: Mapping[tuple[str, ...], float], scale: float) -> list[dict[str, Any]]:
    most = sorted(reasons.items(), key=lambda one: (-one[1], one[0]))[:_REASONS]
    return [{"layer": layer, "rule": rule, "customers": round(scale * count)} for (layer, rule), count in most]


def caps(tally: Tally, scale: float) -> list[dict[str, Any]]:
    """Tell how many customers each part of the contact policy keeps something from, before and after."""
    rules = sorted({key[1] for key in tally if key[0] == "stopped"})
    return [{"rule": one, **{name: round(scale * tally["stopped", one, name]) for name in SIDES}} for one in rules]


def budgets(
    tally: Tally, playbooks: Mapping[str, Playbook], spent: Mapping[str, Mapping[str, int]], scale: float
) -> list[dict[str, Any]]:
    """Tell what of each budget of attention is used, and what would be were every such customer asked once."""
    rows = []
    for name, playbook in playbooks.items():
        for owner, most in (playbook.contact.attention.budgets if playbook.contact.attention else {}).items():
            asked, used = round(scale * tally["fenced", owner, name]), spent[name].get(owner, 0)
            share = (used + asked) / most if most else None
            rows.append(
                {"owner": owner, "playbook": name, "budget": most, "used": used, "asked": asked, "share": share}
            )
    return rows


def load(tally: Tally, playbooks: Mapping[str, Playbook], channel: str, scale: float) -> dict[str, Any]:
    """Tell how many proposals the channel would carry, and those that only the field can make; what would come of them.

    `takers` are expected to take an offer up, which costs `incentives`, in currency. No minutes: a playbook says how
    long a visit takes, and of no offer that it takes one.
    """
    rows: dict[str, Any] = {"channel": channel, "minutes": None}
    for name, playbook in playbooks.items():
        made = {offer.id: tally["made", offer.id, name] for offer in playbook.offers}
        takers = {offer.id: float(tally["takers", offer.id, name]) for offer in playbook.offers}
        field = [offer.id for offer in playbook.offers if channel == "field" or offer.channels == ("field",)]
        rows[name] = {
            "proposals": round(scale * sum(made.values())),
            "field": round(scale * sum(made[offer] for offer in field)),
            "takers": scale * sum(takers.values()),
            "incentives": scale * sum(takers[offer.id] * offer.incentive_cost for offer in playbook.offers),
        }
    return rows


@dataclass(frozen=True, slots=True)
class Beside:
    """How a group fares beside all others of whom the attribute is known, under one playbook.

    `ratio` is that of the shares who are made an offer, with 95 % limits by Katz et al. (Biometrics 34, 1978);
    `profit_ratio` that of expected profits a customer, by the delta method. None where either side has nothing.
    """

    attribute: str
    level: str
    playbook: str
    customers: int
    share: float
    ratio: float | None
    low: float | None
    high: float | None
    profit_ratio: float | None
    profit_low: float | None
    profit_high: float | None

    @property
    def below(self) -> bool:
        """Whether the group surely is made offers less than four fifths as often as the others."""
        return self.high is not None and self.high < FOUR_FIFTHS


def groups(tally: Tally) -> list[Beside]:
    """Compare every group of some size with the others, under each playbook."""
    names = sorted({key[1:3] for key in tally if key[0] == "group"})
    return [
        one for attribute, level in names for side in SIDES for one in _beside(tally, attribute, level, side, names)
    ]


def _beside(tally: Tally, attribute: str, level: str, side: str, names: Sequence[tuple[str, ...]]) -> Iterator[Beside]:
    fields = ("customers", f"made_{side}", f"profit_{side}", f"squares_{side}")
    mine = [float(tally["group", attribute, level, name]) for name in fields]
    every = [
        sum(float(tally["group", attribute, other, name]) for a, other in names if a == attribute) for name in fields
    ]
    theirs = [one - other for one, other in zip(every, mine, strict=True)]
    if min(mine[0], theirs[0]) < SMALLEST_GROUP:
        return
    shares = _limits(mine[1] / mine[0], theirs[1] / theirs[0], _counted(mine), _counted(theirs))
    profits = _limits(mine[2] / mine[0], theirs[2] / theirs[0], _varied(mine), _varied(theirs))
    yield Beside(attribute, level, side, int(mine[0]), mine[1] / mine[0], *shares, *profits)


def _counted(told: Sequence[float]) -> float:
    """The variance of the logarithm of a share."""
    return 1 / told[1] - 1 / told[0] if told[1] else 0.0


def _varied(told: Sequence[float]) -> float:
    """The variance of the logarithm of a mean, by the delta method."""
    count, total, squares = told[0], told[2], told[3]
    return max(squares - total**2 / count, 0.0) / (count - 1) * count / total**2 if total else 0.0


def _limits(
    mine: float, theirs: float, variance: float, other: float
) -> tuple[float | None, float | None, float | None]:
    if mine <= 0 or theirs <= 0:
        return None, None, None
    ratio, reach = mine / theirs, _Z * math.sqrt(variance + other)
    return ratio, ratio * math.exp(-reach), ratio * math.exp(reach)


@dataclass(frozen=True)
class Gate:
    """What a playbook must keep to be let through; None asks nothing."""

    least_gain: float | None = None
    most_losing: float | None = None
    least_ratio: float | None = None
    most_budget: float | None = None

    def checks(
        self, gain: Interval, losing: float, beside: Sequence[Beside], used: Sequence[Mapping[str, Any]]
    ) -> list[dict[str, Any]]:
        """Check the new playbook's figures; a ratio counts as too low where it surely is."""
        ratios = [one.high for one in beside if one.playbook == "after" and one.high is not None]
        shares = [one["share"] for one in used if one["playbook"] == "after" and one["share"] is not None]
        ratio, budget = min(ratios, default=None), max(shares, default=None)
        asked = (
            ("least_gain", self.least_gain, gain.expected, True),
            ("most_losing", self.most_losing, losing, False),
            ("least_ratio", self.least_ratio, ratio, True),
            ("most_budget", self.most_budget, budget, False),
        )
        return [
            {"check": name, "bar": bar, "found": found, "holds": found is None or _holds(found, bar, least)}
            for name, bar, found, least in asked
            if bar is not None
        ]


def _holds(found: float, bar: float, least: bool) -> bool:
    return found >= bar if least else found <= bar
