"""The promise between a row and a model: which features, in which order, measured how."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import cached_property
from itertools import zip_longest
from math import isnan
from typing import Any

import numpy as np
import numpy.typing as npt

from features.affinity import PAIR_DEFINITION
from features.batch import aggregate
from features.clock import microseconds
from features.definitions import FEATURES, NAMES
from features.errors import ContractError
from features.feature import Array, fingerprint
from features.formulas import MEANING, Formulas
from features.known import Known
from features.online import OnlineAggregates
from features.packed import CustomerEvents


@dataclass(frozen=True)
class FeatureContract:
    """Ordered feature names, each one's unit and the hash of its definition, and the hash of how items are measured."""

    names: tuple[str, ...]
    units: tuple[str, ...]
    hashes: tuple[str, ...]
    items: str

    @cached_property
    def definitions(self) -> str:
        """The hash of the whole contract."""
        return fingerprint([self.names, self.units, self.hashes, self.items])

    @cached_property
    def places(self) -> dict[str, int]:
        """Where each feature stands in a row."""
        return {name: place for place, name in enumerate(self.names)}

    def as_dict(self) -> dict[str, Any]:
        """The contract as JSON values, its hash with it."""
        return {**asdict(self), "definitions": self.definitions}

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> "FeatureContract":
        """Undo `as_dict`."""
        names, units, hashes = (tuple(told.get(part, ())) for part in ("names", "units", "hashes"))
        return cls(names, units, hashes, told.get("items", ""))

    def check(self, other: "FeatureContract") -> None:
        """Refuse another contract, and say where it differs; this one is what the code defines.

        Raises ContractError.
        """
        if self != other:
            raise ContractError(
                f"expected a bundle trained under feature contract {self.definitions[:12]}, found "
                f"{other.definitions[:12]}: {'; '.join(self._differences(other))}. Train again: holdfast train"
            )

    def _differences(self, other: "FeatureContract") -> Iterator[str]:
        mine, theirs = self._by_name(), other._by_name()
        if missing := [name for name in other.names if name not in mine]:
            yield f"it needs {', '.join(missing)}, which are no longer defined"
        if added := [name for name in self.names if name not in theirs]:
            yield f"it doesn't know {', '.join(added)}"
        if changed := [name for name in self.names if name in theirs and theirs[name] != mine[name]]:
            yield f"it measured {', '.join(changed)} differently"
        if set(mine) == set(theirs) and self.names != other.names:
            yield "it has the features in another order"
        if self.items != other.items:
            yield "it measured items differently"
        if len({len(other.names), len(other.units), len(other.hashes)}) > 1:
            yield "its manifest doesn't tell a unit and a hash for each feature"

    def _by_name(self) -> dict[str, tuple[str, ...]]:
        return dict(zip(self.names, zip_longest(self.units, self.hashes), strict=False))


CONTRACT = FeatureContract(
    NAMES,
    tuple(feature.unit for feature in FEATURES),
    tuple(fingerprint([MEANING, *feature.definition()]) for feature in FEATURES),
    fingerprint(PAIR_DEFINITION),
)
_FORMULAS = Formulas(FEATURES)
_ONLINE = OnlineAggregates(_FORMULAS.aggregates)


@dataclass(frozen=True)
class FeatureRow:
    """One customer's features at a moment; `values` has shape (features,), NaN where unknown."""

    as_of: datetime
    values: Array

    @property
    def names(self) -> tuple[str, ...]:
        """The features, in the contract's order."""
        return CONTRACT.names

    @cached_property
    def told(self) -> list[float | None]:
        """The values, with None where unknown."""
        return told_of(self.values)

    def as_dict(self) -> dict[str, float | None]:
        """The row by name, with None where unknown."""
        return dict(zip(self.names, self.told, strict=True))


@dataclass(frozen=True)
class FeatureMatrix:
    """The features of many customers at one moment; `values` has shape (customers, features)."""

    as_of: datetime
    customers: tuple[str, ...]
    values: Array

    def column(self, name: str) -> Array:
        """One feature of every customer."""
        column: Array = self.values[:, CONTRACT.places[name]]
        return column

    def keep(self, which: npt.NDArray[np.bool_]) -> "FeatureMatrix":
        """Keep some customers; `which` is a boolean array of their length."""
        places = np.flatnonzero(which)
        return FeatureMatrix(self.as_of, tuple(self.customers[place] for place in places), self.values[places])


def told_of(values: Array) -> list[float | None]:
    """List a row's values, of shape (features,), with None where unknown."""
    return [None if isnan(value) else value for value in values.tolist()]


def rows_of(known: Known) -> FeatureMatrix:
    """Compute every customer's row at the moment of what is known, in batch."""
    as_of = microseconds(known.as_of)
    customers, found = aggregate(known.events, as_of, _FORMULAS.aggregates)
    return FeatureMatrix(known.as_of, tuple(customers), _FORMULAS(as_of, found))


def row_of(events: CustomerEvents, as_of: datetime) -> FeatureRow:
    """Compute one customer's row at a moment, online."""
    at = microseconds(as_of)
    return FeatureRow(as_of, _FORMULAS.row(at, _ONLINE.evaluate(events, at)))


def values_of(customers: Sequence[CustomerEvents], as_of: datetime) -> Array:
    """Compute many customers' rows at a moment, online, of shape (customers, features); the same as one by one."""
    at = microseconds(as_of)
    found = [_ONLINE.evaluate(events, at) for events in customers]
    return _FORMULAS(at, np.array(found).reshape(len(found), len(_FORMULAS.aggregates)))
