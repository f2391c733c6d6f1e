from dataclasses import replace

import numpy as np
import pytest

from training.evaluation import Beside, Figure
from training.grading import alarms, grade, telling_features

Gain = tuple[float, float]


def _figure(model: str, metric: str, ours: float, rules: dict[str, tuple[float, Gain]]) -> Figure:
    beside = {name: Beside(0.0, 1.0, ours - value, *gain) for name, (value, gain) in rules.items()}
    best = max(rules, key=lambda name: rules[name][0]) if rules else None
    gain = beside[best] if best else None
    values = {name: value for name, (value, _) in rules.items()}
    return Figure(
        model, metric, ours, ours - 0.1, ours + 0.1, values, best,
        gain and gain.gain, gain and gain.gain_low, gain and gain.gain_high, None, beside,
    )  # fmt: skip


def _headlines(churn: Gain = (0.01, 0.02), **others: float) -> list[Figure]:
    return [
        _figure("churn", "AUC", others.get("auc", 0.72), {"recency": (others.get("rule", 0.7), churn)}),
        _figure("value", "normalised Gini", others.get("gini", 0.62), {"spend": (0.6, (0.01, 0.03))}),
    ]


@pytest.mark.parametrize(("churn", "expected"), [((0.01, 0.02), "A"), ((-0.01, 0.02), "B"), ((-0.02, -0.01), "C")])
def test_the_worst_headline_decides_the_grade(churn: Gain, expected: str):
    assert grade(_headlines(churn)).grade == expected


def test_a_reason_can_be_read_by_who_decides():
    assert grade(_headlines((-0.01, 0.02))).reasons == (
        "Churn: AUC 0.720, a tie with the best simple rule, “recency” (0.700; 95 % interval of the gain -0.010 to"
        " +0.020).",
        "Value: normalised Gini 0.620, surely better than the best simple rule, “spend” (0.600; 95 % interval of the"
        " gain +0.010 to +0.030).",
    )


def test_a_rule_that_is_surely_better_is_named_even_where_another_looks_best():
    rules = {"lucky": (0.75, (-0.2, 0.1)), "steady": (0.74, (-0.03, -0.01))}
    verdict = grade([_figure("churn", "AUC", 0.72, rules), _headlines()[1]])
    assert verdict.grade == "C"
    assert verdict.reasons[0].startswith("Churn: the simple rule “steady” is surely better (AUC 0.740 against 0.720;")


def test_a_churn_model_worse_than_saying_the_same_of_everyone_is_refused():
    loss = replace(_figure("churn", "log loss", 0.5, {}), alike=0.4)
    verdict = grade([*_headlines(), loss])
    assert verdict.grade == "refused"
    assert verdict.reasons == (
        "Churn is worse than saying the same of everyone: log loss 0.5000 against 0.4000.",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("spoiled", "reason"),
    [
        (_figure("value", "normalised Gini", -0.01, {}), "Value is no better than any order"),
        (_figure("churn", "ECE", 0.2, {}), "Churn: the probabilities miss what happens by 20 % on average (15 % is"),
        (_figure("next_purchase", "ECE of the probabilities", 0.16, {}), "Next purchase: the probabilities miss"),
        (_figure("churn", "AUC", float("nan"), {}), "Churn: the AUC can't be measured"),
    ],
)
def test_what_is_broken_is_refused(spoiled: Figure, reason: str):
    others = [figure for figure in _headlines() if (figure.model, figure.metric) != (spoiled.model, spoiled.metric)]
    verdict = grade([*others, spoiled])
    assert verdict.grade == "refused"
    assert verdict.reasons[0].startswith(reason)


def test_a_model_that_was_not_judged_is_refused():
    assert grade([]).reasons == (
        "Churn wasn't judged: its AUC is missing.",
        "Value wasn't judged: its normalised Gini is missing.",
    )


def test_an_alarm_caps_the_grade():
    verdict = grade(_headlines(), ["Something leaks."])
    assert verdict.grade == "C"
    assert verdict.reasons[-2:] == ("Something leaks.", "It stays at C until someone says why it is so good.")


def test_what_is_too_good_raises_an_alarm_that_names_the_likely_leak():
    lapsed = np.array([0.0, 0.0, 0.0, 1.0, 1.0, 1.0])
    rows = np.column_stack([[1, 5, 2, 4, 3, 6], [np.nan, 1, 1, 0, 0, 0]]).astype(float)
    names = ["harmless", "days_after"]
    leak = "days_after alone tells who lapses (AUC 1.000): it likely holds what was known only later."
    assert alarms(_headlines(), rows, names, lapsed) == [leak]
    high, same = alarms(_headlines(auc=0.98, rule=0.97), rows, names, lapsed)
    assert high == (
        "Churn is too good to be true: AUC 0.980. Look first at days_after, the most telling feature (AUC 1.000 alone)."
    )
    assert same == leak
    assert not alarms(_headlines(), rows[:, :1], names[:1], lapsed)
    assert alarms(_headlines(gini=0.98), rows[:, :1], names[:1], lapsed)[0].startswith("Value is too good to be true")


def test_a_gain_of_more_than_half_the_way_to_perfection_raises_an_alarm():
    rows, lapsed = np.zeros((4, 1)), np.array([0.0, 1.0, 0.0, 1.0])
    (said,) = alarms(_headlines(auc=0.86, rule=0.7), rows, ["flat"], lapsed)
    assert "AUC 0.860, more than half the way from the best simple rule (0.700) to perfection." in said
    assert not alarms(_headlines(auc=0.84, rule=0.7), rows, ["flat"], lapsed)


def test_a_feature_tells_as_much_upside_down():
    lapsed = np.array([0.0, 0.0, 1.0, 1.0])
    (found,) = telling_features(-lapsed[:, None], ["stayed"], lapsed)
    assert (found.feature, found.area) == ("stayed", 1.0)
