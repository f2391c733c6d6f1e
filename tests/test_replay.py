"""A logged decision is made again to the last letter, or it is said which input is gone."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from features.clock import after_history
from features.definitions import NAMES
from features.errors import InputError
from features.history import History
from features.home import ROOT, Home
from features.identity import IdentityLink, Reference
from holdfast.app import app
from holdfast.replaying import scorers
from serving.body import as_text
from serving.bundle import fetch
from serving.decision import Decider
from serving.degradation import MODEL, Degraded
from serving.desk import Desk
from serving.kept_playbooks import deciders
from serving.opening import open_desk
from serving.playbook import load_playbook
from serving.replay import Replayer
from serving.requests import Ask, Happening, Report
from tests.making import log


@pytest.fixture
def home(trained: tuple[Home, History, dict[str, Any]], tmp_path: Path) -> Home:
    """A home of its own with the trained one's history and registry."""
    place = trained[0]
    shutil.copytree(place.folder, tmp_path / "home", ignore=shutil.ignore_patterns("*-wal", "*-shm"))
    url = f"sqlite:///{tmp_path / 'home' / 'data' / 'history.db'}"
    return replace(place, folder=tmp_path / "home", database_url=url, registry_url=place.tracking_uri)


@pytest.fixture
def desk(home: Home) -> Iterator[Desk]:
    opened = open_desk(home, *fetch(home))
    yield opened
    opened.history.close()


@pytest.fixture
def replayer(home: Home, desk: Desk) -> Replayer:
    return Replayer(desk.history, scorers(home), deciders(desk.history))


def busy(desk: Desk, count: int) -> list[str]:
    """Decide for many over every channel, with outcomes, inquiries and a link in between; returns the decisions."""
    names = sorted(set(desk.history.known_by(desk.clock()).events["customer"]))
    channels, made = ("phone", "email", "app", "store"), []
    for number in range(count):
        customer = "nobody" if number % 17 == 5 else names[number * 7 % len(names)]
        context = {"topic": "complaint"} if number % 5 == 0 else {}
        ask = Ask(
            customer=customer, channel=channels[number % 4], context=context, offers=1 + number % 4,
            language="ko" if number % 3 == 0 else "en", outbound=number % 6 == 0,
        )  # fmt: skip
        away = Degraded(MODEL, "open", desk.clock()) if number % 7 == 3 else None
        body = desk.decide(ask, away=away)
        made.append(body["decision_id"])
        if body["offers"] and number % 2:
            status, code = (("declined", "too_expensive"), ("presented", None), ("accepted", None))[number % 3]
            desk.outcome(
                Report(decision_id=made[-1], offer=body["offers"][0]["offer"], status=status, reason_code=code)
            )
        if number % 4 == 1:
            when = desk.clock()
            told = Happening(
                event_id=str(number), customer=names[number % 9], kind="inquiry", source="crm", occurred_at=when
            )
            desk.interactions([told])
    desk.history.link([IdentityLink(*(Reference(*name.split(":")) for name in names[:2]), desk.clock())])
    return made


def test_every_decision_comes_out_the_same_whatever_happened_since(desk: Desk, replayer: Replayer) -> None:
    made = busy(desk, 60)
    replayed = [replayer.replay(one) for one in made]
    assert [(one.decision, one.differences, one.gone) for one in replayed if not one.same] == []


def test_a_playbook_that_was_changed_is_kept_as_it_was(home: Home, desk: Desk, tmp_path: Path) -> None:
    made = busy(desk, 6)
    folder = tmp_path / "playbook"
    shutil.copytree(ROOT / "playbook", folder)
    text = (folder / "offers.toml").read_text(encoding="utf-8")
    (folder / "offers.toml").write_text(text.replace("margin = 1.00", "margin = 9.00"), encoding="utf-8")
    moved = open_desk(replace(home, playbook=folder), *fetch(home))
    replayer = Replayer(moved.history, scorers(home), deciders(moved.history))
    assert all(replayer.replay(one).same for one in made)
    later = moved.decide(Ask(customer="nobody", channel="phone"))
    assert replayer.replay(later["decision_id"]).same
    other = Decider.of(load_playbook(folder, NAMES))
    anew = Replayer(moved.history, scorers(home), deciders(moved.history), decider=other)
    changed = [anew.replay(one) for one in made]
    moved.history.close()
    assert any(not one.same and one.body is not None for one in changed)
    assert all(one.body and one.body["playbook"]["hash"] == other.playbook.hash for one in changed)


def altered(desk: Desk, alter: Any) -> str:
    """Log a changed copy of a decision, and name it."""
    body = desk.history.decisions.get(desk.decide(Ask(customer="nobody", channel="phone"))["decision_id"])
    assert body is not None
    alter(body)
    log(desk.history, "d-altered", body["customer"], desk.clock(), json.dumps(body))
    return "d-altered"


def test_a_decision_of_the_form_before_comes_out_the_same(desk: Desk, replayer: Replayer) -> None:
    body = desk.decide(Ask(customer="nobody", channel="phone"))
    assert body.pop("degraded") is None
    body["inputs"]["format"] = 3
    log(desk.history, "d-before", body["customer"], desk.clock(), as_text(body))
    assert replayer.replay("d-before").same


def put(*places: Any) -> Any:
    *way, last, value = places

    def alter(body: dict[str, Any]) -> None:
        for place in way:
            body = body[place]
        body[last] = value

    return alter


@pytest.mark.parametrize(
    ("alter", "gone"),
    [
        (put("inputs", "format", 1), "the program: it was written in form 1, and this one writes form 4"),
        (put("bundle", "hash", "0" * 32), "the bundle: version 1 with hash 000000000000 isn't in the registry"),
        (put("playbook", "hash", "1" * 32), "the playbook: none with hash 111111111111 is kept in the store"),
    ],
)
def test_an_input_that_is_gone_is_named(desk: Desk, replayer: Replayer, alter: Any, gone: str) -> None:
    replayed = replayer.replay(altered(desk, alter))
    assert (replayed.gone, replayed.body, replayed.same) == ((gone,), None, False)


def test_a_catalogue_that_was_replaced_is_gone(desk: Desk, replayer: Replayer) -> None:
    (made,) = busy(desk, 1)
    desk.history.put_products([{"product": "new", "name": "", "type": "", "category": "", "department": ""}])
    (gone,) = replayer.replay(made).gone
    assert gone == "the catalogue: it was revision 2, now it is 3, and keeps no past"


def test_a_log_that_was_tampered_with_is_found(desk: Desk, replayer: Replayer) -> None:
    replayed = replayer.replay(altered(desk, put("scores", "expected_value", 1e6)))
    assert not replayed.same
    assert ("scores.expected_value", 1e6) in [(place, then) for place, then, _ in replayed.differences]


def test_a_decision_that_nobody_made_is_refused(replayer: Replayer) -> None:
    with pytest.raises(InputError, match=r"^expected the id of a decision, found 'd-0', which nobody made$"):
        replayer.replay("d-0")


def test_the_ledger_then_is_what_was_looked_at_then(desk: Desk) -> None:
    """What counted for a decision is found again from the ledger's rows alone, budgets included."""
    clock = after_history(desk.history.newest)
    busy(desk, 30)
    window = desk.decider.policy.approach.window(clock(), "top")
    names = ["customer:nobody"]
    now = desk.history.decisions.ledger(names, window)
    assert now.spent
    assert desk.history.decisions.ledger_then(names, window, now.seq) == now
    earlier = replace(window, now=window.now - timedelta(days=400), since=window.since)
    assert desk.history.decisions.ledger_then(names, earlier, 0).contacts == ()


def run(home: Home, *arguments: str) -> Any:
    named = {
        "HOLDFAST_HOME": str(home.folder), "HOLDFAST_DATABASE_URL": home.database_url, "HOLDFAST_CLOCK": "history",
        "MLFLOW_TRACKING_URI": home.tracking_uri,
    }  # fmt: skip
    return CliRunner().invoke(app, ["replay", *arguments], env=named)


def test_the_command_says_what_it_found(home: Home, desk: Desk, tmp_path: Path) -> None:
    empty = run(home, "--sample", "3")
    assert "No decision has been made yet" in empty.output
    made = busy(desk, 8)
    same = run(home, made[0])
    assert (same.exit_code, "comes out the same, to the last letter" in same.output) == (0, True)
    sample = run(home, "--sample", "100")
    assert (sample.exit_code, "Made again: 8 decisions, 0 differ." in sample.output) == (0, True)
    told = json.loads(run(home, "--sample", "2", "--json").stdout)
    assert [one["same"] for one in told] == [True, True]
    tampered = altered(desk, put("tier", "top"))
    differs = run(home, tampered)
    assert (differs.exit_code, "comes out otherwise" in differs.output) == (1, True)
    folder = tmp_path / "playbook"
    shutil.copytree(ROOT / "playbook", folder)
    text = (folder / "offers.toml").read_text(encoding="utf-8")
    (folder / "offers.toml").write_text(text.replace("margin = 1.00", "margin = 0.00"), encoding="utf-8")
    anew = run(home, "--sample", "9", "--playbook", str(folder))
    assert (anew.exit_code, "would have made other offers" in anew.output) == (0, True)
    for wrong in ([], [made[0], "--sample", "2"]):
        refused = run(home, *wrong)
        assert refused.exit_code == 1
        assert "expected the id of a decision, or --sample with a number" in str(refused.exception)
