"""Many customers of the base at once, in the playbook's words: a column a word instead of a situation a customer."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from features.feature import Array
from serving.offers import NEXT, Offer
from serving.rankings import Chances
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
    "margin" or "revenue" before them. `chances` maps each item that was asked about to
    everybody's probability of buying it anyway; `likeliest` is each one's likeliest next purchase, "" where none is
    named, with how likely it is, and None unless it was asked about. `rows` are their features, (customers, features).
    `told` keeps what rules said, so that two playbooks tell what they share once.
    """

    customers: tuple[str, ...]
    column: Callable[[str], Column | None]
    tier: Coded
    risk: Array
    expected: Array
    costs: Mapping[str, Array]
    measure: str
    chances: Mapping[str, Array]
    likeliest: tuple[Coded, Array] | None
    rows: Array
    told: dict[Any, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.customers)

    @property
    def next_purchase(self) -> tuple[Coded, Array]:
        """Each one's likeliest next purchase and how likely it is, where it was asked about."""
        assert self.likeliest is not None
        return self.likeliest


def crowd_of(
    chunk: Chunk, stand_in: Scores, wordings: Mapping[str, Mapping[str, str]], offers: Iterable[Offer]
) -> Crowd:  # fmt: skip
    """Lay out a chunk of the base; `stand_in` are the scorer's for whoever has no history.

    Next purchases are ranked as far as the offers ask: whether their items are likely, and what is likeliest.
    """
    scored, count = chunk.scored, len(chunk.rows.customers)
    tier = Coded.of(scored["tier"].to_list())
    costs = {name: _numbers(scored[name]) for name in COSTS}
    # One customer's costs are all held or none are: the bundle's models say which.
    held = {name: cost for name, cost in costs.items() if count and not np.isnan(cost).any()}
    expected = _numbers(scored["expected_value"])

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

    chances, likeliest = _asked(chunk, stand_in, {offer.item for offer in offers} - {""})
    return Crowd(
        tuple(chunk.rows.customers), column, tier, _numbers(scored["churn_risk"]), expected, held,
        stand_in.value_measure, chances, likeliest, chunk.rows.values,
    )  # fmt: skip


def _asked(
    chunk: Chunk, stand_in: Scores, items: set[str]
) -> tuple[dict[str, Array], tuple[Coded, Array] | None]:  # fmt: skip
    """Tell how likely everybody buys some items; whose candidate one isn't, as likely as all customers."""
    named, first, count = items - {NEXT}, NEXT in items, len(chunk.rows.customers)
    unknown, nobody = np.full(count, np.nan), ([""] * count, np.full(count, np.nan))
    told = chunk.rankings.chances(named, first) if chunk.rankings else Chances(dict.fromkeys(named, unknown), nobody)
    shares = stand_in.population
    of = {item: _filled(chance, np.full(count, shares.get(item, 0.0))) for item, chance in told.of.items()}
    if told.likeliest is None:
        return of, None
    names, chance = told.likeliest
    return of, (Coded.of(names), _filled(chance, np.array([shares.get(item, 0.0) for item in names])))


def _filled(chance: Array, otherwise: Array) -> Array:
    return np.where(np.isnan(chance), otherwise, chance)


def _numbers(column: pl.Series) -> Array:
    return column.cast(pl.Float64).fill_null(float("nan")).to_numpy()
