from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.clock import microseconds
from features.errors import SourceError
from features.events import event_id
from features.history import History
from features.sources import delimited, reading
from tests.ingesting import HEADER, KEYED, NOW, SALES, lines, quarantined, rows, shop, taken, without_numbers, written
from tests.making import BOTH

ENGINES = BOTH

New = Callable[[], History]


def counts(reports) -> list[tuple[int, int, int, int]]:
    assert all(report.corrected == 0 for report in reports)
    return [(report.rows, report.new, report.known, report.quarantined) for report in reports]


# -- what one row becomes


def test_a_row_becomes_an_interaction(history, tmp_path):
    tables = """
[[table]]
name = "sales"
files = ["sales.csv"]
key = ["line"]
body = ["till", "basket"]
prefixes = { product = "sku:" }
kinds = { S = "purchase", Q = "inquiry" }
channels = { shop = "store", "" = "other" }
[table.columns]
reference = "customer"
occurred_at = "at"
kind = "what"
product = ["article", "size"]
place = "till"
channel = "where"
quantity = "pieces"
amount = "paid"
margin = "gain"
discount = ["coupon", "bonus"]
"""
    path = written(
        tmp_path / "sales.csv",
        "line,customer,at,what,article,size,till,where,pieces,paid,gain,coupon,bonus,basket",
        '1, 7 ,2017-01-02T10:00:00,S,mug,L,4,shop,2,9.99,-1.5,0.1,0.2,"b ""1"""',
        "2,8,2017-01-02,Q,,,,,,,,,,",
    )
    assert counts(taken(history, shop(tmp_path, tables, 'time_zone = "Asia/Seoul"'), path)) == [(2, 2, 0, 0)]
    at, midnight = microseconds(datetime(2017, 1, 2, 1, tzinfo=UTC)), microseconds(datetime(2017, 1, 1, 15, tzinfo=UTC))
    first = (
        0,
        "shop",
        "sales/1",
        "household:7",
        "purchase",
        "store",
        "sku:mug L",
        "4",
        20000,
        99900,
        -15000,
        3000,
        at,
        at,
        9 * 3600,
        None,
    )
    second = (
        *(0, "shop", "sales/2", "household:8", "inquiry", "other", "", "", 0, 0, None, 0, midnight, midnight),
        *(9 * 3600, None),
    )
    assert without_numbers(history) == sorted(
        [
            (event_id("shop", "sales", "1"), *first, '{"basket": "b \\"1\\"", "till": "4"}'),
            (event_id("shop", "sales", "2"), *second, '{"basket": null, "till": null}'),
        ],
        key=repr,
    )
    assert rows(history, '"references"') == [("household:7", "7"), ("household:8", "8")]


def test_parquet_gives_what_csv_gives(new_history, tmp_path):
    source = shop(tmp_path, KEYED.replace("sales*.csv", "sales*"))
    told, typed = new_history(), new_history()
    taken(told, source, written(tmp_path / "sales.csv", HEADER, *lines(40)))
    frame = pl.read_csv(tmp_path / "sales.csv", try_parse_dates=True, schema_overrides={"customer": pl.Float64})
    assert frame["at"].dtype == pl.Date
    frame.write_parquet(tmp_path / "sales.parquet")
    taken(typed, source, tmp_path / "sales.parquet")
    assert without_numbers(told) == without_numbers(typed)
    assert len(rows(typed)) == 40


@pytest.mark.parametrize(
    ("returns", "line", "expected"),
    [
        ("none", "1,7,2017-01-01,-4,-2", ("purchase", -20000, -40000, 30000, 5000)),
        ("negative_quantity", "1,7,2017-01-01,4,-2", ("return", -20000, -40000, -30000, -5000)),
        ("negative_quantity", "1,7,2017-01-01,-4,-2", ("return", -20000, -40000, 30000, 5000)),
        ("negative_quantity", "1,7,2017-01-01,-4,2", ("purchase", 20000, -40000, 30000, 5000)),
        ("negative_amount", "1,7,2017-01-01,-4,2", ("return", -20000, -40000, 30000, 5000)),
        ("negative_amount", "1,7,2017-01-01,4,2", ("purchase", 20000, 40000, 30000, 5000)),
    ],
)
def test_a_negative_number_makes_a_return(history, tmp_path, returns, line, expected):
    tables = KEYED.replace("pieces", 'pieces", margin = "gain", discount = "cut') + f'returns = "{returns}"'
    taken(history, shop(tmp_path, tables), written(tmp_path / "sales.csv", HEADER + ",gain,cut", line + ",3,0.5"))
    assert rows(history, "events", "kind", "quantity", "amount", "margin", "discount") == [expected]


@pytest.mark.parametrize("returns", ["none", "negative_quantity"])
def test_a_return_that_is_called_one_is_stored_negative(history, tmp_path, returns):
    tables = KEYED.replace('kind = "purchase"', 'kind = "return"') + f'returns = "{returns}"'
    taken(history, shop(tmp_path, tables), written(tmp_path / "sales.csv", HEADER, "1,7,2017-01-01,4,2"))
    assert rows(history, "events", "kind", "quantity", "amount") == [("return", -20000, -40000)]


def test_an_amount_may_be_a_quantity_at_a_price(history, tmp_path):
    tables = KEYED.replace("amount", "unit_price") + 'returns = "negative_quantity"'
    path = written(tmp_path / "sales.csv", HEADER, "1,7,2017-01-01,2.5,3", "2,7,2017-01-01,2.5,-3")
    taken(history, shop(tmp_path, tables), path)
    assert rows(history, "events", "kind", "amount") == [("purchase", 75000), ("return", -75000)]


def test_numbers_may_be_written_with_a_decimal_comma(history, tmp_path):
    tables = KEYED + 'separator = ";"\ndecimal = ","\nthousands = "."'
    header = HEADER.replace(",", ";")
    path = written(tmp_path / "sales.csv", header, "1;7;2017-01-01;1.234,5;2", "2;7;2017-01-01;12.34;2")
    reports = taken(history, shop(tmp_path, tables, "max_bad_share = 0.5"), path)
    assert rows(history, "events", "amount") == [(12345000,)]
    assert quarantined(reports[0].quarantine)[1][2] == (
        "expected amount to be a number between -1000000000 and 1000000000, found '12.34'"
    )


def test_words_may_stand_for_an_empty_cell(history, tmp_path):
    tables = KEYED.replace("pieces", 'pieces", margin = "gain') + 'missing = ["NA", "-"]'
    path = written(tmp_path / "sales.csv", HEADER + ",gain", "1,7,2017-01-01,1,1,NA", "2,7,2017-01-01,1,1,-")
    taken(history, shop(tmp_path, tables), path)
    assert rows(history, "events", "margin") == [(None,), (None,)]


# -- the two clocks


def test_a_local_time_is_read_in_the_sources_zone(history, tmp_path):
    path = written(tmp_path / "sales.csv", HEADER, "1,7,2017-03-26T02:30,1,1", "2,7,2017-10-29T02:30,1,1")
    taken(history, shop(tmp_path, KEYED, 'time_zone = "Europe/Berlin"'), path)
    expected = [datetime(2017, 3, 26, 1, 30, tzinfo=UTC), datetime(2017, 10, 29, 0, 30, tzinfo=UTC)]
    assert rows(history, "events", "occurred_at") == [(microseconds(one),) for one in expected]


def test_a_row_may_be_recorded_late(history, tmp_path):
    tables = KEYED.replace('at = "at"', 'at = "at", recorded_at = "entered"')
    path = written(tmp_path / "sales.csv", HEADER + ",entered", "1,7,2017-01-01,1,1,2017-02-03T04:05")
    taken(history, shop(tmp_path, tables), path)
    entered = datetime(2017, 2, 3, 4, 5, tzinfo=UTC)
    assert rows(history, "events", "recorded_at") == [(microseconds(entered),)]
    assert history.known_by(entered - timedelta(seconds=1)).events.is_empty()
    assert history.known_by(entered).events.height == 1


@pytest.mark.parametrize("tables", [KEYED, SALES])
def test_a_row_may_be_known_from_its_ingest_on(history, tmp_path, tables):
    source = shop(tmp_path, tables + 'recorded = "ingested"')
    path = written(tmp_path / "sales.csv", HEADER, *lines(3))
    taken(history, source, path)
    assert counts(taken(history, source, path, now=NOW + timedelta(days=9))) == [(3, 0, 3, 0)]
    assert set(rows(history, "events", "recorded_at")) == {(microseconds(NOW),)}


# -- once and only once


@pytest.mark.parametrize("tables", [KEYED, SALES])
def test_a_second_ingest_adds_nothing(history, tmp_path, tables):
    source, path = shop(tmp_path, tables), written(tmp_path / "sales.csv", HEADER, *lines(60))
    assert counts(taken(history, source, path)) == [(60, 60, 0, 0)]
    before = rows(history)
    assert counts(taken(history, source, path, now=NOW + timedelta(days=400))) == [(60, 0, 60, 0)]
    assert rows(history) == before


def test_twins_survive_where_there_is_no_key(history, tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "CHUNK", 2)
    source = shop(tmp_path, SALES)
    twin, other = "1,7,2017-01-01,5,1", "2,7,2017-01-01,6,1"
    path = written(tmp_path / "sales.csv", HEADER, twin, twin, other, twin, twin)
    assert counts(taken(history, source, path)) == [(5, 5, 0, 0)]
    assert counts(taken(history, source, path)) == [(5, 0, 5, 0)]
    written(path, HEADER, twin, twin, twin, twin, twin, other)
    assert counts(taken(history, source, path)) == [(6, 1, 5, 0)]


@settings(max_examples=12)
@given(order=st.permutations(range(12)), cuts=st.sets(st.integers(1, 11), max_size=4), keyless=st.booleans())
def test_rows_in_any_order_and_any_files_are_the_same_events(new_history, tmp_path, order, cuts, keyless):
    source = shop(tmp_path, SALES if keyless else KEYED)
    whole = new_history()
    taken(whole, source, written(tmp_path / "sales.csv", HEADER, *lines(12)))
    parts, folder = new_history(), tmp_path / "parts"
    folder.mkdir(exist_ok=True)
    for old in folder.glob("*.csv"):
        old.unlink()
    shuffled = [lines(12)[index] for index in order]
    for start, end in zip([0, *sorted(cuts)], [*sorted(cuts), 12], strict=True):
        written(folder / f"sales{start}.csv", HEADER, *shuffled[start:end])
    taken(parts, source, folder)
    # A row without a key points to its file and line, which differ.
    same = slice(None) if not keyless else slice(0, 3)
    assert sorted(row[same] for row in without_numbers(parts)) == sorted(row[same] for row in without_numbers(whole))
    for each in (whole, parts):
        each.close()


def test_an_ingest_that_breaks_off_is_completed_by_another(new_history, tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "CHUNK", 10)
    source, path = shop(tmp_path, SALES), written(tmp_path / "sales.csv", HEADER, *lines(20), *lines(20))
    broken, whole = new_history(), new_history()

    def fall(_: str, done: int, total: int | None) -> None:
        if total and done >= 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        taken(broken, source, path, on_progress=fall)
    assert len(rows(broken)) == 20
    assert counts(taken(broken, source, path)) == [(40, 20, 20, 0)]
    taken(whole, source, path)
    assert without_numbers(broken) == without_numbers(whole)


def test_progress_counts_rows_while_checking_and_again_while_appending(history, tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "CHUNK", 2)
    told = []
    path = written(tmp_path / "sales.csv", HEADER, *lines(3))
    taken(history, shop(tmp_path), path, on_progress=lambda *call: told.append(call))
    assert list(dict.fromkeys(told)) == [
        ("sales.csv", 2, None),
        ("sales.csv", 3, None),
        ("sales.csv", 2, 3),
        ("sales.csv", 3, 3),
    ]


def test_a_file_that_changes_meanwhile_is_told_of(history, tmp_path):
    path = written(tmp_path / "sales.csv", HEADER, *lines(3))
    grow = lambda *_: written(path, HEADER, *lines(4))  # noqa: E731
    with pytest.raises(SourceError, match="to stay as it was; found 4 rows after 3"):
        taken(history, shop(tmp_path), path, on_progress=grow)


# -- which files


def test_a_folder_gives_the_files_that_match(history, tmp_path):
    source = shop(tmp_path)
    for name in ("sales1.csv", "sales2.csv", "notes.csv"):
        written(tmp_path / name, HEADER, *lines(2, start=hash(name) % 1000))
    reports = taken(history, source, tmp_path, tmp_path / "sales1.csv")
    assert [report.file.name for report in reports] == ["sales1.csv", "sales2.csv"]


def test_a_link_to_a_file_goes_by_its_own_name(history, tmp_path):
    kept = written(tmp_path / "8f3a", HEADER, *lines(2))
    (tmp_path / "sales1.csv").symlink_to(kept)
    (tmp_path / "sales2.csv").symlink_to(kept)
    reports = taken(history, shop(tmp_path), tmp_path)
    assert [(report.file.name, report.new) for report in reports] == [("sales2.csv", 2)]


def test_paths_that_match_nothing_are_refused(history, tmp_path):
    source = shop(tmp_path)
    other = written(tmp_path / "orders.csv", HEADER, *lines(2))
    with pytest.raises(SourceError) as caught:
        taken(history, source, other)
    assert str(caught.value) == (
        f"expected files named sales*.csv for source shop; found orders.csv at {other}. "
        "Name another path, or the file in shop.toml"
    )
    with pytest.raises(SourceError, match=r"found .*orders\.csv, shop\.toml at"):
        taken(history, source, tmp_path)
    with pytest.raises(SourceError, match=r"expected a file or a folder at .*sales\.csv; found nothing"):
        taken(history, source, tmp_path / "sales.csv")


def test_a_missing_column_is_named_before_anything_is_written(history, tmp_path):
    first = written(tmp_path / "sales1.csv", HEADER, *lines(2))
    other = written(tmp_path / "sales2.csv", "Line,custmer,at,paid,pieces", *lines(2))
    with pytest.raises(SourceError) as caught:
        taken(history, shop(tmp_path), first, other)
    assert str(caught.value) == (
        "sales2.csv: expected the columns customer, at, paid, pieces, line (table sales of source shop); "
        "found Line, custmer, at, paid, pieces; missing customer (nearest: custmer), line (nearest: Line). "
        "Correct the file, or the table's columns in shop.toml"
    )
    assert rows(history) == []


def test_a_column_that_comes_twice_is_refused(history, tmp_path):
    path = written(tmp_path / "sales.csv", HEADER + ",paid", "1,7,2017-01-01,1,1,2")
    with pytest.raises(SourceError, match=r"sales\.csv: expected each column once; found paid twice"):
        taken(history, shop(tmp_path), path)


@pytest.mark.parametrize(
    ("name", "found"), [("sales.csv", "Empty CSV file"), ("sales.parquet", "Parquet file size is 0")]
)
def test_a_file_that_does_not_read_is_refused(history, tmp_path, name, found):
    path = written(tmp_path / name)
    with pytest.raises(SourceError, match=f"expected .*{name} to read to its end; found: {found}"):
        taken(history, shop(tmp_path, KEYED.replace("sales*.csv", "sales*")), path)


# -- how files are written


def test_columns_may_stand_apart_by_runs_of_spaces(history, tmp_path):
    tables = SALES + 'separator = "whitespace"\ntime_format = "%Y%m%d"'
    path = tmp_path / "sales.csv"
    path.write_bytes(
        b"  customer  at \tpaid pieces\r\n 00001 19970101  11.77  1\r\n\r\n 00002 19970112 \t 12.00 5\r\r\n"
    )
    assert counts(taken(history, shop(tmp_path, tables), path)) == [(2, 2, 0, 0)]
    assert rows(history, "events", "reference", "quantity", "amount", "occurred_at") == [
        ("household:00001", 10000, 117700, microseconds(datetime(1997, 1, 1, tzinfo=UTC))),
        ("household:00002", 50000, 120000, microseconds(datetime(1997, 1, 12, tzinfo=UTC))),
    ]


def test_a_file_may_lack_a_header(history, tmp_path):
    tables = """
[[table]]
name = "sales"
files = ["sales.csv"]
header = false
constants = { kind = "inquiry" }
columns = { reference = "column_1", occurred_at = "column_2" }
"""
    path = written(tmp_path / "sales.csv", "7,2017-01-01", "8", "9,2017-01-02")
    reports = taken(history, shop(tmp_path, tables, "max_bad_share = 0.5"), path)
    assert rows(history, "events", "reference") == [("household:7",), ("household:9",)]
    assert quarantined(reports[0].quarantine)[1:] == [["sales.csv", "2", "expected 2 cells, found 1", '{"line": "8"}']]


@pytest.mark.parametrize("encoding", ["cp949", "utf-16", "utf-8-sig"])
def test_a_file_may_have_another_encoding(history, tmp_path, encoding):
    path = tmp_path / "sales.csv"
    path.write_text(HEADER + "\n1,김치,2017-01-01,1,1\n", encoding=encoding)
    source = shop(tmp_path, KEYED + f'encoding = "{encoding}"')
    taken(history, source, path)
    assert rows(history, "events", "reference") == [("household:김치",)]


def test_a_quoted_cell_may_hold_a_line_break(history, tmp_path, monkeypatch):
    monkeypatch.setattr(delimited, "BLOCK", 120)
    body = SALES + 'body = ["line"]'
    cells = [f'"note\n{n}, long enough to fill a block or two",{n},2017-01-01,1,1' for n in range(30)]
    assert counts(taken(history, shop(tmp_path, body), written(tmp_path / "sales.csv", HEADER, *cells))) == [
        (30, 30, 0, 0)
    ]
    assert len({row for row in rows(history, "events", "body") if "note\\n" in row[0]}) == 30


def test_a_quote_that_never_closes_is_told_of(history, tmp_path, monkeypatch):
    monkeypatch.setattr(delimited, "BLOCK", 200)
    path = written(tmp_path / "sales.csv", HEADER, *lines(5), '"' + lines(1)[0], *lines(50))
    with pytest.raises(SourceError, match="is a quote opened and never closed"):
        taken(history, shop(tmp_path), path)
    assert rows(history) == []
