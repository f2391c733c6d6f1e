"""Whom the churn model speaks of: the active."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from features.contract import CONTRACT
from features.feature import Array


@dataclass(frozen=True)
class Active:
    """The rule of who is active.

    Where churn is "silence", whoever bought within `days`. Where it is a "contract" that ends, whoever ever bought and
    hasn't ended it since the last purchase.
    """

    kind: str
    days: int

    def holds(self, rows: Array) -> npt.NDArray[np.bool_]:
        """Tell who is active, for rows of shape (n, features); shape (n,)."""
        bought = rows[:, CONTRACT.places["days_since_purchase"]]
        if self.kind == "silence":
            return np.asarray(bought <= self.days)
        ended = rows[:, CONTRACT.places["days_since_end"]]
        return np.asarray(~np.isnan(bought) & (np.isnan(ended) | (bought < ended)))
