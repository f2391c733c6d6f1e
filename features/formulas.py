"""What a feature does with its aggregates: named formulas, evaluated for all features of one formula at once."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from features.clock import DAY
from features.errors import ContractError
from features.events import SCALE
from features.feature import Array, Feature, needed

Places = npt.NDArray[np.int64]


def ratio(above: Array, below: Array) -> Array:
    """Divide one by another; unknown where the second isn't above zero."""
    return above / np.where(below > 0, below, np.nan)


def _trend(recent: Array, longer: Array, recent_days: Array, longer_days: Array) -> Array:
    return ratio(recent / recent_days, np.maximum(longer - recent, 0.0) / (longer_days - recent_days))


def _gap_mean(first: Array, last: Array, days: Array) -> Array:
    return ratio(last - first, days - 1)


def _gap_spread(first: Array, last: Array, days: Array, squares: Array) -> Array:
    # Whole numbers up to the one division: the textbook's difference of squares would lose digits on long, even gaps.
    gaps = days - 1
    return np.sqrt(ratio(gaps * squares - (last - first) ** 2, np.where(gaps > 1, gaps * (gaps - 1), np.nan)))


def _usual_hour(cosine: Array, sine: Array) -> Array:
    # The mean direction of hours on a circle (Mardia and Jupp, Directional Statistics, 2000, section 2.2).
    hour = np.arctan2(sine, cosine) * (24 / (2 * np.pi)) % 24
    return np.where(np.hypot(cosine, sine) > 1.0, hour, np.nan)


# To be counted up when a formula or an operation comes to mean something else under its old name.
MEANING = 1
# Each takes the moment, the inputs in the feature's order, and the feature's constants; arrays are of one shape, or
# broadcast to it. Only named formulas are allowed, so that a definition can be written down and hashed.
FORMULAS: dict[str, Callable[..., Array]] = {
    "itself": lambda as_of, a: a,
    "exact": lambda as_of, a: a / SCALE,
    "days_since": lambda as_of, a: (as_of - a) / DAY,
    "ratio": lambda as_of, a, b: ratio(a, b),
    "exact_ratio": lambda as_of, a, b: ratio(a / SCALE, b),
    "difference": lambda as_of, a, b: a - b,
    "exact_difference": lambda as_of, a, b: (a - b) / SCALE,
    "days_between": lambda as_of, a, b: (b - a) / DAY,
    "trend": lambda as_of, a, b, short, long: _trend(a, b, short, long),
    "gap_mean": lambda as_of, a, b, c: _gap_mean(a, b, c),
    "gap_spread": lambda as_of, a, b, c, d: _gap_spread(a, b, c, d),
    "recency_share": lambda as_of, a, b: ratio(b - a, as_of - a),
    "discount_share": lambda as_of, a, b: ratio(a, a + b),
    "usual_hour": lambda as_of, a, b: _usual_hour(a, b),
}


@dataclass(frozen=True)
class _Group:
    """The features of one formula that can be evaluated together; `inputs` are slices of their stage's."""

    formula: Callable[..., Array]
    inputs: tuple[slice, ...]
    constants: tuple[Array, ...]


@dataclass(frozen=True)
class _Stage:
    """The groups that rest on nothing of each other: where all their inputs are, and where their outputs go."""

    groups: tuple[_Group, ...]
    inputs: Places
    outputs: Places


class Formulas:
    """A plan to turn aggregates into features, made once; features that rest on others come after them.

    Raises ContractError when a feature names one that isn't declared before it, or a formula that there isn't.
    """

    def __init__(self, features: Sequence[Feature]) -> None:
        self.aggregates = needed(tuple(features))
        self._count = len(features)
        places: dict[object, int] = {part: place for place, part in enumerate(self.aggregates)}
        depths: dict[str, int] = {}
        grouped: dict[int, dict[str, list[Feature]]] = {}
        for place, feature in enumerate(features):
            _check(feature, depths)
            depth = 1 + max((depths[part] for part in feature.inputs if isinstance(part, str)), default=-1)
            depths[feature.name] = depth
            places[feature.name] = len(self.aggregates) + place
            grouped.setdefault(depth, {}).setdefault(feature.formula, []).append(feature)
        self._stages = [_stage(grouped[depth], places) for depth in sorted(grouped)]

    def __call__(self, as_of: int, found: Array) -> Array:
        """Turn aggregates of shape (customers, aggregates) into values of shape (customers, features)."""
        return self._filled(as_of, np.ascontiguousarray(found.T)).T

    def row(self, as_of: int, found: Array) -> Array:
        """Turn one customer's aggregates, shape (aggregates,), into values of shape (features,)."""
        return self._filled(as_of, found)

    def _filled(self, as_of: int, found: Array) -> Array:
        count = len(self.aggregates)
        working = np.empty((count + self._count, *found.shape[1:]))
        working[:count] = found
        for stage in self._stages:
            # All at once: to take a few takes as long as to take all.
            taken = working.take(stage.inputs, axis=0)
            told = []
            for group in stage.groups:
                constants = group.constants if found.ndim == 1 else [column[:, None] for column in group.constants]
                told.append(group.formula(float(as_of), *(taken[part] for part in group.inputs), *constants))
            working[stage.outputs] = np.concatenate(told)
        return working[count:]


def _check(feature: Feature, known: dict[str, int]) -> None:
    if feature.formula not in FORMULAS:
        raise ContractError(
            f"expected the formula of {feature.name} to be one of {', '.join(FORMULAS)}; found {feature.formula!r}"
        )
    if feature.name in known:
        raise ContractError(f"expected one feature named {feature.name}, found two; rename one")
    for part in feature.inputs:
        if isinstance(part, str) and part not in known:
            raise ContractError(f"expected {feature.name} to rest on features declared before it; found {part!r}")


def _stage(grouped: Mapping[str, Sequence[Feature]], places: Mapping[object, int]) -> _Stage:
    groups, inputs, outputs = list[_Group](), list[int](), list[int]()
    for formula, members in sorted(grouped.items()):
        columns = list(zip(*([places[part] for part in feature.inputs] for feature in members), strict=True))
        starts = range(len(inputs), len(inputs) + len(columns) * len(members), len(members))
        constants = zip(*(feature.constants for feature in members), strict=True)
        groups.append(
            _Group(
                FORMULAS[formula],
                tuple(slice(start, start + len(members)) for start in starts),
                tuple(np.array(column, dtype=np.float64) for column in constants),
            )
        )
        inputs += [place for column in columns for place in column]
        outputs += [places[feature.name] for feature in members]
    return _Stage(tuple(groups), np.array(inputs, dtype=np.int64), np.array(outputs, dtype=np.int64))
