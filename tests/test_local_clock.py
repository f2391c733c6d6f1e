"""An event's own local clock: from its file's zones, from a posted moment, into days, hours and weekdays."""

from datetime import UTC, datetime, timedelta

import pytest

from features.contract import rows_of
from features.errors import SourceError
from features.history import History
from features.identity import Reference
from serving.recording import interaction_of
from serving.requests import Happening
from tests.ingesting import KEYED, quarantined, rows, shop, taken, written
from tests.making import AS_OF, happened

BERLIN = 'time_zone = "Europe/Berlin"'
HEADER = "line,customer,at,paid,pieces"


def test_a_sources_zone_gives_the_clock_in_winter_and_in_summer(history, tmp_path):
    sales = [
        "1,7,2017-03-26 01:59,1,1",
        "2,7,2017-03-26 03:00,1,1",
        "3,7,2017-10-29 02:30,1,1",
        "4,7,2017-10-29 03:00,1,1",
    ]
    taken(history, shop(tmp_path, top=BERLIN), written(tmp_path / "sales.csv", HEADER, *sales))
    assert [offset for _, offset in rows(history, "events", "source_reference", "utc_offset")] == [
        3600,
        7200,
        7200,
        3600,
    ]


def test_a_rows_own_zone_goes_before_its_sources(history, tmp_path):
    table = KEYED.replace('occurred_at = "at"', 'occurred_at = "at", time_zone = "zone"')
    sales = [
        "1,7,2017-07-01T00:00Z,1,1,Asia/Seoul",
        "2,7,2017-07-01T00:00Z,1,1,",
        "3,7,2017-07-01T00:00Z,1,1,Mars/Base",
    ]
    source = shop(tmp_path, table, f"{BERLIN}\nmax_bad_share = 1")
    (report,) = taken(history, source, written(tmp_path / "sales.csv", f"{HEADER},zone", *sales))
    assert rows(history, "events", "source_reference", "utc_offset") == [("sales/1", 32400), ("sales/2", 7200)]
    reason = quarantined(report.quarantine)[1][2]
    assert reason == "expected time_zone to be one such as Europe/Berlin, found 'Mars/Base'"


def test_a_zone_that_there_is_not_is_refused_with_the_mapping(tmp_path):
    table = KEYED.replace('kind = "purchase"', 'kind = "purchase", time_zone = "Mars/Base"')
    with pytest.raises(SourceError, match="expected the constant time_zone to be one such as Europe/Berlin"):
        shop(tmp_path, table)


def test_a_posted_moment_keeps_its_own_offset(history: History):
    at = datetime.fromisoformat("2024-02-29T23:30:00+09:00")
    told = Happening(customer="7", kind="purchase", source="till", event_id="1", occurred_at=at)
    history.append([interaction_of(told, happened(1).reference, AS_OF)], AS_OF)
    row = dict(zip(("purchase_hour_364", "evening_share_364"), (23.5, 1.0), strict=True))
    matrix = rows_of(history.known_by(AS_OF + timedelta(days=1)))
    assert {name: matrix.column(name)[0] for name in row} == pytest.approx(row)


def test_a_day_is_a_day_of_the_local_calendar(history: History):
    one = happened(1, occurred_at=datetime(2024, 2, 10, 23, 30, tzinfo=UTC))
    two = happened(2, occurred_at=datetime(2024, 2, 11, 0, 30, tzinfo=UTC))
    seoul = datetime.fromisoformat("2024-02-11T08:30:00+09:00"), datetime.fromisoformat("2024-02-11T09:30:00+09:00")
    there = [
        happened(3 + place, reference=Reference("customer", "s"), occurred_at=at) for place, at in enumerate(seoul)
    ]
    history.append([one, two, *there], None)
    matrix = rows_of(history.known_by(AS_OF))
    assert dict(zip(matrix.customers, matrix.column("purchase_days"), strict=True)) == {
        "customer:a": 2.0,
        "customer:s": 1.0,
    }
    assert dict(zip(matrix.customers, matrix.column("weekend_share_364"), strict=True)) == {
        "customer:a": 1.0,
        "customer:s": 1.0,
    }
