import gc
import itertools
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import Any
from uuid import UUID, uuid4

import pytest

from features.clock import microseconds
from features.contract import CONTRACT
from features.errors import AmbiguousCustomer, InputError, StoreError
from features.expressions import Vocabulary, compile_rule
from features.history import History
from features.identity import Reference
from serving.answers import DecisionAnswer, InteractionsAnswer, LookupAnswer, OutcomeAnswer
from serving.body import as_text
from serving.desk import Desk
from serving.offers import Rule
from serving.requests import LADDER, Ask, Happening, Report
from tests.desks import NOW, SCORES, FakeScorer, desk_over, playbook, shopped, stocked
from tests.making import BOTH

ENGINES = BOTH

WORDS = Vocabulary({"offer.last_reason": ("already_has", "not_now")})
FIRST = "d-00000000-0000-0000-0000-000000000001"


@pytest.fixture
def desk(history: History) -> Desk:
    return desk_over(history)


def ask(customer: str = "household:7", **given: Any) -> Ask:
    return Ask(**{"customer": customer, "channel": "phone", **given})


def happening(number: int = 1, **given: Any) -> Happening:
    plain = {"event_id": str(number), "customer": "household:7", "kind": "inquiry", "source": "crm", "occurred_at": NOW}
    return Happening(**(plain | given))


def later(desk: Desk, **passed: float) -> Desk:
    return Desk(desk.history, desk.scorer, desk.playbook, lambda: NOW + timedelta(**passed), uuid4)


def test_a_decision_is_on_disk_when_it_is_answered_and_reads_the_same(desk: Desk) -> None:
    answered = desk.decide(ask())
    kept = History(desk.history.url)
    assert kept.decisions.get(answered["decision_id"]) == json.loads(as_text(dict(answered)))
    assert kept.decisions.body(answered["decision_id"]) == as_text(answered)
    kept.close()


def test_a_decision_that_cannot_be_kept_is_not_answered(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise StoreError("no room")

    monkeypatch.setattr("features.decisions.Making.write", full)
    with pytest.raises(StoreError):
        desk.decide(ask())


def test_a_decision_is_what_its_documentation_says(desk: Desk) -> None:
    known = desk.decide(ask(offers=2, context={"topic": "complaint", "people": 2}))
    stranger = desk.decide(ask("nobody", language="ko"))
    for body in (known, stranger):
        assert json.loads(DecisionAnswer.model_validate(body).model_dump_json()) == json.loads(as_text(body))
    assert [one["rank"] for one in known["offers"]] == [1, 2]
    told = [one["offer"] for one in (*known["offers"], *known["runners_up"], *known["withheld"])]
    assert sorted(told) == sorted(offer.id for offer in desk.playbook.offers)


def test_a_decision_says_what_it_rests_on(desk: Desk) -> None:
    body = desk.decide(ask())
    assert body["bundle"] == {"version": "7", "hash": "0" * 32}
    assert body["playbook"] == {"hash": desk.playbook.hash, "glossary_hash": desk.playbook.glossary.hash}
    assert body["row"]["contract"] == CONTRACT.definitions
    assert body["row"]["values"][CONTRACT.names.index("days_since_purchase")] == 3.0
    assert None in body["row"]["values"]
    assert (body["ages"]["newest_event_seconds"], body["ages"]["bundle_days"]) == (3 * 86_400.0, 2.0)
    assert body["scores"]["value_breakdown"] == {
        "measure": "revenue", "brought": 120.0, "cost_to_serve": None, "credit_loss": None
    }  # fmt: skip
    assert body["assumptions"] == {
        "margin_rate": 0.25, "retention_horizons": 6.0, "cost_to_serve": {}, "credit_loss_rate": 0.0,
        "credit_loss_from": "stated prior",
    }  # fmt: skip
    assert (body["effects"], body["chosen_probability"]) == ("stated priors", 1.0)
    assert body["tier"] == "high"
    assert [one["spoken"] for one in body["next_purchases"]] == ["milk", "ground coffee"]


def test_the_same_question_at_the_same_moment_gets_the_same_decision(new_history: Callable[[], History]) -> None:
    first, second = (desk_over(new_history()).decide(ask(context={"topic": "x"})) for _ in range(2))
    assert first == second


def test_sentences_come_in_the_language_asked_for(desk: Desk) -> None:
    english, korean = desk.decide(ask()), desk.decide(ask(language="ko"))
    assert english["reasons"]["churn"][0]["sentence"] == "Overdue: 2.5 gaps"
    assert korean["reasons"]["churn"][0]["sentence"] == "구매 지연: 2.5배"
    assert korean["language"] == "ko"
    for said in (*(one["title"] for one in korean["offers"]), *(one["reason"] for one in korean["withheld"])):
        assert any("가" <= letter <= "힣" for letter in said)
    with pytest.raises(InputError, match=r"^expected language to be one of en, ko; found 'fr'$"):
        desk.decide(ask(language="fr"))


def test_a_customer_is_found_by_id_by_reference_and_by_phone_number(desk: Desk) -> None:
    for text in ("7", "household:7", "+1 202 456 1111", "(202) 456-1111", "phone: +1 202-456-1111"):
        assert desk.decide(ask(text))["customer"] == "household:7"
    assert desk.decide(ask("(202) 456-1111"))["reference"] == "phone:+12024561111"


def test_a_value_that_names_two_customers_is_refused_with_both(desk: Desk) -> None:
    desk.history.append([replace(shopped("7", 1.0, 1.0), id="x", reference=Reference("till", "7"))], None)
    with pytest.raises(AmbiguousCustomer, match="household:7, till:7"):
        desk.decide(ask("7"))
    assert desk.decide(ask("household:7"))["found"]


@pytest.mark.parametrize(
    ("text", "customer"),
    [("nobody", "customer:nobody"), ("a@b.example", "email:a@b.example"), ("+82 2-312-3456", "phone:+8223123456")],
)
def test_a_stranger_gets_stated_defaults_and_the_decision_is_kept(desk: Desk, text: str, customer: str) -> None:
    body = desk.decide(ask(text))
    assert (body["found"], body["customer"]) == (False, customer)
    assert body["note"] == "Nobody is known by this reference yet: stated defaults stand in for a history."
    assert body["scores"]["expected_value"] == 15.0
    assert desk.history.decisions.get(body["decision_id"]) is not None


def test_somebody_known_who_has_bought_nothing_gets_defaults_too(desk: Desk) -> None:
    desk.history.append([shopped("9", 0.0, 2.0, kind="inquiry")], None)
    body = desk.decide(ask("household:9"))
    assert body["found"]
    assert body["note"] == "Nothing is known of this customer's purchases yet: stated defaults stand in."


def test_attributes_and_context_reach_the_rules(desk: Desk) -> None:
    def withheld() -> set[str]:
        body = desk.decide(ask(context={"pet": "dog"}))
        return {one["offer"] for one in body["withheld"]}

    assert "diaper_club" in withheld()
    assert "dog_food" not in withheld()
    wording = replace(shopped("7", 0.0, 5.0, kind="attribute", product="kids_count"), body={"value": "2"})
    desk.history.append([wording], None)
    assert "diaper_club" not in withheld()
    newer = replace(shopped("7", 0.0, 4.0, kind="attribute", product="kids_count"), body={"value": "0"})
    desk.history.append([newer], None)
    assert "diaper_club" in withheld()


def test_what_was_declined_is_not_offered_again_for_four_weeks(desk: Desk) -> None:
    assert desk.decide(ask(offers=20))["offers"][0]["offer"] == "stay_voucher"
    desk.outcome(Report(decision_id=FIRST, offer="stay_voucher", status="declined"))
    for days, layer in ((1, "contact"), (27, "contact"), (29, None)):
        body = later(desk, days=days).consider(ask(), NOW + timedelta(days=days), "d").body
        withheld = {one["offer"]: one["layer"] for one in body["withheld"]}
        assert withheld.get("stay_voucher") == layer


def test_silence_is_said(history: History) -> None:
    quiet = desk_over(history, replace(SCORES, churn_risk=None, tier="base", next_purchases=()))
    body = quiet.decide(ask(channel="other"))
    assert body["offers"] == []
    assert body["silence"] == "No offer: the rules let none of 14 offers through."
    dear = quiet.decide(ask(channel="mail"))
    assert dear["silence"] == "No offer: of 3 offers that pass the rules, each costs more than it brings."
    assert quiet.decide(ask(channel="phone"))["silence"] is None


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"channel": "fax"}, "expected channel to be one of store, web, app, phone, email, mail, chat, field, partner, "
                             "other; found 'fax'"),
        ({"offers": 0}, "expected offers from 1 to 20, found 0"),
        ({"customer": " "}, "expected a customer's id or reference, such as household:1228 or +8223123456; "
                            "found nothing"),
        ({"customer": "phone:x"}, "expected a phone number with its country code, such as +8223123456; found 'x'"),
    ],
)  # fmt: skip
def test_a_question_that_cannot_be_answered_is_told_why_and_leaves_nothing(
    desk: Desk, given: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError) as told:
        desk.decide(replace(ask(), **given))
    assert str(told.value) == message
    assert desk.history.decisions.get(FIRST) is None


# -- outcomes


def test_an_outcome_is_kept_once_however_often_it_is_told(desk: Desk) -> None:
    decision = desk.decide(ask("(202) 456-1111"))
    report = Report(decision_id=FIRST, offer="dog_food", status="accepted", reason_code="not_now", who="agent-17")
    answers = [desk.outcome(report), later(desk, hours=1).outcome(report)]
    assert [answer["recorded"] for answer in answers] == [True, False]
    assert answers[1]["note"] == "already known"
    for answer in answers:
        OutcomeAnswer.model_validate(answer)
    (row,) = [row for row in desk.history.of_customer([decision["reference"]], NOW) if row[1] == "offer_accepted"]
    assert (row[0], row[2], row[3]) == ("phone:+12024561111", "phone", "dog_food")
    assert json.loads(row[-1]) == {"decision_id": FIRST, "reason": "not_now", "who": "agent-17"}


def test_every_step_of_the_ladder_is_a_fact_of_its_own(desk: Desk) -> None:
    desk.decide(ask())
    assert all(desk.outcome(Report(decision_id=FIRST, offer="dog_food", status=step))["recorded"] for step in LADDER)
    kinds = desk.history.counts()
    assert {kind for kind in kinds if kind.startswith("offer_")} == {f"offer_{step}" for step in LADDER}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"decision_id": "d-9"}, "expected the id of a decision, found 'd-9', which nobody made"),
        ({"offer": "a_car"}, f"expected an offer of decision {FIRST}: beef_family_pack, deli_turkey, diaper_club, "
                             "dog_food, double_fuel_points, free_delivery, fresh_cut_fruit, ground_coffee, "
                             "laundry_detergent, manager_call, next_on_the_list, personal_coupons, premium_pizza, "
                             "stay_voucher; found 'a_car'"),
        ({"status": "sold"}, "expected status to be one of presented, interested, accepted, declined, fulfilled, "
                             "returned, not_presented; found 'sold'"),
        ({"occurred_at": NOW + timedelta(minutes=6)},
         "expected occurred_at from 1900 on and at most 5 minutes after 2018-01-02T09:30:00+00:00, "
         "found 2018-01-02T09:36:00+00:00"),
    ],
)  # fmt: skip
def test_an_outcome_that_cannot_be_true_is_refused(desk: Desk, given: dict[str, Any], message: str) -> None:
    desk.decide(ask())
    before = desk.history.counts()
    with pytest.raises(InputError) as told:
        desk.outcome(replace(Report(decision_id=FIRST, offer="dog_food", status="accepted"), **given))
    assert str(told.value) == message
    assert desk.history.counts() == before


def test_a_reason_code_is_the_playbook_s_and_its_sort_counts_as_a_feature_at_once(desk: Desk) -> None:
    decision = desk.decide(ask())

    def declined(**given: Any) -> float:
        report = Report(decision_id=decision["decision_id"], offer="stay_voucher", status="declined", **given)
        desk.outcome(report)
        place = CONTRACT.names.index("declined_for_price_91")
        return later(desk, minutes=1).decide(ask())["row"]["values"][place]

    with pytest.raises(InputError) as told:
        declined(reason_code="too_expensiv")
    assert str(told.value).endswith("found 'too_expensiv'; did you mean too_expensive?")
    assert declined(reason_code="too_expensive") == 1.0
    assert declined(reason_code="too_expensive") == 1.0
    # Corrected to another sort, then taken back altogether.
    assert declined(reason_code="not_now") == 0.0
    assert declined(reason_code="minimum_spend") == 1.0
    assert declined(withdrawn=True) == 0.0


def test_a_withdrawn_outcome_is_as_if_it_had_not_been_told(desk: Desk) -> None:
    decision = desk.decide(ask())
    report = Report(decision_id=decision["decision_id"], offer="stay_voucher", status="declined")
    with pytest.raises(InputError, match="expected a report of declined to withdraw, found that nobody"):
        desk.outcome(replace(report, withdrawn=True))
    desk.outcome(report)
    tomorrow = later(desk, days=1)
    said = [one["reason"] for one in tomorrow.decide(ask(offers=20))["withheld"] if one["offer"] == "stay_voucher"]
    assert said == ["Declined within the last four weeks."]
    assert tomorrow.outcome(replace(report, withdrawn=True))["note"] == "corrected"
    assert tomorrow.outcome(replace(report, withdrawn=True))["recorded"] is False
    after = later(desk, days=2).decide(ask(offers=20))["withheld"]
    assert [one["reason"] for one in after if one["offer"] == "stay_voucher"] == [
        "A voucher was offered within the last four weeks."
    ]


def test_an_outcome_told_twice_at_once_is_written_once(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each without a moment, so that each would take its own."""
    decision, moments, both = desk.decide(ask()), itertools.count(1), Barrier(2)
    desk.clock = lambda: NOW + timedelta(milliseconds=next(moments))
    report = Report(decision_id=decision["decision_id"], offer="stay_voucher", status="presented")
    report_to = desk.history.report

    def together(*given: Any) -> Any:
        both.wait(10)
        return report_to(*given)

    monkeypatch.setattr(desk.history, "report", together)
    with ThreadPoolExecutor(2) as pool:
        told = list(pool.map(desk.outcome, [report, report]))
    assert sorted(str(one["note"]) for one in told) == ["None", "already known"]


def test_a_reason_that_is_told_later_stands_where_its_decline_does(desk: Desk) -> None:
    decision = desk.decide(ask())
    report = Report(decision_id=decision["decision_id"], offer="stay_voucher", status="declined")
    desk.outcome(report)
    later(desk, days=3).outcome(replace(report, reason_code="not_now", who="agent-1"))
    # By somebody else it is told anew, and then taken back: both of them, each time.
    for given in ({"who": "agent-2"}, {"withdrawn": True}, {"who": "agent-3"}):
        later(desk, days=4).outcome(replace(report, reason_code="not_now", **given))
        known = desk.history.of_customer(["household:7"], NOW + timedelta(days=5))
        told = [row for row in known if row[1] in ("offer_declined", "reason")]
        assert len(told) == (0 if given.get("withdrawn") else 2)
        assert {row[9] for row in told} <= {microseconds(NOW)}


def test_a_reason_that_was_given_is_a_word_of_the_offer_s_own_rules(desk: Desk) -> None:
    rule = {"when": "(offer.last_reason ?? 'not_now') != 'already_has'", "en": "Has it.", "ko": "이미 있습니다."}
    offers = tuple(
        replace(offer, rules={**offer.rules, "suitability": (Rule(compile_rule(rule["when"], WORDS, "here"), rule),)})
        if offer.id == "ground_coffee"
        else offer
        for offer in desk.playbook.offers
    )
    free = replace(desk.playbook.contact, suppressions=(), caps=())
    picky = Desk(desk.history, desk.scorer, replace(desk.playbook, offers=offers, contact=free), desk.clock)
    decision = picky.decide(ask(offers=20))
    assert "ground_coffee" in [one["offer"] for one in decision["offers"]]
    picky.outcome(
        Report(decision_id=decision["decision_id"], offer="ground_coffee", status="declined", reason_code="already_has")
    )
    picky.clock = lambda: NOW + timedelta(hours=1)
    (stopped,) = [one for one in picky.decide(ask())["withheld"] if one["offer"] == "ground_coffee"]
    assert (stopped["layer"], stopped["reason"]) == ("suitability", "Has it.")


def test_the_parts_of_an_offer_add_up_to_its_priority(desk: Desk) -> None:
    weighted = [desk.decide(ask(offers=20, context={"topic": topic})) for topic in ("complaint", "quick_meals", "")]
    for offer in [offer for body in weighted for offer in body["offers"]]:
        parts = offer["reasons"]
        assert sum(one["amount"] for one in parts) == pytest.approx(offer["priority"], abs=1e-5)
        assert 2 <= len(parts) <= 6
        assert all(one["sentence"] for one in parts)
    said = {one["part"] for body in weighted for offer in body["offers"] for one in offer["reasons"]}
    assert {"gain", "incentive", "attention", "context_weight", "lever"} <= said


def test_every_decision_names_the_meaning_of_its_terms(desk: Desk) -> None:
    terms = {term.name: term.hash for term in desk.playbook.glossary.terms}
    body = desk.decide(ask())
    assert body["terms"]
    assert all(one["hash"] == terms[one["term"]] for one in body["terms"])
    assert len(set(terms.values())) == len(terms)


# -- interactions


def test_interactions_are_kept_once_by_source_and_id(desk: Desk) -> None:
    told = [happening(1), happening(2), happening(1, source="shop")]
    assert desk.interactions(told) == {"received": 3, "recorded": 3, "corrected": 0, "already_known": 0, "erased": 0}
    again = desk.interactions([*told, happening(3)])
    assert again == {"received": 4, "recorded": 1, "corrected": 0, "already_known": 3, "erased": 0}
    InteractionsAnswer.model_validate(again)
    assert desk.history.counts()["inquiry"] == 4


def test_interactions_are_known_from_the_moment_they_are_told(desk: Desk) -> None:
    desk.interactions([happening(1, occurred_at=NOW - timedelta(days=9))])
    desk.interactions([happening(2, recorded_at=NOW - timedelta(days=1), occurred_at=NOW - timedelta(days=9))])
    rows = [row for row in desk.history.of_customer(["household:7"], NOW) if row[1] == "inquiry"]
    recorded = sorted(row[10] for row in rows)
    assert recorded[1] - recorded[0] == 86_400_000_000


def test_interactions_name_customers_as_callers_do(desk: Desk) -> None:
    desk.interactions(
        [happening(1, customer="7"), happening(2, customer="(202) 456-1111"), happening(3, customer="new")]
    )
    for name, count in (("household:7", 7), ("phone:+12024561111", 1), ("customer:new", 1)):
        assert len(desk.history.of_customer([name], NOW)) == count


def test_one_bad_interaction_keeps_all_of_them_out_and_each_fault_is_told(desk: Desk) -> None:
    before = desk.history.counts()
    bad = [
        happening(1),
        happening(2, kind="enquiry"),
        happening(3, occurred_at=NOW + timedelta(hours=1)),
        happening(4, kind="offer_accepted"),
        happening(5, occurred_at=datetime(1, 1, 1, tzinfo=UTC)),
        happening(6, kind="tier", product="top"),
    ]
    with pytest.raises(InputError) as told:
        desk.interactions(bad)
    said = str(told.value).split("; [")
    assert said[0].startswith("expected 6 good interactions, found 5 bad, so none was written: [1] expected kind to be")
    assert said[1] == (
        "2] expected occurred_at from 1900 on and at most 5 minutes after 2018-01-02T09:30:00+00:00, "
        "found 2018-01-02T10:30:00+00:00"
    )
    assert said[2] == "3] expected the outcome of an offer at /v1/outcomes, found an interaction of kind offer_accepted"
    assert said[-1] == (
        "5] expected an interaction that somebody tells, found a tier of record: holdfast score sets those"
    )
    assert desk.history.counts() == before


def test_of_many_faults_ten_are_told(desk: Desk) -> None:
    with pytest.raises(InputError, match=r"\[9\] [^\[]*; and 2 more$"):
        desk.interactions([happening(number, kind="enquiry") for number in range(12)])


def test_no_interactions_and_too_many_are_refused(desk: Desk) -> None:
    with pytest.raises(InputError, match="expected 1 to 10,000 interactions, found 0"):
        desk.interactions([])
    with pytest.raises(InputError, match="expected 1 to 10,000 interactions, found 10,001"):
        desk.interactions([happening()] * 10_001)


# -- look-up


def test_a_lookup_tells_who_is_meant_and_what_is_known(desk: Desk) -> None:
    found = desk.lookup("(202) 456-1111")
    assert found == {
        "query": "(202) 456-1111",
        "found": True,
        "customer": "household:7",
        "reference": "phone:+12024561111",
        "references": ["household:7", "phone:+12024561111"],
        "events": 6,
        "newest_event": "2017-12-30T09:30:00+00:00",
        "as_of": "2018-01-02T09:30:00+00:00",
    }
    stranger = desk.lookup("nobody")
    assert (stranger["found"], stranger["customer"], stranger["newest_event"]) == (False, "customer:nobody", None)
    for answer in (found, stranger):
        LookupAnswer.model_validate(answer)


def test_each_decision_has_an_id_of_its_own(history: History) -> None:
    desk = Desk(stocked(history), FakeScorer(), playbook(), lambda: NOW)
    made = {desk.decide(ask())["decision_id"] for _ in range(3)}
    assert len(made) == 3
    assert all(UUID(one.removeprefix("d-")).version == 7 for one in made)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"kind": "return", "amount": 5.0}, "expected amount and quantity of a return below 0, or 0; found 5 and 0"),
        (
            {"kind": "purchase", "amount": -5.0},
            "expected amount and quantity of a purchase of 0 or more, found -5 and 0",
        ),
        ({"kind": "attribute"}, "expected the attribute's name as product, found none"),
        ({"recorded_at": NOW - timedelta(days=9)}, "expected recorded_at not before occurred_at"),
        ({"customer": "a\0b"}, "expected a customer's id or reference without the character NUL"),
        ({"product": "a\0b"}, "expected product without the character NUL"),
        ({"customer": "phone:+1 123"}, "expected a phone number that can be dialled"),
    ],
)
def test_what_cannot_be_true_is_refused(desk: Desk, given: dict[str, Any], message: str) -> None:
    plain = {"event_id": "e", "customer": "household:7", "kind": "purchase", "source": "till",
             "occurred_at": NOW - timedelta(days=1)}  # fmt: skip
    before = desk.history.counts()
    with pytest.raises(InputError, match=message):
        desk.interactions([Happening(**(plain | given))])
    assert desk.history.counts() == before


def test_an_outcome_cannot_come_before_its_decision(desk: Desk) -> None:
    decision = desk.decide(Ask(customer="household:7", channel="phone"))
    offer = (decision["offers"] + decision["withheld"])[0]["offer"]
    early = Report(
        decision_id=decision["decision_id"], offer=offer, status="declined", occurred_at=NOW - timedelta(days=1)
    )
    with pytest.raises(InputError, match="expected occurred_at not before the decision"):
        desk.outcome(early)


def test_spaces_around_a_name_do_not_make_another_customer(desk: Desk) -> None:
    asked = {desk.lookup(text)["customer"] for text in ("7", " 7", "7 ", "household:7 ")}
    assert asked == {"household:7"}
    told = Happening(event_id="e", customer=" 7 ", kind="inquiry", source="web", occurred_at=NOW - timedelta(hours=1))
    desk.interactions([told])
    assert desk.lookup("7")["customer"] == "household:7"


def test_whoever_changes_an_answer_changes_no_other(desk: Desk) -> None:
    for one in (first := desk.decide(ask(offers=3)))["withheld"]:
        one["unknown"].append("spoiled")
        if one["flip"]:
            one["flip"]["sentence"] = "spoiled"
            for change in one["flip"]["changes"]:
                change["needed"] = "spoiled"
    assert any(one["flip"] for one in first["withheld"])
    assert "spoiled" not in as_text(desk.decide(ask(offers=3)))


def test_a_decision_leaves_no_ring_of_garbage_behind(desk: Desk) -> None:
    desk.decide(ask())
    gc.collect()
    gc.disable()
    try:
        for _ in range(3):
            desk.decide(ask())
        assert gc.collect() == 0
    finally:
        gc.enable()
