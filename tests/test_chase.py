"""Whom an effort to keep pays for, whom not to chase, and whether that falls evenly."""

import json
from dataclasses import replace
from typing import Any

import polars as pl
import pytest
from typer.testing import CliRunner

from features.history import History
from features.home import Home
from holdfast.app import app
from serving.audience import Member
from serving.chase import CHASE, NOT_NOW, NOT_WORTH, Efforts, Verdict, fairness
from serving.scores import Scores
from tests.desks import NOW, SCORES, playbook

GLOSSARY = playbook().glossary
PLAIN = {"features.days_since_purchase": 3.0, "features.discount_share_91": 0.0, "features.coupons_91": 0.0,
         "features.late_payments_364": 0.0, "features.complaints_28": 0.0, "features.offers_declined_28": 0.0,
         "features.spend_trend": 1.0}  # fmt: skip


def member(name: str, risk: float | None, value: float, tier: str = "middle", **words: Any) -> Member:
    scores: Scores = replace(SCORES, churn_risk=risk, expected_value=value, tier=tier)
    said = {"churn.risk": risk, "value.expected": value, "value.tier": tier, "churn.active_days": 56}
    known = {**said, **PLAIN, **words}
    return Member(name, scores, known | GLOSSARY.tell(known))


def judged(*members: Member) -> dict[str, Verdict]:
    return {one.customer: one for one in Efforts(playbook()).judge(members, NOW)}


def test_an_effort_pays_where_much_is_at_stake_and_not_where_little_is() -> None:
    told = judged(
        member("worthy", 0.6, 200.0), member("loyal", 0.01, 200.0), member("poor", 0.6, 4.0, "base"),
        member("late", 0.6, 200.0, **{"features.late_payments_364": 3.0, "features.days_since_purchase": 99.0}),
        member("unknown", None, 50.0),
    )  # fmt: skip
    assert {name: one.verdict for name, one in told.items()} == {
        "worthy": CHASE, "loyal": NOT_WORTH, "poor": NOT_WORTH, "late": NOT_NOW
    }  # fmt: skip
    assert told["worthy"].effort == "stay_voucher"
    assert told["worthy"].expected_profit > 0 > told["poor"].expected_profit
    assert told["poor"].reason["en"].startswith("Every effort costs more than it brings; the best, ")
    assert told["late"].reason["en"] == (
        "stay_voucher would bring 17.08 USD, but: Paid late at least twice within the last year."
    )
    assert all("가" <= letter <= "힣" for one in told.values() for letter in one.reason["ko"][-3:-1])


def test_what_is_owed_is_no_effort() -> None:
    assert "manager_call" not in [offer.id for offer in Efforts(playbook()).offers]


def verdicts(*groups: tuple[str, int, int]) -> tuple[list[Verdict], dict[str, dict[str, str]]]:
    made, wordings = [], {}
    for level, size, worth in groups:
        for number in range(size):
            name = f"{level}{number}"
            verdict = CHASE if number < worth else NOT_WORTH
            made.append(Verdict(name, "base", 0.5, 10.0, verdict, "x", 1.0, {}))
            wordings[name] = {"age": level} if level else {}
    return made, wordings


def test_groups_are_compared_with_those_of_another_wording() -> None:
    young, old = fairness(*verdicts(("25-34", 100, 20), ("65+", 200, 100), ("", 500, 0)))
    assert (young.level, young.customers, young.worth_it, young.others_worth_it) == ("25-34", 100, 0.2, 0.5)
    # ln 0.4 ± 1.96·√(1/20 − 1/100 + 1/100 − 1/200), by hand.
    assert young.ratio == pytest.approx(0.4)
    assert (young.low, young.high) == (pytest.approx(0.2637, abs=2e-3), pytest.approx(0.6066, abs=3e-3))
    assert young.below
    assert not old.below
    assert old.ratio == pytest.approx(2.5)


def test_few_customers_or_none_worth_it_give_no_ratio() -> None:
    assert fairness(*verdicts(("a", 29, 5), ("b", 400, 9))) == []
    nobody, _ = fairness(*verdicts(("a", 40, 0), ("b", 40, 9)))
    assert (nobody.worth_it, nobody.ratio, nobody.below) == (0.0, None, False)


def test_the_command_lists_everybody_judged_with_the_reason(trained: tuple[Home, History, Any], tmp_path: Any) -> None:
    place = trained[0]
    named = {
        "HOLDFAST_HOME": str(place.folder), "HOLDFAST_CLOCK": "history", "MLFLOW_TRACKING_URI": place.tracking_uri,
    }  # fmt: skip
    target = tmp_path / "chase.parquet"
    told = CliRunner().invoke(app, ["chase", "--out", str(target), "--json"], env=named)
    assert told.exit_code == 0, told.exception
    answer, listed = json.loads(told.stdout), pl.read_parquet(target)
    assert answer["judged"] == len(listed) == sum(answer["verdicts"].values())
    assert set(listed["verdict"]) <= {CHASE, NOT_NOW, NOT_WORTH}
    never = listed.filter(pl.col("verdict") == NOT_WORTH)
    assert (never["expected_profit"] <= 0).all()
    assert never["reason"].str.starts_with("Every effort costs more").all()
    assert (answer["owed"], answer["owed_by_value"], answer["effects"]) == (["manager_call"], [], "stated priors")
    shown = CliRunner().invoke(app, ["chase", "--out", str(target), "--language", "ko"], env=named)
    assert "Owed to everybody, whatever they are worth: manager_call." in " ".join(shown.output.split())
    wrong = CliRunner().invoke(app, ["chase"], env={"HOLDFAST_HOME": str(tmp_path)})
    assert "expected a champion to score the base with, found none" in str(wrong.exception)
