import pickle
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_predict, cross_validate
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import parametrize_with_checks
from sklearn.utils.validation import check_is_fitted, validate_data

from features.contract import CONTRACT, FeatureMatrix
from features.errors import ContractError
from features.history import History
from features.home import Home
from features.known import Known
from models.lifetime import Process
from models.population import Active
from tests.making import AS_OF
from training import labels
from training.boosting import Fit
from training.dataset import Window, Windows, value_measure
from training.estimators import ChurnClassifier, ValueRegressor
from training.horizon import choose_horizon
from training.ladder import ChurnLadder, ValueLadder
from training.lifetime import FEWEST_REPEATERS, lifetime
from training.placing import place_cutoffs
from training.samples import Samples, samples
from training.splitting import CutoffSplit, cutoffs_of

Trained = tuple[Home, History, dict[str, Any]]

# What scikit-learn checks by fitting on made-up columns, which no row of ours has.
ON_OTHER_COLUMNS = (
    "fit_score_takes_y", "estimators_overwrite_params", "dont_overwrite_parameters", "estimators_fit_returns_self",
    "readonly_memmap_input", "n_features_in_after_fitting", "positive_only_tag_during_fit", "estimators_dtypes",
    "dtype_object", "pipeline_consistency", "estimators_pickle", "f_contiguous_array_estimator", "supervised_y_2d",
    "methods_sample_order_invariance", "methods_subset_invariance", "fit2d_1feature", "dict_unchanged",
    "fit_idempotent", "fit_check_is_fitted", "n_features_in", "fit2d_predict1d",
)  # fmt: skip
OF_CLASSES = ("classifier_data_not_an_array", "classifiers_classes", "classifiers_train")
OF_AMOUNTS = ("regressors_train", "regressor_data_not_an_array", "regressors_no_decision_function", "regressors_int")
IN_PLACE = ("estimators_overwrite_params", "dont_overwrite_parameters")


class Widened(TransformerMixin, BaseEstimator):
    """Puts any columns into the first places of a contract's row, the others unknown."""

    def fit(self, X, y=None):
        validate_data(self, X, dtype=np.float64)
        return self

    def transform(self, X):
        check_is_fitted(self)
        rows = validate_data(self, X, reset=False, dtype=np.float64)
        wide = np.full((len(rows), len(CONTRACT.names)), np.nan)
        wide[:, : rows.shape[1]] = rows
        return wide


def expected_to_fail(estimator: BaseEstimator) -> dict[str, str]:
    names, why = IN_PLACE, "a pipeline of scikit-learn's fits its steps in place"
    if not isinstance(estimator, Pipeline):
        names = ON_OTHER_COLUMNS + (OF_CLASSES if isinstance(estimator, ChurnClassifier) else OF_AMOUNTS)
        why = "rows have the contract's columns, and no others are taken"
    return {f"check_{name}": why for name in names}


@parametrize_with_checks(
    [
        ChurnClassifier(),
        ValueRegressor(),
        # The checks that need columns of their own, on rows that have them.
        make_pipeline(Widened(), ChurnClassifier()),
        make_pipeline(Widened(), ChurnClassifier("logistic")),
        make_pipeline(Widened(), ValueRegressor()),
        make_pipeline(Widened(), ValueRegressor("hurdle")),
    ],
    expected_failed_checks=expected_to_fail,
)
def test_scikit_learns_own_checks_hold(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def known(trained: Trained) -> Known:
    return trained[1].known_by(trained[1].newest() or AS_OF)


@pytest.fixture(scope="module")
def made(known: Known) -> Samples:
    return samples(known, test=True)


@pytest.fixture(scope="module")
def churn(made: Samples) -> tuple[pd.DataFrame, pd.Series]:
    return made.churn


def split(made: Samples) -> tuple[Any, Any]:
    """The rows before the newest cutoff's, and those of it; whoever is active."""
    rows, lapsed = made.churn
    moments = cutoffs_of(rows)
    newest = moments == moments.max()
    return (rows[~newest], lapsed[~newest]), (rows[newest], lapsed[newest])


def test_samples_hold_the_rows_and_labels_that_training_learns_from(known: Known, made: Samples):
    windows = Windows(known, Active("silence", made.horizon.active_days), value_measure(known))
    _, cutoffs, _ = place_cutoffs(windows, choose_horizon(known), None, None, lambda *_: None)
    moments = sorted({*cutoffs_of(made.rows)})
    assert set(cutoffs.learn) < set(moments)
    assert moments[-1] == cutoffs.test
    assert moments[-2] + cutoffs.horizon <= cutoffs.test
    window = windows.at(cutoffs.test, made.horizon.days)
    mine = made.rows.xs(pd.Timestamp(cutoffs.test), level="as_of")
    assert tuple(mine.index) == window.rows.customers
    # Sums in another order differ in the last digit.
    np.testing.assert_allclose(mine.to_numpy(), window.rows.values, rtol=1e-12)
    for ours, theirs in ((made.active, window.active), (made.lapsed, window.lapsed), (made.value, window.value)):
        np.testing.assert_array_equal(ours.xs(pd.Timestamp(cutoffs.test), level="as_of").to_numpy(), theirs)


def test_samples_without_the_test_end_where_no_label_reaches_into_it(known: Known, made: Samples):
    plain = samples(known)
    assert len(plain.rows) < len(made.rows)
    assert cutoffs_of(plain.rows).max() + timedelta(days=plain.horizon.days) <= cutoffs_of(made.rows).max()
    pd.testing.assert_frame_equal(plain.rows, made.rows.iloc[: len(plain.rows)], rtol=1e-12)


def window(rows: pd.DataFrame, labels: pd.Series, moment: pd.Timestamp) -> Window:
    """One cutoff of a frame, as training has it."""
    mine, said = rows.xs(moment, level="as_of"), labels.xs(moment, level="as_of").to_numpy(dtype=np.float64)
    matrix = FeatureMatrix(moment.to_pydatetime(), tuple(mine.index), mine.to_numpy())
    return Window(matrix.as_of, matrix, None, np.ones(len(said), dtype=bool), said, said)


@pytest.mark.parametrize("name", ["decayed count", "logistic", "LightGBM"])
def test_a_churn_estimator_says_what_the_ladder_says(made: Samples, name: str):
    rows, lapsed = made.churn
    *learn, test = (window(rows, lapsed, moment) for moment in cutoffs_of(rows).unique())
    fit = Fit(3, trees=20, parameters={"num_leaves": 5})
    wanted = ChurnLadder(learn, test.rows, None, made.horizon.days, fit).model(name).predict(test.rows.values)
    (learned, known_lapsed), (tested, _) = split(made)
    ours = ChurnClassifier(name, random_state=3, trees=20, parameters={"num_leaves": 5}).fit(learned, known_lapsed)
    np.testing.assert_array_equal(ours.predict_proba(tested)[:, 1], wanted)


@pytest.mark.parametrize("name", ["decayed spend", "Tweedie", "hurdle"])
def test_a_value_estimator_says_what_the_ladder_says(made: Samples, name: str):
    rows, value = made.worth
    *learn, test = (window(rows, value, moment) for moment in cutoffs_of(rows).unique())
    wanted = ValueLadder(learn, test.rows, None, made.horizon.days, Fit(trees=20)).model(name).predict(test.rows.values)
    newest = cutoffs_of(rows) == cutoffs_of(rows).max()
    ours = ValueRegressor(name, trees=20).fit(rows[~newest], value[~newest])
    np.testing.assert_array_equal(ours.predict(rows[newest]), wanted)


def test_a_process_is_that_of_each_rows_cutoff(made: Samples):
    """With processes that were fitted on everybody, rows of active customers are told what training tells them."""
    (learned, lapsed), (rows, _) = split(made)
    old, new = (Process(r, 20.0, 0.7, 2.5, 6.0, 4.0, 15.0) for r in (0.4, 0.9))
    newest = cutoffs_of(rows)[0].to_pydatetime()
    processes = {moment.to_pydatetime(): old for moment in cutoffs_of(learned).unique()} | {newest: new}
    model = ChurnClassifier("BG/NBD", horizon_days=14, processes=processes).fit(learned, lapsed)
    part = ChurnLadder([], _matrix(rows), new, 14, Fit()).model("BG/NBD")
    np.testing.assert_allclose(model.predict_proba(rows)[:, 1], part.predict(rows.to_numpy()))
    model.set_params(processes={})
    old_part = lifetime(old, _matrix(rows), 14, "lapse")
    np.testing.assert_allclose(model.predict_proba(rows)[:, 1], 1 / (1 + np.exp(-old_part.scores(rows.to_numpy()))))


def _matrix(rows: pd.DataFrame) -> Any:
    return FeatureMatrix(AS_OF, tuple(map(str, range(len(rows)))), rows.to_numpy())


def test_a_process_is_fitted_on_the_rows_where_none_is_given(churn):
    rows, lapsed = churn
    assert rows.groupby(level="as_of").size().max() < FEWEST_REPEATERS
    with pytest.raises(ContractError, match="200 repeat buyers"):
        ChurnClassifier("BG/NBD", horizon_days=14).fit(rows, lapsed)


def test_columns_are_taken_by_name_in_any_order(churn):
    rows, lapsed = churn
    fitted = ChurnClassifier(trees=20).fit(rows.iloc[:, ::-1], lapsed)
    assert tuple(fitted.feature_names_in_) == CONTRACT.names
    assert tuple(fitted.classes_) == (0, 1)
    risks = ChurnClassifier(trees=20).fit(rows, lapsed).risk(rows.sample(frac=1.0, axis=1, random_state=1))
    assert risks.index.equals(rows.index)
    np.testing.assert_array_equal(fitted.risk(rows), risks)
    np.testing.assert_array_equal(fitted.predict(rows), (risks > 0.5).astype(int))


def test_contributions_add_up_to_the_score_under_the_rows_own_index(made: Samples):
    rows, value = made.worth
    model = ValueRegressor(trees=20).fit(rows, value)
    parts = model.contributions(rows)
    assert parts.index.equals(rows.index)
    assert tuple(parts.columns) == (*CONTRACT.names, "")
    np.testing.assert_allclose(np.exp(parts.sum(axis=1)), model.expected(rows))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (
            lambda rows: rows.drop(columns=["spend", "tenure_days"]),
            "expected each of the {count} features of the contract once, found 2 missing (tenure_days, spend), 0"
            " unknown, {fewer} columns in all; take rows from training.samples, and another estimator for other"
            " columns",
        ),
        (
            lambda rows: rows.assign(mood=1.0),
            "expected each of the {count} features of the contract once, found 0 missing, 1 unknown (mood),"
            " {more} columns in all; take rows from training.samples, and another estimator for other columns",
        ),
        (
            lambda rows: rows.to_numpy()[:, :3],
            "expected the {count} features of the contract, found 3 columns; take rows from training.samples, and"
            " another estimator for other columns",
        ),
    ],
)
def test_other_columns_are_refused_by_name(churn, changed, said: str):
    rows, lapsed = churn
    count = len(CONTRACT.names)
    with pytest.raises(ValueError, match="features of the contract") as refused:
        ChurnClassifier().fit(changed(rows), lapsed)
    assert str(refused.value) == said.format(count=count, fewer=count - 2, more=count + 1)


def test_labels_in_another_order_than_the_rows_are_refused(churn):
    rows, lapsed = churn
    with pytest.raises(ValueError, match="expected labels with the rows' own index, found another"):
        ChurnClassifier().fit(rows, lapsed.iloc[::-1])


def test_what_cannot_be_fitted_is_said(churn, made: Samples):
    rows, lapsed = churn
    with pytest.raises(ValueError, match=r"expected a candidate of decayed count, RFM logistic, .*; found 'forest'"):
        ChurnClassifier("forest").fit(rows, lapsed)
    with pytest.raises(ValueError, match="expected horizon_days, the days that labels span, as blend looks so far"):
        ChurnClassifier("blend").fit(rows, lapsed)
    with pytest.raises(ValueError, match="found one class alone"):
        ChurnClassifier().fit(rows, np.zeros(len(rows), dtype=int))
    with pytest.raises(ValueError, match="expected some label above 0"):
        ValueRegressor().fit(made.rows, -made.value.abs())


def test_a_clone_is_unfitted_with_the_same_parameters(churn, made: Samples):
    rows, lapsed = churn
    model = ChurnClassifier("LightGBM", processes=made.processes, trees=20, parameters={"num_leaves": 5}, n_jobs=1)
    again = clone(model.fit(rows, lapsed))
    assert not hasattr(again, "model_")
    assert again.get_params() == model.get_params()
    np.testing.assert_array_equal(again.fit(rows, lapsed).risk(rows), model.risk(rows))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).risk(rows), model.risk(rows))


def test_another_seed_fits_other_trees(churn):
    rows, lapsed = churn
    one, other, drawn, again = (
        ChurnClassifier(trees=20, random_state=seed).fit(rows, lapsed).risk(rows).to_numpy()
        for seed in (1, 2, np.random.RandomState(1), np.random.RandomState(1))
    )
    assert (one != other).any()
    assert (drawn == again).all()


def test_estimators_work_in_pipelines_searches_and_cross_validation_by_cutoff(made: Samples):
    rows, lapsed = made.churn
    cv = CutoffSplit(made.horizon.days, n_splits=2)
    found = cross_validate(ChurnClassifier(trees=20), rows, lapsed, cv=cv, scoring=["roc_auc", "neg_log_loss"])
    assert (found["test_roc_auc"] > 0.6).all()
    grid = GridSearchCV(
        make_pipeline(FunctionTransformer(), ChurnClassifier(trees=20)),
        {"churnclassifier__candidate": ["decayed count", "LightGBM"]},
        cv=cv, scoring="neg_log_loss",
    ).fit(rows, lapsed)  # fmt: skip
    assert grid.best_params_["churnclassifier__candidate"] in {"decayed count", "LightGBM"}
    assert grid.predict_proba(rows).shape == (len(rows), 2)
    everyone, value = made.worth
    worth = cross_validate(ValueRegressor(trees=20), everyone, value, cv=cv, scoring="neg_mean_absolute_error")
    assert np.isfinite(worth["test_score"]).all()


def test_a_candidate_stands_beside_other_estimators_on_a_frame_with_a_column_more(churn):
    rows, lapsed = churn
    rows = rows.assign(noise=np.random.default_rng(1).normal(size=len(rows)))
    both = make_pipeline(
        make_column_transformer((_Scores(ChurnClassifier(trees=20)), list(CONTRACT.names)), ("passthrough", ["noise"])),
        LogisticRegression(),
    )
    assert both.fit(rows, lapsed).score(rows, lapsed) > 0.6


class _Scores(TransformerMixin, BaseEstimator):
    def __init__(self, model):
        self.model = model

    def fit(self, X, y):
        self.fitted_ = clone(self.model).fit(X, y)
        return self

    def transform(self, X):
        return self.fitted_.predict_proba(X)[:, 1:]


def test_predictions_across_folds_line_up_with_rows(churn):
    """Customers in folds, as scikit-learn's own splitters make them: every row is predicted once."""
    rows, lapsed = churn
    customers = rows.index.get_level_values("customer")
    risks = cross_val_predict(
        ChurnClassifier(trees=20), rows, lapsed, groups=customers, cv=GroupKFold(3), method="predict_proba"
    )
    assert risks.shape == (len(rows), 2)


def test_labels_come_from_the_one_module_that_looks_ahead(known: Known, made: Samples):
    customer, moment = made.rows.index[len(made.rows) // 2]
    span = timedelta(days=made.horizon.days)
    told = labels.lapsed(known, (customer,), moment.to_pydatetime(), span)
    assert made.lapsed[customer, moment] == told[0]
