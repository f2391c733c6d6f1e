"""A simulated history of any size: part by part, seeded, in the order of its customers."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow.parquet as pq

from features.archive import EVENTS, FORMAT, LINKS, MANIFEST, PRODUCTS, Archive
from features.clock import DAY, from_microseconds
from features.events import CHANNELS
from features.known import Known
from features.looks import COLUMNS

EVENTS_A_PART = 2_000_000
EVENTS_A_CUSTOMER = 100
END = 17_361 * DAY
AS_OF = from_microseconds(END)
# From here on, so that the order of the numbers is that of the names.
_FIRST = 1_000_000
_DAYS, _PRODUCTS, _PLACES = 730, 20_000, 50
_MIX = {
    "purchase": 0.70, "return": 0.01, "payment": 0.03, "late_payment": 0.005, "inquiry": 0.05, "complaint": 0.015,
    "contact": 0.04, "visit": 0.005, "campaign": 0.06, "coupon": 0.03, "attribute": 0.01, "offer_presented": 0.03,
    "offer_accepted": 0.01, "offer_declined": 0.005,
}  # fmt: skip
_KINDS = tuple(_MIX)
_ATTRIBUTES = ("age", "income", "household_size", "kids_count", "home_ownership", "marital_status")
_LINKS_SCHEMA = {"first": pl.String, "second": pl.String, "recorded_at": pl.Int64, "action": pl.String}

Whole = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


def catalogue() -> pl.DataFrame:
    """List 20,000 products in 300 types, 60 categories and 12 departments."""
    names = [f"p{number}" for number in range(_PRODUCTS)]
    counts = {"type": 300, "category": 60, "department": 12}
    levels = {level: [f"{level} {number % count}" for number in range(_PRODUCTS)] for level, count in counts.items()}
    return pl.DataFrame({"product": names, "name": names, **levels})


def made(events: int, first_customer: int, seed: int, each: int = EVENTS_A_CUSTOMER) -> pl.DataFrame:
    """Make so many events of two years before `AS_OF`, by customers of their own with `each` on average.

    The columns are those of `Known.events`; customers, and each one's events, are in order.
    """
    random = np.random.default_rng((seed, first_customer))
    customer, moment = _told(random, events, max(1, events // each))
    kind = random.choice(len(_KINDS), events, p=np.array([*_MIX.values()]) / sum(_MIX.values()))
    bought, back, told = (kind == _KINDS.index(name) for name in ("purchase", "return", "attribute"))
    channel = random.integers(0, len(CHANNELS), events)
    amount = np.where(bought, random.gamma(2, 20_000, events), np.where(back, -random.integers(1, 10_000, events), 0))
    columns = {
        "customer": _FIRST + first_customer + customer,
        "kind": _named(_KINDS, kind),
        "channel": _named(CHANNELS, channel),
        "product": _subjects(random, told),
        "place": _named(("", *(f"store {number}" for number in range(_PLACES))), _places(random, channel)),
        "quantity": np.where(told, random.integers(1, 9, events), 1) * 10_000,
        "amount": amount.astype(np.int64),
        "margin": pl.Series(amount.astype(np.int64) // 4).set(pl.Series(~(bought | back)), None),
        "discount": np.where(bought & (random.random(events) < 0.3), random.integers(1, 20_000, events), 0),
        "occurred_at": moment,
        "recorded_at": moment,
        "utc_offset": _offsets(customer, moment),
    }
    frame = pl.DataFrame(columns).with_columns(customer="customer:" + pl.col("customer").cast(pl.String))
    return _with_levels(frame.with_columns(reference="customer", superseded_at=pl.lit(None, pl.Int64)))


def _told(random: np.random.Generator, events: int, customers: int) -> tuple[Whole, Whole]:
    """Draw who and when, in order; half of the events share the moment of the one before, as lines of a basket do."""
    weights = random.gamma(0.8, 1, customers) + 0.02
    customer = np.sort(random.choice(customers, events, p=weights / weights.sum()))
    moment = END - (random.random(events) ** 1.3 * _DAYS * DAY).astype(np.int64) - 1
    moment = moment[np.lexsort((moment, customer))]
    same = np.zeros(events, dtype=bool)
    same[1:] = (customer[1:] == customer[:-1]) & (random.random(events - 1) < 0.5)
    return customer, moment[np.maximum.accumulate(np.where(same, 0, np.arange(events)))]


def _named(names: tuple[str, ...], places: Whole) -> pl.Series:
    return pl.Series(names).gather(pl.Series(places))


def _subjects(random: np.random.Generator, told: Flags) -> pl.Series:
    places = (random.zipf(1.2, len(told)) - 1) % _PRODUCTS
    attributes = _PRODUCTS + random.integers(0, len(_ATTRIBUTES), len(told))
    return _named((*catalogue()["product"], *_ATTRIBUTES), np.where(told, attributes, places))


def _places(random: np.random.Generator, channel: Whole) -> Whole:
    return np.where(channel == CHANNELS.index("store"), random.integers(1, _PLACES + 1, len(channel)), 0)


def _offsets(customer: Whole, moment: Whole) -> Whole:
    """Two in three customers live in New York, with its summers, the others in Lagos."""
    day = moment // DAY % 365.25
    summer = (day > 70) & (day < 307)
    return np.where(customer % 3 == 0, 3600, np.where(summer, -14_400, -18_000))


def _with_levels(frame: pl.DataFrame) -> pl.DataFrame:
    levels = catalogue().drop("name")
    frame = frame.join(levels, on="product", how="left", maintain_order="left")
    frame = frame.with_columns(pl.col(*levels.columns[1:]).fill_null(""))
    return frame.select(*COLUMNS, "superseded_at", "customer", *levels.columns[1:])


def known(events: pl.DataFrame) -> Known:
    """Take simulated events for all that was known at `AS_OF`."""
    return Known(AS_OF, events, (), catalogue())


def parts(events: int, seed: int = 1) -> Iterator[pl.DataFrame]:
    """Make a history part by part, each with customers of its own."""
    for start in range(0, events, EVENTS_A_PART):
        yield made(min(EVENTS_A_PART, events - start), start // EVENTS_A_CUSTOMER, seed)


def frame_file(work: Path, events: int) -> Path:
    """Write a history as one Parquet file with the columns of `Known.events`, unless it is there already."""
    file = work / f"events-{events}.parquet"
    if not file.exists():
        pl.concat(parts(events)).write_parquet(unfinished := file.with_suffix(".unfinished"))
        unfinished.rename(file)
    return file


def archive(work: Path, events: int) -> Archive:
    """Write a history as an archive, with memory for one part, unless it is there already."""
    folder = work / f"archive-{events}"
    if not (folder / MANIFEST).exists():
        (folder / EVENTS).mkdir(parents=True, exist_ok=True)
        pl.DataFrame(schema=_LINKS_SCHEMA).write_parquet(folder / LINKS)
        catalogue().write_parquet(folder / PRODUCTS)
        for place, part in enumerate(parts(events)):
            told = part.select("customer", "superseded_at", *COLUMNS, id=pl.int_range(pl.len()), source=pl.lit("made"))
            rows = told.with_columns(id=pl.format("{}-{}", pl.lit(place), "id"))
            rows.write_parquet(folder / EVENTS / f"part-{place:05}.parquet")
        _write_manifest(folder)
    return Archive.open(folder)


def _write_manifest(folder: Path) -> None:
    files = {str(file.relative_to(folder)): pq.read_metadata(file).num_rows for file in folder.rglob("*.parquet")}
    manifest = {"format": FORMAT, "as_of": AS_OF.isoformat(), "files": files}
    (folder / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
