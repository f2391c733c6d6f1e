"""Every feature by hand in pandas, as an analyst would: filter the window, group by customer, aggregate, reindex.

A filter of some kinds and a window is made once, and all that needs it shares it.
"""

from functools import cache

import numpy as np
import pandas as pd

from benchmarks import wanted
from features.clock import DAY
from features.definitions import NAMES

Columns = dict[str, pd.Series]
_BOUGHT = ("purchase",)


class _Past:
    """What occurred before a moment, filtered by kinds and window once for all that ask."""

    def __init__(self, events: pd.DataFrame, at: int) -> None:
        past = events[events["occurred_at"] < at]
        local = past["occurred_at"] + past["utc_offset"] * 1_000_000
        day, hour = local // DAY, local // (DAY // 24) % 24
        full = past["amount"].clip(lower=0)
        self.events = past.assign(
            age=at - past["occurred_at"], day=day, hour=hour, weekday=(day + 3) % 7, full_spend=full
        )
        self.customers = np.sort(past["customer"].unique())
        self.at = at
        self.within = cache(self._within)

    def _within(self, kinds: tuple[str, ...], days: int | None = None) -> pd.DataFrame:
        if days is None:
            return self.events[self.events["kind"].isin(kinds)]
        every = self.within(kinds, None)
        return every[every["age"] <= days * DAY]

    def everyone(self, found: pd.Series, absent: float = 0.0) -> pd.Series:
        """Give everyone a value: those that weren't found, the absent one."""
        return found.reindex(self.customers, fill_value=absent).astype(np.float64)


def by_pandas(events: pd.DataFrame, at: int) -> pd.DataFrame:
    """Compute `customer` and every feature at a moment (microseconds), in order of the customers."""
    past = _Past(events, at)
    found = _frequency(past) | _money(past) | _extremes(past) | _breadth(past) | _rhythm(past) | _clock(past)
    found |= _others(past) | _levels(past)
    found |= {name: found[one] - found[other] for name, (one, other) in wanted.DIFFERENCES.items()}
    found["listed_91"] = found["discount_91"] + found["full_spend_91"]
    for name, (above, below) in wanted.RATIOS.items():
        found[name] = _ratio(found[above], found[below])
    for name, (of, short, long) in wanted.TRENDS.items():
        recent, longer = found[f"{of}_{short}"], found[f"{of}_{long}"]
        found[name] = _ratio(recent / short, (longer - recent).clip(lower=0) / (long - short))
    return pd.DataFrame({name: found[name] for name in NAMES}).rename_axis("customer").reset_index()


def _ratio(above: pd.Series, below: pd.Series) -> pd.Series:
    return (above / below).where(below > 0)


def _frequency(past: _Past) -> Columns:
    found = {f"purchases_{days}": past.within(_BOUGHT, days).groupby("customer").size() for days in wanted.PURCHASES}
    found |= {
        f"purchase_days_{days}": past.within(_BOUGHT, days).groupby("customer")["day"].nunique() for days in wanted.DAYS
    }
    found["purchase_days"] = past.within(_BOUGHT).groupby("customer")["day"].nunique()
    for days in wanted.BASKETS:
        found[f"baskets_{days}"] = past.within(_BOUGHT, days).groupby("customer")["occurred_at"].nunique()
    for days in wanted.DECAYED_LINES:
        bought = past.within(_BOUGHT)
        found[f"purchases_decayed_{days}"] = _weight(bought, days).groupby(bought["customer"]).sum()
    return {name: past.everyone(column) for name, column in found.items()}


def _weight(bought: pd.DataFrame, half_life_days: int) -> pd.Series:
    return 2 ** (bought["age"] * (-1 / (half_life_days * DAY)))


def _money(past: _Past) -> Columns:
    sums = {
        "amount": wanted.SPEND,
        "full_spend": wanted.FULL_SPEND,
        "margin": wanted.MARGIN,
        "quantity": (91,),
        "discount": (91,),
    }
    names = {"amount": "spend", "quantity": "units"}
    found = {
        f"{names.get(column, column)}_{days}": past.within(_BOUGHT, days).groupby("customer")[column].sum()
        for column, windows in sums.items()
        for days in windows
    }
    bought = past.within(_BOUGHT)
    found["spend"] = bought.groupby("customer")["amount"].sum()
    for days in wanted.DECAYED_SPEND:
        weighed = bought["full_spend"] * _weight(bought, days)
        found[f"spend_decayed_{days}"] = weighed.groupby(bought["customer"]).sum()
    quarter = past.within(_BOUGHT, 91)
    discounted = quarter[quarter["discount"] > 0].groupby("customer").size()
    money = {name: past.everyone(column / 1e4) for name, column in found.items()}
    return money | {"discounted_91": past.everyone(discounted)}


def _extremes(past: _Past) -> Columns:
    bought, year = past.within(_BOUGHT), past.within(_BOUGHT, 364).groupby("customer")["amount"]
    last = bought.groupby("customer")["occurred_at"].transform("max")
    newest = bought[bought["occurred_at"] == last]
    found = {
        "spend_last_basket": newest.groupby("customer")["amount"].sum() / 1e4,
        "spend_largest_line_364": year.max() / 1e4,
        "spend_smallest_line_364": year.min() / 1e4,
        "tenure_days": (past.at - bought.groupby("customer")["occurred_at"].min()) / DAY,
        "days_since_purchase": (past.at - bought.groupby("customer")["occurred_at"].max()) / DAY,
    }
    return {name: past.everyone(column, np.nan) for name, column in found.items()}


def _breadth(past: _Past) -> Columns:
    found = {"products": past.everyone(past.within(_BOUGHT).groupby("customer")["product"].nunique())}
    for name, (column, windows) in wanted.BREADTH.items():
        for days in windows:
            bought = past.within(_BOUGHT, days)
            told = bought[bought[column] != ""]
            found[f"{name}_{days}"] = past.everyone(told.groupby("customer")[column].nunique())
    return found


def _rhythm(past: _Past) -> Columns:
    bought = past.within(_BOUGHT)
    days = bought[["customer", "day"]].drop_duplicates().sort_values(["customer", "day"])
    ordered = days.assign(gap=days.groupby("customer")["day"].diff()).dropna().sort_values(["customer", "gap"])
    gaps = ordered.groupby("customer")["gap"]
    place, count = gaps.cumcount() + 1, gaps.transform("size")
    quantiles = {percent: ordered[place == (count * percent + 99) // 100] for percent in (50, 90)}
    found = {
        "gaps": gaps.size(),
        "span_days": gaps.sum(),
        "gap_spread_days": gaps.std(),
        "gap_median_days": quantiles[50].set_index("customer")["gap"],
        "gap_long_days": quantiles[90].set_index("customer")["gap"],
        "gap_longest_days": gaps.max(),
    }
    rhythm = {name: past.everyone(column, np.nan) for name, column in found.items()}
    return rhythm | {name: past.everyone(_streak(bought, span)) for name, span in wanted.STREAKS.items()}


def _streak(bought: pd.DataFrame, days: int) -> pd.Series:
    periods = bought[["customer"]].assign(period=(bought["age"] - 1) // (days * DAY)).drop_duplicates()
    periods = periods.sort_values(["customer", "period"])
    unbroken = periods[periods["period"] == periods.groupby("customer").cumcount()]
    return unbroken.groupby("customer").size()


def _clock(past: _Past) -> Columns:
    bought, asked = past.within(_BOUGHT, 364), past.within(wanted.ASKED, 91)
    office = asked[(asked["hour"] >= 9) & (asked["hour"] < 18) & (asked["weekday"] < 5)]
    rows = {
        "mornings_364": bought[bought["hour"] < 12],
        "evenings_364": bought[bought["hour"] >= 18],
        "weekends_364": bought[bought["weekday"] >= 5],
        "office_contacts_91": office,
    }
    found = {name: past.everyone(some.groupby("customer").size()) for name, some in rows.items()}
    hours = {"purchase_hour_364": bought, "contact_hour_364": past.within(wanted.ASKED, 364)}
    return found | {name: past.everyone(_usual_hour(some), np.nan) for name, some in hours.items()}


def _usual_hour(rows: pd.DataFrame) -> pd.Series:
    around = (rows["hour"] + 0.5) * (np.pi / 12)
    arrows = rows[["customer"]].assign(cosine=(np.cos(around) * 1e9).round(), sine=(np.sin(around) * 1e9).round())
    sums = arrows.groupby("customer")[["cosine", "sine"]].sum()
    hour = pd.Series(np.arctan2(sums["sine"], sums["cosine"]), sums.index) * (12 / np.pi) % 24
    return hour.where((sums**2).sum(axis=1) > 1)


def _others(past: _Past) -> Columns:
    found = {
        f"{name}_{days}": past.everyone(past.within(kinds, days).groupby("customer").size())
        for name, (kinds, windows) in wanted.COUNTS.items()
        for days in windows
    }
    touched = past.within(wanted.TOUCH, 91)
    for channel in wanted.BY_CHANNEL:
        here = touched[touched["channel"] == channel]
        found[f"contacts_{channel}_91"] = past.everyone(here.groupby("customer").size())
    for name, kinds in wanted.SINCE.items():
        newest = past.within(kinds).groupby("customer")["occurred_at"].max()
        found[f"days_since_{name}"] = past.everyone((past.at - newest) / DAY, np.nan)
    return found


def _levels(past: _Past) -> Columns:
    told = past.within(("attribute",)).sort_values(["occurred_at", "recorded_at", "quantity"])
    found = {}
    for name in wanted.ATTRIBUTES:
        newest = told[told["product"] == name].groupby("customer")["quantity"].last()
        found[f"attribute_{name}"] = past.everyone(newest / 1e4, np.nan)
    return found
