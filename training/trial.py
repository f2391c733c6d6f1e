"""A file of a randomised trial that Holdfast hasn't seen, read into columns, with what is doubtful about it."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from features.errors import InputError, NotEnoughData
from features.feature import Array
from training.boosting import Fit, boost
from training.columns import NO, YES, numbers
from training.grading import telling_features
from training.metrics import Ranked, area_under_curve
from training.skewness import NORMAL
from training.uplift import FOLDS, deal
from training.uplift_learners import Trial
from training.uplift_metrics import Measured, measured, redrawn
from training.uplift_moments import numbered

_LEAST_ARM, _LEAST_CLUSTERS = 20, 20
_ID = re.compile(r"(^|_)(id|uuid|key|number|index)$|Id$|ID$")
_CATEGORIES, _ALL_DIFFER = 20, 0.5
_TELLING, _DRAWS, _TREES = 0.95, 100, 60
_SEPARATE = 0.003  # an AUC this much off a half is a nuisance, not a broken lottery


@dataclass(frozen=True)
class Columns:
    """Which columns of a file say what; `features` None for all others, `propensity` a column, a number or None."""

    treatment: str
    outcome: str
    propensity: str | float | None = None
    cluster: str | None = None
    features: tuple[str, ...] | None = None
    control: str | None = None

    @property
    def named(self) -> list[str]:
        """Every column that isn't a feature."""
        by = self.propensity if isinstance(self.propensity, str) else None
        return [name for name in (self.treatment, self.outcome, by, self.cluster) if name is not None]


@dataclass(frozen=True)
class TrialFile:
    """A trial, its clusters numbered from 0, the places of its rows in the file, and what was left out, and why."""

    trial: Trial
    clusters: npt.NDArray[np.int64]
    rows: npt.NDArray[np.int64]
    left_out: tuple[str, ...]


def read_trial(frame: pl.DataFrame, columns: Columns) -> TrialFile:
    """Read a trial from a table with a row for each treatment.

    Raises InputError where columns are missing or don't say what they should, and NotEnoughData where an arm is small.
    """
    _check_names(frame, columns)
    known = frame.with_row_index("\0row").filter(
        pl.all_horizontal(pl.col(name).is_not_null() for name in columns.named)
    )  # fmt: skip
    treated = _treated(known[columns.treatment], columns)
    outcome = numbers(known[columns.outcome], "--outcome")
    kept = np.isfinite(outcome)
    known, treated, outcome = known.filter(pl.Series(kept)), treated[kept], outcome[kept]
    _check_sizes(treated, outcome, columns)
    values, names, dropped = _features(known, columns)
    missing = frame.height - known.height
    left = [f"{missing:,} rows without treatment, outcome, propensity or cluster"] if missing else []
    trial = Trial(values, names, treated, outcome, _propensity(known, columns, treated))
    clusters = numbered(None if columns.cluster is None else _codes(known[columns.cluster]), known.height)
    if (found := int(clusters.max()) + 1) < _LEAST_CLUSTERS:
        raise NotEnoughData(
            f"expected {_LEAST_CLUSTERS} clusters or more in {columns.cluster}, found {found}; name the column that"
            " tells whom each row is of"
        )
    return TrialFile(trial, clusters, known["\0row"].to_numpy().astype(np.int64), (*left, *dropped))


def doubts(file: TrialFile, seed: int) -> Iterator[str]:
    """Say what speaks against the trial's having been randomised as told, and which columns came after it."""
    trial = file.trial
    surplus = (trial.treated - trial.propensity).sum() / np.sqrt(trial.precision.sum())
    if abs(surplus) > 3 * NORMAL / 2:
        yield (
            f"{trial.treated.mean():.1%} were treated, where the propensity says {trial.propensity.mean():.1%}; that"
            " is more than chance, so find out who is missing."
        ).replace("%", " %")
    balance = separation(file, seed)
    if balance.low > 0.5 + _SEPARATE:
        first = telling_features(trial.rows, trial.names, trial.treated.astype(np.float64))[0]
        yield (
            "This doesn't look randomised by the propensity told: the columns tell who was treated with an AUC of"
            f" {balance.value:.3f} (95 % interval {balance.low:.3f} to {balance.high:.3f}; chance has 0.5). Look first"
            f" at {first.feature}, and leave out what was known only after the treatment with --features."
        )
    came = trial.outcome > np.median(trial.outcome)
    if came.any() and not came.all():
        for one in telling_features(trial.rows, trial.names, came.astype(np.float64)):
            if one.area > _TELLING:
                yield (
                    f"{one.feature} alone tells the outcome (AUC {one.area:.3f}); if it was known only after the"
                    " treatment, leave it out with --features."
                )


def separation(file: TrialFile, seed: int) -> Measured:
    """Measure how well columns tell who was treated beyond the propensity: a cross-fitted, inversely weighted AUC.

    Under the propensity that is told, both arms so weighted are alike, and the AUC is a half.
    """
    trial, folds = file.trial, deal(file.clusters, seed)
    inverse = np.where(trial.treated, 1 / trial.propensity, 1 / (1 - trial.propensity))
    scores, truth = np.zeros(len(folds)), trial.treated.astype(np.float64)
    names = [f"column_{place}" for place in range(len(trial.names))]
    for fold in range(FOLDS):
        others = folds != fold
        fit = Fit(seed, 1, _TREES)
        label, counted = truth[others], inverse[others]
        model = boost({"objective": "binary"}, trial.rows[others], label, names, fit, weights=counted / counted.mean())
        scores[~others] = model.scores(trial.rows[~others])
    # Without each fold's own level, which would rank folds against each other.
    ranked = Ranked.of(truth, scores - np.array([scores[folds == fold].mean() for fold in range(FOLDS)])[folds])
    drawn = [area_under_curve(ranked.under(inverse * one)) for one in redrawn(file.clusters, seed, _DRAWS)]
    return measured(area_under_curve(ranked.under(inverse)), np.array(drawn))


def _check_names(frame: pl.DataFrame, columns: Columns) -> None:
    asked = [*columns.named, *(columns.features or ())]
    missing = [name for name in asked if name not in frame.columns]
    if missing:
        raise InputError(f"expected the column {missing[0]}, found {', '.join(frame.columns)}; name one of these")
    if columns.treatment == columns.outcome:
        raise InputError(f"expected two columns, found {columns.treatment} as treatment and outcome; name another")


def _check_sizes(treated: npt.NDArray[np.bool_], outcome: Array, columns: Columns) -> None:
    arms = int(treated.sum()), int((~treated).sum())
    if min(arms) < _LEAST_ARM:
        raise NotEnoughData(
            f"expected {_LEAST_ARM} rows or more in each arm, found {arms[0]:,} treated and {arms[1]:,} not; bring more"
        )
    if outcome.min() == outcome.max():
        raise InputError(
            f"expected outcomes that differ in {columns.outcome}, found {outcome[0]:g} in every row; name another"
            " column"
        )


def _treated(told: pl.Series, columns: Columns) -> npt.NDArray[np.bool_]:
    said = told.cast(pl.String).str.strip_chars()
    values = sorted(said.unique().to_list())
    if len(values) != 2:
        shown = ", ".join(values[:5]) + (", …" if len(values) > 5 else "")
        raise InputError(
            f"expected two values in --treatment {columns.treatment}, found {len(values)} ({shown}); keep the rows of"
            " one treatment and of the control"
        )
    controls = [value for value in values if value.lower() in NO]
    if not controls and (positive := [value for value in values if value.lower() in YES]):
        controls = [value for value in values if value not in positive]
    control = columns.control if columns.control is not None else controls[0] if len(controls) == 1 else None
    if control not in values:
        raise InputError(
            f"expected to know which value of {columns.treatment} is the control, found {values[0]} and {values[1]};"
            f' say it: --control "{values[0]}"'
        )
    return np.asarray((said != control).to_numpy(), dtype=np.bool_)


def _propensity(frame: pl.DataFrame, columns: Columns, treated: npt.NDArray[np.bool_]) -> Array:
    if columns.propensity is None:
        return np.full(len(treated), treated.mean())
    if isinstance(columns.propensity, str):
        told = numbers(frame[columns.propensity], "--propensity")
    else:
        told = np.full(len(treated), columns.propensity)
    bad = ~((told > 0) & (told < 1))
    if bad.any():
        raise InputError(
            f"expected chances of treatment above 0 and below 1 in --propensity {columns.propensity}, found"
            f" {told[bad][0]:g} ({int(bad.sum()):,} such rows); leave out rows that could only have gone one way"
        )
    return told


def _features(frame: pl.DataFrame, columns: Columns) -> tuple[Array, tuple[str, ...], list[str]]:
    taken = {*columns.named, "\0row"}
    asked: Sequence[str] = columns.features or [name for name in frame.columns if name not in taken]
    values, names, dropped = [], [], []
    for name in asked:
        reason = _unfit(frame[name]) if name not in taken else "which says something else"
        if reason:
            dropped.append(f"column {name}, {reason}")
        else:
            values.append(_coded(frame[name]))
            names.append(name)
    if not values:
        raise InputError("expected a column to tell rows apart by, found none; name some with --features")
    return np.column_stack(values), tuple(names), dropped


def _unfit(told: pl.Series) -> str | None:
    """Say why a column can't tell rows apart in a way that carries over to others."""
    different, known = told.drop_nulls().n_unique(), told.len() - told.null_count()
    if different < 2 and told.null_count() in (0, told.len()):
        return "which never differs"
    if told.dtype in (pl.String, pl.Categorical) and different > max(_CATEGORIES, _ALL_DIFFER * known):
        return "which looks like an identifier"
    if told.dtype.is_integer() and different == known and (_ID.search(told.name) or told.drop_nulls().is_sorted()):
        return "which looks like an identifier"
    return "which is no number, text or date" if told.dtype.is_nested() or told.dtype == pl.Binary else None


def _coded(told: pl.Series) -> Array:
    """Turn a column into numbers: text by how frequent it is, the most frequent as 0 where there are few texts."""
    if told.dtype.is_temporal():
        return told.to_physical().cast(pl.Float64).to_numpy().astype(np.float64)
    if told.dtype.is_numeric() or told.dtype == pl.Boolean:
        numbers = told.cast(pl.Float64).to_numpy().astype(np.float64)
        return np.where(np.isfinite(numbers), numbers, np.nan)
    text = told.cast(pl.String)
    counts = text.drop_nulls().value_counts(sort=True).sort(["count", text.name], descending=[True, False])
    few = counts.height <= _CATEGORIES
    codes = range(counts.height) if few else counts["count"].to_list()
    mapping = dict(zip(counts[text.name].to_list(), codes, strict=True))
    return np.array([mapping.get(value, np.nan) for value in text.to_list()], dtype=np.float64)


def _codes(told: pl.Series) -> npt.NDArray[np.int64]:
    return np.asarray(told.cast(pl.String).rank("dense").to_numpy(), dtype=np.int64)
