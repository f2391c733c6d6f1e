"""From a row to scores: one customer in the middle of a call, or the whole base at once."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from functools import cached_property
from itertools import repeat
from math import isnan
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from features.consent import objectors, objects
from features.contract import CONTRACT, FeatureMatrix, FeatureRow, row_of, rows_of, values_of
from features.definitions import BY_NAME
from features.feature import Array
from features.known import Known
from features.packed import CustomerEvents, pack_all
from models.additive import Additive
from models.bundle import Bundle, Models
from models.population import Active
from models.ranks import Ranks, costs, risks, worths
from serving.ranking import Ranked, Ranker
from serving.rankings import Rankings, rankings
from serving.scores import COSTS, NEWCOMER, OBJECTED, NextPurchase, Reason, Scores, Worth
from serving.tiers import Tiers, record_of, records_of

REASONS = 3
_AT_ONCE = 5_000
_RECENCY = CONTRACT.names.index("days_since_purchase")
_PURCHASES = pl.List(pl.Struct({"item": pl.String, "probability": pl.Float64}))


@dataclass(frozen=True)
class Chunk:
    """Some customers of the base: their rows, their scores as a frame, and what they may buy next, if it is ranked.

    `objecting` are the customers who asked not to be profiled: those of the base, not of these alone.
    """

    rows: FeatureMatrix
    scored: pl.DataFrame
    rankings: Rankings | None
    objecting: frozenset[str] = frozenset()

    @cached_property
    def ranked(self) -> list[Ranked]:
        """Each customer's ranked next purchases; empty where none are ranked."""
        return list(self.rankings.each()) if self.rankings else []

    @property
    def listed(self) -> pl.DataFrame:
        """The scores with the likeliest next purchases beside them, and those of items not bought before."""
        columns = {
            "next_purchases": [_listed(one.likely) for one in self.ranked],
            "new_purchases": [_listed(one.new) for one in self.ranked],
        }
        none: list[Any] = [[]] * len(self.scored)
        added = [pl.Series(name, lists or none, dtype=_PURCHASES) for name, lists in columns.items()]
        return self.scored.with_columns(added)


class Scorer:
    """A loaded bundle, ready to score."""

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle
        self._models = bundle.models
        self._horizon = bundle.manifest["horizon"]
        self._active = Active(**bundle.manifest["active"])
        self.tiers = Tiers.read(bundle.manifest)
        self._ranker = Ranker(bundle.models.next_purchase) if bundle.models.next_purchase else None
        self.default = _ranks_only(self._newcomer(), self._models)
        self._defaults = {one.name: getattr(self.default, one.name) for one in fields(self.default)}

    @property
    def bundle_hash(self) -> str:
        """The bundle's hash, which covers every file of it."""
        return self.bundle.hash

    @property
    def bundle_version(self) -> str:
        """The bundle's version in the registry."""
        return self.bundle.version

    @property
    def level(self) -> str:
        """The catalogue level of next purchases, or "" when the history names no products."""
        return str(self.bundle.manifest["level"])

    def score(self, events: CustomerEvents, as_of: datetime, whole: bool = True) -> tuple[Scores, FeatureRow]:
        """Score one customer from packed events; returns the row that the scores rest on, too.

        Without `whole`, risk and value come alone: no next purchases, no reasons, at a third of the cost. Of whoever
        asked not to be profiled nothing is used: they score as somebody of whom nothing is known.
        """
        row = row_of(events, as_of)
        if objects(events):
            return self._scores({"note": OBJECTED, **self._ranking(pack_all([]), as_of)}), row
        if row.told[_RECENCY] is None:
            return self._scores(self._ranking(events, as_of)), row
        values = row.values[None, :]
        (told,) = self._valued(values, [events])
        if whole:
            risky = told["churn_risk"] is not None or told["churn_rank"] is not None
            told |= self._ranking(events, as_of) | self._reasons(row, values, risky)
        return self._scores(told), row

    def score_many(self, customers: Sequence[CustomerEvents], as_of: datetime) -> list[Scores]:
        """Score many customers from packed events; the same numbers as one by one, risk and expected value alone."""
        values = values_of(customers, as_of)
        objecting = np.fromiter(map(objects, customers), dtype=bool, count=len(customers))
        bought = np.flatnonzero(~np.isnan(values[:, _RECENCY]) & ~objecting).tolist()
        scores = [self._scores({"note": OBJECTED}) if one else self.default for one in objecting.tolist()]
        told_of_each = self._valued(values[bought], [customers[one] for one in bought], ends=False)
        for place, told in zip(bought, told_of_each, strict=True):
            scores[place] = self._scores(told)
        return scores

    def _scores(self, told: Mapping[str, Any]) -> Scores:
        return Scores(**{**self._defaults, **told})

    def _valued(
        self, values: Array, customers: Sequence[CustomerEvents], ends: bool = True
    ) -> Iterator[dict[str, Any]]:  # fmt: skip
        """Tell risk and value of customers who have bought, from rows of shape (customers, features)."""
        active = self._active.holds(values).tolist()
        parts = (*risks(self._models.churn, values), *worths(self._models.value, values, ends))
        known = zip(*(map(_told, part.tolist()) for part in parts), strict=True)
        spent = {name: one.tolist() for name, one in costs(self._models.value, values).items()}
        for place, (events, (risk, risk_rank, expected, low, high, rank)) in enumerate(
            zip(customers, known, strict=True)
        ):
            standing = (rank or 0.0) if expected is None else expected
            yield {
                "churn_risk": risk if active[place] else None,
                "churn_rank": risk_rank if active[place] else None,
                "expected_value": expected,
                "value_low": low,
                "value_high": high,
                "value_rank": rank,
                "worth": self._worth(expected, {name: one[place] for name, one in spent.items()}),
                "tier": self.tiers.of(standing, record_of(events)),
                "note": None,
            }

    def recall(self, events: CustomerEvents, ranked_as_of: datetime) -> None:
        """Rank a customer's next purchases as of an earlier moment, so that a score within the hour keeps them."""
        if self._ranker:
            self._ranker.rank(events, ranked_as_of)

    def _reasons(self, row: FeatureRow, values: Array, risky: bool) -> dict[str, Any]:
        value = self._models.value
        return {
            "churn_reasons": _reasons(self._models.churn, row, values) if risky else (),
            "value_reasons": _reasons(value if isinstance(value, Ranks) else value.expected, row, values),
        }

    def _ranking(self, events: CustomerEvents, as_of: datetime) -> dict[str, Any]:
        return _told_of(self._ranker.rank(events, as_of)) if self._ranker else {}

    def _worth(self, expected: float | None, costs: Mapping[str, float]) -> Worth | None:
        value = self.bundle.manifest["value"]
        if expected is None:
            return None
        return Worth(value["said"], expected + sum(costs.values()), costs, value["assumed"])

    def score_base(self, known: Known) -> Iterator[pl.DataFrame]:
        """Score every customer with a history, a few thousand at a time; the same numbers as one by one."""
        return (chunk.listed for chunk in self.chunks(known))

    def chunks(self, known: Known, at_once: int = _AT_ONCE) -> Iterator[Chunk]:
        """Score every customer as `score_base` does, so many at a time, and keep rows and candidates beside."""
        rows, records, model = rows_of(known), records_of(known), self._models.next_purchase
        objecting = objectors(known)
        used = known.without(objecting) if objecting else known
        ranked = rankings(model, used, rows.customers, at_once) if model else repeat(None)
        for start in range(0, len(rows.customers), at_once):
            chosen = np.zeros(len(rows.customers), dtype=bool)
            chosen[start : start + at_once] = True
            chunk = rows.keep(chosen)
            yield Chunk(chunk, self._score_rows(chunk, records, objecting), next(ranked), objecting)

    def scores_of(self, chunk: Chunk) -> Iterator[Scores]:
        """Give each customer's scores of a chunk, without reasons; the same as one by one."""
        bought, ranked = _scored(chunk.rows, chunk.objecting), chunk.ranked or repeat(None)
        for had, told, listed in zip(bought.tolist(), chunk.scored.iter_rows(named=True), ranked, strict=False):
            scores = self.default
            if told["customer"] in chunk.objecting:
                scores = replace(scores, note=OBJECTED)
            elif had:
                spent = {name: told[name] for name in COSTS if told[name] is not None}
                names = ("churn_risk", "churn_rank", "expected_value", "value_low", "value_high", "value_rank", "tier")
                worth = self._worth(told["expected_value"], spent)
                scores = replace(scores, **{name: told[name] for name in names}, worth=worth, note=None)
            yield replace(scores, **_told_of(listed)) if listed else scores

    def _score_rows(self, rows: FeatureMatrix, records: Mapping[str, str], objecting: frozenset[str]) -> pl.DataFrame:
        bought = _scored(rows, objecting)
        active = self._active.holds(rows.values) & bought
        risk, risk_rank = (np.where(active, part, np.nan) for part in risks(self._models.churn, rows.values))
        newcomer = self.default
        stand_in = (newcomer.expected_value, newcomer.value_low, newcomer.value_high, newcomer.value_rank)
        expected, low, high, rank = (
            np.where(bought, part, np.nan if default is None else default)
            for part, default in zip(worths(self._models.value, rows.values), stand_in, strict=True)
        )
        standing = rank if "value" in newcomer.ranks_only else expected
        spent = {
            name: np.where(bought, cost, newcomer.worth.costs[name] if newcomer.worth else 0.0)
            for name, cost in costs(self._models.value, rows.values).items()
        }
        kept = [records.get(name) if had else None for name, had in zip(rows.customers, bought, strict=True)]
        return pl.DataFrame(
            {
                "customer": rows.customers,
                "as_of": [rows.as_of] * len(rows.customers),
                "churn_risk": risk,
                "churn_rank": risk_rank,
                "active": active,
                "expected_value": expected,
                "value_low": low,
                "value_high": high,
                "value_rank": rank,
                "brought": sum(spent.values(), expected),
                **{name: spent.get(name, np.full(len(expected), np.nan)) for name in COSTS},
                "tier": [self.tiers.of(*each) for each in zip(standing.tolist(), kept, strict=True)],
                "bundle": [self.bundle_hash] * len(rows.customers),
            }
        ).with_columns(pl.col(pl.Float64).fill_nan(None))

    def _newcomer(self) -> Scores:
        means, model = self.bundle.manifest["newcomer"], self._models.next_purchase
        shares = dict(zip(model.table.items, model.table.statistics[:, 0].tolist(), strict=True)) if model else {}
        newcomer = Scores(
            churn_risk=None,
            expected_value=means["expected"],
            value_low=means["low"],
            value_high=means["high"],
            value_measure=self.bundle.manifest["value_measure"],
            worth=self._worth(means["expected"], {name: means[name] for name in COSTS if name in means}),
            tier=self.tiers.plain(means["expected"]),
            next_purchases=(),
            horizon_days=self._horizon["days"],
            active_days=self._horizon["active_days"],
            note=NEWCOMER,
            population=shares,
        )
        return replace(newcomer, **_told_of(self._ranker.popular({}, self.bundle.as_of))) if self._ranker else newcomer


def _scored(rows: FeatureMatrix, objecting: frozenset[str]) -> npt.NDArray[np.bool_]:
    """Mark whoever has bought something and didn't ask not to be profiled; for the others a default stands in."""
    bought: npt.NDArray[np.bool_] = ~np.isnan(rows.values[:, _RECENCY])
    if objecting:
        bought &= np.array([customer not in objecting for customer in rows.customers], dtype=bool)
    return bought


def _told_of(ranked: Ranked) -> dict[str, Any]:
    """Name what scores have of a ranking."""
    return {
        "next_purchases": ranked.likely,
        "new_purchases": ranked.new,
        "chances": ranked.chances,
        "ranked_as_of": ranked.as_of,
    }


def _told(value: float) -> float | None:
    return None if isnan(value) else value


def _ranks_only(newcomer: Scores, models: Models) -> Scores:
    """Name what is only ranked; a newcomer's stand-in is then a rank, too."""
    only = tuple(name for name in ("churn", "value") if isinstance(getattr(models, name), Ranks))
    if "value" not in only:
        return replace(newcomer, ranks_only=only)
    rank = newcomer.expected_value
    return replace(
        newcomer, ranks_only=only, value_rank=rank, expected_value=None, value_low=None, value_high=None, worth=None
    )  # fmt: skip


def _reasons(model: Additive | Ranks, row: FeatureRow, values: Array) -> tuple[Reason, ...]:
    parts = model.contributions(values)[0, :-1]
    strongest = (-np.abs(parts)).argsort(kind="stable")[:REASONS].tolist()
    return tuple(_reason(place, row, part) for place in strongest if (part := parts.item(place)))


def _reason(place: int, row: FeatureRow, contribution: float) -> Reason:
    name = CONTRACT.names[place]
    return Reason(name, row.told[place], contribution, BY_NAME[name].sentence(row.values.item(place)))


def _listed(purchases: tuple[NextPurchase, ...]) -> list[dict[str, object]]:
    return [{"item": one.item, "probability": one.probability} for one in purchases]
