"""How often, when and about what somebody may be approached: the policy's file, and what it stops."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from features.definitions import NAMES
from features.errors import PlaybookError
from features.history import History
from features.home import ROOT
from features.identity import IdentityLink, Reference
from serving.contact import Attention, Cap
from serving.desk import Desk
from serving.playbook import Playbook, load_playbook
from serving.requests import Ask, Happening, Report
from tests.desks import NOW, SCORES, FakeScorer, ids, playbook, shopped, stocked
from tests.making import BOTH

ENGINES = BOTH

SAID = {"en": "Enough.", "ko": "충분합니다."}
CAP = Cap("cap", 1, 7, (), (), (), (), (), False, SAID)


def policy(**changed: Any) -> Playbook:
    shipped = playbook()
    plain: dict[str, Any] = {"caps": (), "suppressions": (), "attention": None}
    return replace(shipped, contact=replace(shipped.contact, **(plain | changed)))


class Time:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now

    def passes(self, **passed: float) -> None:
        self.now += timedelta(**passed)


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def desk(history: History, time: Time) -> Callable[..., Desk]:
    stocked(history)
    each = ids()
    return lambda **changed: Desk(history, FakeScorer(), policy(**changed), time, each)


def made(desk: Desk, customer: str = "household:7", **given: Any) -> dict[str, Any]:
    return desk.decide(Ask(**{"customer": customer, "channel": "phone", "offers": 3, **given}))


def offered(body: dict[str, Any]) -> list[str]:
    return [one["offer"] for one in body["offers"]]


def stopped(body: dict[str, Any], offer: str) -> tuple[str, str, str | None]:
    (one,) = [one for one in body["withheld"] if one["offer"] == offer]
    return one["layer"], one["reason"], one["flip"] and one["flip"]["sentence"]


def contacts(desk: Desk) -> list[tuple[str, str]]:
    window = desk.decider.policy.approach.window(desk.clock(), "high")
    ledger = desk.history.decisions.ledger(["household:7", "phone:+12024561111"], window)
    return [(one.offer, one.state) for one in ledger.contacts]


def test_a_cap_is_for_a_person_over_all_channels_and_references(desk: Callable[..., Desk], time: Time) -> None:
    careful = desk(caps=(replace(CAP, most=2),))
    first = made(careful, offers=1)
    assert len(offered(first)) == 1
    time.passes(days=1)
    other = made(careful, "(202) 456-1111", channel="app", offers=1)
    assert len(offered(other)) == 1
    time.passes(days=1)
    third = made(careful, channel="web", offers=3)
    assert offered(third) == []
    assert stopped(third, "next_on_the_list") == (
        "contact", "Enough.", "Possible again from 2018-01-09 04:30, local time.",
    )  # fmt: skip
    time.passes(days=5, seconds=1)
    assert len(offered(made(careful, channel="web", offers=3))) == 1


def test_one_decision_s_offers_share_what_is_left(desk: Callable[..., Desk]) -> None:
    body = made(desk(caps=(replace(CAP, most=2),)), offers=3)
    assert len(offered(body)) == 2
    reasons = {one["reason"] for one in body["withheld"] if one["layer"] == "contact"}
    assert reasons == {"Higher offers of this decision take what the contact policy leaves."}


def test_a_cap_counts_what_fits_all_that_it_names(desk: Callable[..., Desk], time: Time) -> None:
    caps = (replace(CAP, most=0, kinds=("retention",), channels=("phone",)),)
    body = made(desk(caps=caps), offers=20)
    assert stopped(body, "stay_voucher")[0] == "contact"
    assert stopped(body, "stay_voucher")[2] is None
    assert "next_on_the_list" in offered(body)
    assert "stay_voucher" in offered(made(desk(caps=caps), channel="chat", offers=20))
    assert "stay_voucher" in offered(made(desk(caps=(replace(caps[0], tiers=("top",)),)), offers=20))


def test_an_offer_may_be_counted_by_itself(desk: Callable[..., Desk], time: Time) -> None:
    careful = desk(caps=(replace(CAP, each_offer=True),))
    first = offered(made(careful, offers=2))
    time.passes(hours=1)
    second = offered(made(careful, offers=2))
    assert not set(first) & set(second)


def test_asked_again_while_it_waits_the_same_proposal_is_not_counted_twice(
    desk: Callable[..., Desk], time: Time
) -> None:
    careful = desk(caps=(CAP,))
    first = made(careful, offers=1)
    time.passes(minutes=29)
    again = made(careful, offers=1)
    assert offered(again) == offered(first)
    assert again["offers"][0]["contact"] == first["offers"][0]["contact"] == f"{first['decision_id']}/stay_voucher"
    assert offered(made(careful, offers=1, channel="email")) == []
    time.passes(minutes=2)
    assert offered(made(careful, offers=1)) == []


def test_an_outcome_confirms_what_was_held_and_releases_what_was_not_presented(
    desk: Callable[..., Desk], time: Time
) -> None:
    careful = desk(caps=(CAP,))
    body = made(careful, offers=1)

    def told(status: str, **given: Any) -> Any:
        time.passes(minutes=31)
        report = Report(decision_id=body["decision_id"], offer="stay_voucher", status=status, **given)
        return careful.outcome(report)["contact"]

    assert contacts(careful) == [("stay_voucher", "held")]
    assert told("not_presented") == "released"
    assert contacts(careful) == []
    assert told("presented") == "confirmed"
    assert contacts(careful) == [("stay_voucher", "confirmed")]
    assert offered(made(careful, offers=1)) == []
    # A report that is sent a second time changes nothing, here neither.
    told("not_presented")
    assert contacts(careful) == [("stay_voucher", "confirmed")]
    # What stands of the reports settles it, whichever came last.
    assert told("presented", withdrawn=True) == "released"
    assert told("not_presented", withdrawn=True) == "held"
    assert told("not_presented", occurred_at=time.now) == "released"
    assert len(offered(made(careful, offers=1))) == 1


def test_a_proposal_that_two_decisions_made_counts_while_one_of_them_is_said_to_have_been_made(
    desk: Callable[..., Desk], time: Time
) -> None:
    careful = desk(caps=(CAP,))
    first, again = made(careful, offers=1), made(careful, offers=1)
    assert first["offers"][0]["contact"] == again["offers"][0]["contact"]

    def told(body: Any, status: str, **given: Any) -> Any:
        report = Report(decision_id=body["decision_id"], offer="stay_voucher", status=status, **given)
        return careful.outcome(report)["contact"]

    assert told(first, "presented") == "confirmed"
    assert told(again, "not_presented") == "confirmed"
    assert told(first, "presented", withdrawn=True) == "released"
    assert told(again, "not_presented", withdrawn=True) == "held"


@pytest.mark.parametrize(
    ("steps", "state"),
    [
        ("presented accepted -accepted", "confirmed"),
        ("presented not_presented", "confirmed"),
        ("presented not_presented -presented", "released"),
        ("presented -presented not_presented", "released"),
        ("not_presented presented -not_presented", "confirmed"),
        ("presented -presented", "held"),
    ],
)
def test_a_contact_is_settled_by_the_reports_that_stand(
    desk: Callable[..., Desk], time: Time, steps: str, state: str
) -> None:
    careful = desk(caps=(CAP,))
    body, said = made(careful, offers=1), ""
    for step in steps.split():
        time.passes(minutes=31)
        status, withdrawn = step.removeprefix("-"), step.startswith("-")
        report = Report(decision_id=body["decision_id"], offer="stay_voucher", status=status, withdrawn=withdrawn)
        said = careful.outcome(report)["contact"]
    assert said == state
    assert contacts(careful) == ([] if state == "released" else [("stay_voucher", state)])


def test_a_refusal_is_respected_by_offer_group_owner_or_altogether(desk: Callable[..., Desk], time: Time) -> None:
    shipped = playbook().contact.suppressions[0]
    plain = desk()
    declined = made(plain, offers=1)
    plain.outcome(
        Report(decision_id=declined["decision_id"], offer="stay_voucher", status="declined", reason_code="unhappy")
    )
    time.passes(days=1)
    for scope, others in (("offer", True), ("owner", True), ("everything", False)):
        body = made(desk(suppressions=(replace(shipped, of=scope, days=28),)), offers=20)
        assert stopped(body, "stay_voucher")[0] == "contact"
        assert ("next_on_the_list" in offered(body)) == others
        assert ("double_fuel_points" in offered(body)) == (scope == "offer")
    only = desk(suppressions=(replace(shipped, reasons=("too_expensive",)),))
    assert "stay_voucher" in offered(made(only, offers=20))


def test_a_customer_s_no_counts_and_where_a_yes_is_needed_silence_is_a_no(
    desk: Callable[..., Desk], time: Time
) -> None:
    plain = desk()

    def wish(number: int, quantity: float, channel: str = "other", purpose: str = "marketing") -> None:
        plain.interactions(
            [
                Happening(
                    event_id=str(number), customer="household:7", kind="consent", source="crm", product=purpose,
                    quantity=quantity, channel=channel, occurred_at=time.now - timedelta(minutes=1),
                )
            ]
        )  # fmt: skip
        time.passes(hours=1)

    assert stopped(made(plain, channel="email", offers=20), "ground_coffee") == (
        "contact", "No consent to marketing over this channel.", "With the customer's yes over email.",
    )  # fmt: skip
    assert "ground_coffee" in offered(made(plain, offers=20))
    ours = made(plain, offers=20, outbound=True)
    assert stopped(ours, "ground_coffee")[1] == "No consent to marketing over this channel."
    wish(1, 1.0, "email")
    assert "ground_coffee" in offered(made(plain, channel="email", offers=20))
    wish(2, 0.0)
    assert stopped(made(plain, channel="phone", offers=20), "ground_coffee")[0] == "contact"
    assert stopped(made(plain, channel="email", offers=20), "ground_coffee")[0] == "contact"
    wish(3, 1.0, "phone", "")
    assert "ground_coffee" in offered(made(plain, channel="phone", offers=20))


@pytest.mark.parametrize(
    ("zone", "utc", "quiet"),
    [
        (None, datetime(2018, 1, 2, 2, 30, tzinfo=UTC), True),  # 21:30 in New York
        (None, datetime(2018, 1, 2, 13, 0, tzinfo=UTC), False),  # 8:00 in New York
        ("Asia/Seoul", datetime(2018, 1, 2, 13, 0, tzinfo=UTC), True),  # 22:00 in Seoul
        ("Asia/Seoul", datetime(2018, 1, 2, 2, 30, tzinfo=UTC), False),
        ("America/New_York", datetime(2018, 7, 2, 12, 30, tzinfo=UTC), False),  # 8:30 in summer
        ("Nowhere/At_All", datetime(2018, 1, 2, 2, 30, tzinfo=UTC), True),
    ],
)
def test_quiet_hours_go_by_the_customer_s_clock_and_only_for_what_we_begin(
    desk: Callable[..., Desk], time: Time, zone: str | None, utc: datetime, quiet: bool
) -> None:
    plain = desk()
    if zone:
        lives = replace(shopped("7", 0.0, 5.0, kind="attribute", product="time_zone"), body={"value": zone})
        plain.history.append([lives], None)
    time.now = utc
    body = made(plain, outbound=True, offers=20)
    said = [one["reason"] for one in body["withheld"]]
    assert ("Quiet hours where the customer lives." in said) == quiet
    assert "Quiet hours" not in str(made(plain, offers=20)["withheld"])


def test_what_is_owed_is_neither_stopped_nor_counted(desk: Callable[..., Desk], time: Time) -> None:
    careful = desk(caps=(replace(CAP, most=1),))
    said = {"context": {"topic": "complaint"}, "offers": 2}
    first = made(careful, **said)
    assert [(one["offer"], one["owed"]) for one in first["offers"]] == [("manager_call", True), ("stay_voucher", False)]
    assert first["offers"][0]["contact"] is None
    outcome = careful.outcome(Report(decision_id=first["decision_id"], offer="manager_call", status="accepted"))
    assert (outcome["contact"], contacts(careful)) == (None, [("stay_voucher", "held")])
    # Accepted, it is running; what else is owed would still be made, while the cap is used up.
    time.passes(days=1)
    later = made(careful, **said)
    assert later["offers"] == []
    assert stopped(later, "manager_call")[1] == "Accepted within the last four weeks; it is still running."


def test_attention_of_the_top_is_spent_by_owners_within_their_budgets(history: History, time: Time) -> None:
    fence = Attention(("top",), 28, {"loyalty programme": 1}, SAID)
    top = FakeScorer(replace(SCORES, tier="top"))
    desk = Desk(stocked(history), top, policy(attention=fence), time, ids())
    assert offered(made(desk, offers=1)) == ["stay_voucher"]
    body = made(desk, "household:8", offers=20)
    assert offered(body) == []
    assert {one["reason"] for one in body["withheld"] if one["layer"] == "contact"} == {"Enough."}
    time.passes(days=27)
    assert offered(made(desk, "household:8", offers=20)) == []
    time.passes(days=1)
    assert "stay_voucher" in offered(made(desk, "household:8", offers=20))
    assert "ground_coffee" not in offered(made(desk, "household:8", offers=20))


def test_what_was_not_presented_is_given_back_to_the_budget(history: History, time: Time) -> None:
    fence = Attention(("top",), 28, {"loyalty programme": 1}, SAID)
    top = FakeScorer(replace(SCORES, tier="top"))
    desk = Desk(stocked(history), top, policy(attention=fence), time, ids())
    first = made(desk, offers=1)
    desk.outcome(Report(decision_id=first["decision_id"], offer="stay_voucher", status="not_presented"))
    assert "stay_voucher" in offered(made(desk, "household:8", offers=1))


def test_the_ledger_follows_whoever_turns_out_to_be_one_person(desk: Callable[..., Desk], time: Time) -> None:
    careful = desk(caps=(CAP,))
    assert len(offered(made(careful, "household:8", offers=1))) == 1
    time.passes(hours=1)
    joined = Reference("household", "7"), Reference("household", "8")
    careful.history.link([IdentityLink(*joined, time.now)])
    time.passes(hours=1)
    assert offered(made(careful, "household:7", offers=1)) == []
    careful.history.link([IdentityLink(*joined, time.now, "unlink")])
    time.passes(hours=1)
    assert len(offered(made(careful, "household:7", offers=1))) == 1


def test_a_decision_that_cannot_be_written_holds_nothing(desk: Callable[..., Desk], monkeypatch: Any) -> None:
    careful = desk(caps=(CAP,))
    with monkeypatch.context() as patched:
        patched.setattr("features.decisions._spend", lambda *_: (_ for _ in ()).throw(RuntimeError("cut off")))
        with pytest.raises(RuntimeError, match="cut off"):
            made(careful, offers=1)
    assert contacts(careful) == []
    assert careful.history.decisions.ids() == []
    assert len(offered(made(careful, offers=1))) == 1


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("hold_minutes = 30 ", "hold_minutes = 0 ",
         "contact.toml: expected hold_minutes to be a number from 1 to 1440, found 0"),
        ('"America/New_York"', '"America/New_Yrok"',
         "contact.toml: expected default_time_zone to be a zone such as Asia/Seoul, found 'America/New_Yrok'; "
         "did you mean America/New_York or America/Nuuk or America/Nome?"),
        ('groups = ["voucher"]', 'groups = ["vouchers"]',
         "contact.toml, cap 1: expected groups among voucher; found 'vouchers'; did you mean voucher?"),
        ('of = "owner"', 'of = "customer"',
         "contact.toml, suppression 2: expected of to be one of offer, group, owner, everything; found 'customer'"),
        ('reasons = ["no_data", "unhappy"]', 'reasons = ["unhapy"]',
         "contact.toml, suppression 2: expected reasons among too_expensive, minimum_spend, already_has, does_not_use, "
         "not_now, thinks_it_over, does_not_believe, no_data, shops_elsewhere, unhappy, no_reason; found 'unhapy'; "
         "did you mean unhappy?"),
        ("most = 1\n", "", "contact.toml, cap 1: expected most, found nothing by that name; add it"),
        ("[purposes.service]", "[purposes.servicing]",
         "contact.toml: expected a purpose of offer manager_call among marketing, servicing; found 'service'; "
         "did you mean servicing?"),
        ("each_offer = true", "each_offer = 1",
         "contact.toml, cap 2: expected each_offer to be true or false, found 1"),
    ],
)  # fmt: skip
def test_what_does_not_hold_together_is_told(tmp_path: Path, before: str, after: str, message: str) -> None:
    folder = tmp_path / "playbook"
    shutil.copytree(ROOT / "playbook", folder)
    text = (folder / "contact.toml").read_text(encoding="utf-8")
    assert before in text
    (folder / "contact.toml").write_text(text.replace(before, after, 1), encoding="utf-8")
    with pytest.raises(PlaybookError) as told:
        load_playbook(folder, NAMES)
    assert str(told.value) == message
