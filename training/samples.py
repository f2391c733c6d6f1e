"""Everybody's rows at past cutoffs, with what happened next, as pandas: what estimators are fitted and tried on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd

from features.consent import profiled
from features.contract import CONTRACT
from features.known import Known
from models.lifetime import Process
from models.population import Active
from training.dataset import Progress, Window, Windows, value_measure
from training.horizon import Horizon, choose_horizon
from training.placing import place_cutoffs

INDEX = ("customer", "as_of")
_QUIET: Progress = lambda name, done, total: None  # noqa: E731


@dataclass(frozen=True)
class Samples:
    """Rows with labels, each indexed by customer and `as_of`, the cutoff; the oldest cutoff first.

    `rows` has the contract's features as columns, NaN where unknown. `active` tells who bought lately, or has a
    contract; `lapsed` who of everyone left within the horizon (1.0) or not (0.0); `value` what came, in currency.
    `processes` hold BG/NBD as fitted on everybody's history at each cutoff, None where it doesn't fit. `measure` says
    what counts as value: "margin" or "revenue".
    """

    rows: pd.DataFrame
    active: pd.Series
    lapsed: pd.Series
    value: pd.Series
    processes: Mapping[datetime, Process | None]
    horizon: Horizon
    measure: str

    @property
    def churn(self) -> tuple[pd.DataFrame, pd.Series]:
        """Rows of the active, whom alone churn is asked of, and whether they lapsed: 1 or 0."""
        return self.rows[self.active], self.lapsed[self.active].astype(int)

    @property
    def worth(self) -> tuple[pd.DataFrame, pd.Series]:
        """Everybody's rows, and what they brought; what was given back beyond what was bought counts as zero."""
        return self.rows, self.value.clip(lower=0.0)


def samples(
    known: Known,
    churn: str = "silence",
    horizon_days: int | None = None,
    active_days: int | None = None,
    *,
    test: bool = False,
    progress: Progress = _QUIET,
) -> Samples:
    """Compute the rows and labels that training learns from; the arguments are the glossary's, None lets data choose.

    Every cutoff is one whose labels were complete before the test window, so that whatever is chosen on these rows has
    not seen it. With `test` the test window's rows are the last ones: look at them once, when all is chosen.

    Raises NotEnoughData when the history is too short.
    """
    known = profiled(known)
    horizon, measure = choose_horizon(known, horizon_days, active_days), value_measure(known)
    windows = Windows(known, Active(churn, horizon.active_days), measure)
    horizon, cutoffs, _ = place_cutoffs(windows, horizon, horizon_days, active_days, progress)
    moments = [moment for moment in cutoffs.moments if moment + cutoffs.horizon <= cutoffs.test]
    made = [windows.at(moment, horizon.days) for moment in (*moments, *([cutoffs.test] if test else []))]
    index = _index(made)
    return Samples(
        pd.DataFrame(np.concatenate([window.rows.values for window in made]), index, CONTRACT.names),
        pd.Series(np.concatenate([window.active for window in made]), index, name="active"),
        pd.Series(np.concatenate([window.lapsed for window in made]), index, name="lapsed"),
        pd.Series(np.concatenate([window.value for window in made]), index, name="value"),
        {window.cutoff: window.process for window in made},
        horizon,
        measure,
    )


def _index(made: Sequence[Window]) -> pd.MultiIndex:
    customers = [customer for window in made for customer in window.rows.customers]
    counts = [len(window.rows.customers) for window in made]
    moments = pd.DatetimeIndex([window.cutoff for window in made]).repeat(counts)
    return pd.MultiIndex.from_arrays([customers, moments], names=INDEX)
