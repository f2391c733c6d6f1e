"""Visits, on simulated days: ours beside first-come and promise-only orders: `python -m benchmarks.visits [--json]`.

Each way orders the very same visits and gives each in turn to the engineer who is free first; with travel, to the one
who is there first. Kinds, classes and penalties are those of the playbook. Intervals are over days.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.deciding import opened
from benchmarks.lookups import frozen
from benchmarks.report import Row, options, say
from benchmarks.timing import seconds, within
from features.definitions import NAMES
from features.feature import Array
from features.home import home
from serving.playbook import Playbook, load_playbook
from serving.requests import Visit
from serving.routes import routed
from serving.scores import Scores, Worth
from serving.visits import Planned, Valued, in_order, scheduled, value

DAYS, VISITS, ENGINEERS, MINUTES = 24, 60, 8, 600.0
_NOW = datetime(2024, 1, 2, 8, tzinfo=UTC)
_CLASSES = {"safety": 0.03, "urgent": 0.17, "standard": 0.5, "none": 0.3}
_KINDS = {"repair": 0.4, "installation": 0.25, "inspection": 0.25, "other": 0.1}
_MOST_MILLISECONDS = 50.0
_Z = 1.96


@dataclass(frozen=True)
class Outcome:
    """What a day came to: the currency that waiting cost, and the promises of safety and urgent visits broken."""

    cost: float
    broken: int


def rows() -> list[Row]:
    """Order the same days by each way, and set what waiting cost side by side; then time a call."""
    playbook = load_playbook(home().playbook, NAMES)
    days = [drawn(np.random.default_rng(seed), playbook) for seed in range(DAYS)]
    ways: dict[str, Callable[[list[Valued]], list[Valued]]] = {
        "ours": lambda day: in_order(day, _NOW),
        "first-come": lambda day: sorted(day, key=lambda one: (one.visit.requested_at or _NOW, one.visit.visit_id)),
        "earliest promise": lambda day: sorted(day, key=lambda one: (one.due_at or datetime.max.replace(tzinfo=UTC),)),
    }
    plain = {
        name: [outcome(scheduled(way(day), _NOW, ENGINEERS), playbook) for day in days] for name, way in ways.items()
    }
    found = [
        _beside(f"cost of waiting a day, USD, against {peer}", plain["ours"], plain[peer], lambda one: one.cost)
        for peer in ("first-come", "earliest promise")
    ]
    for peer in ("first-come", "earliest promise"):
        ours, theirs = (sum(one.broken for one in plain[name]) for name in ("ours", peer))
        ratio = ours / theirs if theirs else float(ours)
        found.append(
            Row(f"safety and urgent promises broken, against {peer}", ours, theirs, ratio, "<= 1", ours <= theirs)
        )
    return [*found, *_with_travel(days, ways, playbook), *_speed()]


def drawn(random: np.random.Generator, playbook: Playbook) -> list[Valued]:
    """Draw a day's visits, asked for over the last five days; values have a long tail."""
    made = []
    for number in range(VISITS):
        name, kind = (str(random.choice([*shares], p=[*shares.values()])) for shares in (_CLASSES, _KINDS))
        worth = float(random.lognormal(4.0, 1.2))
        risk = float(random.beta(1.2, 6))
        scores = Scores(risk, worth, 0.0, 2 * worth, "margin", Worth("margin", worth), "base", (), 28, 56)
        since = _NOW - timedelta(hours=float(random.exponential(30)))
        visit = Visit(visit_id=f"{number:03}", customer="simulated", requested_at=since, kind=kind, service_class=name)
        made.append(value(visit, "simulated", True, scores, playbook.visits, playbook.glossary.assumptions, _NOW))
    return made


def outcome(planned: Sequence[Planned], playbook: Playbook) -> Outcome:
    """Count what waiting cost until each visit began: of the customer's worth, and the penalty since the promise broke.

    What isn't reached waits a day.
    """
    cost, broken = 0.0, 0
    for one in planned:
        begins, visit = one.begins_at or _NOW + timedelta(days=1), one.valued
        hours = (begins - _NOW).total_seconds() / 3600
        overdue = (begins - max(visit.due_at, _NOW)).total_seconds() / 3600 if visit.due_at else 0.0
        penalty = visit.service_class.penalty_per_hour
        cost += hours * _growth(visit, playbook) + max(overdue, 0.0) * penalty
        broken += overdue > 0 and visit.service_class.place <= 1 and not visit.overdue
    return Outcome(cost, broken)


def _growth(one: Valued, playbook: Playbook) -> float:
    """What an hour costs of the customer's worth alone, with no promise in it."""
    visit = replace(one.visit, service_class=None, due_at=None, requested_at=None)
    return value(
        visit, one.customer, True, one.scores, playbook.visits, playbook.glossary.assumptions, _NOW
    ).cost_per_hour


def _with_travel(
    days: list[list[Valued]], ways: dict[str, Callable[[list[Valued]], list[Valued]]], playbook: Playbook
) -> list[Row]:
    """Plan routes for the same days with travel; the peers' orders go to whichever engineer is there first."""
    outcomes: dict[str, list[Outcome]] = {name: [] for name in ways}
    for seed, day in enumerate(days[: DAYS // 2]):
        travel = _travel(np.random.default_rng(1_000 + seed), len(day))
        row = {one.visit.visit_id: place for place, one in enumerate(day, start=1)}
        for name, way in ways.items():
            ordered = way(day)
            places = [row[one.visit.visit_id] for one in ordered]
            if name == "ours":
                planned = routed(ordered, travel.tolist(), places, _NOW, ENGINEERS, MINUTES, playbook.visits)
            else:
                planned = _greedy(ordered, travel, places)
            outcomes[name].append(outcome(planned, playbook))
    return [
        _beside(
            f"cost of waiting with travel, USD, against {peer}", outcomes["ours"], outcomes[peer], lambda one: one.cost
        )
        for peer in ("first-come", "earliest promise")
    ]


def _travel(random: np.random.Generator, visits: int) -> Array:
    """Minutes between places in a square of an hour's drive, the depot in its middle."""
    places = np.vstack([[30.0, 30.0], random.uniform(0, 60, (visits, 2))])
    apart = np.hypot(*(places[:, None, :] - places[None, :, :]).transpose(2, 0, 1))
    return np.asarray(np.round(apart))


def _greedy(ordered: Sequence[Valued], travel: Array, places: Sequence[int]) -> list[Planned]:
    free, at, planned = [0.0] * ENGINEERS, [0] * ENGINEERS, []
    for one, place in zip(ordered, places, strict=True):
        arrives = [free[engineer] + travel[at[engineer], place] for engineer in range(ENGINEERS)]
        first = int(np.argmin(arrives))
        if arrives[first] + one.minutes + travel[place, 0] > MINUTES:
            planned.append(Planned(one))
            continue
        planned.append(Planned(one, first + 1, _NOW + timedelta(minutes=float(arrives[first]))))
        free[first], at[first] = float(arrives[first] + one.minutes), place
    return planned


def _beside(figure: str, ours: list[Outcome], peer: list[Outcome], take: Callable[[Outcome], float]) -> Row:
    mine, theirs = (np.array([take(one) for one in some]) for some in (ours, peer))
    ratio = float(mine.mean() / theirs.mean())
    spread = float(np.std(mine - ratio * theirs, ddof=1) / np.sqrt(len(mine)) / theirs.mean())
    low, high = ratio - _Z * spread, ratio + _Z * spread
    said = f"{figure} (ratio {low:.2f} to {high:.2f})"
    return Row(said, float(mine.mean()), float(theirs.mean()), ratio, "< 1", high < 1)


def _speed() -> list[Row]:
    """Time one call of 500 visits to customers whose events are known and packed."""
    with TemporaryDirectory() as folder, opened(Path(folder) / "visits", 50) as (desk, customers):
        names = customers.names
        visits = [Visit(visit_id=str(number), customer=names[number % len(names)]) for number in range(500)]
        desk.prioritise(visits)
        with frozen():
            times = [1000 * seconds(lambda: desk.prioritise(visits)) for _ in range(20)]
    said = f"500 visits to {len(names)} simulated customers in one call, median, ms"
    return [within(said, median(times), _MOST_MILLISECONDS)]


if __name__ == "__main__":
    told = options(__doc__ or "").parse_args()
    say("Service visits on simulated days; lower is better", rows(), told.json)
