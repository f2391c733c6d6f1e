"""What is asked of the service by machines that look after it: is it alive, is it ready, what has it counted."""

from collections.abc import Awaitable, Callable, Collection
from pathlib import Path
from time import perf_counter
from urllib.parse import parse_qs

import anyio.to_thread
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving import metrics, stopping
from serving.health import Watch, as_body

Answer = Callable[[Scope], Awaitable[Response]]


class Counted:
    """ASGI middleware that counts and times requests by route and status, and says goodbye while the worker leaves.

    BentoML counts by whatever path is asked for, so that whoever makes paths up makes metrics, too.
    """

    def __init__(self, app: ASGIApp, routes: Collection[str], watch: Watch) -> None:
        self.app = app
        self._routes = frozenset(routes)
        self._watch = watch

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on, and count requests."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began, status = perf_counter(), 500

        async def counted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                if self._watch.leaving:
                    message = {**message, "headers": [*message.get("headers", ()), (b"connection", b"close")]}
            await send(message)

        metrics.IN_PROGRESS.inc()
        try:
            await self.app(scope, receive, counted)
        finally:
            metrics.IN_PROGRESS.dec()
            endpoint = scope["path"] if scope["path"] in self._routes else metrics.OTHER
            metrics.answered(endpoint, status, perf_counter() - began)


class Probes:
    """ASGI middleware that answers probes and gives the metrics; once the application has started, it may be ready.

    `/healthz` and `/livez`: the worker's loop turns, which this answer shows. `/readyz`: ask this one; with
    `?degraded=true`, even where it has nothing but safe answers to give.
    """

    def __init__(self, app: ASGIApp, watch: Watch, beside: Callable[[], Path]) -> None:
        self.app = app
        self._watch = watch
        self._beside = beside
        self._answers: dict[str, Answer] = {
            "/healthz": self._alive, "/livez": self._alive, "/readyz": self._ready, "/metrics": self._metrics,
        }  # fmt: skip

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer what is ours, and pass everything else on."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, self._told_of(send))
        elif scope["type"] == "http" and scope["method"] in ("GET", "HEAD") and scope["path"] in self._answers:
            answer = await self._answers[scope["path"]](scope)
            await answer(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    def _told_of(self, send: Send) -> Send:
        async def started(message: Message) -> None:
            if message["type"] == "lifespan.startup.complete":
                metrics.take_room()
                stopping.prepare(self._watch)
                self._watch.started()
            await send(message)

        return started

    async def _alive(self, _scope: Scope) -> Response:
        return JSONResponse({"alive": True})

    async def _ready(self, scope: Scope) -> Response:
        degraded = parse_qs(scope["query_string"].decode("latin-1")).get("degraded") == ["true"]
        body = as_body(self._watch, degraded)
        return JSONResponse(body, 200 if body["ready"] else 503)

    async def _metrics(self, _scope: Scope) -> Response:
        content = await anyio.to_thread.run_sync(metrics.exposition, self._left_beside)
        return Response(content, media_type=metrics.CONTENT_TYPE)

    def _left_beside(self) -> bytes:
        try:
            return self._beside().read_bytes()
        except OSError:
            return b""
