from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.sources.moments import constant, moment

# Berlin's clocks skip an hour, Lord Howe's half an hour, São Paulo's at midnight; Apia once skipped a whole day.
ZONES = ("UTC", "Europe/Berlin", "Australia/Lord_Howe", "America/Sao_Paulo", "Pacific/Apia", "Asia/Seoul")


def read(found: list[object], time_format: str = "", time_zone: str = "UTC") -> list[datetime | None]:
    return moment(pl.Series(found), time_format, time_zone).to_list()


def by_python(local: datetime, time_zone: str) -> datetime:
    return local.replace(tzinfo=ZoneInfo(time_zone), fold=0).astimezone(UTC)


@given(st.lists(st.datetimes(datetime(1950, 1, 1), datetime(2037, 1, 1)), min_size=1), st.sampled_from(ZONES))
def test_local_times_are_read_by_pythons_rule(local, time_zone):
    expected = [by_python(one, time_zone) for one in local]
    assert read(local, time_zone=time_zone) == expected
    assert read([one.isoformat() for one in local], time_zone=time_zone) == expected


@pytest.mark.parametrize("hour", range(0, 24, 3))
@pytest.mark.parametrize(
    ("day", "time_zone"),
    [
        ("2017-03-26", "Europe/Berlin"),
        ("2017-10-29", "Europe/Berlin"),
        ("2017-10-01", "Australia/Lord_Howe"),
        ("2017-10-15", "America/Sao_Paulo"),
        ("2011-12-30", "Pacific/Apia"),
    ],
)
def test_days_on_which_clocks_change(day, time_zone, hour):
    local = [datetime.fromisoformat(f"{day}T{hour + more:02}:{minute}") for more in range(3) for minute in (10, 40)]
    assert read(local, time_zone=time_zone) == [by_python(one, time_zone) for one in local]


def test_a_skipped_hour_and_one_that_comes_twice():
    texts = ["2017-03-26T02:30", "2017-10-29 02:30:00"]
    assert read(texts, time_zone="Europe/Berlin") == [
        datetime(2017, 3, 26, 1, 30, tzinfo=UTC),
        datetime(2017, 10, 29, 0, 30, tzinfo=UTC),
    ]


def test_an_offset_overrides_the_time_zone():
    texts = ["2017-06-01T00:00:00.5Z", "2017-06-01 09:00+09:00", "2017-05-31T18:30-0530", "2017-06-01T01:00:00+01"]
    assert {one.replace(microsecond=0) for one in read(texts, time_zone="Asia/Seoul") if one} == {
        datetime(2017, 6, 1, tzinfo=UTC)
    }


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "2017-02-30",
        "2017-1-1",
        "20170101",
        "2017-01-01T24:00",
        "2017-01-01T00:00+25:00",
        "1899-12-31",
        "9999-01-01",
    ],
)
def test_what_is_no_time_is_null(text):
    assert read([text, "2017-01-01"]) == [None, datetime(2017, 1, 1, tzinfo=UTC)]


def test_a_format_without_separators_wants_every_digit():
    assert read(["19970131", "1997013", "199701311", "19971301"], "%Y%m%d") == [
        datetime(1997, 1, 31, tzinfo=UTC),
        None,
        None,
        None,
    ]
    assert read(["1/3/1997 8:05"], "%m/%d/%Y %H:%M") == [datetime(1997, 1, 3, 8, 5, tzinfo=UTC)]


def test_a_format_may_hold_an_offset():
    assert read(["1997-01-31 09:00 +0900"], "%Y-%m-%d %H:%M %z", "Europe/Berlin") == [datetime(1997, 1, 31, tzinfo=UTC)]


def test_seconds_and_milliseconds_since_1970():
    assert read(["1500000000", "1e300", "soon"], "seconds") == [datetime(2017, 7, 14, 2, 40, tzinfo=UTC), None, None]
    assert read([1500000000000], "milliseconds") == read([1500000000], "seconds")


def test_times_of_the_files_own_type():
    seoul = datetime(2017, 1, 1, 9, tzinfo=ZoneInfo("Asia/Seoul"))
    assert read([seoul], time_zone="Europe/Berlin") == [datetime(2017, 1, 1, tzinfo=UTC)]
    assert read([datetime(2017, 1, 1).date()], time_zone="Asia/Seoul") == [datetime(2016, 12, 31, 15, tzinfo=UTC)]


@given(st.datetimes(datetime(1950, 1, 1), datetime(2037, 1, 1)), st.sampled_from(ZONES))
def test_a_constant_is_read_as_a_column_is(local, time_zone):
    assert [constant(local.isoformat(), time_zone)] == read([local.isoformat()], time_zone=time_zone)
