"""Who may ask, how much and how often, and what each role sees."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import psutil
import pytest

from features.errors import InputError
from features.history import History
from holdfast.keys import made
from serving.gate import Gate
from serving.listening import is_near, only_here
from serving.openness import Tls, check_keys, check_tls
from serving.patience import Patient
from serving.roles import ROUTES, Role
from tests.counted import counted
from tests.desks import NOW
from tests.gates import AFAR, Door, answering, reason

POSTED = [path for path, (method, _) in ROUTES.items() if method == "POST"]
MAY = {
    "/v1/decisions": {"agent", "analyst", "admin"},
    "/v1/outcomes": {"agent", "ingest", "admin"},
    "/v1/interactions": {"ingest", "admin"},
    "/v1/customers/lookup": {"agent", "field", "analyst", "admin"},
    "/v1/route": {"agent", "analyst", "admin"},
    "/v1/visits/prioritise": {"field", "analyst", "admin"},
    "/metrics": {"analyst", "admin"},
}


@pytest.fixture
def door(history: History) -> Door:
    return Door(history)


# -- who comes in


@pytest.mark.parametrize(
    "sent", [None, "Basic aGY6eA==", "Bearer", "Bearer hf_00000000_x", "hf_00000000_x", "Bearer ü"]
)
def test_who_has_no_key_is_turned_away(door: Door, sent: str | None) -> None:
    door.key()
    headers = [] if sent is None else [(b"authorization", sent.encode("latin-1"))]
    answer = door.ask(headers=headers)  # type: ignore[arg-type]
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, 'Bearer realm="holdfast"')
    assert reason(answer).startswith("expected a key")


def test_the_secret_of_one_key_does_not_open_another(door: Door) -> None:
    one, other = door.key(), door.key("admin")
    mixed = other["authorization"][: len("Bearer hf_00000000_")] + one["authorization"][len("Bearer hf_00000000_") :]
    assert door.ask(headers={"authorization": mixed}).status_code == 401


def test_each_role_may_call_what_the_table_says(door: Door) -> None:
    assert {path for path in MAY if path.startswith("/v1")} == set(POSTED)
    for role in Role:
        headers = door.key(role, rate=1_000)
        for path, may in MAY.items():
            answer = door.ask(path, headers, method=ROUTES[path][0])
            assert (answer.status_code == 200) == (role in may), (role, path)
            if role not in may:
                assert answer.status_code == 403
                assert reason(answer) == f"expected a key whose role may call this, found the role {role}"


def test_a_role_that_is_not_known_may_nothing(door: Door) -> None:
    assert door.ask(headers=door.key("king")).status_code == 403


def test_health_needs_no_key_and_pages_and_metrics_none_from_this_machine(door: Door) -> None:
    door.key()
    paths = ("/healthz", "/livez", "/readyz", "/", "/docs.json", "/static_content/swagger-ui.css", "/metrics")
    near = [answer.status_code for answer in door.asked([(path, None) for path in paths], "GET", ("127.0.0.1", 1))]
    far = [answer.status_code for answer in door.asked([(path, None) for path in paths], "GET")]
    held = [answer.status_code for answer in door.asked([(path, door.key("field")) for path in paths], "GET")]
    assert near == [200] * 7
    assert far == [200] * 3 + [401] * 4
    assert held == [200] * 6 + [403]


def test_without_any_key_only_this_machine_is_answered(door: Door) -> None:
    near = ("127.0.0.1", 1)
    assert door.ask(client=near).status_code == 200
    page = {"origin": "http://localhost:3000"}
    assert door.ask(client=near, headers=page).status_code == 200
    for client, headers in (
        (AFAR, {}),
        (None, {}),
        (near, {"x-forwarded-for": "127.0.0.1"}),
        (near, {"forwarded": "for=127.0.0.1"}),
        (near, {"origin": "https://example.org"}),
        (near, {"origin": "null"}),
    ):
        answer = door.ask(client=client, headers=headers)
        assert answer.status_code == 401
        assert reason(answer).endswith("make one: holdfast keys make NAME --role ROLE")


def test_revoking_the_last_key_opens_nothing(door: Door) -> None:
    door.key()
    door.history.keys.revoke(door.history.keys.all()[0].id, NOW)
    door.ring.read()
    assert door.ask(client=("127.0.0.1", 1)).status_code == 401


def test_a_service_that_listens_beyond_loopback_is_not_open(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serving.gate.only_here", lambda: False)
    assert door.ask(client=("127.0.0.1", 1)).status_code == 401


@pytest.mark.parametrize(
    ("addresses", "here"), [(["127.0.0.1", "::1"], True), (["127.0.0.1", "0.0.0.0"], False), ([], True)]
)
def test_where_a_process_listens_is_told_from_its_sockets(
    monkeypatch: pytest.MonkeyPatch, addresses: list[str], here: bool
) -> None:
    sockets = [SimpleNamespace(laddr=SimpleNamespace(ip=ip), status=psutil.CONN_LISTEN) for ip in addresses]
    used = SimpleNamespace(laddr=SimpleNamespace(ip="192.0.2.1"), status=psutil.CONN_ESTABLISHED)
    monkeypatch.setattr(psutil.Process, "net_connections", lambda *_: [*sockets, used])
    assert only_here() is here


def test_what_cannot_be_told_is_taken_to_be_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: object) -> None:
        raise psutil.AccessDenied

    monkeypatch.setattr(psutil.Process, "net_connections", denied)
    assert not only_here()


def test_an_address_that_cannot_be_read_is_not_near() -> None:
    assert not is_near(("somewhere", 1), {})
    assert not is_near(("127.0.0.1", 1), {b"origin": b"http://[127.0.0.1"})


def test_paths_and_methods_that_are_not_there_are_told_so(door: Door) -> None:
    headers = door.key("admin")
    lost = door.ask("/v1/customers/+12024561111", headers)
    assert (lost.status_code, "+1202" in lost.text) == (404, False)
    wrong = door.ask("/v1/decisions", headers, method="GET")
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "POST")
    assert door.ask("/metrics", headers, method="HEAD").status_code == 200


def test_nothing_is_said_over_web_sockets(door: Door) -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(door.gate({"type": "websocket"}, None, send))  # type: ignore[arg-type]
    assert sent == [{"type": "websocket.close", "code": 1008}]


# -- how much, how often


def test_a_body_that_is_too_large_is_refused_before_it_is_read(door: Door) -> None:
    def unread() -> Iterator[bytes]:
        raise AssertionError("nobody reads this")
        yield b""

    class Unread(httpx.AsyncByteStream):
        async def __aiter__(self) -> Any:
            for part in unread():
                yield part

    headers = door.key() | {"content-length": str(256 * 2**10 + 1)}
    answer = door.ask(headers=headers, content=Unread())
    assert (answer.status_code, answer.headers["connection"]) == (413, "close")
    assert reason(answer) == "expected a body of at most 262,144 bytes, found more"


def test_a_body_that_says_nothing_of_its_size_is_counted(door: Door) -> None:
    read: list[int] = []

    async def endless() -> Any:
        for number in range(1_000):
            read.append(number)
            yield b"x" * 2**16

    headers = door.key("admin")
    assert door.ask(headers=headers, content=endless()).status_code == 413
    assert len(read) == 5
    assert door.ask("/v1/interactions", headers, content=endless()).status_code == 413
    assert len(read) == 5 + 129


def test_a_body_in_parts_is_put_together(door: Door) -> None:
    async def parts() -> Any:
        for part in (b'{"a":', b"1", b"}"):
            yield part

    assert door.ask("/v1/route", door.key("analyst"), content=parts()).json() == {"a": 1}


def test_a_body_that_does_not_come_holds_nobody_up(door: Door) -> None:
    door.gate.bounds = replace(door.gate.bounds, request_seconds=0.05)

    async def late() -> Any:
        yield b"{"
        await asyncio.sleep(60)

    answer = door.ask(headers=door.key(), content=late())
    assert (answer.status_code, answer.headers["connection"]) == (408, "close")
    assert reason(answer) == "expected the whole body within 0.05 s, found it unfinished"


def test_who_goes_in_the_middle_of_a_body_is_not_answered(door: Door) -> None:
    sent: list[Any] = []
    messages = iter([{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}])

    async def receive() -> Any:
        return next(messages)

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(name.encode(), value.encode()) for name, value in door.key().items()]
    scope = {"type": "http", "method": "POST", "path": "/v1/decisions", "headers": headers, "client": AFAR}
    with counted("holdfast_refusals") as refusals:
        asyncio.run(door.gate(scope, receive, send))
    assert (sent, refusals) == ([], {("gone",): 1})


class Parsing:
    """A protocol that never finds the end of a head, and its own transport."""

    cycle = None

    def __init__(self) -> None:
        self.transport, self.loop, self.said = self, asyncio.get_running_loop(), b""

    def connection_made(self, transport: Any) -> None:
        self.closed = asyncio.Event()

    def data_received(self, data: bytes) -> None:
        pass

    def is_closing(self) -> bool:
        return self.closed.is_set()

    def write(self, said: bytes) -> None:
        self.said += said

    def close(self) -> None:
        self.closed.set()


@pytest.mark.parametrize(
    ("parts", "said"), [(33, b"HTTP/1.1 431 Request Header"), (1, b"HTTP/1.1 408 Request Timeout"), (0, b"")]
)
def test_a_head_has_a_bound_in_bytes_and_in_time(parts: int, said: bytes) -> None:
    async def run() -> Parsing:
        spoken = Parsing()
        connection = Patient(spoken, 0.05)
        connection.connection_made(spoken)  # type: ignore[arg-type]
        for _ in range(parts):
            connection.data_received(b"x" * 1_000)
        async with asyncio.timeout(5):
            await spoken.closed.wait()
        return spoken

    assert asyncio.run(run()).said[: len(said) or None] == said


@pytest.mark.parametrize("name", ["HOLDFAST_LARGEST_BODY", "HOLDFAST_REQUEST_SECONDS", "HOLDFAST_RATE"])
def test_a_bound_that_is_no_number_is_refused_at_the_start(
    door: Door, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "0")
    with pytest.raises(InputError, match=rf"expected {name} to be a whole number of at least 1, found '0'"):
        Gate(answering, door.ring)


def test_more_than_a_key_may_ask_is_refused_and_others_go_on(door: Door) -> None:
    often, other = door.key(rate=3), door.key()
    statuses = [answer.status_code for answer in door.asked([("/v1/decisions", often)] * 12)]
    assert statuses[:3] == [200] * 3
    assert 429 in statuses
    late = door.ask(headers=often)
    assert (late.status_code, late.headers["retry-after"]) == (429, "1")
    assert reason(late) == "expected at most 3 requests a second, found more; ask again after a second"
    assert {answer.status_code for answer in door.asked([("/v1/decisions", other)] * 60)} == {200}
    assert 429 in {answer.status_code for answer in door.asked([("/v1/decisions", other)] * 160)}


def test_what_is_refused_is_counted_by_its_reason(door: Door) -> None:
    headers = door.key()
    refused = [("/v1/interactions", headers), ("/v1/interactions", headers), ("/nowhere", None), ("/v1/route", None)]
    with counted("holdfast_refusals") as refusals:
        door.asked(refused)
    assert refusals == {("role",): 2, ("path",): 1, ("no_key",): 1}


# -- what every answer carries


def test_every_answer_is_shielded_and_none_but_pages_is_kept(door: Door) -> None:
    headers = door.key()
    for answer in (
        door.ask(headers=headers),
        door.ask(),
        door.ask("/nowhere"),
        door.ask(headers=headers, content=b"break"),
        door.ask("/healthz", method="GET"),
    ):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert "strict-transport-security" not in answer.headers
    page = door.ask("/", headers, method="GET")
    assert "script-src 'self';" in page.headers["content-security-policy"]
    assert "cache-control" not in page.headers
    assert door.ask(headers=headers, scheme="https").headers["strict-transport-security"] == "max-age=31536000"


def test_a_failure_of_ours_is_told_without_its_text(door: Door) -> None:
    broken = door.ask(headers=door.key("analyst"), content=b"break")
    assert broken.status_code == 500
    assert reason(broken) == "expected an answer, found a failure of ours; its place is in the log"


def test_a_failure_after_an_answer_has_begun_breaks_it_off(door: Door) -> None:
    async def half(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise RuntimeError

    door.gate = Gate(half, door.ring)
    with pytest.raises(Exception, match="failure"):
        door.ask("/livez", method="GET")


def test_a_request_keeps_its_id_if_that_can_be_one(door: Door) -> None:
    mine = "5f0c6a52-51a1-4a3e-9a63-9d0f0a7f3c11"
    assert door.ask("/livez", {"x-request-id": mine}, "GET").headers["x-request-id"] == mine
    for other in ("+12024561111", "Erika Mustermann", mine.upper(), mine + "0"):
        answered = door.ask("/livez", {"x-request-id": other}, "GET").headers["x-request-id"]
        assert (answered == other, len(answered)) == (False, 36)


# -- starting


def test_an_address_that_others_reach_needs_a_key_that_holds(history: History) -> None:
    check_keys([], "127.0.0.1")
    key, _ = made(history, "test", "agent", None, NOW)
    check_keys([key], "0.0.0.0")
    for host, keys in (("0.0.0.0", []), ("::", [history.keys.revoke(key.id, NOW)])):
        with pytest.raises(InputError, match=rf"expected a key before {host} is listened on.*holdfast keys make NAME"):
            check_keys(keys, host)


def test_files_that_tls_cannot_be_spoken_by_are_refused(tmp_path: Path) -> None:
    (tmp_path / "bad.pem").write_text("no certificate")
    with pytest.raises(InputError, match=r"expected a certificate at .*none.pem .* found: No such file"):
        check_tls(Tls(tmp_path / "none.pem", tmp_path / "bad.pem"))
    with pytest.raises(InputError, match=r"expected a certificate at .*bad.pem and its private key"):
        check_tls(Tls(tmp_path / "bad.pem", tmp_path / "bad.pem"))
