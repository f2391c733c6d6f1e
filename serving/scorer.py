"""From a row to scores: one customer in the middle of a call, or the whole base at once."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime

import numpy as np
import polars as pl

from features.affinity import PAIR_FEATURES, Pairs, pairs_of, pairs_of_customer
from features.clock import microseconds
from features.contract import CONTRACT, FeatureMatrix, FeatureRow, row_of, rows_of
from features.definitions import BY_NAME
from features.feature import Array
from features.history import Known
from features.packed import CustomerEvents
from models.additive import Additive
from models.bundle import Bundle
from models.population import Active
from serving.scores import NextPurchase, Reason, Scores, Worth
from serving.tiers import Tiers, record_of, records_of

REASONS = 3
NEXT_PURCHASES = 10
_RECENCY = CONTRACT.names.index("days_since_purchase")
_DAYS = PAIR_FEATURES.index("item_days")
_NEWCOMER = "nothing bought yet: the average of customers who have just begun stands in"


class Scorer:
    """A loaded bundle, ready to score."""

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle
        self._models = bundle.models
        self._horizon = bundle.manifest["horizon"]
        self._active = Active(**bundle.manifest["active"])
        self.tiers = Tiers.read(bundle.manifest)
        self.default = self._newcomer()

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

        Without `whole`, risk and value come alone: no next purchases, no reasons, at a third of the cost.
        """
        row = row_of(events, as_of)
        if np.isnan(row.values[_RECENCY]):
            return self.default, row
        values = row.values[None, :]
        active = bool(self._active.holds(values)[0])
        expected, low, high = (float(part[0]) for part in self._models.value.predict(values))
        costs = self._models.value.costs(values)
        scores = replace(
            self.default,
            churn_risk=float(self._models.churn.predict(values)[0]) if active else None,
            expected_value=expected,
            value_low=low,
            value_high=high,
            worth=self._worth(expected, {name: float(one[0]) for name, one in costs.items()}),
            tier=self.tiers.of(expected, record_of(events)),
            note=None,
        )
        return (self._whole(scores, row, events) if whole else scores), row

    def _whole(self, scores: Scores, row: FeatureRow, events: CustomerEvents) -> Scores:
        chances, next_purchases = self._next(events, row.as_of)
        risky = scores.churn_risk is not None
        return replace(
            scores,
            next_purchases=next_purchases,
            chances=chances,
            churn_reasons=_reasons(self._models.churn, row) if risky else (),
            value_reasons=_reasons(self._models.value.expected, row),
        )

    def _worth(self, expected: float, costs: Mapping[str, float]) -> Worth:
        value = self.bundle.manifest["value"]
        return Worth(value["said"], expected + sum(costs.values()), costs, value["assumed"])

    def score_base(self, known: Known) -> Iterator[pl.DataFrame]:
        """Score every customer with a history, a few thousand at a time; the same numbers as one by one."""
        rows, records = rows_of(known), records_of(known)
        for start in range(0, len(rows.customers), 5_000):
            chunk = np.zeros(len(rows.customers), dtype=bool)
            chunk[start : start + 5_000] = True
            yield self._score_rows(known, rows.keep(chunk), records)

    def _score_rows(self, known: Known, rows: FeatureMatrix, records: Mapping[str, str]) -> pl.DataFrame:
        bought = ~np.isnan(rows.values[:, _RECENCY])
        active = self._active.holds(rows.values)
        expected, low, high = self._models.value.predict(rows.values)
        newcomer = self.default
        expected = np.where(bought, expected, newcomer.expected_value)
        costs = {
            name: np.where(bought, cost, newcomer.worth.costs[name])
            for name, cost in self._models.value.costs(rows.values).items()
        }
        kept = [records.get(name) if had else None for name, had in zip(rows.customers, bought, strict=True)]
        ranked = self._rank_base(known, rows.customers)
        popular = [{"item": next.item, "probability": next.probability} for next in newcomer.next_purchases]
        return pl.DataFrame(
            {
                "customer": rows.customers,
                "as_of": [rows.as_of] * len(rows.customers),
                "churn_risk": np.where(active, self._models.churn.predict(rows.values), np.nan),
                "active": active,
                "expected_value": expected,
                "value_low": np.where(bought, low, newcomer.value_low),
                "value_high": np.where(bought, high, newcomer.value_high),
                "brought": sum(costs.values(), expected),
                **costs,
                "tier": [self.tiers.of(*each) for each in zip(expected.tolist(), kept, strict=True)],
                "next_purchases": [ranked.get(customer, popular) for customer in rows.customers],
                "bundle": [self.bundle_hash] * len(rows.customers),
            },
            schema_overrides={"next_purchases": pl.List(pl.Struct({"item": pl.String, "probability": pl.Float64}))},
        ).with_columns(pl.col("churn_risk").fill_nan(None))

    def _rank_base(self, known: Known, customers: tuple[str, ...]) -> dict[str, list[dict[str, object]]]:
        ranker = self._models.next_purchase
        if ranker is None:
            return {}
        pairs = pairs_of(known, ranker.table, customers)
        scores = ranker.rank(pairs.values)
        return _best_of(pairs, scores, ranker.calibration.apply(scores))

    def _next(self, events: CustomerEvents, as_of: datetime) -> tuple[dict[str, float], tuple[NextPurchase, ...]]:
        ranker = self._models.next_purchase
        if ranker is None:
            return {}, ()
        items, values = pairs_of_customer(events, ranker.table, microseconds(as_of))
        if not (values[:, _DAYS] > 0).any():
            return {}, self.default.next_purchases
        scores = ranker.rank(values)
        probability = ranker.calibration.apply(scores)
        order = np.lexsort((np.array(items), -scores))[:NEXT_PURCHASES]
        ranked = (
            NextPurchase(items[place], ranker.table.level, float(probability[place]), bool(values[place, _DAYS] > 0))
            for place in order
        )
        return dict(zip(items, probability.tolist(), strict=True)), tuple(ranked)

    def _newcomer(self) -> Scores:
        means, ranker = self.bundle.manifest["newcomer"], self._models.next_purchase
        shares = dict(zip(ranker.table.items, ranker.table.statistics[:, 0].tolist(), strict=True)) if ranker else {}
        popular = list(shares.items())[:NEXT_PURCHASES]
        return Scores(
            churn_risk=None,
            expected_value=means["expected"],
            value_low=means["low"],
            value_high=means["high"],
            value_measure=self.bundle.manifest["value_measure"],
            worth=self._worth(means["expected"], {name: means[name] for name in self.bundle.manifest["value"]["told"]}),
            tier=self.tiers.plain(means["expected"]),
            next_purchases=tuple(NextPurchase(item, self.level, share, False) for item, share in popular),
            horizon_days=self._horizon["days"],
            active_days=self._horizon["active_days"],
            note=_NEWCOMER,
            population=shares,
        )


def _reasons(model: Additive, row: FeatureRow) -> tuple[Reason, ...]:
    parts = model.contributions(row.values[None, :])[0][:-1]
    strongest = np.argsort(-np.abs(parts), kind="stable")[:REASONS]
    return tuple(_reason(place, float(row.values[place]), float(parts[place])) for place in strongest)


def _reason(place: int, value: float, contribution: float) -> Reason:
    name = CONTRACT.names[place]
    return Reason(name, None if np.isnan(value) else value, contribution, BY_NAME[name].sentence(value))


def _best_of(pairs: Pairs, scores: Array, probability: Array) -> dict[str, list[dict[str, object]]]:
    best: dict[str, list[dict[str, object]]] = {}
    for place in np.lexsort((pairs.items, -scores)):
        chosen = best.setdefault(str(pairs.customers[place]), [])
        if len(chosen) < NEXT_PURCHASES:
            chosen.append({"item": str(pairs.items[place]), "probability": float(probability[place])})
    return best
