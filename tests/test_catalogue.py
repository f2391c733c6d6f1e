from features.catalogue import page
from features.definitions import FEATURES
from features.home import ROOT


def test_the_catalogue_page_is_that_of_the_definitions():
    written = (ROOT / "docs" / "features.md").read_text(encoding="utf-8")
    assert written == page(), "docs/features.md is out of date: make catalogue"


def test_every_feature_has_its_sentence_in_both_languages():
    for feature in FEATURES:
        assert feature.en.count("{value}") == feature.ko.count("{value}") == 1, feature.name
        assert any("가" <= letter <= "힣" for letter in feature.ko), feature.name
