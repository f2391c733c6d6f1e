"""What is logged says what happened, and names nobody."""

import json
import logging
import socket
import ssl
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from features.errors import InputError
from features.history import History
from features.home import Home, home
from holdfast.keys import made
from serving import logs, roles
from serving.asking import ASKING, Asking
from serving.openness import Tls, check_tls
from serving.run import Server, environment, start
from tests.desks import NOW, stocked
from tests.gates import Door

ASKED = {"customer": "7", "channel": "phone"}
PHONE, NAME = "+1202456", "Mustermann"
# A scorer that breaks on one customer, and says of whom.
FAKE = """
from features.clock import live
from features.history import History
from serving import opening
from serving.desk import Desk
from tests.desks import FakeScorer, playbook


class Breaking(FakeScorer):
    def score(self, events, as_of, whole=True):
        if len(events) == 3:
            raise RuntimeError("Erika Mustermann, +12024561414, can't be scored") from ValueError("+12024561414")
        return super().score(events, as_of, whole)


opening.open_desk = lambda at, bundle, version: Desk(History(at.database_url), Breaking(), playbook(), live)
from serving.service import HoldfastService
"""


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, Any]]]:
    """What is logged, read back, with every logger and hook as before in the end."""
    written: list[dict[str, Any]] = []

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            written.append(json.loads(self.format(record)))

    for place, name in ((threading, "excepthook"), (sys, "unraisablehook"), (logging, "raiseExceptions")):
        monkeypatch.setattr(place, name, getattr(place, name))
    named = [logging.root, *(logging.getLogger(name) for name in logging.root.manager.loggerDict)]
    before = [(one, one.handlers[:], one.propagate, one.level) for one in named]
    monkeypatch.setattr(logs, "_handler", lambda file: Kept())
    logs.begin()
    yield written
    logging.captureWarnings(False)
    for one, handlers, propagate, level in before:
        one.handlers[:], one.propagate = handlers, propagate
        one.setLevel(level)


# -- events


def test_an_event_is_a_line_with_the_request_that_it_belongs_to(lines: list[dict[str, Any]]) -> None:
    token = ASKING.set(Asking("5f0c6a52-51a1-4a3e-9a63-9d0f0a7f3c11", "decisions", "0a1b2c3d", "agent"))
    logs.log("degraded", "warning", reason="store", milliseconds=12.5)
    ASKING.reset(token)
    (line,) = lines
    assert line.pop("moment").endswith("+00:00")
    assert line == {
        "level": "warning", "event": "degraded", "request": "5f0c6a52-51a1-4a3e-9a63-9d0f0a7f3c11",
        "route": "decisions", "key": "0a1b2c3d", "role": "agent", "reason": "store", "milliseconds": 12.5,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("customer", "household:7"),
        ("reason", "Erika Mustermann"),
        ("reason", "+12024561111"),
        ("request", "12024561111"),
        ("route", "/v1/customers/12024561111"),
        ("status", 12024561111),
        ("count", "12024561111"),
        ("at", ["+12024561111"]),
        ("failed", "+12024561111"),
        ("reason", None),
    ],
)
def test_a_field_that_is_not_known_or_not_of_its_form_is_left_out(
    lines: list[dict[str, Any]], field: str, value: Any
) -> None:
    logs.log("happened", **{field: value})
    (line,) = lines
    assert line.pop("moment")
    assert line == {"level": "info", "event": "happened", "withheld": 1}


def test_of_an_error_its_kind_and_place_are_told_and_not_what_it_says(lines: list[dict[str, Any]]) -> None:
    try:
        raise InputError("expected a customer, found +12024561111") from ValueError("+12024561111")
    except InputError as error:
        logs.log("failed", "error", error)
        logging.getLogger("uvicorn.error").exception("Exception for %s", "+12024561111")
    ours, theirs = lines
    for line in lines:
        assert (line["error"], line["cause"]) == ("InputError", "ValueError")
        assert line["at"][-1].startswith("test_logs.py:")
        assert PHONE not in json.dumps(line)
    assert (ours["event"], theirs["event"], theirs["logger"]) == ("failed", "library", "uvicorn.error")
    assert theirs["said_at"].startswith("test_logs:")


def test_warnings_and_threads_name_nobody_either(lines: list[dict[str, Any]]) -> None:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("of +12024561111", stacklevel=1)
    thread = threading.Thread(target=lambda: int("+1202456x"))
    thread.start()
    thread.join()
    assert [line["event"] for line in lines] == ["library", "thread_failed"]
    assert lines[1]["error"] == "ValueError"
    assert PHONE not in json.dumps(lines)


def test_every_refusal_is_logged_with_its_reason_and_other_requests_only_when_told(
    lines: list[dict[str, Any]], history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    door = Door(history)
    headers = door.key("field")
    door.asked([("/v1/visits/prioritise", headers), ("/v1/route", headers), ("/nowhere/+12024561111", None)])
    assert [(line["event"], line["status"], line["reason"]) for line in lines] == [
        ("refused", 403, "role"),
        ("refused", 404, "path"),
    ]
    assert (lines[0]["route"], lines[0]["role"], lines[1]["route"]) == ("route", "field", "other")
    assert len(lines[0]["key"]) == 8
    monkeypatch.setenv("HOLDFAST_LOG_REQUESTS", "1")
    Door(history).ask("/healthz", method="GET")
    assert (lines[2]["event"], lines[2]["status"], lines[2]["route"]) == ("answered", 200, "health")


def test_the_log_goes_to_a_file_that_may_be_moved_away(tmp_path: Path) -> None:
    handler = logs._handler(str(tmp_path / "it.log"))
    with closing(handler):
        handler.setFormatter(logs.Lines())
        for _ in range(2):
            handler.emit(logging.LogRecord("x", logging.INFO, "x.py", 1, "+12024561111", None, None))
            (tmp_path / "it.log").rename(tmp_path / "old.log")
    assert PHONE not in (tmp_path / "old.log").read_text()


@pytest.mark.parametrize(
    ("file", "message"),
    [("/none/it.log", "expected to write the log to /none/it.log, found: No such file"), ("it.log", "as a whole path")],
)
def test_a_log_that_cannot_be_written_is_refused_at_the_start(
    monkeypatch: pytest.MonkeyPatch, file: str, message: str
) -> None:
    monkeypatch.setenv("HOLDFAST_LOG", file)
    with pytest.raises(InputError, match=message):
        logs.check()


# -- a real server


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    folder = tmp_path_factory.mktemp("tls")
    key, name = (
        ec.generate_private_key(ec.SECP256R1()),
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")]),
    )
    begins = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(begins + timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    made = Tls(folder / "certificate.pem", folder / "key.pem")
    made.certificate.write_bytes(signed.public_bytes(Encoding.PEM))
    made.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    check_tls(made)
    return made


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv("HOLDFAST_HOME", str(tmp_path))
    monkeypatch.setenv("HOLDFAST_LOG_REQUESTS", "1")
    monkeypatch.setenv("HOLDFAST_REQUEST_SECONDS", "1")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "fake_service.py").write_text(FAKE, encoding="utf-8")
    return home()


def started(here: Home, tls: Tls) -> Server:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = int(listening.getsockname()[1])
    within = environment(here, here.folder, workers=1, version="7")
    server = start(within, "127.0.0.1", port, "fake_service:HoldfastService", tls)
    server.wait_ready(120.0)
    return server


def everywhere(client: httpx.Client) -> list[int]:
    """Send telephone numbers and names wherever a request can hold any."""
    person = {"customer": "Erika Mustermann +12024561414", "channel": "phone"}
    headers = {
        "x-request-id": "+12024561414",
        "user-agent": "Mustermann",
        "x-name": "Mustermann",
        "origin": "http://+12024561414",
    }
    path, posted = "/v1/decisions", client.post
    return [
        answer.status_code
        for answer in (
            posted(path, json=person, headers=headers),
            posted(path, json={"customer": "household:8", "channel": "phone"}),
            posted(f"{path}/+12024561414", json=person),
            posted(f"{path}?name=Mustermann", json=person | {"+12024561414": 1}),
            posted(path, json=person | {"context": {"Mustermann": "x" * 600}}),
            posted(path, content=b'{"customer": "Mustermann +12024561414'),
            posted(path, content=b"+12024561414", headers={"content-type": "text/Mustermann"}),
            posted(path, json=person, headers={"content-type": "application/vnd.bentoml+pickle"}),
            posted(path, json=person, headers={"authorization": "Bearer hf_Mustermann_+12024561414"}),
            posted(path, content=b"+12024561414" * 30_000),
            posted("/v1/outcomes", json={"decision_id": "+12024561414", "offer": "Mustermann", "status": "accepted"}),
            posted("/v1/interactions", json=[{"event_id": "1", "customer": "Mustermann", "kind": "Mustermann"}]),
            client.request("MUSTERMANN", path),
            client.get(path, params={"customer": "+12024561414"}),
        )
    ]


def sent(server: Server, tls: Tls, *parts: bytes) -> bytes:
    """Send parts of requests over TLS, each after something was answered to the one before, and return all answers."""
    port = int(server.url.rpartition(":")[2])
    context = ssl.create_default_context(cafile=str(tls.certificate))
    with (
        socket.create_connection(("127.0.0.1", port), 10) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as spoken,
    ):
        answer = b""
        for part in parts:
            spoken.sendall(part)
            answer += spoken.recv(65_536)
        while more := spoken.recv(65_536):
            answer += more
        return answer


def check_half_requests(server: Server, tls: Tls, key: str) -> None:
    first = f"POST /v1/decisions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n".encode()
    body = b'Content-Length: 100\r\n\r\n{"customer": "+12024561414'
    assert sent(server, tls, first + body).startswith(b"HTTP/1.1 408 ")
    assert sent(server, tls, first + b"X-Name: Muster").startswith(b"HTTP/1.1 408 ")
    health = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
    after = sent(server, tls, health, b"GET /livez HTTP/1.1\r\nX-Name: Muster")
    assert (after[:13], after.count(b"HTTP/1.1 408 ")) == (b"HTTP/1.1 200 ", 1)
    assert sent(server, tls, first + b"X-Name: " + b"Mustermann" * 4_000)[:10] == b"HTTP/1.1 4"
    assert sent(server, tls) == b""


def test_a_real_server_speaks_tls_wants_keys_and_logs_nobody(
    here: Home, tls: Tls, capfd: pytest.CaptureFixture[str]
) -> None:
    with closing(History(here.database_url)) as history:
        stocked(history)
        key, text = made(history, "test", "admin", None, NOW)
        _, agents = made(history, "test", "agent", None, NOW)
        server = started(here, tls)
        try:
            headers = {"authorization": f"Bearer {text}"}
            trusted = ssl.create_default_context(cafile=str(tls.certificate))
            with httpx.Client(base_url=server.url, verify=trusted, headers=headers, trust_env=False) as client:
                assert server.url.startswith("https://")
                assert client.get("/docs.json").status_code == 200
                assert client.post("/v1/decisions", json=ASKED).status_code == 200
                statuses = everywhere(client)
                seen = client.post("/v1/decisions", json=ASKED, headers={"authorization": f"Bearer {agents}"}).json()
                assert set(seen["offers"][0]) == set(roles.AGENT_DECISION["offers"])
                check_half_requests(server, tls, text)
                history.keys.revoke(key.id, NOW)
                began = time.monotonic()
                while client.get("/metrics").status_code == 200:
                    assert time.monotonic() - began < 3.0
                    time.sleep(0.05)
        finally:
            server.stop()
    out, err = capfd.readouterr()
    _check(statuses, out + err)


def _check(statuses: list[int], said: str) -> None:
    assert statuses == [200, 200, 404, 400, 400, 400, 400, 415, 401, 413, 400, 400, 405, 405]
    assert PHONE not in said
    assert NAME.lower() not in said.lower()
    lines = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    assert len([line for line in lines if line["event"] == "started" and line["state"] == "keys"]) == 1
    told = [(line["event"], line.get("status")) for line in lines]
    for status in {*statuses, 408} - {200}:
        assert ("refused", status) in told
    assert ("answered", 200) in told
    failed = next(line for line in lines if line.get("error") == "RuntimeError")
    assert failed["cause"] == "ValueError"
    assert failed["at"][-1].startswith("fake_service.py:")
