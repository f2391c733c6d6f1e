"""The field's standard answers to who leaves and what they bring, fitted on what was known before the test window."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import lightgbm as lgb
import numpy as np
import numpy.typing as npt
import polars as pl
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.lifetime_peers import BetaGeometric, GammaGamma, Histories, ParetoNBD, PurchaseModel
from features.clock import DAY, microseconds
from features.events import SCALE
from features.feature import Array
from features.known import Known
from training.dataset import Window
from training.metrics import Metric, gini, log_loss

HALF_LIVES = (7, 14, 28, 56, 91, 182, 364)
_RFM = ("days_since_purchase", "purchase_days", "spend", "tenure_days")


@dataclass(frozen=True)
class Past:
    """A window, and the purchase days of its customers by then: whose (a place in its rows), how long ago, what spend.

    `owner`, `ago` (days) and `spend` (currency) have shape (purchase days,).
    """

    window: Window
    owner: npt.NDArray[np.int64]
    ago: Array
    spend: Array

    @property
    def everyone(self) -> int:
        """How many customers the window has."""
        return len(self.window.rows.customers)

    @cached_property
    def histories(self) -> Histories:
        """What models of purchases know, shape (customers,)."""
        first, last = np.zeros(self.everyone), np.full(self.everyone, np.inf)
        np.maximum.at(first, self.owner, self.ago)
        np.minimum.at(last, self.owner, self.ago)
        return Histories(self.purchase_days - 1, first - last, first)

    @cached_property
    def purchase_days(self) -> Array:
        """Purchase days so far, shape (customers,)."""
        return np.bincount(self.owner, minlength=self.everyone).astype(np.float64)

    @cached_property
    def processes(self) -> dict[str, PurchaseModel]:
        """The field's models of purchases, fitted on everyone."""
        return {
            "BG/NBD": BetaGeometric.fit(self.histories, early=False),
            "MBG/NBD": BetaGeometric.fit(self.histories, early=True),
            "Pareto/NBD": ParetoNBD.fit(self.histories),
        }

    @property
    def mean_spend(self) -> Array:
        """Mean spend of a purchase day, shape (customers,)."""
        return np.asarray(np.bincount(self.owner, self.spend, self.everyone) / self.purchase_days)

    @property
    def repeat_spend(self) -> tuple[Array, Array]:
        """Repeat purchase days and their mean spend, of those who have any; the papers fit spend on these."""
        first = np.bincount(self.owner, self.spend * (self.ago == self.histories.age[self.owner]), self.everyone)
        repeats, total = self.histories.repeats, self.mean_spend * self.purchase_days
        some = repeats > 0
        return repeats[some], (total - first)[some] / repeats[some]

    def decayed_count(self, half_life: int) -> Array:
        """Count purchase days that lose weight as they age, shape (customers,)."""
        return np.asarray(np.bincount(self.owner, 0.5 ** (self.ago / half_life), self.everyone), dtype=np.float64)

    def decayed_spend(self, half_life: int) -> Array:
        """Sum spend that loses weight as it ages, shape (customers,)."""
        weighed = self.spend * 0.5 ** (self.ago / half_life)
        return np.asarray(np.bincount(self.owner, weighed, self.everyone), dtype=np.float64)


def past_of(known: Known, window: Window, measure: str) -> Past:
    """Look up what the customers of a window had bought by its cutoff; `measure` is "revenue" or "margin"."""
    cutoff = microseconds(window.cutoff)
    bought = known.at(window.cutoff).events.filter(pl.col("kind") == "purchase", pl.col("occurred_at") < cutoff)
    money = pl.col("margin" if measure == "margin" else "amount").sum() / SCALE
    days = bought.group_by("customer", day=pl.col("occurred_at") // DAY).agg(spend=money)
    places = pl.DataFrame({"customer": window.rows.customers}).with_row_index("owner")
    found = places.join(days, on="customer").sort("owner", "day")
    ago = cutoff // DAY - found["day"].to_numpy().astype(np.float64)
    return Past(window, found["owner"].to_numpy().astype(np.int64), ago, found["spend"].to_numpy())


def churn_peers(learn: Sequence[Past], test: Past, days: int, threads: int, seed: int) -> dict[str, Array]:
    """Predict the lapse of the test's active customers; each peer's shape is (active,)."""
    lapsed = np.concatenate([past.window.lapsed[past.window.active] for past in learn])
    active = test.window.active
    rows, judged = _stacked(learn, _rows), _rows(test)[active]
    boosted = lgb.LGBMClassifier(n_jobs=threads, random_state=seed, verbosity=-1)
    processes = {name: model.lapses(test.histories, days)[active] for name, model in test.processes.items()}
    return processes | {
        "RFM logistic": _logistic(_stacked(learn, _rfm), lapsed, _rfm(test)[active]),
        "decayed count": _decayed_count(learn, lapsed, test)[active],
        "default LightGBM": np.asarray(boosted.fit(rows, lapsed).predict_proba(judged))[:, 1],
    }


def value_peers(learn: Sequence[Past], test: Past, days: int, threads: int, seed: int) -> dict[str, Array]:
    """Predict what each of the test's customers brings; each peer's shape is (customers,)."""
    spend = GammaGamma.fit(*test.repeat_spend).spend(test.purchase_days, test.mean_spend)
    processes = {
        f"{name} + Gamma-Gamma": model.purchases(test.histories, days) * spend for name, model in test.processes.items()
    }
    boosted = _boosted(learn, lgb.LGBMRegressor(n_jobs=threads, random_state=seed, verbosity=-1))
    return processes | {
        "decayed spend": _decayed_spend(learn, test),
        "default LightGBM": np.maximum(boosted(test), 0.0),
    }


def interval_peer(learn: Sequence[Past], test: Past, share: float, threads: int, seed: int) -> tuple[Array, Array]:
    """Predict low and high ends by default LightGBM for quantiles, shape (customers,) each."""
    low, high = (
        _boosted(
            learn,
            lgb.LGBMRegressor(objective="quantile", alpha=level, n_jobs=threads, random_state=seed, verbosity=-1),
        )(test)
        for level in ((1 - share) / 2, (1 + share) / 2)
    )
    return np.maximum(low, 0.0), np.maximum(low, high)


def _decayed_count(learn: Sequence[Past], lapsed: Array, test: Past) -> Array:
    """Logistic regression on the log of a decayed count, of the half-life with the least loss in the newest window."""
    newest = learn[-1].window.lapsed[learn[-1].window.active]

    def at(half_life: int) -> Callable[[Past], Array]:
        return lambda past: np.log(past.decayed_count(half_life) + _faint(half_life))[:, None]

    def loss(half_life: int) -> float:
        rows = _stacked(learn[-1:], at(half_life))
        return Metric(log_loss)(newest, _logistic(rows, newest, rows))

    best = min(HALF_LIVES, key=loss)
    return _logistic(_stacked(learn, at(best)), lapsed, at(best)(test))


def _faint(half_life: int) -> float:
    """What a purchase weighs after a year, so that the logarithm of next to nothing keeps its place."""
    return float(0.5 ** (364 / half_life))


def _decayed_spend(learn: Sequence[Past], test: Past) -> Array:
    """Decayed spend, of the half-life with the best order in the newest window, scaled to what came in learning."""
    newest = learn[-1]
    best = max(HALF_LIVES, key=lambda half_life: Metric(gini)(_value(newest), newest.decayed_spend(half_life)))
    came = sum(_value(past).sum() for past in learn)
    return np.asarray(test.decayed_spend(best) * came / sum(past.decayed_spend(best).sum() for past in learn))


def _boosted(learn: Sequence[Past], model: lgb.LGBMRegressor) -> Callable[[Past], Array]:
    rows = np.concatenate([_rows(past) for past in learn])
    model.fit(rows, np.concatenate([_value(past) for past in learn]))
    return lambda past: np.asarray(model.predict(_rows(past)))


def _logistic(rows: Array, lapsed: Array, judged: Array) -> Array:
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(rows, lapsed)
    return np.asarray(model.predict_proba(judged)[:, 1])


def _stacked(learn: Sequence[Past], of: Callable[[Past], Array]) -> Array:
    return np.concatenate([of(past)[past.window.active] for past in learn])


def _rows(past: Past) -> Array:
    return past.window.rows.values


def _rfm(past: Past) -> Array:
    return np.log1p(np.maximum(np.column_stack([past.window.rows.column(name) for name in _RFM]), 0.0))


def _value(past: Past) -> Array:
    return np.maximum(past.window.value, 0.0)
