"""What `holdfast playbook check` finds, each in a playbook that has it."""

import json
import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from features.definitions import NAMES
from features.expressions import compile_rule
from features.history import History
from features.home import ROOT, Home
from holdfast.app import app
from serving.contradictions import contradiction, satisfiable
from serving.flips import Flipper
from serving.lint import contexts, findings
from serving.playbook import load_playbook
from tests.properties.test_rule_laws import GLOSSARY

TODAY = date(2018, 1, 2)


@pytest.fixture
def changed(tmp_path: Path) -> Callable[..., Path]:
    folder = tmp_path / "playbook"
    shutil.copytree(ROOT / "playbook", folder)

    def change(file: str, before: str, after: str) -> Path:
        text = (folder / file).read_text(encoding="utf-8")
        assert before in text
        (folder / file).write_text(text.replace(before, after, 1), encoding="utf-8")
        return folder

    return change


def found(folder: Path, today: date = TODAY) -> list[tuple[str, str, str]]:
    return [(one.severity, one.place, one.found) for one in findings(load_playbook(folder, NAMES), today)]


def test_the_shipped_playbook_has_nothing_to_mend() -> None:
    assert found(ROOT / "playbook") == []


def test_rules_that_cannot_all_hold_are_named(changed: Callable[..., Path]) -> None:
    folder = changed(
        "offers.toml", '{ when = "active", en = "No longer an active customer.",', '{ when = "lapsed", en = "Active.",'
    )
    assert found(changed("offers.toml", '{ when = "at_risk or (slowing ?? false)"', '{ when = "active"')) == [
        (
            "error", "offers.toml, offer double_fuel_points",
            "its rules can't all hold, so nobody ever gets it: 'lapsed' and 'active'",
        )
    ]  # fmt: skip
    assert folder.exists()


def test_what_is_owed_must_not_ask_what_a_customer_is_worth(changed: Callable[..., Path]) -> None:
    folder = changed("offers.toml", 'when = "recently_complained or', 'when = "high_value and recently_complained or')
    assert found(folder) == [
        (
            "error", "offers.toml, offer manager_call",
            "it is owed, yet \"high_value and recently_complained or (context.topic ?? '') == 'complaint'\" asks for "
            "value.tier",
        )
    ]  # fmt: skip


def test_what_is_over_is_said(changed: Callable[..., Path]) -> None:
    folder = changed("offers.toml", "valid_from = 2017-03-01", "valid_until = 2017-12-31")
    assert found(folder, date(2018, 7, 1)) == [
        (
            "warning", "offers.toml, offer ground_coffee",
            "its lever of 1.3 expired on 2018-06-30 and counts no more: Supplier campaign for coffee in the first half"
            " of 2018",
        ),
        ("warning", "offers.toml, offer deli_turkey", "it ended on 2017-12-31"),
    ]  # fmt: skip


def test_owners_outside_the_fence_and_caps_of_nothing_are_said(changed: Callable[..., Path]) -> None:
    changed("contact.toml", 'owner = "deli"\nmost = 60', 'owner = "deli"\nmost = 0')
    folder = changed("contact.toml", "most = 15", "most = 0")
    assert found(folder) == [
        ("warning", "contact.toml, attention", "'deli' has no budget for customers of tier top"),
        ("warning", "contact.toml, cap all_channels", "lets nothing through: most is 0"),
    ]


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        (["churn.risk >= 0.3", "not at_risk"], ["churn.risk >= 0.3", "not at_risk"]),
        (["at_risk", "churn.risk > 0.3", "features.spend_91 > 5"], []),
        (["churn.risk > 0.9", "churn.risk < 0.91"], []),
        (["high_value", "active", "value.tier == 'base'"], ["high_value", "value.tier == 'base'"]),
        (["value.tier != 'top'", "value.tier != 'high'"], []),
        (["active", "features.days_since_purchase > 9999"], ["active", "features.days_since_purchase > 9999"]),
        (["churn.risk > 2 and churn.risk < 1"], ["churn.risk > 2 and churn.risk < 1"]),
        (["(features.spend_91 ?? 0) > 5", "features.spend_91 == null"],
         ["(features.spend_91 ?? 0) > 5", "features.spend_91 == null"]),
        # A rule that calculates isn't settled, so nothing is claimed of it.
        (["features.spend_91 * 2 > 10", "features.spend_91 < 1"], []),
    ],
)  # fmt: skip
def test_a_contradiction_is_the_smallest_set_that_cannot_hold(rules: list[str], expected: list[str]) -> None:
    compiled = [compile_rule(text, GLOSSARY.vocabulary, "here") for text in rules]
    told = contradiction(compiled, Flipper(GLOSSARY), {})
    assert [rule.text for rule in told or ()] == expected
    assert satisfiable(compiled[:0], Flipper(GLOSSARY), {}) is True


def test_conversations_that_rules_speak_of_are_tried() -> None:
    said = contexts(load_playbook(ROOT / "playbook", NAMES))
    assert {} in said
    assert {"pet": "dog"} in said
    assert {"topic": "complaint"} in said


def run(trained: tuple[Home, History, Any], *arguments: str) -> Any:
    place = trained[0]
    named = {
        "HOLDFAST_HOME": str(place.folder), "HOLDFAST_CLOCK": "history", "MLFLOW_TRACKING_URI": place.tracking_uri,
    }  # fmt: skip
    return CliRunner().invoke(app, ["playbook", "check", *arguments], env=named)


def test_offers_that_nobody_can_get_or_that_never_win_are_found_on_the_base(
    trained: tuple[Home, History, Any], changed: Callable[..., Path]
) -> None:
    changed("offers.toml", "(features.spend_per_basket_91 ?? 0) >= 15", "(features.spend_per_basket_91 ?? 0) >= 15000")
    folder = changed("offers.toml", "margin = 0.98", "margin = 0.01")
    told = run(trained, "--playbook", str(folder), "--customers", "30", "--json")
    assert told.exit_code == 0, told.exception
    answer = json.loads(told.stdout)
    said = {one["place"]: one["found"] for one in answer["findings"]}
    assert said["offers.toml, offer beef_family_pack"].startswith(
        "nobody of 30 customers can get it; 30 times: Baskets"
    )
    assert said["offers.toml, offer fresh_cut_fruit"].startswith(
        "never among the first 3 for any of 30; it pays for nobody"
    )
    tried = {one["offer"]: one for one in answer["offers"]}
    assert tried["next_on_the_list"]["passes"] == 30
    assert tried["manager_call"]["first"] == 30
    shown = run(trained, "--customers", "5")
    assert "Tried on 5 customers" in shown.output


def test_the_status_is_one_when_something_must_be_mended(
    trained: tuple[Home, History, Any], changed: Callable[..., Path]
) -> None:
    folder = changed("offers.toml", '"active", en = "No longer an active customer.",', '"false", en = "Never.",')
    told = run(trained, "--playbook", str(folder), "--customers", "2")
    assert told.exit_code == 1
    assert "its rules can't all hold" in " ".join(told.output.split())


def test_a_playbook_is_checked_where_there_is_no_history(tmp_path: Path) -> None:
    # A home of its own lives in the present, in which the shipped lever has expired.
    told = CliRunner().invoke(app, ["playbook", "check"], env={"HOLDFAST_HOME": str(tmp_path)})
    assert told.exit_code == 0, told.exception
    assert "no offer was tried on customers" in " ".join(told.output.split())
    assert "its lever of 1.3 expired on 2018-06-30" in " ".join(told.output.split())
