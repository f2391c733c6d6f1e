"""What another playbook would change: decided as one by one, counted, drawn, and let through a gate or not."""

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from features.clock import after_history
from features.decisions import Ledger
from features.definitions import NAMES
from features.expressions import compile_rule
from features.history import History
from features.home import ROOT, Home
from features.responses import Responses
from features.wordings import wordings_of
from holdfast import what_if
from holdfast.app import app
from holdfast.places import scorer_of
from models.effects import Effects
from serving.audience import Audience
from serving.comparing import first_offers
from serving.crowd import Coded, Column
from serving.encounters import Encounters, Record, reasons_frame
from serving.learned import Learned
from serving.playbook import Playbook, load_playbook
from serving.playbook_changes import changes
from serving.policy import Policy
from serving.question import Question
from serving.scorer import Chunk, Scorer
from serving.telling import steps, tell, value_at
from tests.whole_bases import differing
from tests.whole_bases import drawn as encountered

Based = tuple[Scorer, Any, Chunk]


@pytest.fixture(scope="module")
def based(trained: tuple[Home, History, dict[str, Any]]) -> Based:
    place, history, _ = trained
    known = history.known_by(after_history(history.newest)())
    scorer = scorer_of(place)
    return scorer, known, next(scorer.chunks(known))


@pytest.mark.parametrize("folder", ["playbook", "playbook/telecom"])
@pytest.mark.parametrize(
    ("channel", "offers", "context"),
    [("phone", 1, {}), ("phone", 3, {"topic": "complaint"}), ("email", 2, {}), ("app", 4, {"topic": "quick_meals"})],
)
def test_a_whole_base_is_decided_as_one_by_one(
    based: Based, folder: str, channel: str, offers: int, context: dict[str, Any]
) -> None:
    scorer, known, chunk = based
    playbook = load_playbook(ROOT / folder, NAMES)
    question = Question(known.as_of, channel, offers, context)
    now, spent = int(known.as_of.timestamp() * 1e6), {"digital shelf": 400, "deli": 59}
    some = encountered(len(chunk.rows.customers), playbook.offers, now, seed=offers)
    assert some.pasts
    assert some.contacts
    assert differing(scorer, known, chunk, playbook, question, some, spent) == []
    assert differing(scorer, known, chunk, playbook, question, Encounters(), {}) == []


def test_what_everybody_is_offered_first_is_what_each_is_offered_alone(based: Based) -> None:
    scorer, known, chunk = based
    playbook, question = load_playbook(ROOT / "playbook", NAMES), Question(known.as_of, "phone")
    found = first_offers(scorer, playbook, known, reasons_frame([]), question)
    record = Record.of(known, reasons_frame([]), ())
    policy = Policy(playbook.offers, playbook.glossary, playbook.contact)
    learned = Learned(policy.offers, playbook.experiment, Effects(), Responses())
    assert len(found) == known.events["customer"].n_unique()
    assert len(set(found.values())) > 2
    for member in islice(Audience(scorer, playbook.glossary).of_chunk(chunk, wordings_of(known)), 60):
        met = record.encounters((member.customer,))
        asked = member.asked(known.as_of, "phone", {}, playbook.glossary)
        asked = replace(asked, past=tuple(one for _, one in met.pasts), wishes=tuple(one for _, one in met.wishes))
        chosen = policy.arbitrate(asked, Ledger(), 1, learned).chosen
        assert found[member.customer] == (chosen[0].offer.id if chosen else "")


def test_a_rule_is_told_by_cells_as_it_is_one_by_one() -> None:
    random, vocabulary = np.random.default_rng(3), load_playbook(ROOT / "playbook", NAMES).glossary.vocabulary
    numbers = np.round(random.normal(3.0, 2.0, 400), 1)
    numbers[:40], numbers[40:44] = np.nan, [3.0, 3.0 + 4e-16, 3.0000000001, 2.9999999999]
    columns: dict[str, Column] = {
        "features.spend_91": numbers,
        "features.spend_28": random.permutation(numbers),
        "churn.active_days": Coded.same(3, 400),
        "value.tier": Coded.of(random.choice(["top", "base"], 400).tolist()),
    }
    for text in (
        "features.spend_91 >= 3", "(features.spend_91 ?? 0) > 3", "features.spend_91 == 3",
        "features.spend_91 <= churn.active_days", "features.spend_91 > features.spend_28",
        "features.spend_91 * 2 > features.spend_28 + 1", "value.tier == 'top' and not (features.spend_91 < 2.5)",
        "(features.spend_91 > 4 ? features.spend_28 : 5) > 3", "features.spend_91 in [1, 3] or value.tier == 'base'",
        "round(features.spend_91) == 3", "features.spend_91 == null or features.spend_91 > 3",
    ):  # fmt: skip
        rule = compile_rule(text, vocabulary, "here")
        one_by_one = [rule.holds({word: value_at(one, at) for word, one in columns.items()}) for at in range(400)]
        told = tell(rule, columns.get, 400).tolist()
        assert told == [-1 if answer is None else int(answer) for answer in one_by_one], text


def test_of_a_rule_that_calculates_nothing_is_known_but_its_values() -> None:
    vocabulary = load_playbook(ROOT / "playbook", NAMES).glossary.vocabulary
    rule = compile_rule("features.spend_91 / 2 > 3 and features.spend_28 > 4", vocabulary, "here")
    assert steps(rule) == {"features.spend_28": ((4.0,), ())}


def test_a_record_is_read_with_its_reasons_and_in_its_order(based: Based) -> None:
    _, known, chunk = based
    customer = str(chunk.rows.customers[0])
    rows = known.events.head(2).with_columns(
        customer=np.array([customer] * 2), reference=np.array([customer] * 2), kind=np.array(["offer_declined"] * 2),
        product=np.array(["a", "b"]), occurred_at=np.array([9, 5]), recorded_at=np.array([9, 5]),
    )  # fmt: skip
    reasons = reasons_frame([(customer, "offer_declined", "a", 9, 9, "price")])
    found = Record.of(replace(known, records=rows), reasons, ()).encounters((customer,))
    assert [(one.offer, one.reason) for _, one in found.pasts] == [("b", None), ("a", "price")]


@pytest.fixture
def at_home(trained: tuple[Home, History, dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> Path:
    place, _, _ = trained
    monkeypatch.setenv("HOLDFAST_HOME", str(place.data.parent))
    monkeypatch.setenv("HOLDFAST_CLOCK", "history")
    return place.data.parent


def asked(*arguments: str) -> tuple[int, Mapping[str, Any]]:
    found = CliRunner().invoke(app, ["simulate", "playbook", *arguments, "--json"], catch_exceptions=False)
    return found.exit_code, json.loads(found.stdout)


@pytest.fixture
def edited(tmp_path: Path) -> Callable[[str, str, str], str]:
    def edit(name: str, old: str, new: str) -> str:
        folder = tmp_path / "draft"
        shutil.copytree(ROOT / "playbook", folder)
        text = (folder / name).read_text(encoding="utf-8")
        assert old in text
        (folder / name).write_text(text.replace(old, new), encoding="utf-8")
        return str(folder)

    return edit


def test_the_same_playbook_against_itself_changes_nothing(at_home: Path) -> None:
    status, told = asked(str(ROOT / "playbook"), "--least-gain", "0", "--most-losing", "0")
    assert status == 0
    assert told["same"]
    assert (told["moved"], told["silenced"], told["changes"]) == (0, 0, [])
    assert told["profit"]["gain"] == dict.fromkeys(("expected", "low", "high", "sampling", "effects"), 0.0)
    assert told["load"]["before"] == told["load"]["after"]
    assert 0.0 < told["load"]["before"]["takers"] < told["load"]["before"]["proposals"]
    assert all(one["gained"] == one["lost"] == 0 and one["before"] == one["after"] for one in told["offers"])


def test_a_stricter_rule_only_takes_its_offer_away(at_home: Path, edited: Callable[[str, str, str], str]) -> None:
    rule = "(features.spend_per_basket_91 ?? 0) >= {0}"
    _, told = asked(edited("offers.toml", rule.format(15), rule.format(60)))
    beef = next(one for one in told["offers"] if one["offer"] == "beef_family_pack")
    assert beef["lost"] > 0
    assert beef["gained"] == 0
    assert beef["lost_because"] == [{"layer": "suitability", "rule": rule.format(60), "customers": beef["lost"]}]
    assert told["profit"]["gain"]["expected"] < 0
    assert [(one["name"], list(one["fields"])) for one in told["changes"]] == [("beef_family_pack", ["rules"])]


def test_a_dearer_incentive_lowers_the_expected_profit_and_fails_its_gate(
    at_home: Path, edited: Callable[[str, str, str], str]
) -> None:
    draft = edited("offers.toml", "incentive_cost = 0.40", "incentive_cost = 0.60")
    status, told = asked(draft, "--least-gain", "0", "--most-losing", "1")
    assert status == 1
    assert told["profit"]["gain"]["expected"] < 0
    assert told["load"]["after"]["incentives"] != told["load"]["before"]["incentives"]
    assert told["gate"]["passed"] is False
    assert [(one["check"], one["holds"]) for one in told["gate"]["checks"]] == [
        ("least_gain", False), ("most_losing", True)
    ]  # fmt: skip


def test_a_sample_stands_for_the_base_and_files_are_written_whole(at_home: Path, tmp_path: Path) -> None:
    rows, svg = tmp_path / "rows.parquet", tmp_path / "drawn.svg"
    _, told = asked(str(ROOT / "playbook"), "--sample", "0.5", "--out", str(rows), "--picture", str(svg))
    assert 0 < told["decided"] < told["customers"]
    assert abs(sum(one["before"] for one in told["offers"]) + told["silent"]["before"] - told["customers"]) < 15
    assert rows.exists()
    for label in ("simulated", "Customers", "Expected profit, USD", "gain it", "lose it", "before", "after"):
        assert label in svg.read_text(encoding="utf-8"), label


def test_a_large_base_is_decided_part_by_part_with_the_same_answer(
    at_home: Path, edited: Callable[[str, str, str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    draft = edited("offers.toml", "incentive_cost = 0.40", "incentive_cost = 0.60")
    _, at_once = asked(draft)
    monkeypatch.setattr(what_if, "ROWS_A_PART", 0)
    _, by_parts = asked(draft, "--workers", "1")
    assert by_parts["moved"] > 0
    for name in ("customers", "moved", "contact", "attention", "silent"):
        assert by_parts[name] == at_once[name], name
    assert by_parts["profit"]["gain"] == pytest.approx(at_once["profit"]["gain"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--channel", "fax"], "expected --channel to be one of store, web"),
        (["--sample", "0"], "expected --sample as a share above 0 and up to 1, found 0"),
        (["--out", "nowhere/rows.parquet"], "expected a file in a folder that is there, found nowhere/rows.parquet"),
    ],
)
def test_what_cannot_be_meant_is_refused_at_once(at_home: Path, arguments: list[str], message: str) -> None:
    with pytest.raises(Exception, match=message):
        CliRunner().invoke(app, ["simulate", "playbook", str(ROOT / "playbook"), *arguments], catch_exceptions=False)


def test_changes_name_what_was_added_removed_and_changed() -> None:
    playbook: Playbook = load_playbook(ROOT / "playbook", NAMES)
    first, *others = playbook.offers
    cheaper = replace(others[0], incentive_cost=0.01)
    found = changes(playbook, replace(playbook, offers=(replace(first, id="new_one"), cheaper, *others[1:])))
    assert [(one["name"], one["change"]) for one in found] == [
        (first.id, "removed"), (others[0].id, "changed"), ("new_one", "added")
    ]  # fmt: skip


def test_a_person_reads_offers_profit_and_where_effects_are_from(at_home: Path) -> None:
    found = CliRunner().invoke(app, ["simulate", "playbook", str(ROOT / "playbook")], catch_exceptions=False)
    for said in (
        "Simulated:",
        "Nothing changes",
        "nobody was offered anything",
        "stated priors",
        "nothing was measured",
    ):
        assert said in " ".join(found.stdout.split()), said
