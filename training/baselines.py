"""The simple rules that a model must beat; fitted on the same windows, shown beside every figure."""

from collections.abc import Sequence

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from features.affinity import PAIR_FEATURES
from features.contract import FeatureMatrix
from features.feature import Array
from training.dataset import PairWindow, Window

_CHURN = {
    "recency": ("days_since_purchase",),
    "decayed count": ("purchases_decayed_14", "purchases_decayed_56", "purchases_decayed_182"),
    "RFM logistic": ("days_since_purchase", "purchase_days", "spend", "tenure_days", "purchase_days_91"),
}
_VALUE = {"decayed spend": "spend_decayed_91", "recent spend": "spend_91", "spend so far": "spend"}
_POPULARITY, _FREQUENCY, _DECAYED = (
    PAIR_FEATURES.index(name) for name in ("item_popularity", "item_days_91", "item_decayed_28")
)


def churn_baselines(windows: Sequence[Window], test: Window) -> dict[str, Array]:
    """Predict the test's active customers by rules over a few numbers, made probabilities by logistic regression."""
    active = [window.of_active for window in windows]
    judged = test.of_active
    lapsed = np.concatenate([window.lapsed for window in active])
    found = {}
    for name, columns in _CHURN.items():
        rows = np.concatenate([_logs(window.rows, columns) for window in active])
        model = make_pipeline(StandardScaler(), LogisticRegression()).fit(rows, lapsed)
        found[name] = np.asarray(model.predict_proba(_logs(judged.rows, columns))[:, 1])
    return found


def value_baselines(windows: Sequence[Window], test: Window) -> dict[str, Array]:
    """Predict the test's customers by past spend, times the factor that makes past totals right."""
    total = sum((window.value - window.cost).sum() for window in windows)
    found = {}
    for name, column in _VALUE.items():
        past = sum(window.rows.column(column).sum() for window in windows)
        found[name] = np.maximum(test.rows.column(column), 0.0) * (total / max(past, 1e-9))
    return found


def next_purchase_baselines(test: PairWindow) -> dict[str, Array]:
    """Rank the test's candidates by popularity, and by how often the customer bought them."""
    values = np.nan_to_num(test.pairs.values)
    popularity = values[:, _POPULARITY]
    return {
        "popularity": popularity,
        "own frequency": values[:, _FREQUENCY] + 1e-3 * popularity,
        "own decayed frequency": values[:, _DECAYED] + 1e-3 * popularity,
    }


def _logs(rows: FeatureMatrix, columns: tuple[str, ...]) -> Array:
    picked = np.column_stack([rows.column(column) for column in columns])
    return np.log1p(np.maximum(np.nan_to_num(picked), 0.0))
