"""How long a silence means that a customer has left: chosen from the data, so that no one tunes it by hand."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from features.clock import DAY, microseconds
from features.errors import NotEnoughData
from features.known import Known

STEPS = (14, 28, 60, 90, 180, 365)
FEWEST_CUSTOMERS = 100
DAYS_A_MONTH = 365.25 / 12
_SHARE_OF_HISTORY = 3


@dataclass(frozen=True)
class Horizon:
    """The horizon in days, the window in which a customer counts as active, the last whole day's end, and why."""

    days: int
    active_days: int
    start: int
    end: int
    why: str


def choose_horizon(known: Known, days: int | None = None, active_days: int | None = None) -> Horizon:
    """Choose the horizon: the 90 % Kaplan-Meier quantile of the gaps between purchase days, snapped to `STEPS`.

    Customers with three purchase days or more count, each one's open gap censored; at most a third of the history is
    taken. `days` overrides it, and `active_days` the window of the active, which is else twice the horizon.
    Raises NotEnoughData under `FEWEST_CUSTOMERS` customers.
    """
    bought = known.events.filter(pl.col("kind") == "purchase")
    customers = bought["customer"].n_unique()
    if customers < FEWEST_CUSTOMERS:
        raise NotEnoughData(
            f"expected purchases of at least {FEWEST_CUSTOMERS} customers by {known.as_of:%Y-%m-%d}, found {customers};"
            " ingest more history"
        )
    start, end = _whole_days(bought, microseconds(known.as_of))
    span = (end - start) // DAY
    if span < 3 * STEPS[0]:
        raise NotEnoughData(f"expected at least {3 * STEPS[0]} days of purchases, found {span}; ingest more history")
    if days is not None and days > span / _SHARE_OF_HISTORY:
        raise NotEnoughData(
            f"expected a horizon of at most a third of the {span} days of history, found [horizon] days = {days} in the"
            " glossary; set a shorter one, or ingest more history"
        )
    if days is not None:
        return Horizon(days, active_days or 2 * days, start, end, "set in the glossary")
    quantile = kaplan_meier_quantile(*_gaps(bought, end), 0.9)
    allowed = [step for step in STEPS if step <= span / _SHARE_OF_HISTORY]
    if np.isinf(quantile):
        chosen, found = allowed[-1], "fewer than 90 % of gaps between purchase days ever end"
    else:
        chosen = min(allowed, key=lambda step: (abs(np.log(step / quantile)), step))
        found = f"90 % of gaps between purchase days end within {quantile:.0f} days"
    why = f"{found}; {span} days of history"
    return Horizon(chosen, active_days or 2 * chosen, start, end, why)


def longest(horizon: Horizon) -> float:
    """Say how many days a horizon over the same history may have at most."""
    return (horizon.end - horizon.start) / DAY / _SHARE_OF_HISTORY


def kaplan_meier_quantile(gaps: npt.NDArray[np.int64], ended: npt.NDArray[np.bool_], share: float) -> float:
    """Find the gap by which a share of gaps has ended, open gaps censored (Kaplan and Meier 1958).

    `gaps` in days and `ended` have one length; infinity when the share is never reached.

    >>> kaplan_meier_quantile(np.array([1, 2, 3, 4]), np.array([True, True, True, True]), 0.5)
    2.0
    """
    length = int(gaps.max(initial=0)) + 1
    ends = np.bincount(gaps[ended], minlength=length)
    at_risk = np.cumsum(np.bincount(gaps, minlength=length)[::-1])[::-1]
    survival = np.cumprod(1.0 - ends / np.maximum(at_risk, 1))
    reached = np.flatnonzero(survival <= 1.0 - share + 1e-12)
    return float(reached[0]) if len(reached) else float("inf")


def _whole_days(bought: pl.DataFrame, as_of: int) -> tuple[int, int]:
    first, last = bought["occurred_at"].min(), bought["occurred_at"].max()
    assert isinstance(first, int)
    assert isinstance(last, int)
    # A last day that has only begun doesn't count; a source that knows days alone puts all at midnight.
    daily = bought.select((pl.col("occurred_at") % DAY == 0).all()).item()
    over = daily or as_of >= (last // DAY + 1) * DAY
    return first // DAY * DAY, (last // DAY + over) * DAY


def _gaps(bought: pl.DataFrame, end: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    days = bought.select("customer", day=pl.col("occurred_at") // DAY).unique().sort("customer", "day")
    days = days.filter(pl.len().over("customer") >= 3, pl.col("day") * DAY < end)
    following = pl.col("day").shift(-1).over("customer")
    gaps = days.select(gap=following.fill_null(end // DAY) - pl.col("day"), ended=following.is_not_null())
    return gaps["gap"].to_numpy(), gaps["ended"].to_numpy()
