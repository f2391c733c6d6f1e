"""Times as files write them, as moments in UTC.

A time without a zone is local to its source. When clocks go back an hour comes twice, and the first of the two is
meant; when they go forward an hour is skipped, and a time in it is read by the offset before the change
(02:30 is then 03:30 summer time). Both are Python's own rule for `fold=0` (PEP 495).
"""

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl

from features.sources.cells import where

EPOCHS = {"seconds": 1_000_000, "milliseconds": 1_000}
EARLIEST, LATEST = datetime(1900, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
ISO = (
    r"^(?<day>\d{4}-\d{2}-\d{2})(?:[T ](?<minute>\d{2}:\d{2})(?<second>:\d{2}(?:[.]\d{1,9})?)?"
    r"[ ]?(?<zone>[Zz]|(?<sign>[+-])(?<hours>[01]\d|2[0-3]):?(?<minutes>\d{2})?)?)?$"
)
# "1997013" passes strptime for %Y%m%d as the 3rd of January: without separators, every digit has to be there.
ADJACENT = re.compile(r"%[A-Za-z]%[A-Za-z]")


def constant(text: str, time_zone: str) -> datetime:
    """Read one moment from ISO 8601 text, local to the time zone unless it says otherwise.

    Raises ValueError when it is none.

    >>> constant("2017-01-01", "Asia/Seoul").isoformat()
    '2016-12-31T15:00:00+00:00'
    """
    read = datetime.fromisoformat(text)
    return (read if read.tzinfo else read.replace(tzinfo=ZoneInfo(time_zone))).astimezone(UTC)


def moment(found: pl.Series, time_format: str, time_zone: str) -> pl.Series:
    """Read times; one that can't be read, or lies outside of `EARLIEST` to `LATEST`, is null.

    >>> moment(pl.Series(["2017-03-26T02:30", "soon"]), "", "Europe/Berlin").dt.to_string("iso").to_list()
    ['2017-03-26 01:30:00.000000+00:00', None]
    """
    dtype = found.dtype
    if isinstance(dtype, pl.Datetime) and dtype.time_zone:
        read = found.dt.convert_time_zone("UTC").dt.cast_time_unit("us")
    elif isinstance(dtype, (pl.Datetime, pl.Date)):
        read = _localised(found.cast(pl.Datetime("us")), time_zone)
    elif time_format in EPOCHS:
        read = _since_1970(found, EPOCHS[time_format])
    elif time_format:
        read = _formatted(found, time_format, time_zone)
    else:
        read = _iso(found, time_zone)
    return _within(read, EARLIEST, LATEST)


def ahead(found: pl.Series, zones: pl.Series) -> pl.Series:
    """Tell by how many seconds the clock of each moment's zone was ahead of UTC; null where there is no such zone.

    >>> summer = pl.Series(["2017-07-01T12:00"]).str.to_datetime(time_unit="us", time_zone="UTC")
    >>> ahead(summer, pl.Series(["Europe/Berlin"])).to_list()
    [7200]
    """
    told = pl.Series([None] * len(found), dtype=pl.Int64)
    for zone in zones.drop_nulls().unique():
        try:
            local = found.dt.convert_time_zone(zone)
        except pl.exceptions.PolarsError:
            continue
        seconds = (local.dt.base_utc_offset() + local.dt.dst_offset()).dt.total_seconds()
        told = where(zones == zone, seconds, told)
    return told


def _within(found: pl.Series, first: datetime, last: datetime) -> pl.Series:
    return where(found.is_between(first, last), found)


def _localised(found: pl.Series, time_zone: str) -> pl.Series:
    """Turn local times into moments, by the rule at the top of this module."""
    day = timedelta(days=1)
    # Far-off years overflow the time zone's tables, so they become null first.
    local = _within(found, EARLIEST.replace(tzinfo=None) - day, LATEST.replace(tzinfo=None) + day)
    exact = _absolute(local, time_zone)
    if exact.null_count() == local.null_count():
        return exact
    return where(exact.is_not_null(), exact, _absolute(local - day, time_zone) + day)


def _absolute(local: pl.Series, time_zone: str) -> pl.Series:
    zoned = local.dt.replace_time_zone(time_zone, ambiguous="earliest", non_existent="null")
    return zoned.dt.convert_time_zone("UTC")


def _since_1970(found: pl.Series, unit: int) -> pl.Series:
    count = (found.cast(pl.Float64, strict=False) * unit).round().cast(pl.Int64, strict=False)
    return count.cast(pl.Datetime("us", "UTC"))


def _formatted(found: pl.Series, time_format: str, time_zone: str) -> pl.Series:
    if "%z" in time_format:
        return found.str.to_datetime(time_format, time_unit="us", time_zone="UTC", strict=False)
    local = found.str.to_datetime(time_format, time_unit="us", strict=False)
    if ADJACENT.search(time_format):
        local = where(local.dt.to_string(time_format) == found, local)
    return _localised(local, time_zone)


def _iso(found: pl.Series, time_zone: str) -> pl.Series:
    """Read ISO 8601; a time with an offset is absolute, one without is local."""
    parts = found.str.extract_groups(ISO).struct.unnest()
    clock = parts["minute"].fill_null("00:00") + parts["second"].fill_null(":00")
    local = (parts["day"] + " " + clock).str.to_datetime("%Y-%m-%d %H:%M:%S%.f", time_unit="us", strict=False)
    zoned = parts["zone"].is_not_null()
    if not zoned.any():
        return _localised(local, time_zone)
    ahead = _minutes(parts) * where(parts["sign"] == "-", pl.lit(-1), pl.lit(1)) * 60_000_000
    absolute = (local.cast(pl.Int64) - ahead).cast(pl.Datetime("us", "UTC"))
    return where(zoned, absolute, _localised(local, time_zone))


def _minutes(parts: pl.DataFrame) -> pl.Series:
    hours, minutes = (parts[name].cast(pl.Int64, strict=False).fill_null(0) for name in ("hours", "minutes"))
    return hours * 60 + minutes
