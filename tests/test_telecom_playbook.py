"""The second playbook that is shipped, of a telecom operator: whole, and every offer of it finds somebody."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from features.decisions import Ledger
from features.definitions import NAMES
from features.home import ROOT
from serving.lint import findings
from serving.playbook import load_playbook
from serving.policy import Policy, Ruling
from serving.scores import NextPurchase, Scores, Worth
from serving.situation import Situation, Wish
from tests.desks import stated

NOW = datetime(2026, 12, 1, 3, tzinfo=UTC)
PLAYBOOK = load_playbook(ROOT / "playbook" / "telecom", NAMES)
POLICY = Policy(PLAYBOOK.offers, PLAYBOOK.glossary, PLAYBOOK.contact)
SCORES = Scores(
    0.09, 60_000.0, 20_000.0, 110_000.0, "margin", Worth("margin", 60_000.0), "top",
    (NextPurchase("DATA PACK", "type", 0.3, True),), 28, 365,
    chances={
        "ROAMING PACK": 0.2, "DATA PACK": 0.3, "BROADBAND GIGA": 0.1, "TV CINEMA": 0.1, "SECOND SIM": 0.1,
        "HANDSET": 0.3, "HOME SECURITY": 0.1,
    },
)  # fmt: skip
PLAIN = {
    "features.days_since_purchase": 20.0, "features.ends_364": 0.0, "features.tenure_days": 900.0,
    "features.declined_for_price_91": 0.0, "features.discount_share_91": 0.0, "features.declined_for_rival_91": 0.0,
    "features.spend_trend": 1.0, "features.complaints_28": 0.0, "features.complaints_91": 0.0,
    "features.offers_declined_28": 0.0, "features.late_payments_364": 0.0, "features.declined_for_service_91": 0.0,
    "features.contacts_91": 1.0, "attributes.travel": "weekly", "attributes.lines": "4",
}  # fmt: skip
YES = (Wish("marketing", "other", True, 0),)


def ruled(scores: Scores = SCORES, channel: str = "phone", wishes: tuple[Wish, ...] = YES, **words: Any) -> Ruling:
    said = {
        "churn.risk": scores.churn_risk, "value.expected": scores.expected_value, "value.tier": scores.tier,
        "churn.active_days": 365, "channel": channel,
    }  # fmt: skip
    known = said | PLAIN | {name.replace("__", "."): value for name, value in words.items()}
    situation = Situation(NOW, channel, scores, known | PLAYBOOK.glossary.tell(known), (), wishes)
    return POLICY.arbitrate(situation, Ledger(), 20, stated(POLICY))


def ranked(ruling: Ruling) -> list[str]:
    return [one.offer.id for one in ruling.ranked]


def stopped(ruling: Ruling, offer: str) -> Any:
    return next(one.stop for one in ruling.withheld if one.offer.id == offer)


def test_nothing_of_it_has_to_be_mended() -> None:
    assert list(findings(PLAYBOOK, NOW.date())) == []
    assert 12 <= len(PLAYBOOK.offers) <= 16
    assert PLAYBOOK.glossary.churn == "contract"


def test_every_offer_is_made_to_somebody() -> None:
    made = set(ranked(ruled())) | set(ranked(ruled(replace(SCORES, tier="high"))))
    made |= set(ranked(ruled(context__topic="outage")))
    made |= set(ranked(ruled(features__declined_for_price_91=1.0)))
    made |= set(ranked(ruled(features__complaints_28=1.0, features__complaints_91=3.0)))
    assert made == {offer.id for offer in PLAYBOOK.offers}


TURNS = {
    "active": {"features__ends_364": 1.0},
    "new_customer": {"features__tenure_days": 20.0},
    "at_risk": {"churn__risk": 0.001},
    "high_value": {"value__tier": "base"},
    "not_worth_retaining": {"value__tier": "base", "value__expected": 100.0},
    "worth_retaining": {"churn__risk": 0.001},
    "price_sensitive": {"features__discount_share_91": 0.9},
    "drawn_by_rivals": {"features__declined_for_rival_91": 1.0},
    "traveller": {"attributes__travel": "never"},
    "family": {"attributes__lines": "1"},
    "slowing": {"features__spend_trend": 0.1},
    "recently_complained": {"features__complaints_28": 2.0},
    "often_complains": {"features__complaints_91": 4.0},
    "often_declines": {"features__offers_declined_28": 3.0},
    "pays_late": {"features__late_payments_364": 3.0},
    "top_traveller": {"attributes__travel": "never"},
    "top_family": {"value__tier": "high"},
    "top_unhappy": {"features__complaints_28": 1.0},
    "top_quiet": {"features__contacts_91": 0.0},
}


@pytest.mark.parametrize("term", [term.name for term in PLAYBOOK.glossary.terms])
def test_every_term_holds_of_some_and_not_of_others(term: str) -> None:
    known = {"churn.risk": 0.09, "value.expected": 60_000.0, "value.tier": "top", "churn.active_days": 365, **PLAIN}
    turned = known | {name.replace("__", "."): value for name, value in TURNS[term].items()}
    before, after = (PLAYBOOK.glossary.tell(words)[term] for words in (known, turned))
    assert {before, after} == {True, False}


def test_whoever_pays_late_gets_no_instalments() -> None:
    late = ruled(features__late_payments_364=2.0)
    assert stopped(late, "handset_instalments").layer == "eligibility"
    assert [change.needed for change in stopped(late, "handset_instalments").flip.changes] == [1.0]


def test_what_is_lent_on_instalments_is_expected_to_be_lost_in_part() -> None:
    ruling = ruled(replace(SCORES, tier="high"))
    (handset,) = [one for one in ruling.ranked if one.offer.id == "handset_instalments"]
    told = ruling.breakdown(handset)
    assert told is not None
    assert told.credit_loss == pytest.approx(told.propensity * 900_000 * 0.012)


def test_the_outage_is_made_good_first_whatever_a_customer_is_worth() -> None:
    for scores in (SCORES, replace(SCORES, expected_value=-500.0, tier="base", churn_risk=None)):
        assert ranked(ruled(scores, context__topic="outage"))[0] == "outage_credit"


def test_whoever_is_not_worth_it_gets_no_costly_reason_to_stay_and_is_told_what_would_change_that() -> None:
    poor = replace(SCORES, expected_value=3_000.0, tier="base", chances={})
    ruling = ruled(poor, features__declined_for_price_91=1.0)
    assert not {"bill_discount", "handset_upgrade", "travel_bonus"} & set(ranked(ruling))
    stop = stopped(ruling, "bill_discount")
    assert stop.sentence["ko"] == "이 금액의 할인을 드리기에는 예상 가치가 낮습니다."
    assert [(change.word, change.needed) for change in stop.flip.changes] in (
        [("value.expected", 9_000.0)], [("value.tier", "middle")],
    )  # fmt: skip


def test_selling_needs_a_yes_and_keeping_does_not() -> None:
    assert "second_sim" in ranked(ruled(wishes=()))
    ruling = ruled(wishes=(), channel="app", features__declined_for_price_91=1.0)
    assert {one.offer.kind for one in ruling.ranked} == {"retention"}
    assert stopped(ruling, "data_pack").sentence["en"] == "No consent to advertising over this channel."
