"""Every feature by hand in Polars, as fast as it could be made for a frame that is in order.

Customers are numbered, and all that is equal lies together: what is new at a row (a day, a basket, a week) is a
comparison with its neighbour, groups are slices, and windows are added up from buckets.
"""

from functools import reduce

import numpy as np
import polars as pl

from benchmarks import wanted
from benchmarks.by_polars import counted, finished, levels, weight
from features.clock import DAY
from features.events import CHANNELS, KINDS

_WINDOWS = (7, 14, 28, 56, 70, 91, 119, 182, 364)
_CIRCLE = (np.arange(24) + 0.5) * (np.pi / 12)
_ARROWS = {
    "cosine": pl.Series(np.round(1e9 * np.cos(_CIRCLE)).astype(np.int64)),
    "sine": pl.Series(np.round(1e9 * np.sin(_CIRCLE)).astype(np.int64)),
}
_BOUGHT = ("number", "product", "type", "category", "department", "place", "channel", "occurred_at", "utc_offset",
           "amount", "margin", "discount", "quantity")  # fmt: skip
_OTHERS = ("number", "kind", "channel", "product", "quantity", "occurred_at", "recorded_at", "utc_offset")


def clever(events: pl.DataFrame, at: int) -> pl.DataFrame:
    """Compute `customer` and every feature at a moment (microseconds); `events` is in order of customer and moment."""
    past = events.lazy().filter(pl.col("occurred_at") < at).with_columns(number=pl.col("customer").rle_id())
    found = past.select("customer", "number").filter(_changes("number")).collect()
    mine = pl.col("kind") == "purchase"
    bought = _aged(past.filter(mine).select(_BOUGHT), at).collect()
    others = past.filter(~mine).select(_OTHERS).with_columns(
        pl.col("kind").cast(pl.Enum(list(KINDS))), pl.col("channel").cast(pl.Enum(list(CHANNELS)))
    )  # fmt: skip
    told = _aged(others, at).collect()
    tables = [*_purchases(bought), _counts(told), *_contacts(told), levels(told.lazy(), "number").collect()]
    for table in tables:
        found = found.join(table, on="number", how="left")
    whole = pl.exclude(
        "customer", "number", "^.*(first|last)_.*$", "^(attribute|gap)_.*$", "^.*_line_364$", "span_days"
    )
    return finished(found.lazy().with_columns(whole.fill_null(0)), at).sort("customer").collect()


def _changes(*columns: str) -> pl.Expr:
    """Tell where any of some columns differs from the next row's: the last row of each run."""
    return reduce(lambda one, other: one | other, (pl.col(name).ne_missing(pl.col(name).shift(-1)) for name in columns))


def _aged(rows: pl.LazyFrame, at: int) -> pl.LazyFrame:
    age = at - pl.col("occurred_at")
    rows = rows.with_columns(age=age, hours=(pl.col("occurred_at") // 1_000_000 + pl.col("utc_offset")) // 3600)
    buckets = ((pl.col("age") > days * DAY).cast(pl.Int8) for days in _WINDOWS)
    return rows.with_columns(
        bucket=reduce(lambda one, other: one + other, buckets),
        day=(pl.col("hours") // 24).cast(pl.Int32),
        hour=(pl.col("hours") % 24).cast(pl.Int8),
    ).with_columns(weekday=((pl.col("day") + 3) % 7).cast(pl.Int8))


def _inside(days: int) -> pl.Expr:
    return pl.col("bucket") <= _WINDOWS.index(days)


def _windowed(column: str, windows: tuple[int, ...]) -> list[pl.Expr]:
    return [pl.when(_inside(days)).then(column).sum().alias(f"{column}_{days}") for days in windows]


def _purchases(bought: pl.DataFrame) -> list[pl.DataFrame]:
    recent = bought.lazy().filter(_inside(91))
    products = bought.lazy().group_by(pl.col("number").set_sorted()).agg(
        products=pl.col("product").cast(pl.Categorical).n_unique().cast(pl.Int64)
    )  # fmt: skip
    return [
        _folded(bought),
        _gaps(bought.select("number", "day").filter(_changes("number", "day"))),
        products.collect(),
        *(_breadth(recent, *told).collect() for told in wanted.BREADTH.items()),
        _last_basket(bought),
        *(_streak(bought, *streak) for streak in wanted.STREAKS.items()),
    ]


def _folded(bought: pl.DataFrame) -> pl.DataFrame:
    amount, hour, full = pl.col("amount"), pl.col("hour"), pl.col("amount").clip(0)
    # Three of the half-lives are powers of two others.
    prepared = bought.lazy().with_columns(weight_56=weight(56), weight_182=weight(182)).with_columns(
        weight_14=pl.col("weight_56") ** 4, weight_28=pl.col("weight_56") ** 2, weight_91=pl.col("weight_182") ** 2
    )  # fmt: skip
    prepared = prepared.select(
        "amount", "margin", "quantity", "discount", "occurred_at",
        # Of a customer, the older events come first, and their bucket is the larger one: the key rises.
        (pl.col("number").cast(pl.Int64) * 16 - pl.col("bucket")).set_sorted().alias("key"),
        full.alias("full_spend"),
        (pl.col("discount") > 0).alias("discounted"),
        (hour < 12).alias("mornings"),
        (hour >= 18).alias("evenings"),
        (pl.col("weekday") >= 5).alias("weekends"),
        _changes("number", "day").alias("purchase_days"),
        _changes("number", "occurred_at").alias("baskets"),
        *(pl.lit(values).gather(hour).alias(f"purchase_{name}") for name, values in _ARROWS.items()),
        *(pl.col(f"weight_{days}").alias(f"purchases_decayed_{days}") for days in wanted.DECAYED_LINES),
        *((full * pl.col(f"weight_{days}")).alias(f"spend_decayed_{days}") for days in wanted.DECAYED_SPEND),
    )  # fmt: skip
    by_bucket = prepared.group_by("key", maintain_order=True).agg(
        pl.exclude("key", "occurred_at").sum(), purchases=pl.len(), dearest=amount.max(), cheapest=amount.min(),
        first=pl.col("occurred_at").first(), last=pl.col("occurred_at").last(),
    )  # fmt: skip
    return _added_up(by_bucket).collect()


def _added_up(by_bucket: pl.LazyFrame) -> pl.LazyFrame:
    key, year = pl.col("key"), _inside(364)
    columns = by_bucket.with_columns(number=(key + 15) // 16, bucket=-key % 16)
    columns = columns.with_columns(
        pl.col("number").cast(pl.UInt32), pl.exclude("number", "bucket", "^.*decayed.*$").cast(pl.Int64)
    )
    arrows = ("purchase_cosine", "purchase_sine")
    return columns.group_by("number", maintain_order=True).agg(
        pl.col("^.*_decayed_.*$").sum(), pl.col("amount").sum().alias("spend"),
        pl.col("purchase_days").sum(),
        *_windowed("purchases", wanted.PURCHASES), *_windowed("full_spend", wanted.FULL_SPEND),
        *_windowed("margin", wanted.MARGIN), *_windowed("purchase_days", wanted.DAYS),
        *_windowed("baskets", wanted.BASKETS), *_windowed("discount", (91,)), *_windowed("discounted", (91,)),
        *(column for name in ("mornings", "evenings", "weekends") for column in _windowed(name, (364,))),
        *(pl.when(_inside(days)).then("amount").sum().alias(f"spend_{days}") for days in wanted.SPEND),
        pl.when(_inside(91)).then("quantity").sum().alias("units_91"),
        *(pl.when(year).then(name).sum().alias(name) for name in arrows),
        pl.when(year).then("dearest").max().alias("spend_largest_line_364"),
        pl.when(year).then("cheapest").min().alias("spend_smallest_line_364"),
        pl.col("first").min().alias("first_purchase"), pl.col("last").max().alias("last_purchase"),
    )  # fmt: skip


def _gaps(days: pl.DataFrame) -> pl.DataFrame:
    """What the gaps between neighbouring days say; quantiles are places among each customer's gaps in order."""
    same = pl.col("number") == pl.col("number").shift(1)
    gaps = days.lazy().select("number", gap=pl.when(same).then(pl.col("day").diff())).drop_nulls()
    ordered = gaps.sort("number", "gap").collect()
    found = ordered.lazy().group_by("number", maintain_order=True).agg(
        gaps=pl.len().cast(pl.Int64), span_days=pl.col("gap").sum(), gap_spread_days=pl.col("gap").std(),
        gap_longest_days=pl.col("gap").max(),
    )  # fmt: skip
    count, gap = pl.col("gaps"), pl.lit(ordered["gap"])
    before = count.cum_sum() - count - 1
    return found.with_columns(
        gap_median_days=gap.gather(before + (count * 50 + 99) // 100),
        gap_long_days=gap.gather(before + (count * 90 + 99) // 100),
    ).collect()


def _breadth(recent: pl.LazyFrame, name: str, told: tuple[str, tuple[int, ...]]) -> pl.LazyFrame:
    column, windows = told
    rows = recent.filter(pl.col("place") != "") if column == "place" else recent
    values = rows.group_by("number", column).agg(pl.col("bucket").min())
    return values.group_by("number").agg(counted(_inside(days)).alias(f"{name}_{days}") for days in windows)


def _last_basket(bought: pl.DataFrame) -> pl.DataFrame:
    baskets = bought.lazy().select(
        "number", spent=pl.col("amount").cum_sum(), new=_changes("number", "occurred_at"), last=_changes("number")
    ).filter("new")  # fmt: skip
    spent = pl.col("spent")
    return baskets.with_columns(spend_last_basket=spent.diff().fill_null(spent)).filter("last").select(
        "number", "spend_last_basket"
    ).collect()  # fmt: skip


def _streak(bought: pl.DataFrame, name: str, days: int) -> pl.DataFrame:
    period = ((pl.col("age") - 1) // (days * DAY)).cast(pl.Int64)
    periods = bought.lazy().select("number", period=period).filter(_changes("number", "period")).reverse()
    place = pl.int_range(pl.len(), dtype=pl.Int64)
    first = pl.when(pl.col("number").ne_missing(pl.col("number").shift(1))).then(place).forward_fill()
    unbroken = periods.filter(pl.col("period") == place - first)
    return unbroken.group_by("number").agg(pl.len().cast(pl.Int64).alias(name)).collect()


def _counts(told: pl.DataFrame) -> pl.DataFrame:
    """Count the rarer kinds: by kind and bucket first, then by window."""
    by_kind = told.lazy().group_by("number", "kind", "bucket").agg(
        count=pl.len().cast(pl.Int64), newest=pl.col("occurred_at").max()
    )  # fmt: skip
    kind, since = pl.col("kind"), wanted.SINCE.items()
    return by_kind.group_by("number").agg(
        *(
            pl.when(kind.is_in(kinds) & _inside(days)).then("count").sum().alias(f"{name}_{days}")
            for name, (kinds, windows) in wanted.COUNTS.items()
            for days in windows
        ),
        *(pl.when(kind.is_in(kinds)).then("newest").max().alias(f"last_{name}") for name, kinds in since),
    ).collect()  # fmt: skip


def _contacts(told: pl.DataFrame) -> list[pl.DataFrame]:
    quarter = told.lazy().filter(pl.col("kind").is_in(wanted.TOUCH) & _inside(91))
    channels = (counted(pl.col("channel") == name).alias(f"contacts_{name}_91") for name in wanted.BY_CHANNEL)
    hour = pl.col("hour")
    office = pl.col("kind").is_in(wanted.ASKED) & (hour >= 9) & (hour < 18) & (pl.col("weekday") < 5)
    year = told.lazy().filter(pl.col("kind").is_in(wanted.ASKED) & _inside(364)).select(
        "number", *(pl.lit(values).gather(hour).alias(f"contact_{name}") for name, values in _ARROWS.items())
    )  # fmt: skip
    return [
        quarter.group_by("number").agg(*channels, counted(office).alias("office_contacts_91")).collect(),
        year.group_by("number").agg(pl.all().sum()).collect(),
    ]
