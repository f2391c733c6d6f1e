"""Every feature by hand in Polars, as one would write it: one group-by with masks, and a few side tables."""

import math

import polars as pl

from benchmarks import wanted
from features.clock import DAY
from features.definitions import NAMES

_BOUGHT = pl.col("kind") == "purchase"
_ASKED = pl.col("kind").is_in(wanted.ASKED)
_FULL = pl.col("amount").clip(0)


def plain(events: pl.DataFrame, at: int) -> pl.DataFrame:
    """Compute `customer` and every feature at a moment (microseconds), in order of the customers."""
    past = _clocked(events.lazy(), at)
    found = past.group_by("customer").agg(*_purchases(), *_clock(), *_others())
    days = past.filter(_BOUGHT).select("customer", "day").unique()
    for table in (
        _gaps(days),
        *(_streak(past.filter(_BOUGHT), *streak) for streak in wanted.STREAKS.items()),
        levels(past, "customer"),
    ):
        found = found.join(table, on="customer", how="left")
    return finished(found, at).sort("customer").collect()


def _clocked(events: pl.LazyFrame, at: int) -> pl.LazyFrame:
    """Keep what occurred before the moment, with its age and its local clock."""
    local = pl.col("occurred_at") + pl.col("utc_offset") * 1_000_000
    past = events.filter(pl.col("occurred_at") < at).with_columns(
        age=at - pl.col("occurred_at"), day=(local // DAY).cast(pl.Int32)
    )
    hour = (local // (DAY // 24) % 24).cast(pl.Int8)
    return past.with_columns(hour=hour, weekday=((pl.col("day") + 3) % 7).cast(pl.Int8))


def _within(days: int) -> pl.Expr:
    return pl.col("age") <= days * DAY


def _sum(value: pl.Expr, mask: pl.Expr) -> pl.Expr:
    return pl.when(mask).then(value).sum()


def counted(mask: pl.Expr) -> pl.Expr:
    """Count the rows of a mask, as other counts are held."""
    return mask.sum().cast(pl.Int64)


def _purchases() -> list[pl.Expr]:
    year, quarter = _BOUGHT & _within(364), _BOUGHT & _within(91)
    moment, amount = pl.col("occurred_at"), pl.col("amount")
    bought = [
        amount.filter(_BOUGHT & (moment == moment.filter(_BOUGHT).max())).sum().alias("spend_last_basket"),
        _sum(amount, _BOUGHT).alias("spend"),
        _sum(pl.col("quantity"), quarter).alias("units_91"),
        _sum(pl.col("discount"), quarter).alias("discount_91"),
        counted(quarter & (pl.col("discount") > 0)).alias("discounted_91"),
        pl.when(year).then(amount).max().alias("spend_largest_line_364"),
        pl.when(year).then(amount).min().alias("spend_smallest_line_364"),
        pl.when(_BOUGHT).then(moment).min().alias("first_purchase"),
        pl.when(_BOUGHT).then(moment).max().alias("last_purchase"),
        pl.col("product").filter(_BOUGHT).n_unique().alias("products"),
        pl.col("day").filter(_BOUGHT).n_unique().alias("purchase_days"),
    ]
    bought += [counted(_BOUGHT & _within(days)).alias(f"purchases_{days}") for days in wanted.PURCHASES]
    bought += [_sum(amount, _BOUGHT & _within(days)).alias(f"spend_{days}") for days in wanted.SPEND]
    bought += [_sum(_FULL, _BOUGHT & _within(days)).alias(f"full_spend_{days}") for days in wanted.FULL_SPEND]
    bought += [_sum(pl.col("margin"), _BOUGHT & _within(days)).alias(f"margin_{days}") for days in wanted.MARGIN]
    bought += [_different("day", days).alias(f"purchase_days_{days}") for days in wanted.DAYS]
    bought += [_different("occurred_at", days).alias(f"baskets_{days}") for days in wanted.BASKETS]
    bought += [
        _different(column, days).alias(f"{name}_{days}")
        for name, (column, windows) in wanted.BREADTH.items()
        for days in windows
    ]
    bought += [_sum(weight(days), _BOUGHT).alias(f"purchases_decayed_{days}") for days in wanted.DECAYED_LINES]
    bought += [_sum(_FULL * weight(days), _BOUGHT).alias(f"spend_decayed_{days}") for days in wanted.DECAYED_SPEND]
    return bought


def _different(column: str, days: int) -> pl.Expr:
    inside = _BOUGHT & _within(days)
    return pl.col(column).filter(inside & (pl.col("place") != "") if column == "place" else inside).n_unique()


def weight(half_life_days: int) -> pl.Expr:
    """What an event still counts, halved with every half-life."""
    return (pl.col("age") * (-math.log(2) / (half_life_days * DAY))).exp()


def _clock() -> list[pl.Expr]:
    year, hour, weekday = _within(364), pl.col("hour"), pl.col("weekday")
    office = _ASKED & _within(91) & (hour >= 9) & (hour < 18) & (weekday < 5)
    around = (hour + 0.5) * (math.pi / 12)
    arrows = {
        "cosine": (around.cos() * 1e9).round().cast(pl.Int64),
        "sine": (around.sin() * 1e9).round().cast(pl.Int64),
    }
    return [
        counted(_BOUGHT & year & (hour < 12)).alias("mornings_364"),
        counted(_BOUGHT & year & (hour >= 18)).alias("evenings_364"),
        counted(_BOUGHT & year & (weekday >= 5)).alias("weekends_364"),
        counted(office).alias("office_contacts_91"),
        *(_sum(arrow, _BOUGHT & year).alias(f"purchase_{name}") for name, arrow in arrows.items()),
        *(_sum(arrow, _ASKED & year).alias(f"contact_{name}") for name, arrow in arrows.items()),
    ]


def _others() -> list[pl.Expr]:
    touched, quarter = pl.col("kind").is_in(wanted.TOUCH), _within(91)
    return [
        *(
            counted(pl.col("kind").is_in(kinds) & _within(days)).alias(f"{name}_{days}")
            for name, (kinds, windows) in wanted.COUNTS.items()
            for days in windows
        ),
        *(
            counted(touched & quarter & (pl.col("channel") == channel)).alias(f"contacts_{channel}_91")
            for channel in wanted.BY_CHANNEL
        ),
        *(
            pl.when(pl.col("kind").is_in(kinds)).then("occurred_at").max().alias(f"last_{name}")
            for name, kinds in wanted.SINCE.items()
        ),
    ]


def _gaps(days: pl.LazyFrame) -> pl.LazyFrame:
    ordered = days.sort("customer", "day").group_by("customer", maintain_order=True)
    gap = pl.col("day").diff().drop_nulls()
    return ordered.agg(
        gap.len().cast(pl.Int64).alias("gaps"),
        (pl.col("day").max() - pl.col("day").min()).alias("span_days"),
        gap.std().alias("gap_spread_days"),
        gap.quantile(0.5, "equiprobable").alias("gap_median_days"),
        gap.quantile(0.9, "equiprobable").alias("gap_long_days"),
        gap.max().alias("gap_longest_days"),
    )


def _streak(purchases: pl.LazyFrame, name: str, days: int) -> pl.LazyFrame:
    period = (pl.col("age") - 1) // (days * DAY)
    periods = purchases.select("customer", period=period).unique().sort("customer", "period")
    unbroken = pl.col("period") == pl.int_range(pl.len())
    return periods.group_by("customer", maintain_order=True).agg(unbroken.sum().alias(name))


def levels(past: pl.LazyFrame, customer: str) -> pl.LazyFrame:
    """Find the newest level of each attribute; `customer` is the column that tells customers apart."""
    told = past.filter((pl.col("kind") == "attribute") & pl.col("product").is_in(wanted.ATTRIBUTES))
    newest = told.sort("occurred_at", "recorded_at", "quantity").group_by(customer, "product").last()
    level = pl.col("quantity")
    return newest.group_by(customer).agg(
        (level.filter(pl.col("product") == name).first() / 1e4).alias(f"attribute_{name}") for name in wanted.ATTRIBUTES
    )


_MONEY = (
    "spend", "spend_last_basket", "units_91", "spend_largest_line_364", "spend_smallest_line_364", "discount_91",
    *(f"spend_{days}" for days in wanted.SPEND), *(f"margin_{days}" for days in wanted.MARGIN),
    *(f"full_spend_{days}" for days in wanted.FULL_SPEND), *(f"spend_decayed_{days}" for days in wanted.DECAYED_SPEND),
)  # fmt: skip


def finished(found: pl.LazyFrame, at: int) -> pl.LazyFrame:
    """Turn sums, moments and gaps into the features: one row a customer already, so that this costs little."""
    since = (((at - pl.col(f"last_{name}")) / DAY).alias(f"days_since_{name}") for name in (*wanted.SINCE, "purchase"))
    never = pl.col("first_purchase").is_null()
    found = found.with_columns(
        *(pl.col(name) / 1e4 for name in _MONEY),
        *since,
        *(pl.col(name).fill_null(0) for name in wanted.STREAKS),
        _hour("purchase"),
        _hour("contact"),
        tenure_days=(at - pl.col("first_purchase")) / DAY,
    ).with_columns(
        *((pl.col(one) - pl.col(other)).alias(name) for name, (one, other) in wanted.DIFFERENCES.items()),
        listed_91=pl.col("discount_91") + pl.col("full_spend_91"),
        spend_last_basket=pl.when(~never).then("spend_last_basket"),
    )
    for name, (above, below) in wanted.RATIOS.items():
        found = found.with_columns(_ratio(pl.col(above), pl.col(below)).alias(name))
    found = found.with_columns(_trend(*trend).alias(name) for name, trend in wanted.TRENDS.items())
    if lacking := set(NAMES) - set(found.collect_schema().names()):
        raise LookupError(f"expected every feature written by hand, found none of {sorted(lacking)}; add it there")
    return found.select(pl.col("customer").cast(pl.String), pl.col(*NAMES).cast(pl.Float64))


def _ratio(above: pl.Expr, below: pl.Expr) -> pl.Expr:
    return pl.when(below > 0).then(above / below)


def _trend(name: str, short: int, long: int) -> pl.Expr:
    recent, longer = pl.col(f"{name}_{short}"), pl.col(f"{name}_{long}")
    # In floating point, as counts here are unsigned.
    before = (longer.cast(pl.Float64) - recent).clip(0)
    return _ratio(recent / short, before / (long - short))


def _hour(of: str) -> pl.Expr:
    cosine, sine = pl.col(f"{of}_cosine").cast(pl.Float64), pl.col(f"{of}_sine").cast(pl.Float64)
    hour = pl.arctan2(sine, cosine) * (12 / math.pi) % 24
    return pl.when((cosine**2 + sine**2).sqrt() > 1).then(hour).alias(f"{of}_hour_364")
