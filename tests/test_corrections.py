"""What is told anew, as a file's rows, as an interaction, as an outcome, corrects what was known."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from features.clock import microseconds
from features.history import History
from serving.desk import Desk
from serving.requests import Ask, Happening, Report
from tests.desks import NOW as TODAY
from tests.desks import desk_over, ids
from tests.ingesting import HEADER, KEYED, NOW, lines, shop, taken, written
from tests.making import BOTH

ENGINES = BOTH

FIRST = "d-00000000-0000-0000-0000-000000000001"


@pytest.fixture
def desk(history: History) -> Desk:
    return desk_over(history)


def later(desk: Desk, **passed: float) -> Desk:
    return Desk(desk.history, desk.scorer, desk.playbook, lambda: TODAY + timedelta(**passed), ids())


def made(reports) -> list[tuple[int, int, int]]:
    return [(report.new, report.corrected, report.known) for report in reports]


def sold(history, as_of) -> list[int]:
    return sorted(history.known_by(as_of).events["amount"])


def test_of_two_rows_with_one_key_the_second_corrects_the_first(history, tmp_path):
    path = written(tmp_path / "sales.csv", HEADER, "1,7,2017-01-01,5,1", "1,7,2017-01-01,6,1")
    assert made(taken(history, shop(tmp_path), path)) == [(1, 1, 0)]
    assert sold(history, NOW - timedelta(microseconds=1)) == [50000]
    assert sold(history, NOW) == [60000]


@pytest.mark.parametrize("recorded", ["occurred", "ingested"])
def test_a_corrected_file_counts_from_its_ingest_on(history, tmp_path, recorded):
    source, later = shop(tmp_path, KEYED + f'recorded = "{recorded}"'), NOW + timedelta(days=9)
    old = written(tmp_path / "sales1.csv", HEADER, *lines(3))
    new = written(tmp_path / "sales2.csv", HEADER, *lines(2), "3,3,2017-01-04,99.5,1")
    assert made(taken(history, source, old)) == [(3, 0, 0)]
    assert made(taken(history, source, new, now=later)) == [(0, 1, 2)]
    assert made(taken(history, source, old, new, now=later + timedelta(days=1))) == [(0, 0, 3), (0, 0, 3)]
    assert sold(history, later - timedelta(microseconds=1)) == [12500, 22500, 32500]
    assert sold(history, later) == [12500, 22500, 995000]


def test_a_feed_that_dates_its_rows_is_placed_in_time_whatever_the_order_of_its_files(new_history, tmp_path):
    tables = KEYED.replace('at = "at"', 'at = "at", recorded_at = "entered", kind = "what"').replace(
        'constants = { kind = "purchase" }', 'kinds = { S = "purchase", X = "void" }'
    )
    told = ["1,7,2017-01-01,5,1,2017-01-02,S", "1,7,2017-01-01,6,1,2017-01-05,S", "1,7,2017-01-01,6,1,2017-01-08,X"]
    days = [datetime(2017, 1, day, tzinfo=UTC) for day in (1, 2, 4, 5, 7, 8)]
    for order in ([0, 1, 2], [2, 1, 0], [1, 2, 0]):
        history = new_history()
        for number in order:
            path = written(tmp_path / f"sales{number}.csv", HEADER + ",entered,what", told[number])
            taken(history, shop(tmp_path, tables), path)
        assert [sold(history, day) for day in days] == [[], [50000], [50000], [60000], [60000], []]


def test_corrections_may_count_from_a_given_moment_on(history, tmp_path):
    path = written(tmp_path / "sales.csv", HEADER, "1,7,2017-01-01,5,1", "1,7,2017-01-01,6,1")
    moment = datetime(2017, 2, 1, tzinfo=UTC)
    taken(history, shop(tmp_path), path, corrections_from=moment)
    assert history.newest() == moment


def test_an_interaction_told_otherwise_is_corrected_and_may_be_withdrawn(desk: Desk) -> None:
    first = Happening(
        event_id="1", customer="household:7", kind="inquiry", source="crm", occurred_at=TODAY - timedelta(days=9)
    )
    desk.interactions([first])
    when = later(desk, hours=1)
    changed = replace(first, product="p2", recorded_at=TODAY - timedelta(days=9))
    assert when.interactions([changed]) == {
        "received": 1,
        "recorded": 0,
        "corrected": 1,
        "already_known": 0,
        "erased": 0,
    }

    def told(as_of: datetime) -> list[str]:
        return [row[3] for row in desk.history.of_customer(["household:7"], as_of) if row[1] == "inquiry"]

    hour, microsecond = timedelta(hours=1), timedelta(microseconds=1)
    assert (told(TODAY + hour - microsecond), told(TODAY + hour)) == ([first.product], ["p2"])
    assert later(desk, hours=2).interactions([replace(first, kind="void")])["corrected"] == 1
    assert (told(TODAY + hour), told(TODAY + 2 * hour)) == (["p2"], [])


def test_an_outcome_told_otherwise_corrects_what_was_told_before(desk: Desk) -> None:
    desk.decide(Ask(customer="household:7", channel="phone"))
    report = Report(decision_id=FIRST, offer="dog_food", status="accepted")
    desk.outcome(report)
    reasoned = later(desk, hours=1).outcome(replace(report, reason_code="not_now"))
    assert (reasoned["recorded"], reasoned["note"]) == (True, "corrected")
    dated = replace(report, reason_code="not_now", occurred_at=TODAY + timedelta(minutes=3))
    assert later(desk, hours=2).outcome(dated)["note"] == "corrected"
    assert later(desk, hours=3).outcome(replace(report, reason_code="not_now"))["note"] == "already known"
    told = desk.history.of_customer(["household:7"], TODAY + timedelta(hours=3))
    (row,) = [row for row in told if row[1] == "offer_accepted"]
    assert (row[9], json.loads(row[-1])["reason"]) == (microseconds(TODAY + timedelta(minutes=3)), "not_now")
    assert desk.history.counts()["offer_accepted"] == 1
