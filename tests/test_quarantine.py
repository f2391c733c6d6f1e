import json
from datetime import UTC, datetime

import polars as pl
import pytest

from features.errors import SourceError, TooManyBadRows
from features.sources import delimited, reading
from tests.ingesting import HEADER, KEYED, NOW, SALES, lines, quarantined, rows, shop, taken, written

ANY = "max_bad_share = 1"
NUMBER = "a number between -1000000000 and 1000000000"


def reasons(history, folder, line: str, tables: str = KEYED, header: str = HEADER) -> str:
    """Ingest one row, and tell why it was refused."""
    path = written(folder / "sales.csv", header, line)
    reports = taken(history, shop(folder, tables, ANY), path)
    assert rows(history) == []
    ((file, row, reason, _),) = quarantined(reports[0].quarantine)[1:]
    assert (file, row) == ("sales.csv", "1")
    return reason


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("1,,2017-01-01,1,1", "expected a value for reference, found ''"),
        ("1,7,,1,1", "expected a value for occurred_at, found ''"),
        ("1,7,soon,1,1", "expected occurred_at to be a time (ISO 8601) from 1900 to 2020-01-02, found 'soon'"),
        (
            "1,7,1899-12-31,1,1",
            "expected occurred_at to be a time (ISO 8601) from 1900 to 2020-01-02, found '1899-12-31'",
        ),
        (
            "1,7,2020-01-03,1,1",
            "expected occurred_at to be a time (ISO 8601) from 1900 to 2020-01-02, found '2020-01-03'",
        ),
        ("1,7,2017-01-01,much,1", f"expected amount to be {NUMBER}, found 'much'"),
        ("1,7,2017-01-01,NaN,1", f"expected amount to be {NUMBER}, found 'NaN'"),
        ("1,7,2017-01-01,-inf,1", f"expected amount to be {NUMBER}, found '-inf'"),
        ("1,7,2017-01-01,1e10,1", f"expected amount to be {NUMBER}, found '1e10'"),
        ('1,7,2017-01-01,"1,5",1', f"expected amount to be {NUMBER}, found '1,5'"),
        ("1,7,2017-01-01,,1", "expected a value for amount, found ''"),
        (",7,2017-01-01,1,1", "expected a value for line, of the key, found ''"),
        (
            "1," + "7" * 201 + ",2017-01-01,1,1",
            "expected reference of at most 200 characters, found '" + "7" * 60 + "'",
        ),
        ("1,a\x1fb,2017-01-01,1,1", "expected reference without control characters, found 'a\x1fb'"),
        ("1,7,2017-01-01,1", "expected 5 cells, found 4"),
        ("1,7,2017-01-01,1,1,1", "expected 5 cells, found 6"),
        (
            "1,,soon,x,1",
            "expected a value for reference, found ''; "
            "expected occurred_at to be a time (ISO 8601) from 1900 to 2020-01-02, found 'soon'; "
            f"expected amount to be {NUMBER}, found 'x'",
        ),
    ],
)
def test_a_row_is_refused_with_its_reasons(history, tmp_path, line, reason):
    assert reasons(history, tmp_path, line) == reason


def test_an_unknown_word_is_refused(history, tmp_path):
    tables = SALES.replace('constants = { kind = "purchase" }', "").replace(
        'pieces"', 'pieces", kind = "what", channel = "where"'
    )
    header, row = HEADER + ",what,where", "1,7,2017-01-01,1,1,"
    mapped = tables + 'kinds = { S = "purchase" }\nchannels = { shop = "store" }'
    assert reasons(history, tmp_path, row + "X,shop", mapped, header) == "expected kind to be one of S, found 'X'"
    assert reasons(history, tmp_path, row + "S,", mapped, header) == "expected channel to be one of shop, found ''"
    assert reasons(history, tmp_path, row + "sold,web", tables, header).startswith(
        "expected kind to be one of purchase, return, payment"
    )


def test_sums_and_products_have_a_limit_too(history, tmp_path):
    summed = KEYED.replace('"paid"', '["paid", "pieces"]')
    line = "1,7,2017-01-01,900000000,900000000"
    assert reasons(history, tmp_path, line, summed) == (
        "expected amount to add up to at most 1000000000, found '1800000000.0'"
    )
    priced = KEYED.replace("amount", "unit_price")
    assert reasons(history, tmp_path, line, priced) == (
        "expected unit_price times quantity of at most 1000000000, found '8.1e+17'"
    )


def test_a_long_product_and_a_missing_recording_are_refused(history, tmp_path):
    tables = KEYED.replace('pieces"', 'pieces", product = "what", place = "where", recorded_at = "entered"')
    header = HEADER + ",what,where,entered"
    assert reasons(history, tmp_path, f"1,7,2017-01-01,1,1,{'m' * 201},{'n' * 201},", tables, header) == (
        "expected a value for recorded_at, found ''; "
        f"expected place of at most 200 characters, found '{'n' * 60}'; "
        f"expected product of at most 200 characters, found '{'m' * 60}'"
    )


def test_bytes_that_are_no_text_are_refused(history, tmp_path):
    path = tmp_path / "sales.csv"
    path.write_bytes(HEADER.encode() + b"\n1,7,2017-01-01,1,1\n2,\xff8,2017-01-01,1,1\n3,9,2017-01-01,1,1\n")
    (report,) = taken(history, shop(tmp_path, KEYED, ANY), path)
    assert rows(history, "events", "reference") == [("household:7",), ("household:9",)]
    ((_, row, reason, record),) = quarantined(report.quarantine)[1:]
    assert (row, reason) == ("2", "expected text in utf-8, found other bytes")
    assert json.loads(record)["customer"] == "\ufffd8"


def test_the_quarantine_tells_the_row_and_holds_it_whole(history, tmp_path):
    frame = pl.DataFrame(
        {
            "line": [1, 2, 3],
            "customer": ["7", None, "9"],
            "at": [datetime(2017, 1, 1, 10, tzinfo=UTC)] * 3,
            "paid": [1.5, float("nan"), 2.0],
            "pieces": [1, 1, 1],
            "note": [None, "서울, 역", None],
        }
    )
    frame.write_parquet(tmp_path / "sales.parquet")
    source = shop(tmp_path, KEYED.replace("sales*.csv", "sales*"), ANY)
    (report,) = taken(history, source, tmp_path / "sales.parquet")
    assert (report.rows, report.new, report.quarantined) == (3, 2, 1)
    assert report.quarantine == tmp_path / "quarantine" / "shop-sales.parquet.csv"
    header, (file, row, reason, record) = quarantined(report.quarantine)
    assert header == ["file", "row", "reason", "record"]
    assert (file, row) == ("sales.parquet", "2")
    assert reason == f"expected a value for reference, found ''; expected amount to be {NUMBER}, found 'NaN'"
    assert json.loads(record) == {
        "line": 2,
        "customer": None,
        "at": "2017-01-01 10:00:00+00:00",
        "paid": "nan",
        "pieces": 1,
        "note": "서울, 역",
    }


@pytest.mark.parametrize("block", [64, 200, 1 << 20])
def test_rows_keep_their_numbers_past_those_refused(history, tmp_path, monkeypatch, block):
    monkeypatch.setattr(delimited, "BLOCK", block)
    monkeypatch.setattr(reading, "CHUNK", 3)
    good = lines(30)
    bad = {4: "4,7", 11: "11,,2017-01-01,1,1", 12: "12,7,x,1,1,9", 30: "30,7,x,1,1"}
    (report,) = taken(
        history,
        shop(tmp_path, KEYED, ANY),
        written(tmp_path / "sales.csv", HEADER, *(bad.get(n, good[n - 1]) for n in range(1, 31))),
    )
    assert (report.rows, report.new, report.quarantined) == (30, 26, 4)
    assert sorted(int(row) for _, row, _, _ in quarantined(report.quarantine)[1:]) == [4, 11, 12, 30]


def test_too_many_bad_rows_write_nothing(history, tmp_path):
    first = written(tmp_path / "sales1.csv", HEADER, *lines(60))
    second = written(tmp_path / "sales2.csv", HEADER, *lines(36, start=61), "a,,x,1,1", "b,7,x,1,1", "c,7", "d,7")
    with pytest.raises(TooManyBadRows) as caught:
        taken(history, shop(tmp_path, KEYED, "max_bad_share = 0.03"), first, second)
    kept = tmp_path / "quarantine" / "shop-sales2.csv.csv"
    assert str(caught.value) == (
        "expected at most 3.0% of the rows of source shop to be refused; found 4 of 100 in table sales, so nothing was "
        f"written. The rows and the reasons are in {kept}. Correct the file or shop.toml, or raise max_bad_share there"
    )
    assert rows(history) == []
    assert len(quarantined(kept)) == 5
    assert [path.name for path in (tmp_path / "quarantine").iterdir()] == ["shop-sales2.csv.csv"]


def test_just_as_many_bad_rows_as_allowed_are_set_aside(history, tmp_path):
    path = written(tmp_path / "sales.csv", HEADER, *lines(97), "a,7", "b,7", "c,7")
    (report,) = taken(history, shop(tmp_path, KEYED, "max_bad_share = 0.03"), path)
    assert (report.new, report.quarantined) == (97, 3)


def test_a_clean_run_takes_the_quarantine_away(history, tmp_path):
    source, path = shop(tmp_path, KEYED, ANY), written(tmp_path / "sales.csv", HEADER, "1,7", "2,,2017-01-01,1,1")
    (report,) = taken(history, source, path)
    assert len(quarantined(report.quarantine)) == 3
    written(path, HEADER, "1,7", *lines(1, start=2))
    (report,) = taken(history, source, path)
    assert len(quarantined(report.quarantine)) == 2
    written(path, HEADER, *lines(2))
    assert taken(history, source, path)[0].quarantine is None
    assert list((tmp_path / "quarantine").iterdir()) == []


def test_an_ingest_that_fails_leaves_the_quarantine_as_it_was(history, tmp_path, monkeypatch):
    source, path = shop(tmp_path, KEYED, ANY), written(tmp_path / "sales.csv", HEADER, "1,7")
    (report,) = taken(history, source, path)
    before = quarantined(report.quarantine)
    monkeypatch.setattr(delimited, "BLOCK", 200)
    written(path, HEADER, "1,7", "2,7", *lines(9), '"' + lines(1)[0], *lines(50))
    with pytest.raises(SourceError, match="never closed"):
        taken(history, source, path)
    assert quarantined(report.quarantine) == before
    assert len(list((tmp_path / "quarantine").iterdir())) == 1


def test_files_of_one_name_and_files_of_two_tables_have_their_own_quarantines(history, tmp_path):
    source = shop(tmp_path, KEYED + KEYED.replace('name = "sales"', 'name = "again"'), ANY)
    for folder in ("north", "south"):
        (tmp_path / folder).mkdir()
        written(tmp_path / folder / "sales.csv", HEADER, "1,7")
    reports = taken(history, source, tmp_path / "north" / "sales.csv", tmp_path / "south" / "sales.csv", now=NOW)
    assert sorted(report.quarantine.name for report in reports) == [
        "shop-again-north-sales.csv.csv",
        "shop-again-south-sales.csv.csv",
        "shop-sales-north-sales.csv.csv",
        "shop-sales-south-sales.csv.csv",
    ]
