import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score

from training.evaluation import replicates
from training.metrics import CHURN_METRICS, VALUE_METRICS, Campaign, Metric, Ranked, profit

Floats = npt.NDArray[np.float64]
ALL = {name: metric for name, (metric, _) in (CHURN_METRICS | VALUE_METRICS).items()}


def _of(name: str, truth: list[float], scores: list[float]) -> float:
    return ALL[name](np.array(truth), np.array(scores))


@st.composite
def judged(draw: st.DrawFn) -> tuple[Floats, Floats]:
    """What happened to some customers, of whom one lapsed and one didn't, and risks of which many are equal."""
    size = draw(st.integers(5, 60))
    truth = draw(st.lists(st.sampled_from([0.0, 1.0]), min_size=size, max_size=size))
    scores = draw(st.lists(st.sampled_from([0.05, 0.2, 0.21, 0.5, 0.9]), min_size=size + 2, max_size=size + 2))
    return np.array([0.0, 1.0, *truth]), np.array(scores)


@given(judged())
def test_churn_metrics_are_those_of_the_field(pair: tuple[Floats, Floats]):
    truth, risk = pair
    fields = {"AUC": roc_auc_score, "average precision": average_precision_score, "Brier": brier_score_loss,
              "log loss": log_loss}  # fmt: skip
    for name, measure in fields.items():
        assert ALL[name](truth, risk) == pytest.approx(float(measure(truth, risk)), abs=1e-12)


@given(judged(), st.integers(0, 1000))
def test_a_weight_counts_a_customer_as_often_as_repeating_its_row(pair: tuple[Floats, Floats], seed: int):
    truth, risk = pair
    weights = next(replicates(len(truth), seed))
    repeated = np.repeat(np.arange(len(truth)), weights.astype(int))
    for name, metric in ALL.items():
        weighted = metric.of(Ranked.of(truth, risk).under(weights))
        assert weighted == pytest.approx(metric(truth[repeated], risk[repeated]), nan_ok=True, abs=1e-12), name


@given(judged(), st.randoms(use_true_random=False))
def test_no_figure_depends_on_the_order_in_which_customers_come(pair: tuple[Floats, Floats], random):
    truth, risk = pair
    order = list(range(len(truth)))
    random.shuffle(order)
    for name, metric in ALL.items():
        assert metric(truth[order], risk[order]) == pytest.approx(metric(truth, risk), nan_ok=True, abs=1e-12), name


def test_value_metrics_by_hand():
    value = [10.0, 5.0, 3.0, 1.0, 1.0]
    assert _of("normalised Gini", value, value) == pytest.approx(1.0)
    assert _of("normalised Gini", value, [-one for one in value]) == pytest.approx(-1.0)
    assert _of("normalised Gini", value, [3.0] * 5) == pytest.approx(0.0)
    assert _of("value in the top fifth", value, value) == pytest.approx(0.5)
    assert _of("value in the top twentieth", value, value) == pytest.approx(0.125)
    assert _of("decile MAPE", [2.0] * 20, [3.0] * 20) == pytest.approx(0.5)
    assert _of("bias of the total", value, [2.0] * 5) == pytest.approx(0.5)


def test_churn_metrics_by_hand():
    assert _of("ECE", [0.0] * 5 + [1.0] * 5, [0.1] * 5 + [0.8] * 5) == pytest.approx(0.15)
    assert _of("ECE", [0.0, 1.0, 0.0, 1.0], [0.5] * 4) == pytest.approx(0.0)
    ten = [float(place == 9) for place in range(10)]
    assert _of("lift of the top tenth", ten, [float(place) for place in range(10)]) == pytest.approx(10.0)
    assert _of("lift of the top fifth", ten, [float(place) for place in range(10)]) == pytest.approx(5.0)


def test_what_cannot_be_measured_is_no_number():
    assert np.isnan(_of("AUC", [0.0, 0.0], [0.1, 0.2]))
    assert np.isnan(_of("normalised Gini", [0.0, 0.0], [0.1, 0.2]))
    assert np.isnan(_of("decile MAPE", [0.0, 0.0], [0.1, 0.2]))


def test_whom_to_contact_is_decided_by_the_prediction_and_not_by_what_happened():
    campaign = Campaign(cost=1.0, benefit=20.0, success=0.5)
    risk = np.array([0.9, 0.2, 0.05, 0.05])
    assert campaign.pays(risk).tolist() == [True, True, False, False]
    measure: Metric = profit(campaign)
    assert measure(np.array([1.0, 0.0, 0.0, 0.0]), risk) == pytest.approx((9.0 - 1.0) / 4)
    # The third lapses as well, and nobody had said so: nothing is gained by it.
    assert measure(np.array([1.0, 0.0, 1.0, 0.0]), risk) == pytest.approx((9.0 - 1.0) / 4)
