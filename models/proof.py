"""What a bundle said of made-up customers when it was written; whoever loads it sees by that whether it still does.

Nobody's data are in it: the customers are made up here, and the pairs of customer and item are plain numbers.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from features.affinity import PAIR_FEATURES
from features.clock import microseconds
from features.contract import row_of
from features.errors import RegistryError
from features.feature import Array
from features.looks import FETCHED
from features.packed import CustomerEvents, pack
from models.additive import Additive
from models.effects import Effect, Effects
from models.next_purchase import NextPurchaseModel
from models.ranks import Ranks, costs, risks, worths
from models.value import ValueModel

_AS_OF = datetime(2024, 3, 1, 12, tzinfo=UTC)
# Purchases, the days between two, and the days since the last.
_CUSTOMERS = ((1, 1, 3), (2, 60, 40), (6, 14, 9), (12, 30, 200), (30, 5, 1), (80, 3, 30))
_PAIRS = (0.0, 0.1, 0.5, 1.0, 3.0, 12.0, 90.0)
_TOLERANCE = 1e-9
_CENT = 100


@dataclass(frozen=True)
class Proof:
    """Rows of shape (n, features), pairs of shape (m, `PAIR_FEATURES`), and each answer by its name; NaN for none."""

    rows: Array
    pairs: Array
    answers: Mapping[str, Array]

    @classmethod
    def of(
        cls, churn: Additive | Ranks, value: ValueModel | Ranks, ranker: NextPurchaseModel | None, effects: Effects
    ) -> "Proof":  # fmt: skip
        """Ask models about the made-up customers."""
        rows = np.array([row_of(made_up(_AS_OF, *one), _AS_OF).values for one in _CUSTOMERS])
        pairs = np.outer(_PAIRS, np.ones(len(PAIR_FEATURES)))
        return cls(rows, pairs, _answers(rows, pairs, churn, value, ranker, effects))

    def check(
        self, churn: Additive | Ranks, value: ValueModel | Ranks, ranker: NextPurchaseModel | None, effects: Effects
    ) -> None:  # fmt: skip
        """Ask models again, about all at once and about each by itself, and compare to a billionth.

        Raises RegistryError when they answer otherwise, ContractError when they can't be asked about one.
        """
        found = _answers(self.rows, self.pairs, churn, value, ranker, effects)
        if found.keys() != self.answers.keys():
            raise RegistryError(_fault(f"answers of {', '.join(self.answers)}", ", ".join(found)))
        alone = [_answers_of_rows(row[None, :], churn, value, effects) for row in self.rows]
        for name, wanted in self.answers.items():
            _compare(name, wanted, found[name])
            if name in alone[0]:
                _compare(name, wanted, np.concatenate([one[name] for one in alone]))

    def as_dict(self) -> dict[str, Any]:
        """The proof for JSON."""
        answers = {name: _list(answer) for name, answer in self.answers.items()}
        return {"rows": [_list(row) for row in self.rows], "pairs": self.pairs.tolist(), "answers": answers}

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> "Proof":
        """Read what `as_dict` told."""
        answers = {name: _array(answer) for name, answer in told["answers"].items()}
        return cls(_array(told["rows"]), _array(told["pairs"]), answers)


def made_up(as_of: datetime, purchases: int = 1, gap_days: int = 1, since_days: int = 1) -> CustomerEvents:
    """Make up a customer who bought so often, at that distance, and last so long before a moment."""
    days = [since_days + gap_days * one for one in reversed(range(purchases))]
    return pack([_purchase(as_of - timedelta(days=ago), ago) for ago in days], as_of)


def _purchase(when: datetime, number: int) -> tuple[Any, ...]:
    moment, amount = microseconds(when), (10 + number % 50) * _CENT * _CENT
    plain = dict.fromkeys(("quantity", "margin", "discount", "utc_offset"), 0)
    event = plain | {"kind": "purchase", "channel": "store", "amount": amount}
    event |= {"occurred_at": moment, "recorded_at": moment}
    return tuple(event.get(name, "") for name in FETCHED)


def _answers(
    rows: Array, pairs: Array, churn: Additive | Ranks, value: ValueModel | Ranks, ranker: NextPurchaseModel | None,
    effects: Effects,
) -> dict[str, Array]:  # fmt: skip
    told = _answers_of_rows(rows, churn, value, effects)
    if ranker is not None:
        told["next_purchase"] = ranker.probabilities(pairs, ranker.rank(pairs))
    return told


def _answers_of_rows(
    rows: Array, churn: Additive | Ranks, value: ValueModel | Ranks, effects: Effects
) -> dict[str, Array]:  # fmt: skip
    told = dict(zip(("risk", "risk_rank"), risks(churn, rows), strict=True))
    told |= dict(zip(("value", "value_low", "value_high", "value_rank"), worths(value, rows), strict=True))
    told |= costs(value, rows)
    for name in ("wished", "staying"):
        told |= {f"{name} {offer}": _changed(effect, rows) for offer, effect in getattr(effects, name).items()}
    return told


def _compare(name: str, wanted: Array, found: Array) -> None:
    if not np.allclose(found, wanted, rtol=_TOLERANCE, atol=_TOLERANCE, equal_nan=True):
        raise RegistryError(_fault(f"{name} {_list(wanted)}", f"{_list(found)}"))


def _changed(effect: Effect, rows: Array) -> Array:
    change, _ = effect.change(rows, np.full(len(rows), 0.1), np.full(len(rows), 0.3))
    return change


def _fault(wanted: str, found: str) -> str:
    return f"expected of the bundle's made-up customers {wanted}; found {found}; train again: holdfast train"


def _list(numbers: Array) -> list[float | None]:
    return [None if np.isnan(number) else float(number) for number in numbers]


def _array(told: list[Any]) -> Array:
    return np.array(told, dtype=np.float64)
