import asyncio
import gc
import json
import os
import warnings
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.requests import Request

from features.errors import StoreError
from features.history import History
from serving import opening
from serving.desk import Desk
from serving.rehearsal import REHEARSED, Rehearsal, warm
from tests.desks import desk_over

ROUTES = (
    "/v1/decisions", "/v1/outcomes", "/v1/interactions", "/v1/customers/lookup", "/v1/route", "/v1/visits/prioritise",
)  # fmt: skip
HAPPENED = {"event_id": "1", "customer": "7", "kind": "inquiry", "occurred_at": "2018-01-02T09:30:00+00:00"}
Session = Callable[[httpx.AsyncClient], Awaitable[Any]]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The BentoML service, with BentoML's own files away from the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BENTOML_HOME", str(tmp_path_factory.mktemp("bentoml")))
        patch.setenv("BENTOML_DO_NOT_TRACK", "True")
        # Prometheus counts once a process; a server of its own is asked for its metrics in test_run.
        patch.setenv("BENTOML_CONFIG_OVERRIDES", '{"services": {"holdfast": {"metrics": {"enabled": false}}}}')
        with warnings.catch_warnings():
            # BentoML's own dependencies warn of one another while they are imported.
            warnings.simplefilter("ignore", DeprecationWarning)
            from serving.service import HoldfastService

        yield HoldfastService


@pytest.fixture
def desk(history: History, monkeypatch: pytest.MonkeyPatch) -> Desk:
    made = desk_over(history)
    monkeypatch.setattr(opening, "open_desk", lambda *_: made)
    return made


@pytest.fixture
def ask(service: Any, desk: Desk) -> Callable[[Session], Any]:
    """Run a session against the started application."""

    def run(session: Session) -> Any:
        async def started() -> Any:
            app = service.to_asgi()
            async with app.router.lifespan_context(app):
                transport = httpx.ASGITransport(app=app)
                async with httpx.AsyncClient(transport=transport, base_url="http://desk") as client:
                    return await session(client)

        return asyncio.run(started())

    return run


def posted(ask: Callable[[Session], Any], *requests: tuple[str, Any]) -> list[httpx.Response]:
    async def session(client: httpx.AsyncClient) -> list[httpx.Response]:
        return [await client.post(route, json=body) for route, body in requests]

    answers: list[httpx.Response] = ask(session)
    return answers


def test_a_decision_is_answered_as_it_is_kept_and_its_outcome_is_taken(
    ask: Callable[[Session], Any], desk: Desk
) -> None:
    async def session(client: httpx.AsyncClient) -> None:
        decided = await client.post("/v1/decisions", json={"customer": "(202) 456-1111", "channel": "phone"})
        assert (decided.status_code, decided.headers["content-type"]) == (200, "application/json")
        body = decided.json()
        assert body["customer"] == "household:7"
        assert desk.history.decisions.get(body["decision_id"]) == body
        report = {"decision_id": body["decision_id"], "offer": body["offers"][0]["offer"], "status": "accepted"}
        first, second = [await client.post("/v1/outcomes", json=report) for _ in range(2)]
        assert (first.status_code, second.status_code) == (200, 200)
        assert (first.json()["recorded"], second.json()["recorded"]) == (True, False)

    ask(session)


def test_the_other_endpoints_answer(ask: Callable[[Session], Any]) -> None:
    one, many, found, routed, ordered = posted(
        ask,
        ("/v1/interactions", HAPPENED),
        ("/v1/interactions", [HAPPENED, HAPPENED | {"event_id": "2"}]),
        ("/v1/customers/lookup", {"customer": "+1 202 456 1111"}),
        ("/v1/route", {"customer": "7", "channel": "phone", "intent": "cancel"}),
        ("/v1/visits/prioritise", {"visits": [{"visit_id": "a", "customer": "7"}, {"visit_id": "b", "customer": "8"}]}),
    )
    assert one.json() == {"received": 1, "recorded": 1, "corrected": 0, "already_known": 0}
    assert many.json() == {"received": 2, "recorded": 1, "corrected": 0, "already_known": 1}
    assert found.json()["references"] == ["household:7", "phone:+12024561111"]
    assert routed.json()["queue"] == "high_value_line"
    assert [visit["visit_id"] for visit in ordered.json()["visits"]] == ["b", "a"]


def test_a_new_customer_is_an_answer(ask: Callable[[Session], Any]) -> None:
    (answer,) = posted(ask, ("/v1/decisions", {"customer": "+82 2 312 3456", "channel": "phone", "language": "ko"}))
    assert answer.status_code == 200
    assert (answer.json()["found"], answer.json()["customer"]) == (False, "phone:+8223123456")


@pytest.mark.parametrize(
    ("route", "body", "sentence"),
    [
        ("/v1/decisions", {"customer": "7"}, "expected channel, found nothing by that name"),
        (
            "/v1/decisions",
            {"customer": "7", "channel": "phone", "language": "fr"},
            "expected language to be one of en, ko; found 'fr'",
        ),
        (
            "/v1/outcomes",
            {"decision_id": "d-9", "offer": "x", "status": "accepted"},
            "expected the id of a decision, found 'd-9', which nobody made",
        ),
        ("/v1/interactions", [HAPPENED, HAPPENED | {"amount": "1"}], "[1].amount: expected a number; found '1'"),
        ("/v1/customers/lookup", [], "expected an object; found a list of 0"),
        ("/v1/visits/prioritise", {"visits": []}, "visits: expected a list of at least 1 item; found a list of 0"),
    ],
)
def test_bad_input_is_told_in_a_sentence_and_changes_nothing(
    ask: Callable[[Session], Any], desk: Desk, route: str, body: Any, sentence: str
) -> None:
    before = desk.history.newest(), desk.history.counts()
    (answer,) = posted(ask, (route, body))
    assert (answer.status_code, answer.json()) == (400, {"error": sentence})
    assert (desk.history.newest(), desk.history.counts()) == before


def test_a_body_that_is_not_json_is_told_so(ask: Callable[[Session], Any]) -> None:
    async def session(client: httpx.AsyncClient) -> list[httpx.Response]:
        kinds = (
            "application/json",
            "text/plain",
            "multipart/form-data; boundary=x",
            "application/x-www-form-urlencoded",
        )
        return [await client.post("/v1/decisions", content=b"{", headers={"content-type": kind}) for kind in kinds]

    answers: list[httpx.Response] = ask(session)
    assert [answer.status_code for answer in answers] == [400] * 4
    assert answers[0].json()["error"].startswith("expected a body in JSON; found: EOF")
    assert answers[1].json()["error"] == "expected a body of content type application/json, found text/plain"


def test_a_caller_that_goes_before_the_body_is_whole_is_no_failure(service: Any) -> None:
    async def gone() -> Any:
        return {"type": "http.disconnect"}

    request = Request({"type": "http", "method": "POST", "path": "/", "headers": []}, gone)
    taken = service.apis["lookup"].input_spec.from_http_request(request, None)
    assert asyncio.run(taken).message == "expected a whole body, found that the caller was gone"


def test_a_body_beyond_the_bound_is_refused(ask: Callable[[Session], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serving.service.LARGEST_BODY", 20)
    (answer,) = posted(ask, ("/v1/decisions", {"customer": "7", "channel": "phone"}))
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("expected a body of at most 20 bytes, found ")


def test_a_decision_that_cannot_be_kept_is_not_answered(
    ask: Callable[[Session], Any], desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise StoreError("expected room, found none")

    monkeypatch.setattr("features.decisions.Making.write", full)
    (answer,) = posted(ask, ("/v1/decisions", {"customer": "7", "channel": "phone"}))
    assert (answer.status_code, answer.json()) == (503, {"error": "expected room, found none"})


def test_requests_are_answered_side_by_side(ask: Callable[[Session], Any]) -> None:
    async def session(client: httpx.AsyncClient) -> list[httpx.Response]:
        body = {"customer": "household:8", "channel": "web"}
        return list(await asyncio.gather(*(client.post("/v1/decisions", json=body) for _ in range(24))))

    answers: list[httpx.Response] = ask(session)
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["decision_id"] for answer in answers}) == 24


def test_health_and_the_document_answer(ask: Callable[[Session], Any]) -> None:
    async def session(client: httpx.AsyncClient) -> None:
        assert [(await client.get(path)).status_code for path in ("/healthz", "/livez", "/readyz")] == [200] * 3
        document = (await client.get("/docs.json")).json()
        assert set(document["paths"]) == {*ROUTES, "/healthz", "/livez", "/readyz", "/metrics"}
        for route in ROUTES:
            operation = document["paths"][route]["post"]
            assert set(operation["responses"]) == {"200", "400", "503"}
            for said in (operation["requestBody"], *operation["responses"].values()):
                name = said["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
                assert name in document["components"]["schemas"]
        assert document["components"]["schemas"]["DecisionAnswer"]["properties"]["note"]["nullable"] is True
        assert '"null"' not in json.dumps(document)

    ask(session)


def test_a_rehearsal_asks_one_of_every_kind_before_ready_and_leaves_nothing(service: Any, desk: Desk) -> None:
    before = desk.history.newest(), desk.history.counts()
    asked: list[str] = []
    sent: list[str] = []
    inner = service.to_asgi()
    messages = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])

    async def receive() -> Any:
        return next(messages)

    async def send(message: Any) -> None:
        sent.append(message["type"])

    async def watched(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            assert not sent
            asked.append(scope["path"])
        await inner(scope, receive, send)

    asyncio.run(Rehearsal(watched)({"type": "lifespan", "state": {}}, receive, send))  # type: ignore[arg-type]
    gc.unfreeze()
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert asked == list(REHEARSED)
    assert set(asked) == set(ROUTES)
    assert (desk.history.newest(), desk.history.counts()) == before


def test_a_service_without_a_bundle_does_not_start(
    service: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from features.errors import RegistryError

    monkeypatch.setenv("HOLDFAST_HOME", str(tmp_path))
    monkeypatch.setenv("HOLDFAST_BUNDLE", str(tmp_path / "none"))
    assert "HOLDFAST_PLAYBOOK" not in os.environ
    with pytest.raises(RegistryError, match=r"expected a bundle with a manifest in .*none"):
        service()


def test_warming_scores_a_purchase_and_leaves_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    before = desk.history.newest(), desk.history.counts()
    scored: list[int] = []
    score = desk.scorer.score
    monkeypatch.setattr(desk.scorer, "score", lambda events, *how: scored.append(len(events)) or score(events, *how))
    warm(desk)
    assert scored == [0, 1]
    assert (desk.history.newest(), desk.history.counts()) == before
