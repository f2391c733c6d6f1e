from pathlib import Path

import pytest

from features.errors import SourceError
from features.home import ROOT
from features.sources.source import find_source, read_source
from tests.ingesting import KEYED, SALES, shop

EXAMPLES = ROOT / "playbook" / "sources"


def complaint(folder: Path, tables: str = KEYED, top: str = "") -> str:
    with pytest.raises(SourceError) as caught:
        shop(folder, tables, top)
    return str(caught.value)


def test_the_examples_read():
    journey, cdnow = find_source(EXAMPLES, "complete_journey"), find_source(EXAMPLES, "cdnow")
    assert {table.name: table.holds for table in journey.tables} == {
        "purchases": "interactions",
        "products": "products",
        "campaigns": "interactions",
        "coupons": "interactions",
        "demographics": "attributes",
    }
    assert journey.tables[0].columns["discount"] == ("retail_disc", "coupon_disc", "coupon_match_disc")
    assert journey.tables[4].attributes["age"].levels[0] == "19-24"
    assert journey.tables[4].constants == {"occurred_at": "2017-01-01"}
    assert (cdnow.reference, cdnow.tables[0].separator, cdnow.tables[0].key) == ("customer", "whitespace", ())


def test_what_a_source_leaves_out_has_defaults(tmp_path):
    source = shop(tmp_path)
    assert (source.time_zone, source.max_bad_share, source.region) == ("UTC", 0.01, None)
    table = source.tables[0]
    assert (table.holds, table.recorded, table.returns, table.encoding) == ("interactions", "occurred", "none", "utf-8")


def test_an_unknown_source_names_the_nearest(tmp_path):
    shop(tmp_path)
    with pytest.raises(SourceError) as caught:
        find_source(tmp_path, "shops")
    assert str(caught.value) == (
        f"expected a source shops at {tmp_path / 'shops.toml'}; found the sources shop (nearest: shop). "
        "Write that file first"
    )


def test_an_unknown_key_names_the_nearest(tmp_path):
    assert complaint(tmp_path, top='time_zon = "UTC"') == (
        "shop.toml: expected only the keys name, description, time_zone, reference, region, max_bad_share, rights,"
        " table; found time_zon (nearest: time_zone)"
    )
    assert complaint(tmp_path, KEYED + 'seperator = ";"').endswith("found seperator (nearest: separator)")
    assert complaint(tmp_path, KEYED + 'join = { file = "a.csv", with = "line" }') == (
        "shop.toml, table sales, join: expected only the keys file, on; found with"
    )


def test_a_missing_key_is_named(tmp_path):
    assert complaint(tmp_path, '[[table]]\nname = "sales"') == (
        "shop.toml, table sales: expected the key files; found only name"
    )


def test_an_unknown_field_names_the_nearest(tmp_path):
    assert complaint(tmp_path, SALES.replace("amount =", "amounts =")) == (
        "shop.toml, table sales: expected only the fields reference, occurred_at, kind, recorded_at, time_zone, "
        "channel, product, place, quantity, amount, unit_price, margin, cost, discount; found amounts (nearest: amount)"
    )


def test_a_field_that_must_be_there_is_named(tmp_path):
    assert complaint(tmp_path, SALES.replace("occurred_at", "recorded_at")) == (
        "shop.toml, table sales: expected a column or a constant for occurred_at; "
        "found only reference, recorded_at, amount, quantity, kind"
    )


def test_a_file_that_is_no_toml_is_told_so(tmp_path):
    path = tmp_path / "shop.toml"
    path.write_text("name = ", encoding="utf-8")
    with pytest.raises(SourceError, match=r"shop\.toml to be TOML in UTF-8; found: Invalid value"):
        read_source(path)


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ('time_zone = "Asia/Soul"', "time_zone to be a time zone such as Asia/Seoul or UTC; found 'Asia/Soul'"),
        ('region = "Korea"', "region to be a region such as KR; found 'Korea'"),
        ("max_bad_share = 2", "max_bad_share to be a number from 0 to 1; found 2"),
        ("max_bad_share = true", "max_bad_share to be a number from 0 to 1; found True"),
        ("description = 7", "description to be text; found 7"),
    ],
)
def test_a_setting_out_of_shape_is_refused(tmp_path, setting, expected):
    assert complaint(tmp_path, top=setting) == f"shop.toml: expected {expected}"


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ('holds = "customers"', "holds to be one of products, attributes, links, interactions; found 'customers'"),
        ('returns = "negative"', "returns to be one of none, negative_quantity, negative_amount; found 'negative'"),
        ('recorded = "later"', "recorded to be one of occurred, ingested; found 'later'"),
        ('separator = "||"', "separator to be one character, or \"whitespace\"; found '||'"),
        ('encoding = "utf-9"', "encoding to be an encoding such as utf-8, cp949 or latin-1; found 'utf-9'"),
        ('header = "yes"', "header to be true or false; found 'yes'"),
        ("key = []", "key to be text or a list of texts; found []"),
        ('thousands = "."', "decimal and thousands to differ; found ."),
        ('prefixes = { channel = "x" }', "prefixes for product or place; found channel"),
        ('linked = "phone"', "linked only where a table holds links; found phone"),
        ('attributes = { age = "age" }', "attributes where a table holds them; found 1 where it holds interactions"),
        ('reference = "House Hold"', "reference to be a word such as household; found 'House Hold'"),
    ],
)
def test_a_table_out_of_shape_is_refused(tmp_path, setting, expected):
    assert complaint(tmp_path, SALES + setting) == f"shop.toml, table sales: expected {expected}"


@pytest.mark.parametrize(
    ("constants", "expected"),
    [
        ('kind = "purchases"', "found purchases (nearest: purchase)"),
        ('kind = "purchase", channel = "shop"', "phone, email, mail, chat, field, partner, other; found shop"),
        ('kind = "purchase", margin = "much"', "the constant margin to be a number of at most 1000000000; found much"),
        ('kind = "purchase", margin = nan', "the constant margin to be a number of at most 1000000000; found nan"),
        ('kind = "purchase", recorded_at = "May"', "the constant recorded_at to be a time in ISO 8601; found May"),
        ('kind = "purchase", amount = 1', "expected a column or a constant for amount; found both"),
        ('kind = "purchase", unit_price = 1', "expected an amount or a unit_price; found both"),
    ],
)
def test_a_constant_that_cannot_stand_is_refused(tmp_path, constants, expected):
    assert complaint(tmp_path, SALES.replace('kind = "purchase"', constants)).endswith(expected)


def test_a_translation_into_an_unknown_word_is_refused(tmp_path):
    tables = SALES.replace("constants", 'kinds = { sold = "bought" }\n#')
    assert complaint(tmp_path, tables).endswith("offer_returned, void, write_off, consent; found bought")
    assert complaint(tmp_path, SALES + 'channels = { shop = "stores" }').endswith("found stores (nearest: store)")


def test_returns_need_the_number_that_tells_them(tmp_path):
    tables = SALES.replace(', quantity = "pieces"', "") + 'returns = "negative_quantity"'
    assert complaint(tmp_path, tables) == "shop.toml, table sales: expected a field quantity, for returns; found none"


def test_links_are_never_dated_by_their_ingest(tmp_path):
    tables = """
[[table]]
name = "phones"
files = ["phones.csv"]
holds = "links"
linked = "phone"
columns = { reference = "customer", linked = "phone", occurred_at = "at" }
recorded = "ingested"
"""
    assert complaint(tmp_path, tables) == (
        'shop.toml, table phones: expected recorded = "occurred" for links; found ingested'
    )


def test_tables_share_no_name(tmp_path):
    assert complaint(tmp_path, SALES + SALES) == (
        "shop.toml: expected tables, each with its own name; found sales, sales"
    )


def test_a_source_is_named_as_its_file(tmp_path):
    shop(tmp_path)
    (tmp_path / "shop.toml").rename(tmp_path / "till.toml")
    with pytest.raises(SourceError, match=r"till\.toml: expected name to be till, as the file's; found shop"):
        read_source(tmp_path / "till.toml")
