"""Consistency in life: what was decided on is what batch computes, and a difference is found and named."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from features import consistency
from features.consistency import Consistency, check, differences
from features.contract import CONTRACT
from features.definitions import BY_NAME
from features.events import Interaction
from features.history import History
from features.identity import IdentityLink, Reference
from holdfast.app import app
from serving.desk import Desk
from serving.requests import Ask
from tests.desks import NOW, SCORES, FakeScorer, desk_over, playbook, shopped
from tests.making import AS_OF, filled, histories, log

ASKED = ("household:7", "household:8", "phone:+12024561111", "household:99", "somebody")


def checked(history: History, sample: int = 200, seed: int = 7, since: datetime | None = None) -> Consistency:
    return check(history, sample, seed, since, lambda done, total: None)


def decided(history: History, *customers: str) -> list[str]:
    """Stock the shop, ask the desk for these customers, and return the decisions' ids."""
    desk = desk_over(history)
    return [desk.decide(Ask(customer=customer, channel="phone"))["decision_id"] for customer in customers]


def altered(history: History, decision_id: str, alter: Callable[[dict[str, Any]], None]) -> str:
    """Log a changed copy of a decision under another id."""
    body = history.decisions.get(decision_id)
    assert body is not None
    alter(body)
    made_at = datetime.fromisoformat(body["as_of"])
    log(history, f"{decision_id}-altered", body["customer"], made_at, json.dumps(body))
    return f"{decision_id}-altered"


def another(feature: str, value: float | None) -> Callable[[dict[str, Any]], None]:
    def alter(body: dict[str, Any]) -> None:
        body["row"]["values"][CONTRACT.names.index(feature)] = value

    return alter


def test_no_row_differs_whoever_was_asked_for_and_however(history: History):
    decided(history, *ASKED)
    assert checked(history) == Consistency(5, 5, 0, ())


def test_a_back_dated_link_is_told_from_a_defect(history: History):
    decided(history, "household:8")
    history.link([IdentityLink(Reference("household", "7"), Reference("household", "8"), NOW - timedelta(days=9))])
    (differing,) = checked(history).differing
    assert differing.cause == "history"


@settings(max_examples=8)
@given(happenings=histories(), later=histories())
def test_no_row_differs_whatever_is_told_after_the_decision(
    new_history: Callable[[], History], happenings: list[Interaction], later: list[Interaction]
):
    history = filled(new_history(), happenings)
    history.link([IdentityLink(Reference("customer", "a"), Reference("customer", "b"), AS_OF)])
    for clock in (AS_OF - timedelta(days=1), AS_OF):
        desk = Desk(history, FakeScorer(SCORES), playbook(), lambda now=clock: now)
        for customer in ("customer:a", "customer:b", "customer:ümläut 고객", "customer:nobody"):
            desk.decide(Ask(customer=customer, channel="phone"))
    after = AS_OF + timedelta(microseconds=1)
    told = [replace(one, id=f"later{place}", recorded_at=after) for place, one in enumerate(later)]
    history.append(told, after)
    assert checked(history).differing == ()


def test_an_altered_row_is_found_by_feature_with_its_decision(history: History):
    first, second = decided(history, "household:7", "household:8")
    one = altered(history, first, another("spend_91", 240.0))
    two = altered(history, second, another("spend_91", None))
    found = checked(history)
    assert sorted((each.decision, each.cause) for each in found.differing) == [(one, "history"), (two, "history")]
    (difference,) = found.differences("history")
    assert (difference.feature, difference.decisions, difference.one_sided) == ("spend_91", 2, 1)
    assert difference.largest == pytest.approx(0.5)
    assert set(difference.examples) == {one, two}
    assert found.differences("executors") == ()


def test_an_event_back_dated_after_the_decision_is_laid_to_the_history(history: History):
    (decision,) = decided(history, "household:7")
    assert checked(history).differing == ()
    history.append([shopped("7", 5.0, 1.5)], None)
    (differing,) = checked(history).differing
    assert (differing.decision, differing.cause) == (decision, "history")
    assert "days_since_purchase" in differing.features


def test_an_event_recorded_at_the_decisions_own_moment_counts(history: History):
    decided(history, "household:7")
    history.append([shopped("7", 5.0, 0.0)], None)
    # It occurred at the moment itself, which no window holds.
    assert checked(history).differing == ()
    history.append([replace(shopped("7", 5.0, 4.0), recorded_at=NOW)], None)
    assert [one.cause for one in checked(history).differing] == ["history"]


def test_executors_that_disagree_are_named_as_the_cause(history: History, monkeypatch: pytest.MonkeyPatch):
    decisions = decided(history, "household:7", "household:99")
    honest = consistency.rows_of

    def mistaken(known):
        rows = honest(known)
        rows.values[:, CONTRACT.names.index("tenure_days")] += 1e-3
        return rows

    monkeypatch.setattr(consistency, "rows_of", mistaken)
    found = checked(history)
    # Nobody's row is no batch row, so that the stranger's can't be mistaken.
    assert [(one.decision, one.cause) for one in found.differing] == [(decisions[0], "executors")]
    assert [one.feature for one in found.differences("executors")] == ["tenure_days"]


def test_a_decision_of_another_contract_is_counted_apart(history: History):
    (decision,) = decided(history, "household:7")
    altered(history, decision, lambda body: body["row"].update(contract="older", values=[1.0]))
    assert checked(history) == Consistency(2, 1, 1, ())


def test_a_sample_is_drawn_by_its_seed_and_only_from_the_moment_on(history: History):
    first, *_ = decided(history, *ASKED)
    for days in (1, 2):
        altered(history, first, lambda body, days=days: body.update(as_of=(NOW + timedelta(days=days)).isoformat()))
        first = f"{first}-altered"
    # What lies days after it has other ages, so that each drawn one differs.
    later = {one.decision for one in checked(history, since=NOW + timedelta(hours=1)).differing}
    assert later == {first, first.removesuffix("-altered")}
    assert checked(history, since=NOW + timedelta(days=3)) == Consistency(7, 0, 0, ())
    drawn = [checked(history, sample=3, seed=seed) for seed in (1, 1, 2, 3, 4, 5)]
    assert {one.compared for one in drawn} == {3}
    assert drawn[0] == drawn[1]
    assert len({tuple(each.decision for each in one.differing) for one in drawn}) > 1


@given(value=st.floats(1.0, 1e9), place=st.integers(0, len(CONTRACT.names) - 1))
def test_counts_must_be_equal_and_all_else_within_a_thousand_millionth(value: float, place: int):
    logged = np.full(len(CONTRACT.names), np.nan)
    logged[place] = value
    assert differences(logged, logged.copy()) == {}
    close, off, unknown = logged.copy(), logged.copy(), logged.copy()
    close[place] *= 1 + 1e-10
    off[place] *= 1 + 1e-6
    unknown[place] = np.nan
    name = CONTRACT.names[place]
    assert list(differences(logged, close)) == ([name] if BY_NAME[name].unit == "count" else [])
    assert differences(logged, off) == {name: pytest.approx(1e-6, rel=1e-3)}
    assert differences(logged, unknown) == differences(unknown, logged) == {name: None}


@pytest.fixture
def lived_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> History:
    monkeypatch.setenv("HOLDFAST_HOME", str(tmp_path))
    monkeypatch.delenv("HOLDFAST_DATABASE_URL", raising=False)
    return History(f"sqlite:///{tmp_path / 'data' / 'history.db'}")


def said(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["consistency", *words])
    return done.exit_code, " ".join(done.stdout.split())


def test_the_command_says_what_it_found_and_fails_only_on_a_difference(lived_in: History):
    assert said() == (
        0,
        "No decision has been made yet: ask for some, with holdfast decide CUSTOMER or through holdfast serve.",
    )
    (decision, *_) = decided(lived_in, *ASKED)
    assert said("--since", "2030-01-01") == (0, "None of the 5 logged decisions was made at 2030-01-01 or later.")
    altered(lived_in, decision, lambda body: body["row"].update(contract="older"))
    assert said() == (
        0,
        "Recomputed in batch: 5 of 6 logged decisions. Made under another feature contract, so that they can't be"
        " compared: 1. No feature of any of them differs.",
    )
    lived_in.append([shopped("7", 5.0, 1.5)], None)
    status, text = said()
    assert status == 1
    assert "Rows that differ: 2" in text
    assert "a later ingest may have back-dated events" in text
    status, text = said("--json")
    answer = json.loads(text)
    assert (status, answer["differing"], answer["compared"], answer["other_contract"]) == (1, 2, 5, 1)
    assert len(answer["causes"]["history"]["decisions"]) == 2
    assert answer["causes"]["executors"]["features"] == []
    lived_in.close()
