from pathlib import Path

import pytest

from features.definitions import NAMES
from features.errors import PlaybookError
from features.expressions import Vocabulary, compile_rule
from features.glossary import Glossary, load_glossary
from features.home import ROOT
from features.sheets import Sheet

SHIPPED = ROOT / "playbook" / "glossary.toml"
SMALL = """
currency = "KRW"
region = "KR"
languages = ["en", "ko"]
[tiers]
best = 0.2
rest = 0.8
[next_purchase]
level = "category"
[assumptions]
margin_rate = 0.2
retention_horizons = 4
[assumptions.attention_price]
default = 10
phone = 50
"""
AT_RISK = """
[terms.at_risk]
when = "churn.risk > 0.5"
en = "Likely to leave."
ko = "이탈 위험이 높습니다."
"""
VOCABULARY = Vocabulary(
    {
        "churn.risk": 0.5,
        "value.tier": ("best", "rest"),
        "features.spend_28": 1.0,
        "at_risk": True,
        "channel": ("phone",),
    }
)


def loaded(folder: Path, text: str) -> Glossary:
    path = folder / "glossary.toml"
    path.write_text(text, encoding="utf-8")
    return load_glossary(path, ("spend_28",))


def holds(text: str, **known: object) -> bool | None:
    return compile_rule(text, VOCABULARY, "here").holds(
        {name.replace("__", "."): value for name, value in known.items()}
    )


def test_the_shipped_glossary_holds_together_and_says_everything_in_both_languages() -> None:
    glossary = load_glossary(SHIPPED, NAMES)
    assert set(glossary.tiers) == {"top", "high", "middle", "base"}
    assert {term.name for term in glossary.terms} >= {
        "active",
        "at_risk",
        "high_value",
        "new_customer",
        "discount_seeker",
    }
    assert all(set(term.sentence) == {"en", "ko"} for term in glossary.terms)
    assert all(any("가" <= letter <= "힣" for letter in term.sentence["ko"]) for term in glossary.terms)


def test_a_glossary_says_its_assumptions(tmp_path: Path) -> None:
    glossary = loaded(tmp_path, SMALL)
    assert glossary.assumptions.margin_rate == 0.2
    assert glossary.assumptions.attention_price["phone"] == 50
    assert glossary.assumptions.attention_price["web"] == 10
    assert (glossary.horizon_days, glossary.active_days) == (None, None)


def test_standard_costs_and_the_band_of_tiers_may_be_stated(tmp_path: Path) -> None:
    plain = loaded(tmp_path, SMALL)
    assert (plain.assumptions.cost_to_serve, plain.tier_band) == ({}, 0.1)
    stated = loaded(tmp_path, "tier_band = 0.2\n" + SMALL + "[assumptions.cost_to_serve]\nvisit = 60\n")
    assert (stated.assumptions.cost_to_serve, stated.tier_band) == ({"visit": 60.0}, 0.2)
    with pytest.raises(PlaybookError) as refused:
        loaded(tmp_path, SMALL + "[assumptions.cost_to_serve]\ncall = 4\n")
    assert str(refused.value) == (
        "glossary.toml, assumptions, cost_to_serve: expected only inquiry, complaint, contact, visit, campaign; found"
        " 'call'"
    )


def test_the_horizon_can_be_set(tmp_path: Path) -> None:
    glossary = loaded(tmp_path, SMALL + "[horizon]\ndays = 14\nactive_days = 40\n")
    assert (glossary.horizon_days, glossary.active_days) == (14, 40)


def test_comments_and_layout_leave_the_hash_alone_and_words_do_not(tmp_path: Path) -> None:
    plain = loaded(tmp_path, SMALL).hash
    assert loaded(tmp_path, "# a comment\n" + SMALL.replace('currency = "KRW"', 'currency   =   "KRW"')).hash == plain
    assert loaded(tmp_path, SMALL.replace("KRW", "USD")).hash != plain


def test_terms_rest_on_terms_in_any_order_of_writing(tmp_path: Path) -> None:
    worth = '\n[terms.a_worry]\nwhen = "at_risk and value.tier == \'best\'"\nen = "A worry."\nko = "걱정입니다."\n'
    glossary = loaded(tmp_path, SMALL + worth + AT_RISK)
    assert glossary.tell({"churn.risk": 0.9, "value.tier": "best"}) == {"at_risk": True, "a_worry": True}
    assert glossary.tell({"churn.risk": 0.1, "value.tier": "best"}) == {"at_risk": False, "a_worry": False}
    assert glossary.tell({"churn.risk": None, "value.tier": "best"}) == {"at_risk": None, "a_worry": None}


def test_an_item_without_a_spoken_name_is_said_in_small_letters(tmp_path: Path) -> None:
    glossary = loaded(tmp_path, SMALL + '[items]\nBEER = { en = "a beer", ko = "맥주" }\n')
    assert [glossary.spoken("BEER", language) for language in ("en", "ko")] == ["a beer", "맥주"]
    assert [glossary.spoken("PALE ALE", language) for language in ("en", "ko")] == ["pale ale", "pale ale"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            (AT_RISK, AT_RISK.replace("churn.risk", "chrun.risk")),
            "glossary.toml, terms, at_risk: expected a known word, found 'chrun.risk', in 'chrun.risk > 0.5'; "
            "did you mean churn.risk or churn.rank?",
        ),
        (
            (AT_RISK, AT_RISK.replace("churn.risk", "features.spend_82")),
            "glossary.toml, terms, at_risk: expected a known word, found 'features.spend_82', "
            "in 'features.spend_82 > 0.5'; did you mean features.spend_28?",
        ),
        (
            (AT_RISK, AT_RISK.replace("churn.risk > 0.5", "value.tier == 'bets'")),
            "glossary.toml, terms, at_risk: expected one of best, rest; found 'bets', in \"value.tier == 'bets'\"; "
            "did you mean best?",
        ),
        (
            (AT_RISK, AT_RISK.replace("churn.risk > 0.5", "churn.risk > ")),
            "glossary.toml, terms, at_risk: expected an expression, found 'churn.risk > ': "
            "Unexpected end of unary expression at (12, 12)",
        ),
        (
            (AT_RISK, AT_RISK.replace("churn.risk > 0.5", "churn.risk")),
            "glossary.toml, terms, at_risk: expected yes or no from 'churn.risk', found neither when churn.risk = 0.5",
        ),
        (
            (AT_RISK, AT_RISK.replace('ko = "이탈 위험이 높습니다."', "")),
            "glossary.toml, terms, at_risk: expected ko, found nothing by that name; add it",
        ),
        (
            (AT_RISK, AT_RISK.replace("churn.risk > 0.5", "not at_risk")),
            "glossary.toml, terms: expected terms that rest on other terms without a circle, found at_risk → at_risk",
        ),
        (
            ("at_risk]", "channel]"),
            "glossary.toml, terms: expected names of the business's own, found 'channel', which is a known word; "
            "rename the term",
        ),
        (("rest = 0.8", "rest = 0.7"), "glossary.toml, tiers: expected shares that add up to 1, found 0.9"),
        (
            ('level = "category"', 'level = "catgory"'),
            "glossary.toml, next_purchase: expected level to be one of product, type, category, department; "
            "found 'catgory'; did you mean category?",
        ),
        (
            ("margin_rate = 0.2", "margin_rate = 2"),
            "glossary.toml, assumptions: expected margin_rate to be a number from 0 to 1, found 2",
        ),
        (
            ("margin_rate = 0.2", "margin_rat = 0.2"),
            "glossary.toml, assumptions: expected margin_rate, found nothing by that name; add it; "
            "did you mean margin_rat?",
        ),
        (
            ('region = "KR"', 'region = "KR"\nlanguage = "en"'),
            "glossary.toml: expected only languages, tiers, terms, churn, horizon, next_purchase, currency, "
            "region, assumptions, tier_band, items; found 'language'; did you mean languages?",
        ),
        (
            ('["en", "ko"]', '["en", "jp"]'),
            "glossary.toml: expected languages among en, ko; found 'jp'",
        ),
    ],
)
def test_what_does_not_hold_together_is_told(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    before, after = change
    text = SMALL + AT_RISK
    assert before in text
    with pytest.raises(PlaybookError) as told:
        loaded(tmp_path, text.replace(before, after))
    assert str(told.value) == message


def test_a_file_that_is_not_toml_or_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(PlaybookError, match=r"expected TOML in .*glossary.toml; found: "):
        loaded(tmp_path, "currency =")
    with pytest.raises(PlaybookError, match=r"expected a playbook file at .*none.toml; found: No such file"):
        load_glossary(tmp_path / "none.toml", ())


def test_a_rule_over_something_unknown_is_neither_yes_nor_no() -> None:
    for text in ("churn.risk > 0.3", "churn.risk != 0.3", "not (churn.risk > 0.3)", "at_risk or churn.risk > 0.3"):
        assert holds(text, at_risk=True) is None
    assert compile_rule("churn.risk > 0.3", VOCABULARY, "here").unknown({}) == ("churn.risk",)


def test_a_number_that_no_rule_can_hold_makes_it_neither_yes_nor_no() -> None:
    assert holds("churn.risk > 0.3", churn__risk=1e30) is None
    rules = [compile_rule(text, VOCABULARY, "here") for text in ("churn.risk > 0.3", "at_risk")]
    assert Sheet(rules).tell({"churn.risk": 1e30, "at_risk": True}) == [None, True]


def test_a_rule_can_take_care_of_the_unknown() -> None:
    assert holds("(churn.risk ?? 0) < 0.3") is True
    assert holds("churn.risk == null or churn.risk < 0.3") is True
    assert holds("churn.risk != null and churn.risk < 0.3") is False
    assert holds("churn.risk == null or churn.risk < 0.3", churn__risk=0.5) is False


def test_a_value_of_another_type_is_unknown_rather_than_wrong() -> None:
    assert holds("context.people > 2", context__people=3) is True
    assert holds("context.people > 2", context__people="three") is None


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("at_risk = true", "expected == to compare, found ="),
        ("features['spend_28'] > 1", "expected a word with a dot, such as context.topic, found ["),
        ("`x` == 'x'", "expected words, numbers, quoted texts and operators, found '`'"),
        ("rand(6) > 3", "expected a known function, found 'rand'"),
        ("date('now') > 1", "expected a known function, found 'date'"),
        ("context.topic.part == 'a'", "expected a known word, found 'context.topic.part'"),
    ],
)
def test_what_could_change_between_two_readings_or_hide_a_word_is_refused(text: str, problem: str) -> None:
    with pytest.raises(PlaybookError) as told:
        compile_rule(text, VOCABULARY, "here")
    assert str(told.value).startswith(f"here: {problem}")
