"""The future is shuffled, or taken away: nothing of the past may change, and nothing of the future be foreseen."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from features.clock import after_history, microseconds
from features.contract import CONTRACT
from features.history import History
from features.home import ROOT, Home
from features.known import Known
from holdfast import ingesting, sample
from models.population import Active
from training.boosting import Fit, boost
from training.dataset import Window, Windows, pair_window
from training.horizon import Horizon, choose_horizon
from training.metrics import CHURN_METRICS

DAYS = 28
ACTIVE = Active("silence", 2 * DAYS)
DEALS = 8
DECAYED = np.array(["_decayed_" in name for name in CONTRACT.names])


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory, small_cut: Path) -> Iterator[Known]:
    """What is known of 120 real households."""
    folder = tmp_path_factory.mktemp("leakage")
    place = Home(folder, ROOT / "playbook", f"sqlite:///{folder / 'history.db'}", "history")
    history = History(place.database_url)
    ingesting.take(place, history, [small_cut], sample.SOURCE, lambda name, done, total: None)
    yield history.known_by(after_history(history.newest)())
    history.close()


@pytest.fixture(scope="module")
def horizon(known: Known) -> Horizon:
    return choose_horizon(known, DAYS, 2 * DAYS)


@pytest.fixture(scope="module")
def cutoff(known: Known) -> datetime:
    return known.as_of - timedelta(days=DAYS)


def dealt_anew(known: Known, cutoff: datetime, seed: int = 5) -> Known:
    """Deal all that happened from the cutoff on out anew, each customer's to another customer."""
    customers = known.events["customer"].unique().sort()
    others = np.random.default_rng(seed).permutation(customers.to_numpy())
    swapped = pl.col("customer").replace_strict(dict(zip(customers, others, strict=True)))
    future = pl.col("occurred_at") >= microseconds(cutoff)
    mixed = pl.when(future).then(swapped).otherwise(pl.col("customer"))
    return replace(known, records=known.events.with_columns(customer=mixed, reference=mixed))


def taken_away(known: Known, cutoff: datetime) -> Known:
    """Forget all that happened from the cutoff on."""
    return replace(known, records=known.events.filter(pl.col("occurred_at") < microseconds(cutoff)))


def multiplied(known: Known, cutoff: datetime) -> Known:
    """Make all that happened from the cutoff on a thousand times as dear."""
    future = pl.col("occurred_at") >= microseconds(cutoff)
    dearer = pl.when(future).then(pl.col("amount") * 1000).otherwise(pl.col("amount"))
    return replace(known, records=known.events.with_columns(amount=dearer))


@pytest.mark.parametrize("change", [dealt_anew, taken_away, multiplied])
def test_no_row_of_a_cutoff_changes_whatever_comes_after_it(
    known: Known, horizon: Horizon, cutoff: datetime, change: Callable[[Known, datetime], Known]
):
    changed = change(known, cutoff)
    assert not changed.events.equals(known.events)
    for moment in (cutoff, cutoff - timedelta(days=DAYS)):
        before, after = (Windows(one, ACTIVE, "revenue").at(moment, DAYS) for one in (known, changed))
        assert before.rows.customers == after.rows.customers
        assert before.rows.values[:, ~DECAYED].tobytes() == after.rows.values[:, ~DECAYED].tobytes()
        # Sums of decayed weights are added up in an order that differs from run to run, by a last bit.
        np.testing.assert_allclose(before.rows.values, after.rows.values, rtol=1e-14, atol=0)
        assert before.process == after.process
        assert before.active.tolist() == after.active.tolist()


@pytest.mark.parametrize("change", [dealt_anew, taken_away, multiplied])
def test_no_candidate_of_a_cutoff_changes_by_a_bit_whatever_comes_after_it(
    known: Known, horizon: Horizon, cutoff: datetime, change: Callable[[Known, datetime], Known]
):
    before, after = (pair_window(one, cutoff, horizon, "type") for one in (known, change(known, cutoff)))
    assert before.table.as_json() == after.table.as_json()
    assert before.pairs.customers.tolist() == after.pairs.customers.tolist()
    assert before.pairs.items.tolist() == after.pairs.items.tolist()
    assert before.pairs.values.tobytes() == after.pairs.values.tobytes()


def test_a_window_that_peeks_would_change(known: Known, horizon: Horizon, cutoff: datetime):
    late = cutoff + timedelta(days=DAYS // 2)
    before, after = (Windows(one, ACTIVE, "revenue").rows(late)[0] for one in (known, dealt_anew(known, cutoff)))
    assert before.values.tobytes() != after.values.tobytes()


def test_a_future_dealt_out_anew_cannot_be_foreseen_but_by_a_peek(known: Known, horizon: Horizon, cutoff: datetime):
    """A model finds nothing where the past doesn't tell; shown rows that saw the future, it finds it all the same."""
    blind, peeking = [], []
    for seed in range(DEALS):
        windows = Windows(dealt_anew(known, cutoff, seed), ACTIVE, "revenue")
        honest = windows.at(cutoff, DAYS)
        seen, _ = windows.rows(cutoff + timedelta(days=DAYS))
        places = [seen.customers.index(customer) for customer in honest.rows.customers]
        blind.append(_foreseen(honest, seed))
        peeking.append(_foreseen(replace(honest, rows=replace(honest.rows, values=seen.values[places])), seed))
    assert float(np.mean(blind)) == pytest.approx(0.5, abs=0.1)
    assert float(np.mean(peeking)) > 0.8


def test_labels_dealt_out_anew_cannot_be_learned(known: Known, horizon: Horizon, cutoff: datetime):
    window = Windows(known, ACTIVE, "revenue").at(cutoff, DAYS).of_active
    rng = np.random.default_rng(3)
    found = [_foreseen(replace(window, lapsed=rng.permutation(window.lapsed)), seed) for seed in range(3 * DEALS)]
    assert float(np.mean(found)) == pytest.approx(0.5, abs=0.1)


def _foreseen(window: Window, seed: int) -> float:
    """Fit trees on half of the customers, and measure the AUC of their lapse on the others."""
    rows, lapsed = window.rows.values, window.lapsed
    half = np.random.default_rng(seed).permutation(len(lapsed)) % 2 == 0
    trees = boost({"objective": "binary"}, rows[half], lapsed[half], CONTRACT.names, Fit(trees=60))
    return CHURN_METRICS["AUC"][0](lapsed[~half], trees.scores(rows[~half]))
