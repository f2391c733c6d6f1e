"""A gate before an application that answers anything, and callers with keys."""

import asyncio
from collections.abc import Mapping
from typing import Any

import httpx

from features.history import History
from holdfast.keys import made
from serving.gate import Gate
from serving.keyring import Keyring
from tests.desks import NOW

AFAR = ("192.0.2.7", 5_000)
Headers = Mapping[str, str]


async def answering(scope: Any, receive: Any, send: Any) -> None:
    """An application that answers anything with what it was sent, and breaks when it is told to."""
    message = await receive() if scope["method"] == "POST" else {"body": b"page"}
    if message["body"] == b"break":
        raise RuntimeError("+12024561111 isn't to be told")
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": message["body"]})


class Door:
    """A gate before an application that answers anything, and a ring with the keys of a store."""

    def __init__(self, history: History) -> None:
        self.history, self.now = history, 0.0
        self.ring = Keyring(lambda: self.now)
        self.ring.follow(history.keys)
        self.gate = Gate(answering, self.ring)

    def key(self, role: str = "agent", rate: int | None = None) -> dict[str, str]:
        """Make a key, and return the header that its holder sends."""
        _, text = made(self.history, "test", role, rate, NOW)
        self.ring.read()
        return {"authorization": f"Bearer {text}"}

    def ask(
        self, path: str = "/v1/decisions", headers: Headers | None = None, method: str = "POST", client: Any = AFAR,
        scheme: str = "http", content: Any = b"{}",
    ) -> httpx.Response:  # fmt: skip
        return self.asked([(path, headers)], method, client, scheme, content)[0]

    def asked(
        self, requests: list[tuple[str, Headers | None]], method: str = "POST", client: Any = AFAR,
        scheme: str = "http", content: Any = b"{}",
    ) -> list[httpx.Response]:  # fmt: skip
        async def run() -> list[httpx.Response]:
            transport = httpx.ASGITransport(app=self.gate, client=client)
            async with httpx.AsyncClient(transport=transport, base_url=f"{scheme}://desk") as http:
                body = content if method == "POST" else None
                return [await http.request(method, path, headers=more, content=body) for path, more in requests]

        return asyncio.run(run())


def reason(answer: httpx.Response) -> str:
    return str(answer.json()["error"])
