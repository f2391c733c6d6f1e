"""What a bundle's predictions came to: judged on a horizon that it hadn't seen when it learned."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from features.errors import NotEnoughData
from features.history import Known
from training import labels
from training.evaluation import CHURN_METRICS, VALUE_METRICS, Figure, interval_figures, judge

_CHURN = ("AUC", "log loss", "ECE")
_VALUE = ("normalised Gini", "value in the top fifth", "bias of the total")


def judge_since(known: Known, scored: Iterable[pl.DataFrame], manifest: Mapping[str, Any]) -> list[Figure]:
    """Judge scores made as of the bundle's own moment by what is known now; the rule beside is "everyone alike".

    Raises NotEnoughData when nobody was active then, or all of them lapsed, or none did.
    """
    base = pl.concat(scored)
    if not base["active"].any():
        raise NotEnoughData(f"expected customers who were active by {manifest['as_of'][:10]}, found none")
    cutoff, span = datetime.fromisoformat(manifest["as_of"]), timedelta(days=manifest["horizon"]["days"])
    active = base.filter(pl.col("active"))
    lapsed = labels.lapsed(known, tuple(active["customer"]), cutoff, span)
    if not 0 < lapsed.sum() < len(lapsed):
        raise NotEnoughData(
            f"expected customers who lapsed and who came back, found {int(lapsed.sum())} lapsed of {len(lapsed)}"
        )
    column = "margin" if manifest["value_measure"] == "margin" else "amount"
    value = labels.value(known, tuple(base["customer"]), cutoff, span, column)
    alike = {"everyone alike": np.full(len(lapsed), lapsed.mean())}
    churn = {name: CHURN_METRICS[name] for name in _CHURN}
    worth = {name: VALUE_METRICS[name] for name in _VALUE}
    figures = judge("churn", churn, lapsed, active["churn_risk"].to_numpy(), alike, manifest["seed"])
    same = {"everyone alike": np.full(len(value), value.mean())}
    figures += judge("value", worth, np.maximum(value, 0.0), base["expected_value"].to_numpy(), same, manifest["seed"])
    return figures + interval_figures(
        value, base["value_low"].to_numpy(), base["value_high"].to_numpy(), manifest["seed"]
    )
