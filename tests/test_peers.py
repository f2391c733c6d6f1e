"""The peers that ours are measured against: a weak peer would flatter us."""

from datetime import UTC, datetime

import numpy as np
import pytest
from scipy.integrate import quad

from benchmarks.bars import against_bars, outcome
from benchmarks.lifetime_peers import BetaGeometric, GammaGamma, Histories, ParetoNBD, log_integral
from benchmarks.models import populations
from benchmarks.peers import past_of
from features.clock import after_history
from features.contract import rows_of
from features.history import History
from tests.making import happened
from training.dataset import Window
from training.evaluation import Figure

_NOW, _AHEAD = 300.0, 90.0
_R, _ALPHA, _S, _BETA, _A, _B = 0.8, 20.0, 0.7, 60.0, 0.8, 2.5


def _bought(until, rate, customers, rng, chance=None):
    """Draw each one's purchases after the first, at day 0, until they leave or until _NOW + _AHEAD."""
    histories, came = [], []
    for place in range(customers):
        days, day = [], 0.0
        while True:
            if chance is not None and days and rng.random() < chance[place]:
                break
            day += rng.exponential(1 / rate[place])
            if day > min(until[place], _NOW + _AHEAD):
                break
            days.append(day)
        past = [day for day in days if day <= _NOW]
        histories.append((len(past), past[-1] if past else 0.0, _NOW))
        came.append(len(days) - len(past))
    return Histories(*np.array(histories).T), np.array(came)


@pytest.fixture(scope="module")
def leaving_at_any_time():
    rng = np.random.default_rng(3)
    rate, leaves = rng.gamma(_R, 1 / _ALPHA, 4000), rng.exponential(1 / rng.gamma(_S, 1 / _BETA, 4000))
    return _bought(leaves, rate, 4000, rng)


@pytest.fixture(scope="module")
def leaving_after_a_purchase():
    rng = np.random.default_rng(4)
    rate, chance = rng.gamma(_R, 1 / _ALPHA, 4000), rng.beta(_A, _B, 4000)
    return _bought(np.full(4000, np.inf), rate, 4000, rng, chance)


def test_pareto_nbd_finds_the_rates_that_made_a_population(leaving_at_any_time):
    fitted = ParetoNBD.fit(leaving_at_any_time[0])
    assert fitted.r == pytest.approx(_R, rel=0.15)
    assert fitted.r / fitted.alpha == pytest.approx(_R / _ALPHA, rel=0.15)
    assert fitted.s / fitted.beta == pytest.approx(_S / _BETA, rel=0.3)


def test_bg_nbd_finds_the_rates_that_made_a_population(leaving_after_a_purchase):
    fitted = BetaGeometric.fit(leaving_after_a_purchase[0], early=False)
    assert fitted.r == pytest.approx(_R, rel=0.15)
    assert fitted.r / fitted.alpha == pytest.approx(_R / _ALPHA, rel=0.15)
    assert fitted.a / (fitted.a + fitted.b) == pytest.approx(_A / (_A + _B), rel=0.15)


def test_pareto_nbd_foretells_what_its_own_population_does_next(leaving_at_any_time):
    past, came = leaving_at_any_time
    _foretells(ParetoNBD(_R, _ALPHA, _S, _BETA), past, came)


def test_bg_nbd_foretells_what_its_own_population_does_next(leaving_after_a_purchase):
    past, came = leaving_after_a_purchase
    _foretells(BetaGeometric(_R, _ALPHA, _A, _B, early=False), past, came)


def _foretells(model, past, came):
    for some in (past.repeats == 0, (past.repeats > 0) & (past.last < 150), past.last >= 150):
        part = Histories(past.repeats[some], past.last[some], past.age[some])
        noise = 4 / np.sqrt(some.sum())
        assert model.lapses(part, _AHEAD).mean() == pytest.approx((came[some] == 0).mean(), abs=0.5 * noise)
        assert model.purchases(part, _AHEAD).mean() == pytest.approx(came[some].mean(), abs=came[some].std() * noise)


def test_mbg_nbd_lets_who_bought_once_have_left_and_bg_nbd_does_not():
    once = Histories(np.array([0.0]), np.array([0.0]), np.array([_NOW]))
    assert BetaGeometric(_R, _ALPHA, _A, _B, early=False).alive(once)[0] == 1
    assert BetaGeometric(_R, _ALPHA, _A, _B, early=True).alive(once)[0] < 0.5


@pytest.mark.parametrize(("alpha", "beta", "power"), [(20.0, 60.0, 3.0), (60.0, 0.02, 0.5), (5.0, 5.0, 40.0)])
def test_the_integral_over_the_moment_of_leaving_is_what_quadrature_finds(alpha, beta, power):
    found = log_integral(np.array([power]), 0.7, *(np.array([of]) for of in (alpha, beta, 10.0, 90.0)))[0]
    wanted, _ = quad(lambda u: (alpha + u) ** -power * (beta + u) ** -1.7, 10, 90, epsabs=0, epsrel=1e-10)
    assert found == pytest.approx(np.log(wanted), abs=1e-9)


def test_a_customer_of_hundreds_of_purchases_has_finite_answers():
    many = Histories(np.array([900.0]), np.array([_NOW]), np.array([_NOW + 3]))
    for model in (ParetoNBD(_R, _ALPHA, _S, 1e-3), BetaGeometric(_R, _ALPHA, _A, 300.0, early=False)):
        assert 0 <= model.lapses(many, _AHEAD)[0] <= 1
        assert np.isfinite(model.likelihood(many)[0])
        assert 0 < model.purchases(many, _AHEAD)[0] < 900


def test_gamma_gamma_finds_the_spend_that_made_a_population():
    rng = np.random.default_rng(5)
    p, q, gamma, days = 6.0, 4.0, 15.0, rng.integers(1, 9, 6000)
    scale = 1 / rng.gamma(q, 1 / gamma, 6000)
    fitted = GammaGamma.fit(days.astype(float), rng.gamma(p * days, scale) / days)
    mean = p * gamma / (q - 1)
    assert fitted.p * fitted.gamma / (fitted.q - 1) == pytest.approx(mean, rel=0.05)
    assert fitted.spend(np.array([0.0]), np.array([0.0]))[0] == pytest.approx(mean, rel=0.05)
    assert fitted.spend(np.array([500.0]), np.array([9.0]))[0] == pytest.approx(9, rel=0.02)


def test_a_moment_knows_purchase_days_before_its_cutoff_and_none_after(tmp_path):
    cutoff = datetime(2024, 2, 1, tzinfo=UTC)
    bought = [("2024-01-02T09", 3.0), ("2024-01-02T18", 2.0), ("2024-01-22T12", 7.0), ("2024-02-01T00", 100.0)]
    told = [
        happened(number, occurred_at=datetime.fromisoformat(f"{day}:00:00+00:00"), amount=amount)
        for number, (day, amount) in enumerate(bought)
    ]
    history = History(f"sqlite:///{tmp_path}/history.db")
    history.append(told, None)
    known = history.known_by(after_history(history.newest)())
    rows = rows_of(known.at(cutoff))
    found = past_of(known, Window(cutoff, rows, None, np.ones(1, bool), np.zeros(1), np.zeros(1)), "revenue")
    assert [*found.histories.repeats, *found.histories.last, *found.histories.age] == [1, 20, 30]
    assert found.mean_spend.tolist() == [6]
    assert [part.tolist() for part in found.repeat_spend] == [[1], [7]]
    assert found.decayed_count(10).tolist() == pytest.approx([0.5**3 + 0.5])
    assert found.decayed_spend(10).tolist() == pytest.approx([5 * 0.5**3 + 7 * 0.5])


def _figure(metric, ours, low, high):
    return Figure("churn", metric, ours, 0, 1, {"BG/NBD": 0.8}, "BG/NBD", (low + high) / 2, low, high)


@pytest.mark.parametrize(
    ("low", "high", "said"), [(0.001, 0.01, "win"), (-0.001, 0.01, "tie"), (-0.02, -0.01, "loss"), (0.0, 0.1, "tie")]
)
def test_a_gain_is_a_win_only_where_its_interval_lies_above_zero(low, high, said):
    assert outcome(_figure("AUC", 0.81, low, high)) == said


def test_a_bar_is_met_from_below_where_less_is_better():
    bars = {"AUC": (0.8, 0.82, 0.9), "log loss": (0.8, 0.6, 0.5)}
    assert "beat 0.8 met; reach 0.82 missed" in against_bars("x", _figure("AUC", 0.81, 0.001, 0.01), bars).bar
    row = against_bars("x", _figure("log loss", 0.55, 0.001, 0.01), bars)
    assert "reach 0.6 met; aim 0.5 missed" in row.bar
    assert row.holds


def test_value_is_judged_on_the_active_too_where_some_are_not():
    assert list(populations(np.array([True, True]))) == [""]
    assert [which.sum() for which in populations(np.array([True, False])).values()] == [1, 2]
