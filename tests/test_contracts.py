"""Churn where customers leave by a word: an event of kind "end"."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from features.contract import CONTRACT, rows_of
from features.history import History
from features.identity import Reference
from holdfast.learning import show
from models.population import Active
from tests.making import happened
from training import labels
from training.boosting import Fit
from training.pipeline import Plan, train

START = datetime(2023, 1, 1, tzinfo=UTC)
PLAN = Plan("contract", 28, None, (("top", 0.2), ("base", 0.8)), "type", "USD", "")


def subscribers(history: History, customers: int = 600, days: int = 300) -> History:
    """Bill everyone monthly; who complains ends the contract three weeks later, and is billed no more."""
    rng, told = np.random.default_rng(3), []
    for customer in range(customers):
        complains = int(rng.integers(40, 2 * days))
        for day in range(customer % 28, days, 28):
            if day < complains + 21:
                told.append((customer, "purchase", day, 30.0 + customer % 7))
        if complains < days:
            told.append((customer, "complaint", complains, 0.0))
        if complains + 21 < days:
            told.append((customer, "end", complains + 21, 0.0))
    history.append(
        [
            happened(
                number,
                kind=kind,
                amount=amount,
                reference=Reference("customer", str(customer)),
                occurred_at=START + timedelta(days=day, hours=9),
            )
            for number, (customer, kind, day, amount) in enumerate(told)
        ],
        None,
    )
    return history


def test_a_contract_is_open_until_it_is_ended_and_again_after_another_purchase(history: History):
    days = {"never": [1], "ended": [1, -10], "back": [1, -10, 20], "unknown": [-10]}
    events = [
        happened(
            number,
            kind="purchase" if day > 0 else "end",
            reference=Reference("customer", name),
            occurred_at=START + timedelta(days=abs(day)),
        )
        for number, (name, day) in enumerate((name, day) for name, told in days.items() for day in told)
    ]
    history.append(events, None)
    rows = rows_of(history.known_by(START + timedelta(days=400)))
    holds = dict(zip(rows.customers, Active("contract", 1).holds(rows.values).tolist(), strict=True))
    assert holds == {"customer:never": True, "customer:ended": False, "customer:back": True, "customer:unknown": False}
    assert not Active("silence", 100).holds(rows.values).any()


def test_the_label_of_a_contract_is_its_end_within_the_horizon(history: History):
    known = subscribers(history).known_by(START + timedelta(days=300))
    ended = labels.ended(known, tuple(f"customer:{n}" for n in range(600)), START, timedelta(days=300))
    silent = labels.lapsed(known, tuple(f"customer:{n}" for n in range(600)), START, timedelta(days=300))
    assert 0 < ended.sum() < 600
    assert silent.sum() == 0


def test_a_model_of_contracts_learns_who_is_about_to_end_one(history: History, capsys: pytest.CaptureFixture[str]):
    known = subscribers(history).known_by(START + timedelta(days=300))
    trained = train(known, PLAN, Fit(trees=10), lambda name, done, total: None)
    found = {(figure.model, figure.metric): figure.ours for figure in trained.figures}
    assert found["churn", "AUC"] > 0.8
    assert trained.manifest["active"] == {"kind": "contract", "days": 56}
    assert trained.manifest["chosen"]["churn"]["candidate"] in ("decayed count", "RFM logistic", "logistic")
    assert any("BG/NBD needs churn by silence" in said for said in trained.manifest["minimum"])
    show({"version": "1", "promoted": True, **trained.manifest})
    assert "Lapsed means: a contract ended within 28 days" in " ".join(capsys.readouterr().out.split())


def test_the_same_bills_as_silence_are_another_question(history: History):
    known = subscribers(history).known_by(START + timedelta(days=300))
    trained = train(known, replace(PLAN, churn="silence"), Fit(trees=10), lambda name, done, total: None)
    assert trained.manifest["active"]["kind"] == "silence"
    assert "days_since_end" in CONTRACT.names
