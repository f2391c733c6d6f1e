"""Anything sent to a service, and whether it was answered as promised."""

import json
import math
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import httpx

# What a service may say to something that can't be answered: doesn't fit, too slow, too large, too much, away.
REFUSALS = (400, 408, 413, 415, 429, 503)
# Nobody waits longer for any answer, a refusal included.
MOST_SECONDS = 10.0


@dataclass
class Said:
    """How a batch of questions was answered; what wasn't as promised is told in words."""

    asked: int = 0
    answered: int = 0
    refused: int = 0
    slowest: float = 0.0
    wrong: list[str] = field(default_factory=list)


class Asker:
    """Sends bodies as they are, and checks that each is answered, or refused in a sentence, and in time."""

    def __init__(self, url: str) -> None:
        self._client = httpx.Client(base_url=url, trust_env=False, timeout=6 * MOST_SECONDS)
        self.said = Said()

    def __enter__(self) -> "Asker":
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def ask(
        self, route: str, body: bytes | Iterable[bytes], *, what: str = "", only: Iterable[int] = (200, *REFUSALS)
    ) -> httpx.Response | None:
        """Send a body; note as wrong whatever isn't one of the statuses promised, nor a sentence, nor in time."""
        self.said.asked += 1
        begun = time.monotonic()
        try:
            got = self._client.post(route, content=body, headers={"content-type": "application/json"})
        except httpx.HTTPError as error:
            # A server that has said enough may close before it has heard all.
            self._note(isinstance(error, httpx.ReadError | httpx.WriteError), f"{route} {what}: {error!r}")
            self.said.refused += 1
            return None
        taken = time.monotonic() - begun
        self.said.slowest = max(self.said.slowest, taken)
        self.said.answered += got.status_code == 200
        self.said.refused += got.status_code in REFUSALS
        well = got.status_code in only and taken <= MOST_SECONDS and _sound(got)
        self._note(well, f"{route} {what}: {got.status_code} after {taken:.1f} s, {got.text[:150]}")
        return got

    def _note(self, well: bool, what: str) -> None:
        if not well:
            self.said.wrong.append(what)


def _sound(got: httpx.Response) -> bool:
    """Whether an answer is JSON with finite numbers, and a refusal says why in a sentence."""
    if not got.headers.get("content-type", "").startswith("application/json"):
        return False
    try:
        body = got.json()
    except ValueError:
        return False
    if got.status_code != 200:
        return isinstance(body, dict) and isinstance(body.get("error"), str)
    return all(math.isfinite(one) for one in _numbers(body))


def _numbers(value: object) -> Iterator[float]:
    if isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _numbers(part)
    elif isinstance(value, float):
        yield value


def written(body: object) -> bytes:
    """Write a body as JSON."""
    return json.dumps(body).encode()
