"""The promise between a row and a model: which features, in which order, measured how."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt

from features.affinity import PAIR_DEFINITION
from features.batch import aggregate
from features.clock import microseconds
from features.definitions import FEATURES, NAMES
from features.errors import ContractError
from features.feature import Array, fingerprint
from features.formulas import Formulas
from features.history import Known
from features.online import OnlineAggregates
from features.packed import CustomerEvents


@dataclass(frozen=True)
class FeatureContract:
    """Ordered feature names and the hash of their definitions."""

    names: tuple[str, ...]
    definitions: str

    def check(self, other: "FeatureContract") -> None:
        """Refuse another contract, and say where it differs; this one is what the code defines.

        Raises ContractError.
        """
        if self == other:
            return
        missing = [name for name in other.names if name not in self.names]
        added = [name for name in self.names if name not in other.names]
        found = "; ".join(
            part
            for part in (
                f"it needs {', '.join(missing)}, which are no longer defined" if missing else "",
                f"it doesn't know {', '.join(added)}" if added else "",
                "" if missing or added else "the same names are measured or ordered differently",
            )
            if part
        )
        raise ContractError(f"expected a bundle trained under feature contract {self.definitions[:12]}, found "
                            f"{other.definitions[:12]}: {found}. Train again: holdfast train")  # fmt: skip


CONTRACT = FeatureContract(NAMES, fingerprint(FEATURES, PAIR_DEFINITION))
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

    def as_dict(self) -> dict[str, float | None]:
        """The row by name, with None where unknown."""
        return {
            name: None if np.isnan(value) else float(value) for name, value in zip(self.names, self.values, strict=True)
        }


@dataclass(frozen=True)
class FeatureMatrix:
    """The features of many customers at one moment; `values` has shape (customers, features)."""

    as_of: datetime
    customers: tuple[str, ...]
    values: Array

    def column(self, name: str) -> Array:
        """One feature of every customer."""
        column: Array = self.values[:, CONTRACT.names.index(name)]
        return column

    def keep(self, which: npt.NDArray[np.bool_]) -> "FeatureMatrix":
        """Keep some customers; `which` is a boolean array of their length."""
        places = np.flatnonzero(which)
        return FeatureMatrix(self.as_of, tuple(self.customers[place] for place in places), self.values[places])


def rows_of(known: Known) -> FeatureMatrix:
    """Compute every customer's row at the moment of what is known, in batch."""
    as_of = microseconds(known.as_of)
    customers, found = aggregate(known.events, as_of, _FORMULAS.aggregates)
    return FeatureMatrix(known.as_of, tuple(customers), _FORMULAS(as_of, found))


def row_of(events: CustomerEvents, as_of: datetime) -> FeatureRow:
    """Compute one customer's row at a moment, online."""
    at = microseconds(as_of)
    return FeatureRow(as_of, _FORMULAS(at, _ONLINE.evaluate(events, at))[0])
