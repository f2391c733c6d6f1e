from datetime import UTC, datetime

import polars as pl
import pytest

from features.clock import microseconds
from features.errors import SourceError
from features.home import ROOT
from features.sources import reading
from features.sources.source import find_source
from tests.ingesting import HEADER, KEYED, NOW, quarantined, rows, shop, taken, written

DAY = microseconds(datetime(2017, 1, 1, tzinfo=UTC))
ATTRIBUTES = """
[[table]]
name = "customers"
files = ["customers.csv"]
holds = "attributes"
columns = { reference = "customer" }
constants = { occurred_at = 2017-01-01 }
[table.attributes]
age = { column = "age", levels = ["young", "old"] }
children = "kids"
"""
PRODUCTS = """
[[table]]
name = "catalogue"
files = ["catalogue*.csv"]
holds = "products"
columns = { product = "sku", name = ["title", "size"], category = "group" }
"""
LINKS = """
[[table]]
name = "phones"
files = ["phones.csv"]
holds = "links"
linked = "phone"
columns = { reference = "customer", linked = "phone", occurred_at = "at" }
"""
JOINED = KEYED.replace('at = "at"', 'at = "day"') + 'join = { file = "visits.csv", on = ["customer", "pieces"] }'


# -- attributes


def test_each_attribute_of_a_row_becomes_an_event(history, tmp_path):
    path = written(tmp_path / "customers.csv", "customer,age,kids", "7,old,2", "8,,0", "9,,")
    (report,) = taken(history, shop(tmp_path, ATTRIBUTES), path)
    assert (report.rows, report.new, report.known, report.quarantined) == (3, 3, 0, 0)
    columns = ("reference", "kind", "product", "quantity", "amount", "margin", "occurred_at", "recorded_at", "body")
    assert rows(history, "events", *columns) == [
        ("household:7", "attribute", "age", 10000, 0, None, DAY, DAY, '{"value": "old"}'),
        ("household:7", "attribute", "children", 20000, 0, None, DAY, DAY, '{"value": "2"}'),
        ("household:8", "attribute", "children", 0, 0, None, DAY, DAY, '{"value": "0"}'),
    ]


def test_a_level_that_is_not_declared_is_refused_with_its_row(history, tmp_path):
    path = written(tmp_path / "customers.csv", "customer,age,kids", "7,ancient,2", "8,old,some", "9,old,1")
    (report,) = taken(history, shop(tmp_path, ATTRIBUTES, "max_bad_share = 1"), path)
    assert [row[2] for row in quarantined(report.quarantine)[1:]] == [
        "expected age to be one of young, old, found 'ancient'",
        "expected children to be a number between -1000000000 and 1000000000, found 'some'",
    ]
    assert {row[0] for row in rows(history, "events", "reference")} == {"household:9"}


@pytest.mark.parametrize("key", ["", 'key = ["customer"]\n'])
def test_attributes_told_again_add_nothing(history, tmp_path, key):
    source = shop(tmp_path, ATTRIBUTES.replace("[table.attributes]", key + "[table.attributes]"))
    path = written(tmp_path / "customers.csv", "customer,age,kids", "7,old,2", "7,old,2")
    assert taken(history, source, path)[0].new == 2
    assert taken(history, source, path)[0].new == 0


# -- products


def test_a_catalogue_is_laid_down_and_replaced(history, tmp_path):
    source = shop(tmp_path, PRODUCTS)
    path = written(tmp_path / "catalogue.csv", "sku,title,size,group", "1,mug,L,cups", "2,,,", "1,mug,XL,cups")
    (report,) = taken(history, source, path)
    assert (report.rows, report.new, report.known) == (3, 2, 1)
    assert rows(history, "products") == [("1", "mug XL", "", "cups", "", 1), ("2", "2", "", "", "", 1)]
    written(path, "sku,title,size,group", "1,beaker,,cups", "3,jug,,")
    (report,) = taken(history, source, path)
    assert (report.new, report.corrected, report.known) == (1, 1, 0)
    assert rows(history, "products", "product", "name") == [("1", "beaker"), ("2", "2"), ("3", "jug")]


def test_a_product_without_a_name_of_its_own_is_refused(history, tmp_path):
    path = written(tmp_path / "catalogue.csv", "sku,title,size,group", ",mug,L,cups")
    (report,) = taken(history, shop(tmp_path, PRODUCTS, "max_bad_share = 1"), path)
    assert quarantined(report.quarantine)[1][2] == "expected a value for product, found ''"


# -- links


def test_links_join_references_in_their_standard_form(history, tmp_path):
    lines = ("7,02-312-3456,2017-01-01", "8,+82 2 312 3456,2017-01-02", "9,,2017-01-01")
    source = shop(tmp_path, LINKS, 'region = "KR"')
    path = written(tmp_path / "phones.csv", "customer,phone,at", *lines)
    (report,) = taken(history, source, path)
    assert (report.rows, report.new, report.known, report.quarantined) == (3, 2, 0, 0)
    assert history.references_of("household:7", NOW) == {"household:7", "household:8", "phone:+8223123456"}
    assert history.references_of("household:7", datetime(2017, 1, 1, tzinfo=UTC)) == {
        "household:7",
        "phone:+8223123456",
    }
    assert taken(history, source, path)[0].new == 0


def test_links_may_end(history, tmp_path):
    tables = LINKS.replace('at = "at"', 'at = "at", action = "what"')
    lines = ("7,+8223123456,2017-01-01,link", "7,+8223123456,2017-02-01,unlink")
    taken(history, shop(tmp_path, tables), written(tmp_path / "phones.csv", "customer,phone,at,what", *lines))
    assert history.references_of("household:7", datetime(2017, 1, 15, tzinfo=UTC)) == {
        "household:7",
        "phone:+8223123456",
    }
    assert history.references_of("household:7", NOW) == {"household:7"}


def test_links_that_hold_no_number_or_join_nothing_are_refused(history, tmp_path):
    tables = LINKS.replace('linked = "phone"\n', 'linked = "phone"\nreference = "phone"\n')
    lines = ("+8223123456,nought,2017-01-01", "+8223123456,+82 2 312 3456,2017-01-01", "5,+8223123456,2017-01-01")
    path = written(tmp_path / "phones.csv", "customer,phone,at", *lines)
    (report,) = taken(history, shop(tmp_path, tables, "max_bad_share = 1"), path)
    assert [row[2] for row in quarantined(report.quarantine)[1:]] == [
        "expected linked to be of type phone, found 'nought'",
        "expected two different references, found 'phone:+8223123456'",
        "expected reference to be of type phone, found '5'",
    ]
    assert rows(history, "links") == []


# -- joins


def test_a_key_reads_the_same_in_every_unit_of_time(history, tmp_path):
    source = shop(tmp_path, KEYED.replace("sales*.csv", "sales*").replace('["line"]', '"at"').replace('"line"', '"at"'))
    for unit, name in (("ms", "sales1.parquet"), ("ns", "sales2.parquet")):
        frame = pl.DataFrame({"customer": [7], "at": [datetime(2017, 1, 1)], "paid": [1], "pieces": [1]})
        frame.with_columns(pl.col("at").dt.cast_time_unit(unit)).write_parquet(tmp_path / name)
    assert [report.new for report in taken(history, source, tmp_path)] == [1, 0]


def test_a_file_beside_gives_further_columns(history, tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "CHUNK", 1)
    written(tmp_path / "visits.csv", "customer,pieces,day,paid", "7,1,2017-01-01,99", "7,2,2017-01-02,99")
    path = written(tmp_path / "sales.csv", HEADER, "1,7,x,5,1", "2,7,x,6,2", "3,8,x,7,1")
    (report,) = taken(history, shop(tmp_path, JOINED, "max_bad_share = 0.5"), path)
    # The file's own columns go before those of the file beside it, in which the third row has no match.
    assert rows(history, "events", "occurred_at", "amount") == [(DAY, 50000), (DAY + 86_400_000_000, 60000)]
    assert quarantined(report.quarantine)[1:] == [
        [
            "sales.csv",
            "3",
            "expected a value for occurred_at, found ''",
            '{"line": "3", "customer": "8", "at": "x", "paid": "7", "pieces": "1"}',
        ]
    ]


def test_a_join_of_text_with_numbers(history, tmp_path):
    pl.DataFrame({"customer": [7.0], "pieces": [1], "day": [datetime(2017, 1, 1)]}).write_parquet(
        tmp_path / "visits.pq"
    )
    path = written(tmp_path / "sales.csv", HEADER, "1,7,x,5,1")
    taken(history, shop(tmp_path, JOINED.replace("visits.csv", "visits.pq") + '\nformat = "csv"'), path)
    assert rows(history, "events", "occurred_at") == [(DAY,)]


def test_a_file_beside_has_one_row_for_each_key_and_all_its_columns(history, tmp_path):
    source, path = shop(tmp_path, JOINED), written(tmp_path / "sales.csv", HEADER, "1,7,x,5,1")
    with pytest.raises(SourceError, match=r"visits\.csv to read to its end; found: .*No such file"):
        taken(history, source, path)
    written(tmp_path / "visits.csv", "customer,pieces,day", "7,1,2017-01-01", "7,1,2017-01-02")
    with pytest.raises(SourceError, match=r"visits\.csv: expected one row for each customer, pieces; found several"):
        taken(history, source, path)
    written(tmp_path / "visits.csv", "customer,piece,day", "7,1,2017-01-01")
    with pytest.raises(SourceError, match=r"visits\.csv: expected .* missing pieces \(nearest: piece\)"):
        taken(history, source, path)
    assert rows(history) == []


# -- the examples


def test_the_complete_journey_example_takes_files_of_its_shape(history, tmp_path):
    at, day = datetime(2017, 3, 4, 11, 53, 26), datetime(2017, 3, 3)
    files = {
        "transactions": {
            "household_id": [900, 900], "store_id": [330, 330], "basket_id": [31198570044] * 2, "product_id": [1, 2],
            "quantity": [1, 0], "sales_value": [0.5, 0.0], "retail_disc": [0.1, 0.0], "coupon_disc": [0.2, 0.0],
            "coupon_match_disc": [0.0, 0.0], "week": [1, 1], "transaction_timestamp": [at, at],
        },
        "products": {
            "product_id": [1], "manufacturer_id": [2], "department": ["GROCERY"], "brand": ["National"],
            "product_category": ["FRZN ICE"], "product_type": ["ICE"], "package_size": ["22 LB"],
        },
        "campaigns": {"campaign_id": [18], "household_id": [900]},
        "campaign_descriptions": {
            "campaign_id": [18], "campaign_type": ["Type A"], "start_date": [day], "end_date": [at],
        },
        "coupon_redemptions": {
            "household_id": [900], "coupon_upc": [51380041013], "campaign_id": [18], "redemption_date": [day],
        },
        "demographics": {
            "household_id": [900], "age": ["65+"], "income": ["Under 15K"], "home_ownership": [None],
            "marital_status": ["Married"], "household_size": ["5+"], "household_comp": ["x"], "kids_count": ["3+"],
        },
    }  # fmt: skip
    for name, columns in files.items():
        pl.DataFrame(columns).write_parquet(tmp_path / f"{name}.parquet")
    reports = taken(history, find_source(ROOT / "playbook" / "sources", "complete_journey"), tmp_path)
    assert {report.table: report.new for report in reports} == {
        "products": 1, "demographics": 5, "campaigns": 1, "coupons": 1, "purchases": 2,
    }  # fmt: skip
    assert [report.table for report in reports][:2] == ["products", "demographics"]
    found = rows(
        history, "events", "kind", "channel", "product", "place", "quantity", "amount", "discount", "occurred_at"
    )
    moment, midnight = microseconds(at.replace(tzinfo=UTC)), microseconds(day.replace(tzinfo=UTC))
    assert found == [
        ("attribute", "other", "age", "", 50000, 0, 0, DAY),
        ("attribute", "other", "household_size", "", 40000, 0, 0, DAY),
        ("attribute", "other", "income", "", 0, 0, 0, DAY),
        ("attribute", "other", "kids_count", "", 30000, 0, 0, DAY),
        ("attribute", "other", "marital_status", "", 10000, 0, 0, DAY),
        ("campaign", "mail", "campaign:Type A", "", 0, 0, 0, midnight),
        ("coupon", "store", "51380041013", "", 0, 0, 0, midnight),
        ("purchase", "store", "1", "330", 10000, 5000, 3000, moment),
        ("purchase", "store", "2", "330", 0, 0, 0, moment),
    ]
    assert rows(history, "products") == [("1", "ICE 22 LB", "ICE", "FRZN ICE", "GROCERY", 1)]


def test_the_cdnow_example_takes_a_file_of_its_shape(history, tmp_path):
    path = tmp_path / "CDNOW_master.txt"
    twins = " 23570 19970325  3   51.12\r\n" * 2
    path.write_bytes(
        f" customer_id  date number_of_cds  dollar_value\r\n 00001 19970101  1   11.77\r\n{twins}".encode()
    )
    (report,) = taken(history, find_source(ROOT / "playbook" / "sources", "cdnow"), path)
    assert (report.rows, report.new, report.quarantined) == (3, 3, 0)
    assert rows(history, "events", "reference", "quantity", "amount") == [
        ("customer:00001", 10000, 117700),
        ("customer:23570", 30000, 511200),
        ("customer:23570", 30000, 511200),
    ]
