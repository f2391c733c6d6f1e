"""Waiting by tier under the shipped routing, first come and static priority: `python -m benchmarks.routing [--json]`.

Simulated and seeded: days of a contact centre whose load goes from 55 % at two in the night to 95 % at two in the
afternoon, with two half hours at random in which 30 % more come, so that at times more come than can be served.
Everybody comes at random (Poisson), is served for five minutes on average (lognormal, coefficient of variation 1) by
any of twenty, and waits until served: nobody gives up. All disciplines serve the same contacts, with the same times of
service. Head starts and the bound are those of `playbook/routing.toml`, told by its rules from simulated words; static
priority takes the better tier first, and within a tier who came first. `--times 4` makes head starts and the bound four
times as long, to see between what the bound chooses.

Lower is better. A ratio is that of the means over all days, with the 95 % interval of a paired bootstrap over days; a
bar below 1 is met when the whole interval lies below it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.queueing import DAY_SECONDS, SECOND, Served, Whole, lognormal, overtaking, poisson, serve
from benchmarks.report import Row, options, say
from features.clock import microseconds
from features.definitions import NAMES
from features.home import ROOT
from serving.playbook import Playbook, load_playbook
from serving.routing import Route, Routing

DAYS, TEAM, MEAN_SECONDS, VARIATION = 30, 20, 300.0, 1.0
QUIET, PEAK, PEAK_HOUR = 0.55, 0.95, 14
SPELLS, SPELL_SECONDS, SURGE = 2, 1_800, 1.3
INTENTS = {"complaint": 0.08, "cancel": 0.07, "delivery": 0.25, "buy": 0.15, "question": 0.45}
WORTH = {"top": 400.0, "high": 150.0, "middle": 60.0, "base": 15.0}
COMPLAINED, WORTH_SPREAD, RISK = 0.05, 0.5, (1.5, 4.5)
START = datetime(2018, 1, 1, tzinfo=UTC)
FIRST_COME, STATIC = "first come", "static priority"
BROKEN = "contacts taken before somebody who came more than the bound earlier"
BELIED = "contacts taken before somebody who was told that no newcomer could be"
Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Day:
    """One simulated day: who comes when, for how long, and each one's route by the playbook."""

    arrived: Whole
    takes: Whole
    tier: Whole
    cancels: NDArray[np.bool_]
    worth: Numbers
    routes: tuple[Route, ...]
    most_seconds: float

    def times(self, named: str) -> Whole:
        """List a moment of every route in microseconds from the start of the day."""
        return np.array([microseconds(getattr(route, named)) for route in self.routes]) - microseconds(START)


def main() -> None:
    """Print the rows."""
    parser = options(__doc__ or "")
    parser.add_argument("--times", type=float, default=1.0, help="how many times the shipped head starts and bound")
    told = parser.parse_args()
    say(f"Routing, {DAYS} simulated days; seconds, lower is better", rows(told.times), told.json)


def rows(times: float = 1.0) -> list[Row]:
    """Simulate all days, and set ours beside first come and static priority."""
    playbook = load_playbook(ROOT / "playbook", NAMES)
    playbook = replace(playbook, routing=_longer(playbook.routing, times))
    days = [figures(day(playbook, seed), tuple(playbook.glossary.tiers)) for seed in range(DAYS)]
    collected = {key: np.array([one[key] for one in days]) for key in days[0]}
    return [*_promises(collected), *_waits(collected)]


def _longer(routing: Routing, times: float) -> Routing:
    starts = tuple(replace(one, seconds=one.seconds * times) for one in routing.head_starts)
    intents = {name: replace(one, seconds=one.seconds * times) for name, one in routing.intents.items()}
    return replace(routing, head_starts=starts, intents=intents, most_seconds=routing.most_seconds * times)


def day(playbook: Playbook, seed: int) -> Day:
    """Simulate one day's contacts."""
    rng = np.random.default_rng(seed)
    surges = rng.uniform(8 * 3_600, 20 * 3_600, SPELLS)
    arrived = poisson(lambda moments: _rate(moments, surges), PEAK * SURGE**SPELLS * TEAM / MEAN_SECONDS, rng)
    people = list(_people(playbook, len(arrived), rng))
    tiers = list(playbook.glossary.tiers)
    return Day(
        arrived,
        lognormal(len(arrived), MEAN_SECONDS, VARIATION, rng),
        np.array([tiers.index(one["value.tier"]) for one in people]),
        np.array([one["intent"] == "cancel" for one in people]),
        np.array([one["value.expected"] for one in people]),
        tuple(_route(playbook, int(came), one) for came, one in zip(arrived, people, strict=True)),
        playbook.routing.most_seconds,
    )


def _rate(moments: Numbers, surges: Numbers) -> Numbers:
    """Tell how many come a second: a wave over the day, and more within a spell."""
    wave = np.cos(np.pi * (moments / 3_600 - PEAK_HOUR) / (DAY_SECONDS / 3_600)) ** 2
    within = sum((moments >= start) & (moments < start + SPELL_SECONDS) for start in surges)
    load: Numbers = (QUIET + (PEAK - QUIET) * wave) * SURGE**within
    return load * TEAM / MEAN_SECONDS


def _people(playbook: Playbook, count: int, rng: np.random.Generator) -> Iterator[dict[str, Any]]:
    shares = playbook.glossary.tiers
    tiers = rng.choice(list(shares), count, p=list(shares.values()))
    intents = rng.choice(list(INTENTS), count, p=list(INTENTS.values()))
    risks, spread = rng.beta(*RISK, count), rng.lognormal(0.0, WORTH_SPREAD, count)
    complained = rng.random(count) < COMPLAINED
    for tier, intent, risk, factor, once in zip(tiers, intents, risks, spread, complained, strict=True):
        yield {
            "value.tier": str(tier),
            "value.expected": WORTH[str(tier)] * float(factor),
            "churn.risk": float(risk),
            "features.complaints_28": float(once),
            "intent": str(intent),
        }


def _route(playbook: Playbook, came: int, known: Mapping[str, Any]) -> Route:
    routing, words = playbook.routing, {**known, **playbook.glossary.tell(known)}
    return routing.route(words, routing.intent(known["intent"]), START + timedelta(microseconds=came))


def figures(day: Day, tiers: tuple[str, ...]) -> dict[tuple[str, str], float]:
    """Serve one day by each discipline, and tell every figure by discipline and name."""
    ours = np.lexsort((day.arrived, day.times("serve_after")))
    orders = {
        "ours": ours,
        FIRST_COME: np.arange(len(day.arrived)),
        STATIC: np.lexsort((day.arrived, day.tier)),
    }
    served = {name: serve(day.arrived, day.takes, np.argsort(order), TEAM) for name, order in orders.items()}
    return {
        (name, figure): value
        for name, one in served.items()
        for figure, value in _told(day, tiers, one, served[FIRST_COME]).items()
    }


def _told(day: Day, tiers: tuple[str, ...], served: Served, plain: Served) -> dict[str, float]:
    waits = (served.began - day.arrived) / SECOND
    bound = day.arrived + round(day.most_seconds * SECOND)
    told = {
        BROKEN: overtaking(day.arrived, bound, served),
        BELIED: overtaking(day.arrived, day.times("overtaken_until"), served),
        "mean wait weighted by value": float(np.average(waits, weights=day.worth)),
        "mean wait of everybody": float(waits.mean()),
        "mean wait of those who want to leave": float(waits[day.cancels].mean()),
        "longest wait beyond that of first come": float((served.began - plain.began).max() / SECOND),
    }
    for number, tier in enumerate(tiers):
        of_tier = waits[day.tier == number]
        told[f"mean wait of {tier}"] = float(of_tier.mean())
        told[f"95th percentile of {tier}"] = float(np.quantile(of_tier, 0.95))
        told[f"longest wait of {tier}"] = float(of_tier.max())
    return told


BELOW_ONE = {
    ("mean wait of top", FIRST_COME),
    ("mean wait of high", FIRST_COME),
    ("mean wait weighted by value", FIRST_COME),
    ("mean wait of those who want to leave", FIRST_COME),
    ("mean wait of base", STATIC),
    ("95th percentile of base", STATIC),
    ("longest wait of base", STATIC),
    ("longest wait beyond that of first come", STATIC),
}


def _promises(collected: Mapping[tuple[str, str], Numbers]) -> Iterator[Row]:
    """Count over all days the contacts that broke the bound; static priority, which has none, shows that one can."""
    for figure in (BROKEN, BELIED):
        ours, peer = (float(collected[name, figure].sum()) for name in ("ours", STATIC))
        yield Row(f"{figure}, {STATIC}", ours, peer, ours / max(peer, 1.0), "<= 0", ours <= 0)


def _waits(collected: Mapping[tuple[str, str], Numbers]) -> Iterator[Row]:
    for figure in [figure for name, figure in collected if name == "ours" and figure not in (BROKEN, BELIED)]:
        for peer in (FIRST_COME, STATIC):
            if not (peer == FIRST_COME and "beyond" in figure):
                yield _beside(figure, peer, collected["ours", figure], collected[peer, figure])


def _beside(figure: str, peer: str, ours: Numbers, theirs: Numbers) -> Row:
    low, high = _interval(ours, theirs)
    said = f"{figure}, {peer} (95 % interval {low:.3g} to {high:.3g})"
    has_bar = (figure, peer) in BELOW_ONE
    mean, other = float(ours.mean()), float(theirs.mean())
    return Row(said, mean, other, mean / other, "< 1" if has_bar else "none", high < 1 if has_bar else None)


def _interval(ours: Numbers, theirs: Numbers) -> tuple[float, float]:
    drawn = np.random.default_rng(0).integers(0, len(ours), (2_000, len(ours)))
    ratios = ours[drawn].mean(axis=1) / theirs[drawn].mean(axis=1)
    return float(np.quantile(ratios, 0.025)), float(np.quantile(ratios, 0.975))


if __name__ == "__main__":
    main()
