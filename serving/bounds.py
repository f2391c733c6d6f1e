"""How much is taken of a request, and in what time: bodies are read whole here, before anybody works on them."""

import asyncio
import os
from dataclasses import dataclass

from starlette.types import Message, Receive

from features.errors import InputError
from serving.denials import too_large, too_slow


@dataclass(frozen=True, slots=True)
class Bounds:
    """The bounds of every request: bytes of a body, seconds until it is here, and requests a second of one key.

    `largest` bounds a list of many; whatever speaks of one alone is bounded by `one`, too.
    """

    largest: int = 8 * 2**20
    request_seconds: float = 10.0
    rate: int = 100
    one: int = 256 * 2**10

    def of(self, many: bool) -> int:
        """Tell how many bytes a route takes."""
        return self.largest if many else min(self.largest, self.one)


def bounds() -> Bounds:
    """Read the environment: `HOLDFAST_LARGEST_BODY`, `HOLDFAST_REQUEST_SECONDS`, `HOLDFAST_RATE`.

    Raises InputError when one isn't a whole number.
    """
    return Bounds(
        _number("HOLDFAST_LARGEST_BODY", Bounds().largest),
        _number("HOLDFAST_REQUEST_SECONDS", int(Bounds().request_seconds)),
        _number("HOLDFAST_RATE", Bounds().rate),
    )


def _number(name: str, default: int) -> int:
    said = os.environ.get(name, "") or str(default)
    if not (said.isascii() and said.isdigit() and int(said)):
        raise InputError(f"expected {name} to be a whole number of at least 1, found {said!r}")
    return int(said)


async def whole(receive: Receive, declared: bytes | None, largest: int, seconds: float) -> Message | None:
    """Read a body to its end as one message; None when the caller has gone.

    Raises Denied when it is too large, by what it declares or by what comes, or takes too long.
    """
    if declared is not None and not (declared.isdigit() and len(declared) < 16 and int(declared) <= largest):
        raise too_large(largest)
    try:
        async with asyncio.timeout(seconds):
            return await _read(receive, largest)
    except TimeoutError as error:
        raise too_slow(seconds) from error


async def _read(receive: Receive, largest: int) -> Message | None:
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body"):
        _check(len(message.get("body", b"")), largest)
        return message
    parts, size = list[bytes](), 0
    while message["type"] == "http.request":
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        _check(size, largest)
        if not message.get("more_body"):
            return {"type": "http.request", "body": b"".join(parts), "more_body": False}
        message = await receive()
    return None


def _check(size: int, largest: int) -> None:
    if size > largest:
        raise too_large(largest)
