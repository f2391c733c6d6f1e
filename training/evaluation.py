"""Judging on the test window: every figure with its interval, and the strongest simple rule beside it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

from features.feature import Array
from training.value import COVERAGE

Metric = Callable[[Array, Array], float]
_REPLICATES = 200
_CLIP = 1e-6


@dataclass(frozen=True)
class Figure:
    """One measurement on the test window.

    `low` and `high` bound ours, `gain_low` and `gain_high` the paired gain over the best baseline (above zero is
    better, whichever way the metric runs), each with 95 % confidence by bootstrap over customers.
    """

    model: str
    metric: str
    ours: float
    low: float
    high: float
    baselines: Mapping[str, float]
    best_baseline: str | None
    gain: float | None
    gain_low: float | None
    gain_high: float | None

    def as_dict(self) -> dict[str, Any]:
        """The figure for JSON."""
        return asdict(self)


def expected_calibration_error(truth: Array, scores: Array) -> float:
    """Average |predicted − happened| over ten bins of equal count (Naeini, Cooper and Hauskrecht 2015)."""
    bins = np.array_split(np.argsort(scores, kind="stable"), 10)
    gaps = [abs(scores[part].mean() - truth[part].mean()) * len(part) for part in bins if len(part)]
    return float(sum(gaps) / len(scores))


def cross_entropy(truth: Array, scores: Array) -> float:
    """Average the log loss, with probabilities held within one in a million of certainty."""
    safe = np.clip(scores, _CLIP, 1 - _CLIP)
    return float(-np.mean(truth * np.log(safe) + (1 - truth) * np.log(1 - safe)))


def lift_at_tenth(truth: Array, scores: Array) -> float:
    """Divide the rate among the tenth with the highest scores by the rate overall."""
    top = np.argsort(-scores, kind="stable")[: max(1, len(scores) // 10)]
    return float(truth[top].mean() / max(truth.mean(), 1e-9))


def normalised_gini(truth: Array, scores: Array) -> float:
    """Compare the Lorenz curve under our order with that under the true order; 1 is a perfect order, 0 is chance."""
    return _gini(truth, scores) / max(_gini(truth, truth), 1e-12)


def _gini(truth: Array, scores: Array) -> float:
    ordered = truth[np.argsort(-scores, kind="stable")]
    captured = np.cumsum(ordered) / max(truth.sum(), 1e-12)
    return float(captured.mean() - (len(truth) + 1) / 2 / len(truth))


def top_fifth_capture(truth: Array, scores: Array) -> float:
    """Tell which share of the true total the fifth with the highest scores brought."""
    top = np.argsort(-scores, kind="stable")[: max(1, len(scores) // 5)]
    return float(truth[top].sum() / max(truth.sum(), 1e-9))


def decile_error(truth: Array, scores: Array) -> float:
    """Average over ten groups by prediction how far the group's predicted mean is from its true one, as a share of it.

    Groups in which nothing came are left out.
    """
    groups = [part for part in np.array_split(np.argsort(-scores, kind="stable"), 10) if truth[part].sum() > 0]
    errors = [abs(scores[part].mean() / truth[part].mean() - 1) for part in groups]
    return float(np.mean(errors)) if errors else float("nan")


def total_bias(truth: Array, scores: Array) -> float:
    """Measure how far the predicted total is from the true one, as a share of it, whichever way."""
    return float(abs(scores.sum() - truth.sum()) / max(truth.sum(), 1e-9))


CHURN_METRICS: dict[str, tuple[Metric, int]] = {
    "AUC": (lambda truth, scores: float(roc_auc_score(truth, scores)), +1),
    "log loss": (cross_entropy, -1),
    "Brier": (lambda truth, scores: float(brier_score_loss(truth, scores)), -1),
    "ECE": (expected_calibration_error, -1),
    "average precision": (lambda truth, scores: float(average_precision_score(truth, scores)), +1),
    "lift of the top tenth": (lift_at_tenth, +1),
}
VALUE_METRICS: dict[str, tuple[Metric, int]] = {
    "normalised Gini": (normalised_gini, +1),
    "value in the top fifth": (top_fifth_capture, +1),
    "decile MAPE": (decile_error, -1),
    "bias of the total": (total_bias, -1),
}


def judge(
    model: str,
    metrics: Mapping[str, tuple[Metric, int]],
    truth: Array,
    ours: Array,
    baselines: Mapping[str, Array],
    seed: int,
) -> list[Figure]:
    """Judge predictions of one row a customer, all of shape (customers,)."""
    draws = np.random.default_rng(seed).integers(0, len(truth), size=(_REPLICATES, len(truth)))
    return [
        _figure(model, name, lambda of, at, metric=metric: metric(truth[at], of[at]), sign, ours, baselines, draws)  # type: ignore[misc]
        for name, (metric, sign) in metrics.items()
    ]


def judge_ranking(
    truth: npt.NDArray[np.str_], parts: Mapping[str, Array], baselines: Mapping[str, Mapping[str, Array]], seed: int
) -> list[Figure]:
    """Judge per-customer ranking metrics, each of shape (customers,), by their means; `truth` names the customers."""
    draws = np.random.default_rng(seed).integers(0, len(truth), size=(_REPLICATES, len(truth)))
    return [
        _figure("next_purchase", name, lambda of, at: float(of[at].mean()), +1, ours, baselines[name], draws)
        for name, ours in parts.items()
    ]


def _figure(
    model: str,
    name: str,
    measure: Callable[[Array, npt.NDArray[np.int64]], float],
    sign: int,
    ours: Array,
    baselines: Mapping[str, Array],
    draws: npt.NDArray[np.int64],
) -> Figure:
    everyone = np.arange(draws.shape[1])
    plain = {rule: measure(of, everyone) for rule, of in baselines.items()}
    best = max(plain, key=lambda rule: sign * plain[rule])
    own = np.array([measure(ours, draw) for draw in draws])
    gain = sign * (own - np.array([measure(baselines[best], draw) for draw in draws]))
    value = measure(ours, everyone)
    low, high = _interval(own, value)
    gain_low, gain_high = _interval(gain, sign * (value - plain[best]))
    return Figure(
        model, name, value, low, high, plain, best,
        sign * (value - plain[best]), gain_low, gain_high,
    )  # fmt: skip


def _interval(draws: Array, estimate: float) -> tuple[float, float]:
    # Resampling adds noise, which lengthens distances such as calibration errors: the draws are centred again.
    low, high = np.quantile(draws - draws.mean() + estimate, (0.025, 0.975))
    return float(low), float(high)


def interval_figures(truth: Array, low: Array, high: Array, seed: int) -> list[Figure]:
    """Measure how often an interval covers what came (it aims at `COVERAGE`), and how wide it is."""
    draws = np.random.default_rng(seed).integers(0, len(truth), size=(_REPLICATES, len(truth)))
    covered = ((truth >= low) & (truth <= high)).astype(np.float64)
    found = {
        f"within the {COVERAGE:.0%} interval".replace("%", " %"): covered,
        "width of the interval": high - low,
    }
    return [_alone("value", name, of, draws) for name, of in found.items()]


def _alone(model: str, name: str, of: Array, draws: npt.NDArray[np.int64]) -> Figure:
    low, high = np.quantile(of[draws].mean(axis=1), (0.025, 0.975))
    return Figure(model, name, float(of.mean()), float(low), float(high), {}, None, None, None, None)


def ranking_parts(
    customers: npt.NDArray[np.str_],
    items: npt.NDArray[np.str_],
    scores: Array,
    bought: set[tuple[str, str]],
    at: int = 10,
) -> tuple[npt.NDArray[np.str_], dict[str, Array]]:
    """Measure each buying customer's ranking: recall, NDCG and hit rate at ten, over all that they bought.

    `customers`, `items` and `scores` have shape (pairs,). Returns the customers who bought anything, and
    one value each per metric (Järvelin and Kekäläinen 2002 for NDCG, with binary gains).
    """
    basket: dict[str, set[str]] = {}
    for customer, item in bought:
        basket.setdefault(customer, set()).add(item)
    ranked: dict[str, list[str]] = {}
    for place in np.lexsort((items, -scores)):
        best = ranked.setdefault(customers[place], [])
        if len(best) < at:
            best.append(items[place])
    buyers = sorted(set(basket) & set(ranked))
    parts = [_basket_metrics(ranked[customer], basket[customer], at) for customer in buyers]
    names = (f"recall at {at}", f"NDCG at {at}", f"hit rate at {at}")
    return np.array(buyers), {
        name: np.array(column) for name, column in zip(names, zip(*parts, strict=True), strict=True)
    }


def _basket_metrics(ranked: Sequence[str], basket: set[str], at: int) -> tuple[float, float, float]:
    hits = np.array([item in basket for item in ranked], dtype=np.float64)
    discounts = 1 / np.log2(np.arange(2, at + 2))
    ideal = discounts[: len(basket)].sum()
    return hits.sum() / len(basket), float((hits * discounts[: len(hits)]).sum() / ideal), float(hits.any())


def pair_calibration(customers: npt.NDArray[np.str_], taken: Array, probability: Array, seed: int) -> Figure:
    """Measure the calibration error of next-purchase probabilities over ten bins of equal count, by customer.

    All have shape (pairs,); customers are resampled whole, since their pairs go together.
    """
    everyone, owner = np.unique(customers, return_inverse=True)
    order = np.argsort(probability, kind="stable")
    bins = np.empty(len(order), dtype=np.int64)
    bins[order] = np.arange(len(order)) * 10 // len(order)
    sums = np.zeros((len(everyone), 10, 2))
    np.add.at(sums, (owner, bins), np.column_stack([probability - taken, np.ones(len(taken))]))

    def error(counts: Array) -> float:
        gaps, pairs = np.tensordot(counts, sums, axes=1).T
        return float(np.abs(gaps).sum() / pairs.sum())

    rng = np.random.default_rng(seed)
    draws = [rng.multinomial(len(everyone), np.full(len(everyone), 1 / len(everyone))) for _ in range(_REPLICATES)]
    value = error(np.ones(len(everyone)))
    low, high = _interval(np.array([error(draw.astype(np.float64)) for draw in draws]), value)
    return Figure("next_purchase", "ECE of the probabilities", value, low, high, {}, None, None, None, None)


HEADLINES = {"churn": "AUC", "value": "normalised Gini", "next_purchase": "recall at 10"}


def grade(figures: Sequence[Figure]) -> str:
    """Grade a bundle by the worst of its headlines' gains over the best baseline.

    A: each gain is surely above zero. B: no gain is surely below zero. C: some rule beats a model for sure.
    """
    headlines = [figure for figure in figures if HEADLINES.get(figure.model) == figure.metric]
    if all(figure.gain_low is not None and figure.gain_low > 0 for figure in headlines):
        return "A"
    return "B" if all(figure.gain_high is not None and figure.gain_high >= 0 for figure in headlines) else "C"
