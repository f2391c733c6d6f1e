"""Cross-validation by cutoff, in scikit-learn's convention: fit on what was known by a moment, try what came next."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.model_selection import BaseCrossValidator

LEVEL = "as_of"
Places = npt.NDArray[np.intp]


class CutoffSplit(BaseCrossValidator):  # type: ignore[misc]
    """Try on the rows of later cutoffs, oldest first, and fit on those whose labels were complete by each of them.

    The newest cutoff is tried, and before it the newest at least a horizon earlier, and so on, `n_splits` of them, so
    that no two share an outcome. Rows are fitted on if their cutoff lies at least `horizon_days` before the one that is
    tried: no label of theirs reaches into its window. Cutoffs are the level "as_of" of the index of `X`, or `groups`.
    """

    def __init__(self, horizon_days: float, n_splits: int = 3) -> None:
        self.horizon_days, self.n_splits = horizon_days, n_splits

    def get_n_splits(self, X: object = None, y: object = None, groups: object = None) -> int:
        """Say how many cutoffs are tried."""
        return self.n_splits

    def split(self, X: object, y: object = None, groups: object = None) -> Iterator[tuple[Places, Places]]:
        """Give for each tried cutoff the places of the rows to fit on and of the rows to try on.

        Raises ValueError where rows have no cutoff, or the cutoffs don't hold so many splits.
        """
        moments = cutoffs_of(X, groups)
        span = pd.Timedelta(days=self.horizon_days)
        for tried in self._tried(moments.unique().sort_values(), span):
            yield np.flatnonzero(moments + span <= tried), np.flatnonzero(moments == tried)

    def _tried(self, moments: pd.DatetimeIndex, span: pd.Timedelta) -> list[pd.Timestamp]:
        """Walk back from the newest cutoff, a horizon at a time; each has cutoffs to fit on before it."""
        if span <= pd.Timedelta(0) or self.n_splits < 1:
            raise ValueError(
                "expected a horizon of some days and one split or more, found"
                f" horizon_days={self.horizon_days} and n_splits={self.n_splits}"
            )
        found: list[pd.Timestamp] = []
        for moment in reversed(moments):
            if (not found or moment + span <= found[-1]) and moments[0] + span <= moment:
                found.append(moment)
        if len(found) < self.n_splits:
            raise ValueError(
                f"expected cutoffs for {self.n_splits} splits, each {self.horizon_days:g} days after another and with"
                f" labels complete before it, found {len(found)} among {len(moments)} cutoffs; ask for fewer splits,"
                " or take samples with a shorter horizon"
            )
        return found[: self.n_splits][::-1]


def cutoffs_of(X: object, groups: object = None) -> pd.DatetimeIndex:
    """Read each row's cutoff, in UTC, from `groups` or else from the level "as_of" of the index of `X`."""
    if groups is not None:
        return pd.DatetimeIndex(pd.to_datetime(np.asarray(groups), utc=True))
    index = getattr(X, "index", None)
    if not isinstance(index, pd.Index) or LEVEL not in index.names:
        raise ValueError(
            f'expected rows whose index has the level "{LEVEL}", as those of training.samples, or the cutoffs as'
            f" groups; found {type(X).__name__} without either"
        )
    return pd.DatetimeIndex(pd.to_datetime(index.get_level_values(LEVEL), utc=True))
