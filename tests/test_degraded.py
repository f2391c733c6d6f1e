"""What is answered when something is lacking: nothing that a cap, a history or a score would have to allow."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from features.errors import InputError
from features.expressions import compile_rule
from features.history import History
from serving import answers, degraded, routing_answers, visit_answers
from serving.decision import Decider
from serving.degradation import MODEL, STORE, Degraded
from serving.desk import Desk
from serving.offers import Rule
from serving.requests import Arrival, Ask, Report, Shift, Visit
from tests.desks import NOW, SCORES, desk_over, playbook, shopped

STORE_AWAY, MODEL_AWAY = Degraded(STORE, "slow", NOW), Degraded(MODEL, "open", NOW)
OUTAGE = Ask(customer="(202) 456-1111", channel="phone", context={"topic": "outage"}, offers=20)
SAID = {"en": "No outage.", "ko": "장애가 없습니다."}


def owing(desk: Desk, *whens: str) -> Desk:
    """Owe a call to whomever some rules hold of, and to nobody else."""
    glossary, call = desk.playbook.glossary, next(one for one in desk.playbook.offers if one.owed)
    # An offer's own words come beside the glossary's.
    vocabulary = glossary.vocabulary.plus({"offer.days_since_accepted": 1.0, "offer.kind": ("service",)})
    rules = tuple(Rule(compile_rule(when, vocabulary, "test"), SAID) for when in whens)
    owed = replace(call, rules={**dict.fromkeys(call.rules, ()), "applicability": rules})
    others = tuple(one for one in desk.playbook.offers if not one.owed)
    desk.playbook = replace(desk.playbook, offers=(owed, *others))
    desk.decider = Decider.of(desk.playbook)
    return desk


def decided(desk: Desk, ask: Ask = OUTAGE) -> dict[str, Any]:
    body = degraded.decision(desk, ask, NOW, STORE_AWAY, 7)
    answers.DecisionAnswer.model_validate(body)
    return body


def offered(body: Mapping[str, Any]) -> list[str]:
    return [one["offer"] for one in body["offers"]]


class Broken:
    """A scorer whose models fail."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def score(self, *_: Any, **__: Any) -> Any:
        raise ArithmeticError("no trees")


def test_without_the_store_nothing_is_offered_and_the_agent_is_told_why(history: History) -> None:
    desk = desk_over(history)
    before = history.counts()
    history.close()
    body = decided(desk, replace(OUTAGE, language="ko"))
    assert body["degraded"] == STORE_AWAY.as_dict("ko")
    assert body["degraded"]["since"] == NOW.isoformat()
    assert body["note"] == body["degraded"]["reason"]
    assert body["note"].startswith("저장소에 제때 연결할 수 없어")
    assert (body["offers"], body["found"], body["decision_id"]) == ([], None, "degraded-7")
    assert body["silence"].startswith("제안 없음")
    assert (body["customer"], body["reference"]) == ("phone:+12024561111", "phone:+12024561111")
    scores = body["scores"]
    assert {scores[name] for name in ("churn_risk", "expected_value", "value_low", "value_breakdown")} == {None}
    assert (body["next_purchases"], body["terms"], {*body["row"]["values"]}) == ([], [], {None})
    assert history.counts() == before


@pytest.mark.parametrize(
    ("whens", "ask", "made"),
    [
        (["(context.topic ?? '') == 'outage'"], OUTAGE, True),
        (["(context.topic ?? '') == 'outage'"], replace(OUTAGE, context={}), False),
        # Whose clock it is isn't known: we don't begin a conversation.
        (["(context.topic ?? '') == 'outage'"], replace(OUTAGE, outbound=True), False),
        (["(context.topic ?? '') == 'outage'", "channel == 'phone'", "offer.kind == 'service'"], OUTAGE, True),
        # What the history would have to tell can't be judged, whatever a rule makes of not knowing.
        (["(context.topic ?? '') == 'outage'", "(offer.days_since_accepted ?? 9999) > 28"], OUTAGE, False),
        (["(context.topic ?? '') == 'outage' or recently_complained"], OUTAGE, False),
        (["(churn.risk ?? 0) < 1"], OUTAGE, False),
    ],
)
def test_without_the_store_what_anybody_is_owed_is_offered_and_holds_nothing(
    history: History, whens: list[str], ask: Ask, made: bool
) -> None:
    body = decided(owing(desk_over(history), *whens), ask)
    assert offered(body) == (["manager_call"] if made else [])
    assert [one["contact"] for one in body["offers"]] == [None] * made
    assert (body["silence"] is None) == made


def test_without_the_store_no_product_comes_even_if_no_rule_speaks_of_the_customer(history: History) -> None:
    desk = owing(desk_over(history), "channel == 'phone'")
    free = tuple(one if one.owed else replace(one, rules=dict.fromkeys(one.rules, ())) for one in desk.playbook.offers)
    desk.decider = Decider.of(replace(desk.playbook, offers=free))
    assert offered(decided(desk)) == ["manager_call"]
    assert len(desk.decide(OUTAGE)["offers"]) > 1


def test_the_shipped_rules_owe_nothing_to_somebody_unknown(history: History) -> None:
    assert playbook().offers == desk_over(history).playbook.offers
    assert Decider.of(playbook()).of_anybody.policy.offers == ()


def test_a_bad_question_is_refused_without_the_store_too(history: History) -> None:
    desk = desk_over(history)
    for ask, words in (
        (replace(OUTAGE, language="fr"), "expected language to be one of en, ko"),
        (replace(OUTAGE, channel="fax"), "expected channel"),
        (replace(OUTAGE, customer=" "), "expected a customer's id or reference"),
    ):
        with pytest.raises(InputError, match=words):
            decided(desk, ask)


def test_an_outcome_of_an_answer_that_is_kept_nowhere_is_refused_with_what_to_do(history: History) -> None:
    told = Report(decision_id=decided(desk_over(history))["decision_id"], offer="manager_call", status="accepted")
    with pytest.raises(InputError) as refused:
        desk_over(history).outcome(told)
    assert str(refused.value) == (
        "expected the id of a decision, found 'degraded-7': that answer was given without the store, so it isn't kept"
        " and nothing can be told of it; ask again at /v1/decisions, and tell the outcome of what is then offered"
    )


@pytest.mark.parametrize("how", [lambda desk: setattr(desk, "scorer", Broken(desk.scorer)), lambda desk: None])
def test_without_a_model_what_is_owed_is_decided_by_the_history_and_kept(
    history: History, how: Callable[[Desk], None]
) -> None:
    desk = desk_over(history)
    how(desk)
    away = None if isinstance(desk.scorer, Broken) else MODEL_AWAY
    history.append([shopped("7", 0.0, 1, "complaint", "")], None)
    body = desk.decide(replace(OUTAGE, context={}), away=away)
    answers.DecisionAnswer.model_validate(body)
    assert (offered(body), body["found"], body["degraded"]["parts"]) == (["manager_call"], True, ["model"])
    assert body["degraded"]["cause"] == ("open" if away else "error")
    assert history.decisions.get(body["decision_id"]) == body
    assert (body["scores"]["churn_risk"], body["scores"]["expected_value"]) == (None, None)
    assert "recently_complained" in {one["term"] for one in body["terms"]}
    told = desk.outcome(Report(decision_id=body["decision_id"], offer="manager_call", status="accepted"))
    assert told["recorded"]


def test_without_a_model_no_rule_passes_by_a_score_that_nobody_gave(history: History) -> None:
    desk = owing(desk_over(history, replace(SCORES, tier="high")), "value.tier == 'base' or value.expected > 0")
    assert offered(desk.decide(OUTAGE, away=MODEL_AWAY)) == []


def test_a_contact_is_routed_by_its_intent_when_nobody_is_known(history: History) -> None:
    desk = desk_over(history)
    arrival = Arrival(customer="7", channel="phone", intent="cancel")
    normal, less = desk.route(arrival), degraded.route(desk, arrival, NOW, STORE_AWAY)
    routing_answers.RouteAnswer.model_validate(less)
    assert (normal["queue"], normal["degraded"]) == ("high_value_line", None)
    assert (less["queue"], less["found"], less["degraded"]["parts"]) == ("retention_line", None, ["store"])
    intent = desk.playbook.routing.intents["cancel"]
    assert [one["seconds"] for one in less["head_starts"]] == [intent.seconds]
    assert desk.route(arrival, away=MODEL_AWAY)["head_starts"] == less["head_starts"]


def test_visits_are_ordered_by_class_and_promise_when_nobody_is_known(history: History) -> None:
    desk = desk_over(history)
    visits = [
        Visit(visit_id="worth more", customer="8"),
        Visit(visit_id="promised", customer="7", due_at=NOW),
        Visit(visit_id="unsafe", customer="7", service_class=desk.playbook.visits.classes[0].id),
    ]
    less = degraded.visits(desk, visits, Shift(start_at=NOW, engineers=2), None, NOW, STORE_AWAY)
    visit_answers.VisitsAnswer.model_validate(less)
    assert [one["visit_id"] for one in less["visits"]] == ["unsafe", "promised", "worth more"]
    assert [one["engineer"] for one in less["visits"]] == [1, 2, 1]
    assert {one["expected_value"] for one in less["visits"]} == {None}
    assert "The customer couldn't be looked up." in less["visits"][0]["why"]
    routes = Shift(start_at=NOW, travel_minutes=[[0.0] * 4] * 4)
    planned = degraded.visits(desk, visits, routes, None, NOW, STORE_AWAY)["visits"]
    assert {one["engineer"] for one in planned} == {None}


def test_visits_are_ordered_by_one_measure_when_a_model_fails(history: History) -> None:
    desk = desk_over(history)

    def fails(*_: Any) -> Any:
        raise ArithmeticError("no trees")

    desk.scorer = Broken(desk.scorer)
    desk.scorer.score_many = fails  # type: ignore[method-assign]
    body = desk.prioritise([Visit(visit_id=name, customer=name) for name in ("7", "8", "9")])
    assert body["degraded"]["parts"] == ["model"]
    assert {one["expected_value"] for one in body["visits"]} == {None}
