"""Many customers of the base at once, in the playbook's words: a column a word instead of a situation a customer."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from features.feature import Array
from serving.scorer import Chunk
from serving.scores import COSTS, Scores
from serving.situation import SCORES

Codes = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Coded:
    """A column of few values, such as texts, yes or no, and None: the place of each customer's among `values`."""

    codes: Codes
    values: tuple[Any, ...]

    @classmethod
    def same(cls, value: Any, count: int) -> "Coded":
        """Give everybody one value."""
        return cls(np.zeros(count, dtype=np.int64), (value,))

    @classmethod
    def of(cls, told: Sequence[Any]) -> "Coded":
        """Code what was told of each customer.

        >>> Coded.of(["a", None, "a"]).codes.tolist()
        [0, 1, 0]
        """
        places: dict[Any, int] = {}
        codes = np.array([places.setdefault(one, len(places)) for one in told], dtype=np.int64)
        return cls(codes, tuple(places))


# Numbers, NaN where unknown; or what is coded.
Column = Array | Coded


@dataclass(frozen=True, eq=False)
class Crowd:
    """Some customers: a column of each word, and what money is counted by; arrays have a place a customer.

    `column` gives a base word's column, terms and conversation left out; None where nobody has it. `risk` and
    `expected` are NaN where unknown, `costs` those that are held, by name, and `measure` says whether `expected` is
    "margin" or "revenue" before them. `likeliest` is each one's likeliest next purchase, "" where none is named, and
    `likeliest_chance` how likely it is; `chances` maps an item to everybody's probability of buying it anyway. `rows`
    are their features, (customers, features). `told` keeps what rules said, so that two playbooks tell what they share
    once.
    """

    customers: tuple[str, ...]
    column: Callable[[str], Column | None]
    tier: Coded
    risk: Array
    expected: Array
    costs: Mapping[str, Array]
    measure: str
    likeliest: Coded
    likeliest_chance: Array
    chances: Callable[[str], Array]
    rows: Array
    told: dict[Any, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.customers)


def crowd_of(chunk: Chunk, stand_in: Scores, wordings: Mapping[str, Mapping[str, str]]) -> Crowd:
    """Lay out a chunk of the base; `stand_in` are the scorer's for whoever has no history."""
    scored, count = chunk.scored, len(chunk.rows.customers)
    tier = Coded.of(scored["tier"].to_list())
    costs = {name: _numbers(scored[name]) for name in COSTS}
    # One customer's costs are all held or none are: the bundle's models say which.
    held = {name: cost for name, cost in costs.items() if count and not np.isnan(cost).any()}
    expected = _numbers(scored["expected_value"])
    ranked = [chunk.ranked[one] for one in chunk.rows.customers] if chunk.ranked else []
    likeliest = [one.likely[0].item if one.likely else "" for one in ranked] or _first_of(stand_in, count)
    every = [one.chances for one in ranked] or [stand_in.chances] * count

    def column(word: str) -> Column | None:
        group, _, name = word.partition(".")
        if group == "features":
            return chunk.rows.column(name)
        if group == "attributes":
            return Coded.of([wordings.get(one, {}).get(name) for one in chunk.rows.customers])
        if word == "value.tier":
            return tier
        fixed = {"churn.horizon_days": stand_in.horizon_days, "churn.active_days": stand_in.active_days}
        if word in fixed:
            return Coded.same(fixed[word], count)
        return _numbers(scored[SCORES[word]]) if word in SCORES else None

    def chances(item: str) -> Array:
        anyway = stand_in.population.get(item, 0.0)
        return np.array([told.get(item, anyway) for told in every], dtype=np.float64)

    return Crowd(
        tuple(chunk.rows.customers), column, tier, _numbers(scored["churn_risk"]), expected, held,
        stand_in.value_measure, Coded.of(likeliest), _chances(likeliest, every, stand_in), chances, chunk.rows.values,
    )  # fmt: skip


def _chances(items: Sequence[str], every: Sequence[Mapping[str, float]], stand_in: Scores) -> Array:
    """Tell each customer's chance of one item."""
    pairs = zip(items, every, strict=True)
    return np.array([told.get(item, stand_in.population.get(item, 0.0)) for item, told in pairs], dtype=np.float64)


def _first_of(scores: Scores, count: int) -> list[str]:
    return [scores.next_purchases[0].item if scores.next_purchases else ""] * count


def _numbers(column: pl.Series) -> Array:
    return column.cast(pl.Float64).fill_null(float("nan")).to_numpy()
