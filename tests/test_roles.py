"""Which fields of an answer each role sees."""

import json
import re
from dataclasses import replace
from typing import Any

import pytest

from features.history import History
from serving import answers, offer_answers
from serving.requests import Ask
from serving.roles import shown, view_of
from tests.desks import desk_over
from tests.gates import Door

HIDDEN = {
    "held_out", "assumptions", "row", "inputs", "experiment", "arms", "chosen_probability",
}  # fmt: skip
HIDDEN_SCORES = {
    "expected_value", "value_low", "value_high", "value_rank", "value_measure", "value_breakdown", "currency",
}  # fmt: skip
HIDDEN_OFFER = {"priority", "breakdown", "reasons"}


@pytest.fixture
def door(history: History) -> Door:
    return Door(history)


def decided(history: History) -> dict[str, Any]:
    return desk_over(history).decide(Ask(customer="household:7", channel="phone", offers=2))


def agents(answer: dict[str, Any]) -> dict[str, Any]:
    view = view_of("decisions", "agent")
    assert view is not None
    return dict(json.loads(shown(view, json.dumps(answer).encode())))


def test_of_every_field_of_a_decision_it_is_said_whether_an_agent_sees_it(history: History) -> None:
    whole = decided(history)
    kept = agents(whole | {"new": 1})
    for shape, shows, hides in (
        (answers.DecisionAnswer, kept, HIDDEN),
        (answers.ScoresAnswer, kept["scores"], HIDDEN_SCORES),
        (offer_answers.OfferAnswer, kept["offers"][0], HIDDEN_OFFER),
        (offer_answers.WithheldAnswer, kept["withheld"][0], {"rule", "breakdown"}),
    ):
        assert shows.keys() | hides == shape.model_fields.keys(), "say in serving/roles.py whether an agent sees it"
        assert not shows.keys() & hides


def test_an_agent_reads_no_amount_of_what_anybody_is_worth_or_an_offer_brings(history: History) -> None:
    whole = decided(history)
    kept = agents(whole)
    text = json.dumps(kept)
    told = [one for one in (*whole["offers"], *whole["runners_up"], *whole["withheld"]) if one.get("breakdown")]
    amounts = {value for one in told for value in one["breakdown"].values() if isinstance(value, float) and value > 2}
    amounts |= {whole["scores"][name] for name in ("expected_value", "value_low", "value_high")}
    assert len(amounts) > 10
    assert not [amount for amount in amounts if re.search(rf"(?<![\d.]){re.escape(str(amount))}(?!\d)", text)]
    assert "USD" not in text
    assert "profit" not in text
    assert kept["offers"][0]["script"] == whole["offers"][0]["script"]
    assert kept["scores"]["churn_risk"] == whole["scores"]["churn_risk"]
    assert [one["sentence"] for one in kept["reasons"]["churn"]] == ["Overdue: 2.5 gaps"]


def test_what_would_flip_an_offer_is_told_an_agent_unless_it_is_money_or_margin(history: History) -> None:
    whole = decided(history)
    flips = {(one["layer"], one["flip"] is not None) for one in agents(whole)["withheld"]}
    assert ("eligibility", True) in flips
    assert ("suitability", True) not in flips
    assert ("arbitration", True) not in flips
    for word, told in (("features.margin_91", False), ("value.expected", False), ("features.spend_91", True)):
        flip = {"sentence": "", "changes": [{"word": word, "now": 1, "needed": 2}]}
        one = {"offer": "x", "layer": "eligibility", "reason": "", "unknown": [], "flip": flip}
        assert (agents(whole | {"withheld": [one]})["withheld"][0]["flip"] is not None) is told
    reasons = {"value": [{"feature": "margin_91", "value": 1.0, "contribution": 1.0, "sentence": "Margin: 1"}]}
    assert agents(whole | {"reasons": reasons})["reasons"] == {"value": []}


def test_an_agent_cannot_tell_whom_chance_left_alone(history: History) -> None:
    """Nor on whom silence was drawn: what chance kept back is told as what doesn't pay is."""
    desk = desk_over(history)

    def told(group: str) -> dict[str, Any]:
        desk.decider = replace(desk.decider, everyone=group)
        whole = desk.decide(Ask(customer="household:7", channel="phone", offers=2))
        return whole | {"experiment": {"group": group}}

    alone = told("hold_out")
    assert alone["held_out"]
    seen, names = agents(alone), {one["offer"] for one in alone["held_out"]}
    assert (seen["offers"], seen["runners_up"], seen["silence"]) == ([], [], "No offer this time.")
    reasons = {one["offer"]: one["reason"] for one in seen["withheld"] if one["layer"] == "arbitration"}
    assert names < reasons.keys()
    assert set(reasons.values()) == {"Not offered this time."}
    assert [one["offer"] for one in seen["withheld"]] == sorted(one["offer"] for one in seen["withheld"])
    drawn = alone | {"held_out": [], "runners_up": [*alone["held_out"], *alone["runners_up"]]}
    assert agents(drawn) == seen
    made = told("policy")
    assert agents(made)["runners_up"] == [{"offer": one["offer"], "item": one["item"]} for one in made["runners_up"]]


def test_a_hold_out_does_not_show_by_what_its_offers_keep_from_others(history: History) -> None:
    """Neither by a cap that they fill, nor by what runs up behind what is owed."""
    desk = desk_over(history)
    desk.decider = replace(desk.decider, everyone="hold_out")
    alone = agents(desk.decide(Ask(customer="household:7", channel="phone", offers=20)))
    assert alone["offers"] == []
    assert not [one for one in alone["withheld"] if "of this decision" in one["reason"]]
    owed = Ask(customer="household:7", channel="phone", offers=1, context={"topic": "complaint"})
    seen = agents(desk.decide(owed))
    assert [one["owed"] for one in seen["offers"]] == [True]
    assert seen["runners_up"] == []


def test_an_agent_is_sent_what_an_agent_sees_and_an_analyst_all(door: Door) -> None:
    whole = decided(door.history)
    body = json.dumps(whole).encode()
    agent, analyst = door.key("agent"), door.key("analyst")
    seen = door.ask(headers=agent, content=body)
    assert seen.json() == agents(whole)
    assert int(seen.headers["content-length"]) == len(seen.content)
    assert door.ask(headers=analyst, content=body).json() == whole


def test_an_answer_that_cannot_be_read_is_not_sent_to_an_agent(door: Door) -> None:
    assert door.ask(headers=door.key(), content=b"profit 12").status_code == 500
