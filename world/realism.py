"""How people buy, in numbers that can be laid beside those of real data."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from features.clock import DAY
from features.errors import InputError
from features.feature import Array

GAPS = (1, 2, 3, 5, 7, 10, 14, 21, 28, 42, 56, 84, 112, 168)
DAYS_BOUGHT = (2, 3, 5, 10)
PLACES = np.linspace(0.0, 1.0, 41)
HORIZON, ACTIVE, CUTOFFS = 28, 56, 6


@dataclass(frozen=True)
class Measured:
    """One set: how many customers it has, and how they buy, as shares from 0 to 1.

    `gaps` is the share of gaps between purchase days that are at most as long as each of `GAPS`, `captured` what the
    customers up to each of `PLACES`, from the top, spend of all. `repeats` is the share of customers with as many
    purchase days as each of `DAYS_BOUGHT` or more, `lapses` and `ends` that of the active who bought nothing, and who
    ended a contract, in the `HORIZON` days after each of up to six moments; the newest first.
    """

    name: str
    customers: int
    gaps: Array
    captured: Array
    repeats: Array
    lapses: Array
    ends: Array

    def as_dict(self) -> dict[str, object]:
        """The figures for JSON, rounded."""
        shares = {
            name: getattr(self, name).round(4).tolist() for name in ("gaps", "captured", "repeats", "lapses", "ends")
        }
        return {"name": self.name, "customers": self.customers, **shares}


def measured(name: str, events: pl.DataFrame, typed: bool) -> Measured:
    """Measure a set's events, as `Known.events` has them; `typed` leaves out purchases without a type, as bills are.

    Raises InputError for less than 84 days of purchases.
    """
    bought = events.filter(pl.col("kind") == "purchase")
    bought = bought.filter(pl.col("type") != "") if typed else bought
    days = bought.select("customer", day=pl.col("occurred_at") // DAY).unique().sort("customer", "day")
    gaps = days.select(pl.col("day").diff().over("customer")).to_series().drop_nulls().to_numpy()
    counts = days.group_by("customer").len()["len"].to_numpy()
    first, last = int(days["day"].to_numpy().min()), int(days["day"].to_numpy().max()) + 1
    ends = events.filter(pl.col("kind") == "end").select("customer", day=pl.col("occurred_at") // DAY)
    # Before the first `ACTIVE` days are over, it isn't known who is active.
    moments = [at for number in range(1, CUTOFFS + 1) if (at := last - HORIZON * number) >= first + ACTIVE]
    if not moments:
        raise InputError(f"expected {ACTIVE + HORIZON} days of purchases or more in {name}, found {last - first}")
    return Measured(
        name,
        len(counts),
        np.array([(gaps <= longest).mean() for longest in GAPS]),
        _captured(bought.group_by("customer").agg(pl.col("amount").sum())["amount"].to_numpy()),
        np.array([(counts >= most).mean() for most in DAYS_BOUGHT]),
        _after(days, days, ends, moments, False),
        _after(days, ends, ends, moments, True),
    )


def _captured(spent: Array) -> Array:
    ordered = np.sort(np.maximum(spent, 0).astype(np.float64))[::-1]
    sums = np.concatenate([[0.0], np.cumsum(ordered)]) / max(ordered.sum(), 1.0)
    found: Array = np.interp(PLACES, np.linspace(0, 1, len(sums)), sums)
    return found


def _after(days: pl.DataFrame, told: pl.DataFrame, ends: pl.DataFrame, moments: Sequence[int], came: bool) -> Array:
    """For each moment, the share of the active of whom something was told in the days that follow, or wasn't."""
    found = []
    for moment in moments:
        ended = ends.filter(pl.col("day") < moment)["customer"]
        active = days.filter(pl.col("day").is_between(moment - ACTIVE, moment - 1))["customer"].unique()
        active = active.filter(~active.is_in(ended.implode()))
        next_days = told.filter(pl.col("day").is_between(moment, moment + HORIZON - 1))["customer"].unique()
        share = float(active.is_in(next_days.implode()).to_numpy().mean())
        found.append(share if came else 1.0 - share)
    return np.array(found)
