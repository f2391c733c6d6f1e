"""What has been kept for long enough goes, and what is left is as if the rest had never been told."""

import json
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from features.cache import CustomerCache
from features.consent import objects
from features.contract import row_of
from features.definitions import NAMES
from features.errors import PlaybookError
from features.events import Interaction
from features.history import History
from features.home import ROOT
from features.identity import Reference
from features.packed import pack
from features.retention import Retention, load_retention, retain, shortest, too_short
from holdfast.app import app
from serving.decision import Decider
from serving.lint import findings, kept_too_briefly
from serving.playbook import load_playbook
from serving.replay import Replayer
from serving.requests import Ask
from tests.desks import NOW, FakeScorer, desk_over, playbook
from tests.ingesting import rows
from tests.making import AS_OF, BOTH, filled, happened, interactions, tellings

ENGINES = BOTH
Opener = Callable[[], History]
QUIET = lambda kind, gone: None  # noqa: E731


def taken_out(history: History, days: dict[str, int], apply: bool = True) -> dict[str, int]:
    return retain(history.expiry, Retention(days), AS_OF, apply, QUIET)


@settings(max_examples=15)
@given(
    told=st.lists(st.one_of(interactions(("a", "b")), tellings([AS_OF - timedelta(days=2), AS_OF])), max_size=20),
    days=st.dictionaries(
        st.sampled_from(["purchase", "inquiry", "complaint", "campaign"]), st.sampled_from([1, 40, 400])
    ),
)
def test_what_is_left_is_what_would_be_known_had_the_rest_never_been_told(
    new_history: Opener, told: list[Interaction], days: dict[str, int]
):
    history, fresh = filled(new_history(), told), new_history()
    kinds = {one.id: {other.kind for other in told if other.id == one.id} for one in told}
    newest = {one.id: max(other.occurred_at for other in told if other.id == one.id) for one in told}
    gone = {
        one.id
        for one in told
        for kind, kept in days.items()
        if kind in kinds[one.id]
        and any(
            other.kind == kind and other.occurred_at < AS_OF - timedelta(days=kept)
            for other in told
            if other.id == one.id
        )
        and newest[one.id] < AS_OF - timedelta(days=kept)
    }
    before = taken_out(history, days, apply=False)
    found = taken_out(history, days)
    assert sum(before.values()) >= len(gone) == len({one.id for one in told}) - len(set(rows(history, "events", "id")))
    assert {kind: count for kind, count in found.items() if kind != "references"}.keys() == days.keys()
    filled(fresh, [one for one in told if one.id not in gone])
    for name in ("customer:a", "customer:b"):
        left, never = (row_of(pack(each.of_customer([name], AS_OF), AS_OF), AS_OF) for each in (history, fresh))
        assert repr(left.values.tolist()) == repr(never.values.tolist())


def test_it_is_only_counted_until_it_is_applied_and_nothing_is_left_of_a_name_then(history: History):
    old = AS_OF - timedelta(days=1000)
    history.append([happened(1, occurred_at=old), happened(2), happened(3, occurred_at=old, kind="inquiry")], None)
    history.append([happened(4, occurred_at=old, reference=Reference("customer", "b"))], None)
    assert taken_out(history, {"purchase": 900}, apply=False) == {"purchase": 2}
    assert history.counts() == {"purchase": 3, "inquiry": 1}
    assert taken_out(history, {"purchase": 900}) == {"purchase": 2, "references": 1}
    assert history.counts() == {"purchase": 1, "inquiry": 1}
    assert history.find("customer:b") is None
    assert taken_out(history, {"purchase": 900}) == {"purchase": 0, "references": 0}


def test_an_event_goes_with_all_its_versions_or_stays_with_all(history: History):
    old = AS_OF - timedelta(days=1000)
    history.append([happened(1, occurred_at=old), happened(2, occurred_at=old)], None)
    history.append([happened(1, occurred_at=old, amount=5.0), happened(2, occurred_at=AS_OF)], AS_OF)
    taken_out(history, {"purchase": 900})
    assert len(rows(history, "events", "id")) == 2
    assert len(set(rows(history, "events", "id"))) == 1


def test_workers_forget_what_they_kept_of_what_is_gone(history: History):
    history.append([happened(1, occurred_at=AS_OF - timedelta(days=1000)), happened(2)], None)
    cache = CustomerCache(history)
    assert len(cache.events(["customer:a"], AS_OF)) == 2
    taken_out(history, {"purchase": 900})
    assert len(cache.events(["customer:a"], AS_OF)) == 1


def test_workers_forget_each_part_that_is_gone_whatever_breaks_a_run_off(
    history: History, monkeypatch: pytest.MonkeyPatch
):
    old = AS_OF - timedelta(days=1000)
    history.append([*(happened(number, occurred_at=old) for number in range(4)), happened(9)], None)
    monkeypatch.setattr("features.expiry._AT_ONCE", 2)
    cache = CustomerCache(history)
    assert len(cache.events(["customer:a"], AS_OF)) == 5

    def stop(kind: str, gone: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        retain(history.expiry, Retention({"purchase": 900}), AS_OF, True, stop)
    assert len(cache.events(["customer:a"], AS_OF)) == 3
    taken_out(history, {"purchase": 900})
    assert len(cache.events(["customer:a"], AS_OF)) == 1


def test_a_run_does_what_an_earlier_one_that_broke_off_left(
    history: History, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    folder, wiped = tmp_path / "playbook", list[bool]()
    shutil.copytree(ROOT / "playbook", folder)
    for name, value in {"HOME": tmp_path, "DATABASE_URL": history.url, "PLAYBOOK": folder, "CLOCK": "live"}.items():
        monkeypatch.setenv(f"HOLDFAST_{name}", str(value))
    history.append([happened(1, occurred_at=AS_OF - timedelta(days=9000))], None)
    monkeypatch.setattr("features.erasing.Erasures.wipe", lambda self: wiped.append(True))
    with monkeypatch.context() as broken:
        broken.setattr("features.expiry.Expiry.forget_names", stopped)
        assert commanded("--apply").exit_code != 0
    assert (history.counts(), history.find("customer:a"), wiped) == ({}, "customer:a", [])
    assert json.loads(commanded("--apply", "--json").stdout)["rows"]["references"] == 1
    assert (history.find("customer:a"), wiped) == (None, [True])


def stopped(_: Any) -> None:
    raise KeyboardInterrupt


def test_decisions_contacts_and_shadows_go_by_their_own_days(history: History):
    desk = desk_over(history)
    desk.decide(Ask(customer="household:7", channel="phone"))
    assert rows(history, "contacts", "contact")
    later = NOW + timedelta(days=100)
    found = retain(history.expiry, Retention({"decisions": 90, "contacts": 200}), later, True, QUIET)
    assert (found["decisions"], found["contacts"]) == (1, 0)
    assert history.decisions.ids() == []
    assert rows(history, "contacts", "contact")


def test_a_decision_whose_events_are_gone_is_said_not_to_be_made_again(history: History):
    desk = desk_over(history)
    body = desk.decide(Ask(customer="household:7", channel="phone"))
    replayer = Replayer(history, lambda _: FakeScorer(), lambda _: Decider.of(playbook()))
    assert replayer.replay(body["decision_id"]).same
    assert retain(history.expiry, Retention({"purchase": 30}), NOW + timedelta(days=1), True, QUIET)["purchase"] == 4
    assert replayer.replay(body["decision_id"]).gone == ("what was known: of 6 events 2 aren't kept any more",)


@pytest.mark.parametrize("folder", ["playbook", "playbook/telecom"])
def test_the_shipped_playbooks_keep_what_is_counted(folder: str):
    place = ROOT / folder
    retention, shipped = load_retention(place), load_playbook(place, NAMES)
    assert retention.days
    assert list(kept_too_briefly(retention, shipped)) == []
    assert not [one for one in findings(shipped, NOW.date()) if "purposes" in one.place]


def test_what_goes_before_it_is_counted_is_found():
    assert shortest("purchase") >= 364
    assert [kind for kind, _ in too_short(Retention({"purchase": 300, "inquiry": 400, "decisions": 1}))] == ["purchase"]
    found = {
        one.place: (one.severity, one.found)
        for one in kept_too_briefly(Retention({"contacts": 20, "consent": 30, "attribute": 9_999}), playbook())
    }
    assert found["privacy.toml, contacts"] == ("error", "kept 20 days, yet contact.toml counts back 28")
    assert found["privacy.toml, attribute"][0] == "warning"
    assert "privacy.toml, consent" not in found


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('purchse = "1 year"', "found 'purchse'; did you mean purchase?"),
        (
            'purchase = "1 fortnight"',
            'expected purchase as "90 days", "18 months" or "10 years", found \'1 fortnight\'',
        ),
        ('purchase = "0 days"', "found '0 days'"),
        ('void = "1 year"', "found 'void'"),
    ],
)
def test_what_isn_t_a_time_to_keep_something_is_refused(tmp_path: Path, text: str, problem: str):
    (tmp_path / "privacy.toml").write_text(f"[retention]\n{text}\n")
    with pytest.raises(PlaybookError) as refused:
        load_retention(tmp_path)
    assert problem in str(refused.value)


def test_without_the_file_all_is_kept(tmp_path: Path):
    assert load_retention(tmp_path).days == {}


def commanded(*words: str) -> Any:
    return CliRunner().invoke(app, ["retain", *words])


def test_the_command_counts_then_deletes_and_refuses_what_caps_still_count(
    history: History, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    folder = tmp_path / "playbook"
    folder.mkdir()
    for file in (ROOT / "playbook").glob("*.toml"):
        (folder / file.name).write_text(file.read_text())
    places = {"HOME": tmp_path, "DATABASE_URL": history.url, "PLAYBOOK": folder, "CLOCK": "history"}
    for name, value in places.items():
        monkeypatch.setenv(f"HOLDFAST_{name}", str(value))
    history.append([happened(1, occurred_at=AS_OF - timedelta(days=4000)), happened(2)], None)
    counted = json.loads(commanded("--json").stdout)
    assert (counted["applied"], counted["rows"]["purchase"]) == (False, 1)
    assert history.counts() == {"purchase": 2}
    assert json.loads(commanded("--apply", "--json").stdout)["rows"]["purchase"] == 1
    assert history.counts() == {"purchase": 1}
    (folder / "privacy.toml").write_text('[retention]\ncontacts = "20 days"\n')
    assert str(commanded("--apply").exception) == (
        "privacy.toml, contacts: expected it to be kept for longer, found it kept 20 days, yet contact.toml counts back"
        " 28"
    )


def test_the_newest_wish_of_each_purpose_and_channel_is_kept_however_old_it_is(history: History):
    told = [
        ("profiling", "other", 0.0, 900), ("profiling", "other", 1.0, 950), ("marketing", "phone", 0.0, 800),
        ("marketing", "email", 1.0, 700), ("marketing", "email", 0.0, 3),
    ]  # fmt: skip
    for number, (purpose, channel, yes, days) in enumerate(told):
        wish = happened(
            number, kind="consent", product=purpose, channel=channel, quantity=yes,
            occurred_at=AS_OF - timedelta(days=days),
        )  # fmt: skip
        history.append([wish], None)
    events = lambda: pack(history.of_customer(["customer:a"], AS_OF), AS_OF)  # noqa: E731
    assert objects(events())
    assert taken_out(history, {"consent": 366}, apply=False)["consent"] == 2
    assert taken_out(history, {"consent": 366})["consent"] == 2
    assert objects(events())
    kept = sorted(rows(history, "events", "product", "channel"))
    assert kept == [("marketing", "email"), ("marketing", "phone"), ("profiling", "other")]
