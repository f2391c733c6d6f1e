"""The ladder's candidates as scikit-learn's estimators: the same fits, for a notebook, a pipeline or a grid search."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import Tags, check_random_state
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import check_is_fitted, validate_data

from features.contract import CONTRACT, FeatureMatrix
from features.feature import Array
from models.additive import Additive
from models.lifetime import Lifetime, Process
from training.boosting import Fit
from training.dataset import Window
from training.ladder import ChurnLadder, Ladder, ValueLadder
from training.lifetime import fit_process
from training.splitting import LEVEL, Places, cutoffs_of

_UNDATED = datetime(1970, 1, 1, tzinfo=UTC)
_MOST = 2**31 - 1


class _OnLadder(BaseEstimator):  # type: ignore[misc]
    """A candidate of a ladder, fitted on rows of a frame.

    Rows are the contract's features: as a DataFrame by name, in any order, or as an array in the contract's order; NaN
    where unknown. The level "as_of" of the index tells their cutoffs; without one all are of one cutoff.
    """

    _ladder: type[Ladder]
    _plain: str

    def __init__(
        self,
        candidate: str | None = None,
        *,
        horizon_days: int | None = None,
        processes: Mapping[datetime, Process | None] | None = None,
        trees: int = 200,
        parameters: Mapping[str, Any] | None = None,
        random_state: Any = 7,
        n_jobs: int | None = None,
    ) -> None:
        self.candidate, self.horizon_days, self.processes = candidate, horizon_days, processes
        self.trees, self.parameters = trees, parameters
        self.random_state, self.n_jobs = random_state, n_jobs

    def contributions(self, X: Any) -> pd.DataFrame:
        """Divide each row's score among the features, on the link's scale; "" is what belongs to none of them.

        A row of the frame, which has the index of `X`, adds up to a score: log-odds, or the log of currency.
        """
        parts = self._by_moment(X, Additive.contributions)
        return pd.DataFrame(parts, getattr(X, "index", None), [*CONTRACT.names, ""])

    def __sklearn_tags__(self) -> Tags:
        """Say that a feature may be unknown."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    def _predicted(self, X: Any) -> Array:
        return self._by_moment(X, Additive.predict)

    def _checked(self, X: Any, y: Any, **how: Any) -> tuple[Array, npt.NDArray[Any]]:
        index = getattr(X, "index", None)
        if isinstance(y, pd.Series) and isinstance(index, pd.MultiIndex) and not y.index.equals(index):
            raise ValueError("expected labels with the rows' own index, found another; take y.loc[X.index]")
        rows, labels = validate_data(
            self, _ordered(X), y, dtype=np.float64, ensure_all_finite="allow-nan", ensure_min_samples=2, **how
        )
        return rows, labels

    def _learn(self, X: Any, rows: Array, labels: Array) -> None:
        """Lay rows out by cutoff as training does, and fit the candidate on them."""
        if rows.shape[1] != len(CONTRACT.names):
            raise ValueError(
                f"expected the {len(CONTRACT.names)} features of the contract, found {rows.shape[1]} columns; take"
                " rows from training.samples, and another estimator for other columns"
            )
        name = self._plain if self.candidate is None else self.candidate
        if name not in self._ladder.needs:
            raise ValueError(f"expected a candidate of {', '.join(self._ladder.needs)}; found {name!r}")
        process = "process" in self._ladder.needs[name]
        if process and self.horizon_days is None:
            raise ValueError(f"expected horizon_days, the days that labels span, as {name} looks so far; found None")
        windows = [
            self._window(moment, rows[places], labels[places], process) for moment, places in _cutoffs(X, len(rows))
        ]
        newest = windows[-1]
        ladder = self._ladder(windows, newest.rows, newest.process, self.horizon_days or 0, self._fit())
        self.model_ = ladder.model(name)

    def _window(self, moment: datetime, rows: Array, labels: Array, process: bool) -> Window:
        matrix = FeatureMatrix(moment, tuple(map(str, range(len(rows)))), rows)
        known = self.processes or {}
        fitted = (known[moment] if moment in known else fit_process(matrix)) if process else None
        return Window(moment, matrix, fitted, np.ones(len(rows), dtype=bool), labels, labels)

    def _fit(self) -> Fit:
        whole = isinstance(self.random_state, (int, np.integer))
        seed = self.random_state if whole else check_random_state(self.random_state).randint(_MOST)
        # LightGBM takes all cores for 0, as scikit-learn does for -1.
        return Fit(int(seed), max(self.n_jobs or 1, 0), self.trees, dict(self.parameters or {}))

    def _by_moment(self, X: Any, say: Callable[[Additive, Array], Array]) -> Array:
        """Ask of each row the model as of its cutoff, in which the process is that cutoff's."""
        check_is_fitted(self)
        rows = validate_data(self, _ordered(X), reset=False, dtype=np.float64, ensure_all_finite="allow-nan")
        told = [(places, say(self._at(moment), rows[places])) for moment, places in _cutoffs(X, len(rows))]
        found = np.empty((len(rows), *told[0][1].shape[1:]))
        for places, values in told:
            found[places] = values
        return found

    def _at(self, moment: datetime) -> Additive:
        """The model with the process as it was fitted at a moment; the newest learned from where none was given."""
        process = (self.processes or {}).get(moment)
        if process is None:
            return self.model_
        parts = (replace(part, process=process) if isinstance(part, Lifetime) else part for part in self.model_.parts)
        return replace(self.model_, parts=tuple(parts))


class ChurnClassifier(ClassifierMixin, _OnLadder):  # type: ignore[misc]
    """The probability that an active customer leaves, by a candidate of the churn ladder.

    `candidate` names it, `ChurnLadder.needs` lists them, None takes LightGBM. Candidates on BG/NBD need
    `horizon_days`, and take the process from `processes`, by cutoff (those of `Samples` are fitted on everybody); a
    cutoff that has none there is fitted on its own rows, or when predicting taken as the newest that was learned from.
    `trees` and `parameters` (LightGBM's, over training's own) shape the trees; `random_state` and `n_jobs` are as
    everywhere.

    After `fit` there are `model_`, the sum that would serve, `classes_`, `n_features_in_` and `feature_names_in_`.
    """

    _ladder, _plain = ChurnLadder, "LightGBM"

    def fit(self, X: Any, y: Any) -> Self:
        """Fit on rows of active customers and on two classes, of which the second is to leave.

        Raises ValueError where columns lack, or classes aren't two.
        """
        rows, labels = self._checked(X, y)
        check_classification_targets(labels)
        if type_of_target(labels, input_name="y") != "binary":
            raise ValueError(
                "Only binary classification is supported. The type of the target is"
                f" {type_of_target(labels)}: expected customers who left and who stayed"
            )
        self.classes_, coded = np.unique(labels, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError("expected two classes, customers who left and who stayed; found one class alone")
        self._learn(X, rows, coded.astype(np.float64))
        return self

    def predict_proba(self, X: Any) -> Array:
        """Predict the probabilities of both classes, in the order of `classes_`; shape (n, 2)."""
        risk = self._predicted(X)
        return np.column_stack([1 - risk, risk])

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """Predict the more probable class; shape (n,)."""
        leaves = self._predicted(X) > 0.5
        return np.asarray(self.classes_[leaves.astype(int)])

    def risk(self, X: pd.DataFrame) -> pd.Series:
        """Predict the probability of leaving, under the rows' own index."""
        return pd.Series(self._predicted(X), X.index, name="risk")

    def __sklearn_tags__(self) -> Tags:
        """Say that classes are two."""
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        return tags


class ValueRegressor(RegressorMixin, _OnLadder):  # type: ignore[misc]
    """What a customer is expected to bring, by a candidate of the value ladder.

    `candidate` names it, `ValueLadder.needs` lists them, None takes Tweedie; the other parameters and what there is
    after `fit` are as in `ChurnClassifier`, but for `classes_`. What is below zero counts as zero.
    """

    _ladder, _plain = ValueLadder, "Tweedie"

    def fit(self, X: Any, y: Any) -> Self:
        """Fit on everybody's rows and on what they brought, in currency.

        Raises ValueError where columns lack, or nothing was brought.
        """
        rows, brought = self._checked(X, y, y_numeric=True)
        if not (brought > 0).any():
            raise ValueError("expected some label above 0, as what customers brought; found none")
        self._learn(X, rows, np.asarray(brought, dtype=np.float64))
        return self

    def predict(self, X: Any) -> Array:
        """Predict what each customer brings, in currency; shape (n,)."""
        return self._predicted(X)

    def expected(self, X: pd.DataFrame) -> pd.Series:
        """Predict what each customer brings, under the rows' own index."""
        return pd.Series(self._predicted(X), X.index, name="expected")

    def __sklearn_tags__(self) -> Tags:
        """Say that a target of any sign is fitted poorly: money that comes isn't below zero."""
        tags = super().__sklearn_tags__()
        tags.regressor_tags.poor_score = True
        return tags


def _ordered(X: Any) -> Any:
    """Put a DataFrame's columns in the contract's order; anything else is taken as it is."""
    if not isinstance(X, pd.DataFrame):
        return X
    names, known = list(map(str, X.columns)), set(CONTRACT.names)
    lacking = [name for name in CONTRACT.names if name not in set(names)]
    odd = [name for name in names if name not in known]
    if lacking or odd or len(names) != len(known):
        raise ValueError(
            f"expected each of the {len(known)} features of the contract once, found"
            f" {_some(lacking, 'missing')}, {_some(odd, 'unknown')}, {len(names)} columns in all; take rows from"
            " training.samples, and another estimator for other columns"
        )
    return X[list(CONTRACT.names)]


def _some(names: list[str], what: str) -> str:
    few = ", ".join(names[:3])
    return f"{len(names)} {what}" + (f" ({few}{', …' if len(names) > 3 else ''})" if names else "")


def _cutoffs(X: Any, count: int) -> list[tuple[datetime, Places]]:
    """Each cutoff, oldest first, with the places of its rows; one for all rows where the index has none."""
    if LEVEL not in getattr(getattr(X, "index", None), "names", ()):
        return [(_UNDATED, np.arange(count))]
    codes, found = pd.factorize(cutoffs_of(X), sort=True)
    return [
        (moment, np.flatnonzero(codes == place)) for place, moment in enumerate(pd.DatetimeIndex(found).to_pydatetime())
    ]
