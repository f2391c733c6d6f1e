"""Ranks without probabilities: the last rung, where too little happened to learn from. No label is needed.

Customers are ordered by the lines they bought, halved in weight every eight weeks. Where purchases come at a rate that
drifts and is Gamma among customers, this count estimates it, and of those who have been known for longer than the
weights last the chance that none comes falls with the count alone, whatever the horizon.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from features.contract import FeatureMatrix
from features.feature import Array
from models.linear import Linear, signed_logs
from models.population import Active
from models.ranks import Ranks, ranks_among
from training.choosing import LEARNED, Adjustment, Choice
from training.dataset import Window

COUNT = "purchases_decayed_56"
_NAME = "decayed count"


@dataclass(frozen=True)
class Ranked:
    """The order that serves, why no more is said, and its twin's ranks in the test window, NaN where it says none."""

    served: Ranks
    choice: Choice
    tested: Array


def rank_risk(test: Window, active: Active, base: FeatureMatrix, why: str) -> Ranked:
    """Order active customers by risk: the fewer recent purchases, the higher."""
    return _ranked(-1.0, test, test.active, base, active.holds(base.values), why)


def rank_value(test: Window, base: FeatureMatrix, why: str) -> Ranked:
    """Order everyone who ever bought by value: the more recent purchases, the higher."""
    everyone = [np.ones(len(rows.customers), dtype=bool) for rows in (test.rows, base)]
    return _ranked(1.0, test, everyone[0], base, everyone[1], why)


def orders(test: Window) -> dict[str, Array]:
    """Order the test's active customers by the rule that needs no labels either: the time since the last purchase."""
    return {"recency": test.of_active.rows.column("days_since_purchase")}


def _ranked(
    sign: float, test: Window, judged: npt.NDArray[np.bool_], base: FeatureMatrix, spoken_of: npt.NDArray[np.bool_],
    why: str,
) -> Ranked:  # fmt: skip
    tested = np.full(len(judged), np.nan)
    if judged.any():
        rows = test.rows.values[judged]
        tested[judged] = ranks_among(_order(sign, test.rows), rows).rank(rows)
    # Where every contract has ended, nobody is left to be ranked among.
    among = base.values[spoken_of] if spoken_of.any() else base.values
    served = ranks_among(_order(sign, base), among)
    return Ranked(served, Choice(_NAME, (), LEARNED, why, Adjustment(1.0, 0.0, "nothing to adjust")), tested)


def _order(sign: float, rows: FeatureMatrix) -> Linear:
    mean = float(signed_logs(rows.column(COUNT)).mean())
    return Linear((COUNT,), (mean,), (1.0,), (sign,), 0.0)
