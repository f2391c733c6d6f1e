"""Waiting by tier, simulated: ours beside first-come and static priority: `python -m benchmarks.routing [--json]`.

A contact centre with one queue of contacts and some agents, event by event. Contacts come at random with a peak twice a
day, nobody hangs up, and every way of ordering serves the very same contacts. Head starts and bound are those of the
playbook. Intervals are over days, each drawn anew.
"""

import heapq
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt

from benchmarks.report import Row, options, say
from features.definitions import NAMES
from features.feature import Array
from features.home import home
from serving.playbook import load_playbook
from serving.routing import Routing

DAYS, AGENTS, HOURS, MEAN_SECONDS = 24, 20, 10, 300.0
TIERS = {"top": 0.05, "high": 0.15, "middle": 0.30, "base": 0.50}
_BUSY = 0.93
_START = datetime(2024, 1, 1, 8, tzinfo=UTC)
_Z = 1.96


@dataclass(frozen=True)
class Day:
    """One day's contacts, in the order they came: when, in seconds, for how long, whose tier, and the head start."""

    came: Array
    takes: Array
    tier: npt.NDArray[np.int64]
    head_start: Array


def rows() -> list[Row]:
    """Serve the same days by each way, and set the waits side by side."""
    routing = load_playbook(home().playbook, NAMES).routing
    days = [drawn(np.random.default_rng(seed), routing) for seed in range(DAYS)]
    ways: dict[str, Callable[[Day], Array]] = {
        "ours": lambda day: day.came - day.head_start,
        "first-come": lambda day: day.came,
        "static priority": lambda day: day.tier * 1e9 + day.came,
    }
    waits = {name: [waited(day, order(day)) for day in days] for name, order in ways.items()}
    found = [
        _beside(f"mean wait of the {name} tier, s", waits, days, place, np.mean, peer, bar)
        for place, (name, peer, bar) in enumerate(
            (("top", "first-come", 1.0), ("high", "first-come", 1.0), ("middle", "static priority", None),
             ("base", "static priority", 1.0))
        )
    ]  # fmt: skip
    base = len(TIERS) - 1
    found += [
        _beside("longest wait of the base tier, s", waits, days, base, np.max, "static priority", 1.0),
        _beside("95th percentile of the base tier, s", waits, days, base, _tail, "static priority", 1.0),
        _beside("longest wait of the base tier, s", waits, days, base, np.max, "first-come", None),
        _beside("mean wait of the base tier, s", waits, days, base, np.mean, "first-come", None),
    ]
    over = sum(_overtaken(day, routing.most_seconds) for day in days)
    return [*found, Row("contacts overtaken by somebody beyond the bound", over, 0, float(over), "<= 0", over == 0)]


def drawn(random: np.random.Generator, routing: Routing) -> Day:
    """Draw a day's contacts; what they want and who may leave is drawn with them."""
    seconds = HOURS * 3600
    count = random.poisson(_BUSY * AGENTS * seconds / MEAN_SECONDS)
    # Two peaks, at a third and three quarters of the day, over an even stream.
    peaks = np.concatenate([random.normal(at * seconds, 2400, count // 6) for at in (0.33, 0.75)])
    came = np.sort(np.clip(np.concatenate([peaks, random.uniform(0, seconds, count - len(peaks))]), 0, seconds))
    takes = random.lognormal(np.log(MEAN_SECONDS) - 0.32, 0.8, count)
    tier = random.choice(len(TIERS), count, p=list(TIERS.values()))
    intents, leaving = random.choice([*routing.intents], count), random.random(count) < 0.2
    names = [*TIERS]
    head_start = [
        routing.route(
            {"value.tier": names[place], "worth_retaining": bool(may_leave), "high_value": bool(place < 2)},
            routing.intent(str(intent)), _START + timedelta(seconds=float(at)),
        ).head_start
        for place, intent, may_leave, at in zip(tier, intents, leaving, came, strict=True)
    ]  # fmt: skip
    return Day(came, takes, tier, np.array(head_start))


def waited(day: Day, order: Array) -> Array:
    """Serve a day's contacts by the smallest `order` of those that wait; returns each one's wait in seconds."""
    free = [0.0] * AGENTS
    waiting: list[tuple[float, int]] = []
    waits, coming = np.zeros(len(day.came)), 0
    while coming < len(day.came) or waiting:
        now = heapq.heappop(free)
        if not waiting and coming < len(day.came):
            now = max(now, float(day.came[coming]))
        while coming < len(day.came) and day.came[coming] <= now:
            heapq.heappush(waiting, (float(order[coming]), coming))
            coming += 1
        _, chosen = heapq.heappop(waiting)
        waits[chosen] = now - day.came[chosen]
        heapq.heappush(free, now + float(day.takes[chosen]))
    return waits


def _overtaken(day: Day, most: float) -> int:
    """Count the contacts that were served after one that came more than the bound later."""
    begun = day.came + waited(day, day.came - day.head_start)
    order = np.argsort(begun, kind="stable")
    newest = np.maximum.accumulate(day.came[order])
    return int((newest - day.came[order] > most + 1e-6).sum())


def _tail(waits: Array) -> float:
    return float(np.quantile(waits, 0.95))


def _beside(
    figure: str, waits: dict[str, list[Array]], days: list[Day], tier: int, summary: Callable[[Array], float],
    peer: str, most: float | None,
) -> Row:  # fmt: skip
    ours, theirs = (
        np.array([summary(wait[day.tier == tier]) for wait, day in zip(waits[name], days, strict=True)])
        for name in ("ours", peer)
    )
    ratio, (low, high) = float(ours.mean() / theirs.mean()), _interval(ours, theirs)
    holds = None if most is None else high < most
    said = f"{figure}, against {peer} (ratio {low:.2f} to {high:.2f})"
    return Row(said, float(ours.mean()), float(theirs.mean()), ratio, "none" if most is None else f"< {most:g}", holds)


def _interval(ours: Array, theirs: Array) -> tuple[float, float]:
    """Bound a ratio of means of pairs, at 95 %, by the delta method (Fieller's ratio to first order)."""
    ratio = ours.mean() / theirs.mean()
    spread = np.std(ours - ratio * theirs, ddof=1) / np.sqrt(len(ours)) / theirs.mean()
    return float(ratio - _Z * spread), float(ratio + _Z * spread)


if __name__ == "__main__":
    told = options(__doc__ or "").parse_args()
    say("Waiting in a simulated contact centre; lower is better", rows(), told.json)
