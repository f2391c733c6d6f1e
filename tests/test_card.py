from typing import Any

import numpy as np
import pytest

from training.card import card
from training.evaluation import CHURN_METRICS, VALUE_METRICS, Figure, interval_figures, judge
from training.groups import TENURES, by_group, tenure_bands
from training.leaderboard import leaderboard
from training.lorenz import lorenz_table, movers
from training.ranking import judge_ranking

CHOSEN = {
    "churn": {
        "candidate": "LightGBM",
        "ladder": [
            {"candidate": "decayed count", "loss": 0.31, "error": None, "said": "the simplest"},
            {"candidate": "LightGBM", "loss": 0.29, "error": 0.004, "said": "better by more than a standard error"},
        ],
    }
}


def _manifest() -> dict[str, Any]:
    return {
        "as_of": "2024-03-01T00:00:00+00:00",
        "customers": 1200,
        "active": {"kind": "silence", "days": 56},
        "horizon": {"days": 28, "active_days": 56, "why": "90 % of gaps end within 27 days"},
        "cutoffs": {
            "learn": ["2023-11-01T00:00:00+00:00", "2024-01-05T00:00:00+00:00"],
            "choose": ["2024-01-05T00:00:00+00:00", "2023-12-22T00:00:00+00:00"],
            "choose_days": 28,
            "test": "2024-02-02T00:00:00",
        },
        "value": {"said": "revenue", "told": {}, "assumed": {}},
        "tier_band": 0.1,
        "level": "type",
        "currency": "EUR",
        "seed": 7,
        "git_commit": "abc123",
        "tiers": [{"name": "top", "floor": 310.0}, {"name": "base", "floor": 0.0}],
        "grade": "B",
        "grade_reasons": ["Churn ties with recency."],
        "alarms": [],
        "chosen": CHOSEN,
        "totals_claimed": False,
        "ranks_only": {},
        "minimum": ["Under 1,000 active customers no trees were fitted."],
    }


@pytest.fixture(scope="module")
def figures() -> list[Figure]:
    rng = np.random.default_rng(1)
    risk = rng.beta(1, 3, 300)
    lapsed, value = (rng.random(300) < risk).astype(float), rng.gamma(1.0, 50.0, 300)
    found = judge("churn", CHURN_METRICS, lapsed, risk, {"recency": rng.permutation(risk)}, seed=1)
    found += judge("value", VALUE_METRICS, value, value + 1, {"spend": rng.permutation(value)}, seed=1)
    found += interval_figures(value, value - 1, value + 1, 1, expected=value)
    part = {"recall at 10": np.array([0.5, 1.0])}
    return found + judge_ranking(np.array(["a", "b"]), part, {"recall at 10": {"popularity": np.array([0.0, 0.5])}}, 1)


def test_a_card_says_what_a_reader_must_know(figures: list[Figure]):
    text = card(_manifest(), figures)
    for said in (
        "# Model card: churn, value and next purchase as of 2024-03-01",
        "**B**\n\n- Churn ties with recency.\n\nNo alarm.",
        "It isn't meant for decisions on credit",
        "| horizon | 28 days (90 % of gaps end within 27 days) |",
        "| tiers, by expected value | top from 310.00, base from 0.00; kept within 10 % of a floor |",
        "| learned from | 2 cutoffs, 2023-11-01 to 2024-01-05 |",
        "| chosen on | 28 days each from 2023-12-22 and 2024-01-05 |",
        "| lapsed | active, and buys nothing for the next 28 days |",
        "### Churn: LightGBM",
        "| **LightGBM** | better by more than a standard error | 0.2900 | 0.0040 |",
        "Value: 100 % of what came lay within the 80 % interval; the aim is 80 %.",
        "- No total is claimed: with less than 13 months of history",
        "- Under 1,000 active customers no trees were fitted.",
        "    git checkout abc123\n    holdfast train --as-of 2024-03-01T00:00:00+00:00 --seed 7",
    ):
        assert said in text
    for figure in figures:
        assert f"| {figure.metric} | " in text
    # What wasn't measured has no empty chapter.
    assert "## By group" not in text
    assert "## How value is spread" not in text
    assert "nan" not in text


def test_a_card_tells_alarms_and_claims(figures: list[Figure]):
    loud = _manifest() | {"alarms": ["Something leaks."], "totals_claimed": True, "level": ""}
    text = card(loud, figures)
    assert "- Alarm: Something leaks." in text
    assert "- Totals are claimed" in text
    assert "none: purchases name no product" in text


def test_a_card_of_contracts_speaks_of_their_end(figures: list[Figure]):
    ending = _manifest() | {"active": {"kind": "contract", "days": 56}}
    ending["cutoffs"] = ending["cutoffs"] | {"choose": [], "choose_days": None}
    text = card(ending, figures)
    assert "| active | has bought, and hasn't ended the contract since |" in text
    assert "| lapsed | active, and ends the contract within 28 days |" in text
    assert "| chosen on | nothing: the history is too short for windows of its own |" in text


def test_a_card_says_how_trees_were_tuned(figures: list[Figure]):
    text = card(_manifest(), figures)
    assert "## Tuning\n\nNothing was searched: the trees have training's default sizes and pace." in text
    tuned = {
        "kept": False, "minutes": 5.0, "trials": 40, "said": "the best of 40 trials gains 1.00 % ± 0.90 %",
        "found": {"num_leaves": 12, "learning_rate": 0.0123456, "trees": 300},
    }  # fmt: skip
    text = card(_manifest() | {"tuned": tuned}, figures)
    assert "5 minutes, 40 trials: the best of 40 trials gains 1.00 % ± 0.90 %." in text
    assert "| parameter | found by the search, not taken |" in text
    assert "| learning_rate | 0.01235 |" in text
    assert "--seed 7 --tune 5\n\nA search finds what the machine has time for" in text
    assert "| parameter | found by the search |" in card(_manifest() | {"tuned": tuned | {"kept": True}}, figures)
    none = {"kept": False, "minutes": 5.0, "trials": 0, "said": "too little; the default stays", "found": None}
    assert "5 minutes, 0 trials: too little; the default stays.\n\n##" in card(_manifest() | {"tuned": none}, figures)


def test_a_card_says_on_which_windows_the_interval_rests(figures: list[Figure]):
    assert "interval of value were found on windows" not in card(_manifest(), figures)
    shorter = _manifest()
    shorter["cutoffs"] = shorter["cutoffs"] | {"choose_days": 14}
    assert (
        "- The shares that make the interval of value were found on windows of 14 days, since the history is too short"
        " for later windows of 28: over the longer time it may cover less, or more." in card(shorter, figures)
    )
    shorter["cutoffs"] = shorter["cutoffs"] | {"choose": [], "choose_days": None}
    assert "- The interval of value was found on a window learned from" in card(shorter, figures)


def test_a_card_shows_groups_and_how_value_is_spread(figures: list[Figure]):
    value = np.arange(10.0)
    judged = by_group(
        "tenure", TENURES, tenure_bands(np.full(10, 100.0)),
        lambda which: judge("value", VALUE_METRICS, value[which], value[which], {"same": np.ones(10)}, 1),
    )  # fmt: skip
    moved = movers(value, value[::-1])
    text = card(_manifest(), figures, judged, lorenz_table(value, value, {"same": np.ones(10)}), moved)
    assert "### Value, by tenure" in text
    assert "| 90 to 364 days | 10 | normalised Gini | 1.0000 |" in text
    assert "| 20 % | 37.8 % | 20 % | 37.8 % |" in text
    assert "2 customers enter the top 20 % of 10, and as many of the 2 in the top tier by revenue aren't in" in text
    assert "Those who enter hold 37.8 % of the value, those who leave 2.2 %. movers.csv lists" in text


def test_a_card_says_what_value_counts_how_far_it_is_told_and_what_is_assumed(figures: list[Figure]):
    value = {"said": "margin − cost to serve", "told": {"cost_to_serve": 0.75}, "assumed": {"visit": 60.0}}
    text = card(_manifest() | {"value": value}, figures)
    assert (
        "| value | margin − cost to serve over 28 days, in EUR; 75 % of events tell their cost to serve; a visit is"
        " assumed to cost 60.00 EUR |"
    ) in text


def test_a_leaderboard_ranks_the_model_among_the_rules(figures: list[Figure]):
    text = leaderboard(figures, CHOSEN)
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert lines[0].startswith("|  | 95 % interval of AUC | AUC ↑ | log loss ↓ |")
    assert [line.split(" | ")[0] for line in lines[2:5]] == [
        "| **this model**", "| recency", "| everyone alike, at the true mean",
    ]  # fmt: skip
    assert "## Churn: candidates, on windows before the test" in text
    assert "## Next purchase, on the test window" in text
    assert "## Value: candidates" not in text


def test_a_rule_that_beats_the_model_stands_above_it():
    truth = np.tile([0.0, 1.0], 50)
    area = {"AUC": CHURN_METRICS["AUC"]}
    noisy = truth + np.random.default_rng(1).normal(0, 1, 100)
    figures = judge("churn", area, truth, noisy, {"oracle": truth}, seed=1)
    lines = leaderboard(figures, {}).splitlines()
    assert lines[6].startswith("| oracle | 1.0000 to 1.0000 | **1.0000** |")
    assert lines[7].startswith("| **this model** |")
