"""The gate before every request: who asks, whether they may, how much and how often; and what every answer carries.

It lies outside of BentoML's own layers, so that nothing is traced or read of whom it turns away; they are only counted.
"""

import time
from functools import lru_cache
from typing import Any

from limits import RateLimitItem, RateLimitItemPerSecond
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from features.keys import Key
from serving import denials, logs, metrics, patience
from serving.asking import ASKING, Asking
from serving.bounds import bounds, whole
from serving.denials import Denied
from serving.keyring import Keyring
from serving.listening import is_near, only_here
from serving.outgoing import Headers, Outgoing
from serving.roles import HEALTH, NEAR, Route, route_at


class Gate:
    """ASGI middleware that lets in who may ask; `refusals` counts, by reason, what wasn't answered."""

    def __init__(self, app: ASGIApp, ring: Keyring) -> None:
        self.app, self.ring = app, ring
        self.bounds = bounds()
        self._here: bool | None = None
        self._all = logs.requests_wanted()
        self._rates = SlidingWindowCounterRateLimiter(MemoryStorage())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer what may not come in, and pass on the rest."""
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._lifespan(scope, receive, send)
        else:
            # Nothing here speaks over web sockets; 1008 is a breach of policy.
            metrics.refused("media")
            logs.log("refused", reason="media")
            await send({"type": "websocket.close", "code": 1008})

    async def _lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def started(message: Message) -> None:
            if message["type"] == "lifespan.startup.complete":
                logs.begin()
                self.ring.begin()
                self._say_who_may()
            elif message["type"] == "lifespan.shutdown.complete":
                self.ring.end()
            await send(message)

        # First: whatever starts within may take uvicorn's place in handling signals, by which it is found.
        patience.begin(self.bounds.request_seconds)
        await self.app(scope, receive, started)

    def _say_who_may(self) -> None:
        if self._open:
            logs.log("started", "warning", state="open")
        else:
            logs.log("started", state="keys")

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        held = _held(scope)
        answer = Outgoing(scope, send, held)
        token = ASKING.set(Asking(answer.request, "other"))
        try:
            await self._let_in(answer, scope, held, receive)
        except Denied as denied:
            await answer.deny(denied)
        except Exception as error:
            logs.log("failed", "error", error)
            await answer.deny(denials.broken())
        finally:
            self._tell(answer)
            ASKING.reset(token)

    async def _let_in(self, answer: Outgoing, scope: Scope, held: Headers, receive: Receive) -> None:
        route = _route(scope)
        ASKING.set(Asking(answer.request, route.name))
        key = self._admitted(route, scope, held)
        if key is not None:
            ASKING.set(Asking(answer.request, route.name, key.id, key.role))
            await self._check(key, route)
        answer.to(route, key.role if key else "")
        if scope["method"] == "POST":
            size, seconds = self.bounds.of(route.many), self.bounds.request_seconds
            body = await whole(receive, held.get(b"content-length"), size, seconds)
            if body is None:
                answer.status, answer.reason = 499, "gone"
                return
            receive = _again(body, receive)
        await self.app(scope, receive, answer.send)

    # -- who may

    @property
    def _open(self) -> bool:
        """Whether nobody needs a key: none was ever made, and nobody beyond this machine can ask."""
        if self._here is None:
            self._here = only_here()
        return self._here and self.ring.empty

    def _admitted(self, route: Route, scope: Scope, held: Headers) -> Key | None:
        """Find whose key a request came with; None where it needs none.

        Raises Denied when it needs one that it hasn't.
        """
        if route.without_key == HEALTH:
            return None
        if b"authorization" in held:
            return self._holder(held[b"authorization"])
        near = is_near(scope.get("client"), held)
        if near and route.without_key == NEAR:
            return None
        if not self.ring.known:
            raise denials.keys_unread()
        if near and self._open:
            return None
        raise denials.keyless() if self.ring.empty else denials.no_key()

    def _holder(self, sent: bytes) -> Key:
        if not self.ring.known:
            raise denials.keys_unread()
        scheme, _, text = sent.decode("latin-1").partition(" ")
        key = self.ring.find(text.strip()) if scheme.lower() == "bearer" else None
        if key is None:
            raise denials.unknown_key()
        return key

    async def _check(self, key: Key, route: Route) -> None:
        if key.role not in route.may:
            raise denials.wrong_role(key.role)
        rate = key.rate or self.bounds.rate
        if not await self._rates.hit(_a_second(rate), key.id):
            raise denials.too_often(rate)

    def _tell(self, answer: Outgoing) -> None:
        refused = answer.status >= 400
        if refused:
            metrics.refused(answer.reason)
        if refused or self._all:
            told: dict[str, Any] = {"reason": answer.reason} if refused else {}
            spent = round((time.perf_counter() - answer.began) * 1_000, 3)
            logs.log("refused" if refused else "answered", status=answer.status, milliseconds=spent, **told)


@lru_cache(maxsize=1_024)
def _a_second(rate: int) -> RateLimitItem:
    return RateLimitItemPerSecond(rate)


def _held(scope: Scope) -> Headers:
    """Take the headers by name; of one that comes twice nobody knows which holds, so neither does."""
    held: dict[bytes, bytes] = {}
    for name, value in scope["headers"]:
        held[name] = b"" if name in held else value
    return held


def _route(scope: Scope) -> Route:
    """Find the route that is asked for.

    Raises Denied when there is none, or not by this method.
    """
    found = route_at(scope["path"])
    if found is None:
        raise denials.no_route()
    method, route = found
    if scope["method"] != method and (scope["method"], method) != ("HEAD", "GET"):
        raise denials.wrong_method(method)
    return route


def _again(body: Message, receive: Receive) -> Receive:
    """Give a body that was read once more, and then whatever comes."""
    waiting = [body]

    async def replayed() -> Message:
        return waiting.pop() if waiting else await receive()

    return replayed
