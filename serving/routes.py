"""Routes for engineers: who goes where today, and which visits wait for tomorrow.

Two plans are made and the better one is taken: PyVRP's, which reaches the most, and that of giving each visit in turn
to whoever is there first, which makes the dearest wait least.

To PyVRP each visit left out costs what a day of its waiting costs, and a visit of a higher class outweighs all of the
lower ones; of routes that reach the same, the shorter is taken. Each route is then put into order by class.
"""

import importlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from features.errors import InputError
from serving.visit_policy import VisitPolicy
from serving.visits import Planned, Valued

MOST_ROUTED, ITERATIONS, SEED = 200, 500, 7
_HUNDREDTHS, _DEAREST = 100, 100_000
# A visit that fits is made, however far it is: it is worth more than any way, whose minutes cost a hundredth each.
_AT_LEAST = 10_000
_CLASS_STEP = 1_000


def routed(
    ordered: Sequence[Valued], travel: Sequence[Sequence[float]], places: Sequence[int], start: datetime,
    engineers: int, minutes: float, policy: VisitPolicy,
) -> list[Planned]:  # fmt: skip
    """Plan the routes of some engineers, each of at most so many minutes from the depot and back.

    `travel` holds minutes between the depot (0) and the visits, `places` each visit's row in it. The same inputs give
    the same routes: the search is bounded by its steps. What isn't reached today comes last, in the order given.

    Raises InputError when PyVRP isn't there.
    """
    pyvrp = _library()
    model = pyvrp.Model()
    locations = [model.add_location(0, 0) for _ in travel]
    depot = model.add_depot(locations[0])
    model.add_vehicle_type(
        engineers, start_depot=depot, end_depot=depot, shift_duration=round(minutes), unit_distance_cost=1,
    )  # fmt: skip
    for place, one in zip(places, ordered, strict=True):
        prize = _prize(one, len(policy.classes))
        model.add_client(locations[place], service_duration=round(one.minutes), prize=prize, required=False)
    for row, from_here in zip(locations, travel, strict=True):
        for column, taken in zip(locations, from_here, strict=True):
            model.add_edge(row, column, distance=round(taken), duration=round(taken))
    steps = importlib.import_module("pyvrp.stop").MaxIterations(ITERATIONS)
    routes = model.solve(steps, seed=SEED, display=False).best.routes()
    visits = [[stop.idx for stop in route if stop.is_client()] for route in routes]
    plans = (
        _timed(ordered, travel, places, start, minutes, visits),
        _timed(ordered, travel, places, start, minutes, _in_turn(ordered, travel, places, engineers, minutes)),
    )
    return min(plans, key=lambda plan: _cost(plan, start, len(policy.classes)))


def _library() -> Any:
    try:
        return importlib.import_module("pyvrp")
    except ImportError as error:
        raise InputError(
            "expected PyVRP to plan routes by travel_minutes, found that it isn't installed; add the extra `field`:"
            " pip install pyvrp, or leave travel_minutes out"
        ) from error


def _prize(one: Valued, classes: int) -> int:
    """What a day of waiting costs, in hundredths, above whatever all visits of lower classes come to."""
    rank = classes - 1 - one.service_class.place
    above: int = 2 * _DEAREST * _CLASS_STEP ** min(rank, 3) if rank else 0
    return above + min(round(24 * one.cost_per_hour * _HUNDREDTHS), _DEAREST) + _AT_LEAST


def _in_turn(
    ordered: Sequence[Valued], travel: Sequence[Sequence[float]], places: Sequence[int], engineers: int, minutes: float
) -> list[list[int]]:
    """Give each visit in turn to the engineer who is there first; leave out what nobody can make in time."""
    free, at, routes = [0.0] * engineers, [0] * engineers, [list[int]() for _ in range(engineers)]
    for visit, (one, place) in enumerate(zip(ordered, places, strict=True)):
        arrives = [passed + travel[here][place] for passed, here in zip(free, at, strict=True)]
        first = arrives.index(min(arrives))
        if arrives[first] + one.minutes + travel[place][0] <= minutes:
            routes[first].append(visit)
            free[first], at[first] = arrives[first] + one.minutes, place
    return routes


def _cost(plan: Sequence[Planned], start: datetime, classes: int) -> tuple[int | float, ...]:
    """Rank a plan: by the visits it leaves out, the highest class first, then by what waiting costs."""
    left, waiting = [0] * classes, 0.0
    for one in plan:
        begins = one.begins_at or start + timedelta(days=1)
        waiting += (begins - start).total_seconds() / 3600 * one.valued.cost_per_hour
        left[one.valued.service_class.place] += one.begins_at is None
    return (*left[:-1], waiting)


def _timed(
    ordered: Sequence[Valued], travel: Sequence[Sequence[float]], places: Sequence[int], start: datetime,
    minutes: float, routes: Sequence[Sequence[int]],
) -> list[Planned]:  # fmt: skip
    planned: dict[int, Planned] = {}
    for engineer, route in enumerate(routes, start=1):
        passed, at = 0.0, 0
        for visit in sorted(route, key=lambda visit: ordered[visit].service_class.place):
            one, here = ordered[visit], places[visit]
            begins = passed + travel[at][here]
            # Put into order by class a route may have grown longer: what no longer fits waits.
            if begins + one.minutes + travel[here][0] <= minutes:
                planned[visit] = Planned(one, engineer, start + timedelta(minutes=begins))
                passed, at = begins + one.minutes, here
    today = sorted(planned, key=lambda visit: (ordered[visit].service_class.place, planned[visit].begins_at))
    return [planned[visit] for visit in today] + [
        Planned(one) for visit, one in enumerate(ordered) if visit not in planned
    ]
