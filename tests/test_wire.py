import json
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from serving.refusal import refusal
from serving.requests import Ask, Happening, Report, Visit
from serving.wire import (
    DecisionRequest,
    InteractionsRequest,
    LookupRequest,
    OutcomeRequest,
    VisitsRequest,
)

HAPPENED = {"event_id": "1", "customer": "household:7", "kind": "inquiry", "occurred_at": "2018-01-02T09:30:00+09:00"}
MOMENT = datetime(2018, 1, 2, 0, 30, tzinfo=UTC)


def read(model: type[BaseModel], body: Any) -> Any:
    return model.model_validate_json(body if isinstance(body, bytes) else json.dumps(body))


def test_requests_become_what_the_desk_is_asked() -> None:
    asked = read(DecisionRequest, {"customer": "7", "channel": "phone", "context": {"topic": "x", "n": None}})
    assert asked.ask() == Ask(customer="7", channel="phone", context={"topic": "x", "n": None}, offers=3)
    told = read(OutcomeRequest, {"decision_id": "d-1", "offer": "a", "status": "accepted", "who": "agent-17"})
    assert told.report() == Report(decision_id="d-1", offer="a", status="accepted", who="agent-17")
    (happened,) = read(InteractionsRequest, [HAPPENED]).root
    assert happened.happening() == Happening(**HAPPENED | {"occurred_at": MOMENT, "source": "api"})
    (visit,) = read(VisitsRequest, {"visits": [{"visit_id": "v", "customer": "7"}]}).visits
    assert visit.visit() == Visit(visit_id="v", customer="7")


def test_one_interaction_needs_no_list_around_it() -> None:
    assert read(InteractionsRequest, HAPPENED) == read(InteractionsRequest, [HAPPENED])


def test_whole_numbers_are_amounts_too() -> None:
    (happened,) = read(InteractionsRequest, HAPPENED | {"amount": 5}).root
    assert happened.amount == 5.0


PHONE = {"customer": "7", "channel": "phone"}


@pytest.mark.parametrize(
    ("model", "body", "sentence"),
    [
        (DecisionRequest, b"{", "expected a body in JSON; found: EOF while parsing an object at line 1 column 1"),
        (DecisionRequest, b"", "expected a body in JSON; found: EOF while parsing a value at line 1 column 0"),
        (DecisionRequest, [], "expected an object; found a list of 0"),
        (
            DecisionRequest,
            {},
            "expected customer, found nothing by that name; expected channel, found nothing by that name",
        ),
        (
            DecisionRequest,
            PHONE | {"chanel": "x"},
            "expected only customer, channel, context, offers, language, outbound; found 'chanel'; "
            "did you mean channel?",
        ),
        (
            DecisionRequest,
            {"customer": "7", "channel": "fax"},
            "channel: expected 'store', 'web', 'app', 'phone', 'email', 'mail', 'chat', 'field', 'partner' or 'other'; "
            "found 'fax'",
        ),
        (DecisionRequest, PHONE | {"customer": 7}, "customer: expected a text; found 7"),
        (
            DecisionRequest,
            PHONE | {"context": {"n": 1e30}},
            "context.n: expected a number no larger than 2^53; found 1e+30",
        ),
        (DecisionRequest, PHONE | {"customer": ""}, "customer: expected a text of at least 1 character; found ''"),
        (
            DecisionRequest,
            PHONE | {"customer": "7\x00"},
            "customer: expected a text without control characters; found '7\\x00'",
        ),
        (DecisionRequest, PHONE | {"offers": 21}, "offers: expected at most 20; found 21"),
        (DecisionRequest, PHONE | {"offers": "3"}, "offers: expected a whole number; found '3'"),
        (DecisionRequest, PHONE | {"offers": True}, "offers: expected a whole number; found True"),
        (
            DecisionRequest,
            PHONE | {"context": {"a b": 1}},
            "context: expected names of letters, digits and _, at most 64 long, unlike 'a b'; found an object of 1",
        ),
        (
            DecisionRequest,
            PHONE | {"context": {"a": [1]}},
            "context.a: expected a text of at most 500 characters, a number, true, false or null; found a list of 1",
        ),
        (
            DecisionRequest,
            b'{"customer": "7", "channel": "phone", "context": {"a": NaN}}',
            "context.a: expected a text of at most 500 characters, a number, true, false or null; found nan",
        ),
        (
            DecisionRequest,
            b'{"customer": "7", "channel": "phone", "context": {"a": 1e999}}',
            "context.a: expected a text of at most 500 characters, a number, true, false or null; found inf",
        ),
        (
            LookupRequest,
            {"customer": "x" * 201},
            f"customer: expected a text of at most 200 characters; found '{'x' * 59}…'",
        ),
        (
            OutcomeRequest,
            {"decision_id": "d", "offer": "o", "status": "sold"},
            "status: expected 'presented', 'interested', 'accepted', 'declined', 'fulfilled', 'returned' or "
            "'not_presented'; found 'sold'",
        ),
        (InteractionsRequest, [], "expected a list of at least 1 item; found a list of 0"),
        (InteractionsRequest, "x", "expected a list; found 'x'"),
        (
            InteractionsRequest,
            [HAPPENED, HAPPENED | {"amout": 1}],
            "[1]: expected only event_id, source, customer, kind, occurred_at, recorded_at, channel, product, place, "
            "quantity, amount, margin, discount, body; found 'amout'; did you mean amount?",
        ),
        (
            InteractionsRequest,
            HAPPENED | {"occurred_at": "2018-01-02T09:30:00"},
            "[0].occurred_at: expected a moment with its time zone, such as 2018-01-02T09:30:00+09:00; "
            "found '2018-01-02T09:30:00'",
        ),
        (
            InteractionsRequest,
            HAPPENED | {"amount": 1e10},
            "[0].amount: expected at most 1000000000; found 10000000000.0",
        ),
        (
            InteractionsRequest,
            HAPPENED | {"source": "A B"},
            "[0].source: expected small letters, digits, _ and -; found 'A B'",
        ),
        (
            InteractionsRequest,
            HAPPENED | {"kind": "offer_accepted"},
            "[0].kind: expected 'purchase', 'return', 'payment', 'late_payment', 'inquiry', 'complaint', 'contact', "
            "'visit', 'campaign', 'coupon', 'attribute', 'end', 'void', 'write_off' or 'consent'; "
            "found 'offer_accepted'",
        ),
        (VisitsRequest, {"visits": [{"visit_id": "v"}]}, "visits[0]: expected customer, found nothing by that name"),
        (
            VisitsRequest,
            {"visits": [{}, {}]},
            "visits[0]: expected visit_id, found nothing by that name; visits[0]: expected customer, found nothing by "
            "that name; visits[1]: expected visit_id, found nothing by that name; and 1 more",
        ),
    ],
)
def test_what_does_not_fit_is_told_in_a_sentence(model: type[BaseModel], body: Any, sentence: str) -> None:
    with pytest.raises(ValidationError) as told:
        read(model, body)
    assert refusal(model, told.value) == sentence


@pytest.mark.parametrize(
    ("model", "body", "sentence"),
    [
        (InteractionsRequest, [HAPPENED] * 10_001, "a list of at most 10000 items"),
        (VisitsRequest, {"visits": [{"visit_id": "v", "customer": "7"}] * 1_001}, "a list of at most 1000 items"),
        (DecisionRequest, PHONE | {"context": {f"a{n}": 1 for n in range(51)}}, "an object of at most 50 items"),
    ],
)
def test_lists_are_bounded(model: type[BaseModel], body: Any, sentence: str) -> None:
    with pytest.raises(ValidationError) as told:
        read(model, body)
    assert sentence in refusal(model, told.value)


def test_every_field_is_described_and_shown() -> None:
    for model in (DecisionRequest, OutcomeRequest, LookupRequest, VisitsRequest, InteractionsRequest):
        schema = model.model_json_schema()
        for shape in (schema, *schema.get("$defs", {}).values()):
            for name, field in shape.get("properties", {}).items():
                assert field["description"].endswith(".")
                assert field.get("examples") or name == "visits"
