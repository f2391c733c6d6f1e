"""Baskets of real customers, split in time as the papers on next baskets split them, or at one cutoff for all.

A basket is what a customer bought on one day.
"""

from dataclasses import dataclass, replace

import polars as pl

from features.clock import DAY
from features.items import bought
from features.known import Known

FEWEST_BASKETS, FEWEST_LINES = 5, 10  # of a customer, of an item
HORIZON_DAYS = 28


@dataclass(frozen=True)
class Question:
    """What customers bought next from the start of a day on: `answers` has a row for each `customer` and `item`."""

    day: int
    answers: pl.DataFrame


def regular(known: Known) -> Known:
    """Keep the customers and products that the papers on Ta-Feng keep.

    Customers of five baskets or more, without those of the highest daily pace (above its mean by two standard
    deviations), and products of ten lines or more. Source: Romanov et al., Time-aware item weighting for the next
    basket recommendations, RecSys 2023.
    """
    lines = known.events.filter(pl.col("kind") == "purchase").with_columns(day=pl.col("occurred_at") // DAY)
    often = pl.col("day").n_unique().over("customer") >= FEWEST_BASKETS
    sold = pl.len().over("product") >= FEWEST_LINES
    kept = lines.filter(often & sold)
    spans = kept.group_by("customer").agg(lines=pl.len(), span=pl.col("day").max() - pl.col("day").min())
    paces = spans.with_columns(pace=pl.col("lines") / (pl.col("span") + 1))
    most = paces.select(pl.col("pace").mean() + 2 * pl.col("pace").std(ddof=0)).item()
    chosen = paces.filter((pl.col("span") > 0) & (pl.col("pace") < most))
    return replace(known, records=kept.join(chosen, on="customer", how="semi").drop("day"))


def baskets(known: Known, level: str) -> pl.DataFrame:
    """List each `customer`, `day` and `item` once, with the basket's `turn`: 1 is a customer's last, 2 that before."""
    days = bought(known, level).select("customer", "day", "item").unique()
    turn = pl.col("day").rank("dense", descending=True).over("customer").cast(pl.Int64)
    return days.with_columns(turn=turn).sort("customer", "day", "item")


def by_turn(listed: pl.DataFrame, turn: int, most_days: int) -> list[Question]:
    """Ask what is in the customers' baskets of one turn, on the last days on which there are any.

    A customer's first basket is never asked for.
    """
    later = pl.col("day") > pl.col("day").min().over("customer")
    asked = listed.filter(later).filter(pl.col("turn") == turn).select("customer", "day", "item")
    days = asked["day"].unique().sort().tail(most_days).to_list()
    return [Question(day, asked.filter(pl.col("day") == day).drop("day")) for day in days]


def by_cutoff(listed: pl.DataFrame, day: int) -> Question:
    """Ask what customers who bought before a day buy in the 28 days from it on."""
    past = listed.filter(pl.col("day") < day).select("customer").unique()
    following = listed.filter(pl.col("day").is_between(day, day + HORIZON_DAYS - 1))
    answers = following.join(past, on="customer", how="semi").select("customer", "item").unique()
    return Question(day, answers.sort("customer", "item"))


def first_days(listed: pl.DataFrame) -> dict[tuple[str, str], int]:
    """Tell the day on which each customer bought each item first."""
    firsts = listed.group_by("customer", "item").agg(pl.col("day").min())
    return {(customer, item): day for customer, item, day in firsts.iter_rows()}
