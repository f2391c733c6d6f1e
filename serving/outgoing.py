"""How an answer goes out: under its request's id, shielded, and with no more in it than who asked may see."""

import re
import time
from collections.abc import Mapping
from uuid import uuid4

from starlette.types import Message, Scope, Send

from serving.denials import Denied
from serving.roles import Route, View, shown, view_of
from serving.shielding import shields

Headers = Mapping[bytes, bytes]
# Of another form it might be anything, such as a telephone number, and it is logged.
_REQUEST = re.compile(rb"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_REASONS = {400: "input", 404: "path", 405: "method", 415: "media", 500: "failure", 503: "store", 504: "time"}


class Outgoing:
    """One answer on its way; `status` is 0 until it has begun, and `reason` says why it is a refusal, if it is."""

    def __init__(self, scope: Scope, send: Send, held: Headers) -> None:
        asked = held.get(b"x-request-id", b"")
        self.request = asked.decode() if _REQUEST.fullmatch(asked) else str(uuid4())
        self.began = time.perf_counter()
        self.status, self.reason = 0, ""
        self._scheme: str = scope.get("scheme", "http")
        self._send = send
        self._page = False
        self._view: View | None = None
        self._start: Message = {}
        self._parts: list[bytes] = []

    def to(self, route: Route, role: str) -> None:
        """Say what is answered, and to whom."""
        self._page, self._view = route.page, view_of(route.name, role)

    async def send(self, message: Message) -> None:
        """Send a part of the answer on; one that isn't seen whole is held back until it is here."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.reason = _REASONS.get(self.status, "other")
            message["headers"] = [*message.get("headers", ()), *self._headers()]
            if self._view is not None and self.status == 200:
                self._start = message
                return
        elif self._start:
            self._parts.append(message.get("body", b""))
            if not message.get("more_body"):
                await self._send_shown(self._view or {})
            return
        await self._send(message)

    async def deny(self, denied: Denied) -> None:
        """Send a refusal.

        Raises it again when an answer has begun already: then the connection can only break off.
        """
        if self.status and not self._start:
            raise denied
        self.status, self.reason, self._start = denied.status, denied.reason, {}
        own = [(b"content-type", b"application/json"), (b"content-length", str(len(denied.body)).encode())]
        headers = [*own, *denied.headers, *self._headers()]
        await self._send({"type": "http.response.start", "status": denied.status, "headers": headers})
        await self._send({"type": "http.response.body", "body": denied.body})

    async def _send_shown(self, view: View) -> None:
        body = shown(view, b"".join(self._parts))
        start, self._start = self._start, {}
        kept = [one for one in start["headers"] if one[0] != b"content-length"]
        await self._send({**start, "headers": [*kept, (b"content-length", str(len(body)).encode())]})
        await self._send({"type": "http.response.body", "body": body})

    def _headers(self) -> list[tuple[bytes, bytes]]:
        return [*shields(self._page, self._scheme), (b"x-request-id", self.request.encode())]
