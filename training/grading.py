"""The grade of a bundle, and the alarm when it is too good to be true, in sentences for those who decide."""

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from features.feature import Array
from training.evaluation import Figure
from training.metrics import CHURN_METRICS

HEADLINES = {"churn": "AUC", "value": "normalised Gini", "next_purchase": "recall at 10"}
_ALWAYS = ("churn", "value")
_WORST_CALIBRATION = 0.15
_TOO_GOOD = {"churn": 0.97, "value": 0.97}
_TOO_TELLING = 0.95
_SAID = {"churn": "Churn", "value": "Value", "next_purchase": "Next purchase"}


@dataclass(frozen=True)
class Verdict:
    """One of the grades, and the reasons as sentences."""

    grade: str
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Telling:
    """A feature and how well it alone tells who lapses: its AUC, or one less it where more of it means less risk."""

    feature: str
    area: float


def grade(figures: Sequence[Figure], alarms: Sequence[str] = ()) -> Verdict:
    """Grade a bundle by its headlines' gains over the simple rules, each of them surely known or not at 95 %.

    A: every gain over the best rule is surely above zero. B: no rule is surely better. C: some rule is, or there are
    alarms that nobody has explained. Refused: the model is worse than saying the same of everyone, its
    probabilities miss badly, or a figure can't be measured.
    """
    refusals = tuple(_refusals(figures, _ALWAYS))
    if refusals:
        return Verdict("refused", refusals)
    headlines = [figure for figure in figures if HEADLINES.get(figure.model) == figure.metric]
    losses = tuple(_lost(figure, rule) for figure in headlines for rule in _better_rules(figure))
    won = all(figure.gain_low is not None and figure.gain_low > 0 for figure in headlines)
    letter = "C" if losses or alarms else "A" if won else "B"
    capped = ("It stays at C until someone says why it is so good.",) if alarms else ()
    return Verdict(letter, (*losses, *(_standing(figure) for figure in headlines), *alarms, *capped))


def grade_ranks(figures: Sequence[Figure], ranks: Collection[str]) -> Verdict:
    """Grade a bundle of which some models only rank: C at most, since no probability or amount of them can be judged.

    Refused where an order is surely worse than chance, or another model's figures
    are too poor.
    """
    judged = [figure for figure in figures if figure.model not in ranks]
    always = [model for model in _ALWAYS if model not in ranks]
    refusals = [*_refusals(judged, always), *_backwards(figures, ranks)]
    if refusals:
        return Verdict("refused", tuple(refusals))
    headlines = [figure for figure in figures if HEADLINES.get(figure.model) == figure.metric]
    capped = (
        f"{_SAID[model]}: ranks only, so that nothing but an order can be judged; it is C at most." for model in ranks
    )
    unjudged = (
        f"{_SAID[model]}: its order can't be judged, for want of amounts to hold it against."
        if model == "value"
        else f"{_SAID[model]}: not even the order can be judged; too little happened in the test window."
        for model in ranks
        if model not in {figure.model for figure in headlines}
    )
    return Verdict("C", (*capped, *(_standing(figure) for figure in headlines), *unjudged))


def alarms(
    figures: Sequence[Figure], rows: Array, names: Sequence[str], lapsed: npt.NDArray[np.float64]
) -> list[str]:  # fmt: skip
    """Say what is too good to be true, and where to look for the future that leaked into the past.

    `rows` of shape (customers, features), `names` of the features and `lapsed` of shape (customers,) are those that the
    churn model was judged on. A headline alarms above 0.97, or where it gains more than half the way from the best rule
    to perfection; a feature where it alone has an AUC above 0.95.
    """
    features = telling_features(rows, names, lapsed)
    found = [sentence for figure in figures for sentence in _too_good(figure, features)]
    return found + [
        f"{one.feature} alone tells who lapses (AUC {one.area:.3f}): it likely holds what was known only later."
        for one in features
        if one.area > _TOO_TELLING
    ]


def telling_features(rows: Array, names: Sequence[str], lapsed: Array) -> list[Telling]:
    """Measure how well each feature alone tells who lapses, the most telling first; unknown counts as most."""
    measure, _ = CHURN_METRICS["AUC"]
    places = (np.unique(column, return_inverse=True)[1].astype(np.float64) for column in rows.T)
    areas = [measure(lapsed, place) for place in places]
    found = [Telling(name, max(area, 1 - area)) for name, area in zip(names, areas, strict=True)]
    return sorted(found, key=lambda one: -one.area)


def _backwards(figures: Sequence[Figure], ranks: Collection[str]) -> Iterator[str]:
    for figure in figures:
        if figure.model in ranks and figure.metric == "AUC" and figure.high < 0.5:
            yield f"{_SAID[figure.model]}: the order is surely worse than chance (AUC {figure.ours:.3f})."


def _refusals(figures: Sequence[Figure], always: Sequence[str]) -> Iterator[str]:
    found: Mapping[tuple[str, str], Figure] = {(figure.model, figure.metric): figure for figure in figures}
    for model in always:
        if (model, HEADLINES[model]) not in found:
            yield f"{_SAID[model]} wasn't judged: its {HEADLINES[model]} is missing."
    for (model, metric), figure in found.items():
        if not all(math.isfinite(number) for number in (figure.ours, figure.low, figure.high)):
            yield f"{_SAID[model]}: the {metric} can't be measured; too little happened in the test window."
        elif metric.startswith("ECE") and figure.ours > _WORST_CALIBRATION:
            yield (
                f"{_SAID[model]}: the probabilities miss what happens by {figure.ours:.0%} on average"
                f" ({_WORST_CALIBRATION:.0%} is the most that may be)."
            ).replace("%", " %")
    yield from _pointless(found)


def _pointless(found: Mapping[tuple[str, str], Figure]) -> Iterator[str]:
    loss, order = found.get(("churn", "log loss")), found.get(("value", HEADLINES["value"]))
    if loss is not None and loss.alike is not None and loss.ours > loss.alike:
        yield f"Churn is worse than saying the same of everyone: log loss {loss.ours:.4f} against {loss.alike:.4f}."
    if order is not None and order.ours <= 0:
        yield f"Value is no better than any order: its normalised Gini is {order.ours:.3f}, and chance has 0."


def _better_rules(figure: Figure) -> list[str]:
    return [name for name, rule in figure.rules.items() if rule.gain_high < 0]


def _lost(figure: Figure, name: str) -> str:
    rule = figure.rules[name]
    return (
        f"{_SAID[figure.model]}: the simple rule “{name}” is surely better ({figure.metric}"
        f" {figure.baselines[name]:.3f} against {figure.ours:.3f}; 95 % interval of the gain {rule.gain_low:+.3f} to"
        f" {rule.gain_high:+.3f})."
    )


def _standing(figure: Figure) -> str:
    said = f"{_SAID[figure.model]}: {figure.metric} {figure.ours:.3f}"
    if figure.best_baseline is None or figure.gain_low is None or figure.gain_high is None:
        return f"{said}, with no rule beside it."
    sure = (
        "surely better than" if figure.gain_low > 0 else "surely worse than" if figure.gain_high < 0 else "a tie with"
    )
    return (
        f"{said}, {sure} the best simple rule, “{figure.best_baseline}” ({figure.baselines[figure.best_baseline]:.3f};"
        f" 95 % interval of the gain {figure.gain_low:+.3f} to {figure.gain_high:+.3f})."
    )


def _too_good(figure: Figure, features: Sequence[Telling]) -> Iterator[str]:
    if HEADLINES.get(figure.model) != figure.metric:
        return
    said = f"{_SAID[figure.model]} is too good to be true: {figure.metric} {figure.ours:.3f}"
    look = _suspect(figure, features)
    if figure.ours > _TOO_GOOD.get(figure.model, math.inf):
        yield f"{said}. {look}"
    elif figure.best_baseline is not None:
        best = figure.baselines[figure.best_baseline]
        if figure.ours - best > (1 - best) / 2:
            yield f"{said}, more than half the way from the best simple rule ({best:.3f}) to perfection. {look}"


def _suspect(figure: Figure, features: Sequence[Telling]) -> str:
    if figure.model == "churn" and features:
        return f"Look first at {features[0].feature}, the most telling feature (AUC {features[0].area:.3f} alone)."
    return "Look for a feature or an item that holds what was known only after the cutoff."
