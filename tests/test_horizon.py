from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from features.errors import NotEnoughData
from features.history import History
from features.identity import Reference
from features.known import Known
from models.ranks import Ranks
from tests.making import happened
from training.boosting import Fit
from training.cutoffs import plan_cutoffs
from training.horizon import Horizon, choose_horizon, kaplan_meier_quantile
from training.pipeline import Plan, Trained, train

START = datetime(2023, 1, 1, tzinfo=UTC)


def shoppers(history: History, customers: int, every: int, days: int = 400) -> History:
    bought = [
        happened(
            customer * 1000 + day,
            reference=Reference("customer", str(customer)),
            occurred_at=START + timedelta(days=day, hours=9),
        )
        for customer in range(customers)
        for day in range(customer % every, days, every)
    ]
    history.append(bought, None)
    return history


def test_open_gaps_lengthen_the_quantile():
    gaps, ended = np.array([2, 2, 2, 50]), np.array([True, True, True, False])
    assert kaplan_meier_quantile(gaps, ended, 0.5) == 2.0
    assert kaplan_meier_quantile(gaps, ended, 0.9) == float("inf")


@pytest.mark.parametrize(("every", "days"), [(7, 14), (30, 28), (60, 60)])
def test_the_horizon_follows_the_rhythm_of_purchases(history: History, every: int, days: int):
    chosen = choose_horizon(shoppers(history, 120, every).known_by(START + timedelta(days=500)))
    assert (chosen.days, chosen.active_days) == (days, 2 * days)


def test_the_horizon_takes_at_most_a_third_of_the_history(history: History):
    known = shoppers(history, 120, 60, days=200).known_by(START + timedelta(days=500))
    assert choose_horizon(known).days == 60
    assert choose_horizon(known, days=20, active_days=30).active_days == 30


def test_a_rhythm_whose_gaps_mostly_stay_open_takes_the_longest_horizon_allowed(history: History):
    """Nobody comes back a fourth time, so that a third of all gaps never end."""
    bought = [
        happened(customer * 10 + place, reference=Reference("customer", str(customer)), occurred_at=START + since)
        for customer in range(120)
        for place, since in enumerate(timedelta(days=customer + 7 * visit) for visit in range(3))
    ]
    history.append([*bought, happened(9_999, occurred_at=START + timedelta(days=400))], None)
    chosen = choose_horizon(history.known_by(START + timedelta(days=500)))
    assert chosen.days == 90
    assert "inf" not in chosen.why


def test_a_last_day_that_has_only_begun_does_not_count(history: History):
    shoppers(history, 120, 7, days=100)
    ends = {
        hours: choose_horizon(history.known_by(START + timedelta(days=99, hours=hours))).end for hours in (10, 23.9, 24)
    }
    day = [int((START + timedelta(days=days)).timestamp() * 1e6) for days in (99, 100)]
    assert ends == {10: day[0], 23.9: day[0], 24: day[1]}


def test_too_few_customers_are_refused_with_what_is_missing(history: History):
    with pytest.raises(NotEnoughData) as refused:
        choose_horizon(shoppers(history, 3, 7).known_by(START + timedelta(days=500)))
    assert str(refused.value) == (
        "expected purchases of at least 100 customers by 2024-05-15, found 3; ingest more history"
    )


def test_too_short_a_history_is_refused(history: History):
    with pytest.raises(NotEnoughData, match="expected at least 42 days of purchases, found 30; ingest more history"):
        choose_horizon(shoppers(history, 120, 3, days=30).known_by(START + timedelta(days=500)))


@pytest.mark.parametrize("span", [42, 60, 100, 365, 800])
@pytest.mark.parametrize("days", [14, 28, 90])
def test_no_label_of_learning_reaches_into_the_test_nor_of_fitting_into_choosing(span: int, days: int):
    end = int((START + timedelta(days=span)).timestamp() * 1e6)
    plan = plan_cutoffs(Horizon(days, 2 * days, int(START.timestamp() * 1e6), end, ""))
    assert plan.test + plan.horizon == START + timedelta(days=span)
    assert all(moment + plan.horizon <= plan.test for moment in plan.learn)
    assert plan.learn == tuple(sorted(plan.learn))
    for moment, earlier in plan.rehearsal.rounds if plan.rehearsal else ():
        span = timedelta(days=plan.rehearsal.days if plan.rehearsal else 0)
        assert moment + span <= plan.test
        assert earlier
        assert all(one + span <= moment for one in earlier)
        assert {moment, *earlier} <= set(plan.moments)


def test_a_horizon_that_is_too_long_for_the_history_is_refused(history: History):
    known = shoppers(history, 120, 7, days=100).known_by(START + timedelta(days=100))
    with pytest.raises(NotEnoughData, match=r"at most a third of the 100 days of history, found \[horizon\] days = 60"):
        choose_horizon(known, days=60)


def _plan() -> Plan:
    return Plan("silence", None, None, (("top", 0.2), ("base", 0.8)), "type", "USD", "")


def _train(known: Known) -> Trained:
    return train(known, _plan(), Fit(trees=2), lambda name, done, total: None)


def test_customers_of_whom_nobody_ever_lapses_are_only_ranked(history: History):
    made = _train(shoppers(history, 120, 7, days=200).known_by(START + timedelta(days=200)))
    assert made.manifest["ranks_only"]["churn"].endswith("found 0 and 120 in the past windows")
    assert isinstance(made.models.churn, Ranks)


def test_a_history_that_ended_long_ago_is_refused_with_the_way_out(history: History):
    known = shoppers(history, 120, 7, days=200).known_by(START + timedelta(days=400))
    with pytest.raises(NotEnoughData) as refused:
        _train(known)
    assert str(refused.value) == (
        "expected purchases up to about 2024-02-05, found the last by 2023-07-20; to live in an old data set as if its"
        " last day were today: HOLDFAST_CLOCK=history holdfast train"
    )


def test_purchases_without_amounts_leave_ranks_of_value_and_probabilities_of_leaving(history: History):
    rng = np.random.default_rng(1)
    bought = [
        happened(
            place,
            reference=Reference("customer", str(place % 150)),
            occurred_at=START + timedelta(days=int(day), hours=9),
        )
        for place, day in enumerate(rng.integers(0, 200, 1500))
    ]
    history.append(bought, None)
    known = history.known_by(START + timedelta(days=200))
    made = _train(known)
    assert set(made.manifest["ranks_only"]) == {"value"}
    assert (made.manifest["grade"], isinstance(made.models.value, Ranks)) == ("C", True)
    assert {"AUC", "ECE"} <= {figure.metric for figure in made.figures if figure.model == "churn"}
