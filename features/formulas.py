"""What a feature does with its aggregates: named formulas, evaluated for all features of one formula at once."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from math import hypot, nan, sqrt
from typing import Any

import numpy as np

from features.clock import DAY
from features.errors import ContractError
from features.events import SCALE
from features.feature import Array, Feature, needed

Operation = Callable[..., Any]
_ITSELF = "itself"
_HOURS = 24 / (2 * np.pi)


def ratio(above: Array, below: Array) -> Array:
    """Divide one by another; unknown where the second isn't above zero."""
    return above / np.where(below > 0, below, np.nan)


def _usual_hour(cosine: Array, sine: Array) -> Array:
    # The mean direction of hours on a circle (Mardia and Jupp, Directional Statistics, 2000, section 2.2).
    return np.where(np.hypot(cosine, sine) > 1.0, np.arctan2(sine, cosine) * _HOURS % 24, np.nan)


def _ratio_of_one(above: float, below: float) -> float:
    return above / below if below > 0 else nan


def _root_of_one(number: float) -> float:
    return sqrt(number) if number >= 0 else nan


def _usual_hour_of_one(cosine: float, sine: float) -> float:
    # The arc as for many: the standard library's may differ in its last digit.
    return float(np.arctan2(sine, cosine)) * _HOURS % 24 if hypot(cosine, sine) > 1.0 else nan


def _formulas(ratio: Operation, root: Operation, usual_hour: Operation) -> dict[str, Operation]:
    """Write down what features are made by, for arrays of one shape, or such that broadcast, or for plain numbers.

    Each takes the moment, the inputs in the feature's order, and the feature's constants. Only named formulas are
    allowed, so that a definition can be written down and hashed.
    """
    return {
        "exact": lambda as_of, a: a / SCALE,
        "days_since": lambda as_of, a: (as_of - a) / DAY,
        "ratio": lambda as_of, a, b: ratio(a, b),
        "exact_ratio": lambda as_of, a, b: ratio(a / SCALE, b),
        "difference": lambda as_of, a, b: a - b,
        "exact_difference": lambda as_of, a, b: (a - b) / SCALE,
        "days_between": lambda as_of, a, b: (b - a) / DAY,
        "trend": lambda as_of, recent, longer, short, long: ratio(recent / short, (longer - recent) / (long - short)),
        "gap_mean": lambda as_of, first, last, days: ratio(last - first, days - 1),
        # Before two days `first` and `last` are one or unknown, and so is this.
        # Whole numbers up to the one division, as the textbook's difference of squares loses digits on long, even gaps.
        "gap_spread": lambda as_of, first, last, days, squares: root(
            ratio((days - 1) * squares - (last - first) * (last - first), (days - 1) * (days - 2))
        ),
        "recency_share": lambda as_of, a, b: ratio(b - a, as_of - a),
        "discount_share": lambda as_of, a, b: ratio(a, a + b),
        "usual_hour": lambda as_of, cosine, sine: usual_hour(cosine, sine),
    }


# To be counted up when a formula or an operation comes to mean something else under its old name.
MEANING = 1
FORMULAS = _formulas(ratio, np.sqrt, _usual_hour)
_OF_ONE = _formulas(_ratio_of_one, _root_of_one, _usual_hour_of_one)
_NAMES = (_ITSELF, *FORMULAS)


@dataclass(frozen=True)
class _Group:
    """The features of one formula that can be evaluated together; `inputs` are slices of their stage's."""

    formula: str
    inputs: tuple[slice, ...]
    constants: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class _Stage:
    """The groups that rest on nothing of each other: where all their inputs are among what is known before."""

    groups: tuple[_Group, ...]
    inputs: tuple[int, ...]


class Formulas:
    """A plan to turn aggregates into features, made once; features that rest on others come after them.

    What is known begins with the aggregates; each stage adds its features to it.

    Raises ContractError when a feature names one that isn't declared before it, or a formula that there isn't.
    """

    def __init__(self, features: Sequence[Feature]) -> None:
        self.aggregates = needed(tuple(features))
        depths: dict[str, int] = {}
        grouped: dict[int, dict[str, list[Feature]]] = {}
        for feature in features:
            _check(feature, depths)
            depth = 1 + max((depths[part] for part in feature.inputs if isinstance(part, str)), default=-1)
            depths[feature.name] = depth
            grouped.setdefault(depth, {}).setdefault(feature.formula, []).append(feature)
        places: dict[object, int] = {part: place for place, part in enumerate(self.aggregates)}
        self._stages = [_stage(grouped[depth], places) for depth in sorted(grouped)]
        self._order, self._width = [places[feature.name] for feature in features], _width(places)

    def __call__(self, as_of: int, found: Array) -> Array:
        """Turn aggregates of shape (customers, aggregates) into values of shape (customers, features)."""
        known, count = np.empty((self._width, len(found))), len(self.aggregates)
        known[:count] = found.T
        for stage in self._stages:
            # All at once: to take a few takes as long as to take all.
            taken = known.take(stage.inputs, axis=0)
            for group in stage.groups:
                constants = (np.array(column)[:, None] for column in group.constants)
                told = FORMULAS[group.formula](float(as_of), *(taken[part] for part in group.inputs), *constants)
                known[count : count + len(told)] = told
                count += len(told)
        return known.take(self._order, axis=0).T

    def row(self, as_of: int, found: Array) -> Array:
        """Turn one customer's aggregates, shape (aggregates,), into values of shape (features,)."""
        # In plain numbers: most formulas have a handful of features, too few for arrays to be worth their overhead.
        known: list[float] = found.tolist()
        moments = repeat(float(as_of))
        for stage in self._stages:
            taken = [known[place] for place in stage.inputs]
            for group in stage.groups:
                inputs = [taken[part] for part in group.inputs]
                known += map(_OF_ONE[group.formula], moments, *inputs, *group.constants)
        return np.array([known[place] for place in self._order])


def _check(feature: Feature, known: dict[str, int]) -> None:
    if feature.formula not in _NAMES:
        raise ContractError(
            f"expected the formula of {feature.name} to be one of {', '.join(_NAMES)}; found {feature.formula!r}"
        )
    if feature.name in known:
        raise ContractError(f"expected one feature named {feature.name}, found two; rename one")
    for part in feature.inputs:
        if isinstance(part, str) and part not in known:
            raise ContractError(f"expected {feature.name} to rest on features declared before it; found {part!r}")


def _stage(grouped: dict[str, list[Feature]], places: dict[object, int]) -> _Stage:
    """Lay out a stage, and say where its features come to stand."""
    # What is an input itself stands there already.
    places.update({feature.name: places[feature.inputs[0]] for feature in grouped.pop(_ITSELF, [])})
    groups, inputs, before = list[_Group](), list[int](), _width(places)
    for formula, members in sorted(grouped.items()):
        columns = list(zip(*([places[part] for part in feature.inputs] for feature in members), strict=True))
        starts = range(len(inputs), len(inputs) + len(columns) * len(members), len(members))
        constants = tuple(zip(*(feature.constants for feature in members), strict=True))
        groups.append(_Group(formula, tuple(slice(start, start + len(members)) for start in starts), constants))
        inputs += [place for column in columns for place in column]
    names = [feature.name for _, members in sorted(grouped.items()) for feature in members]
    places.update(zip(names, range(before, before + len(names)), strict=True))
    return _Stage(tuple(groups), tuple(inputs))


def _width(places: Mapping[object, int]) -> int:
    return 1 + max(places.values(), default=-1)
