"""What the gate adds to a request: `python -m benchmarks.gate --json`, beside the same application without it."""

import argparse
import asyncio
import json
import time
from contextlib import closing
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from features.clock import live
from features.history import History
from holdfast.keys import made
from serving.gate import Gate
from serving.keyring import Keyring

_ROUNDS, _AT_ONCE = 200, 100
_BODY = json.dumps({"customer": "household:7", "channel": "phone", "context": {"topic": "complaint"}}).encode()


async def nothing(scope: Any, receive: Any, send: Any) -> None:
    """Read a body, and answer with next to nothing."""
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": b"{}"})


async def _ask(application: Any, headers: list[tuple[bytes, bytes]]) -> None:
    scope = {
        "type": "http", "method": "POST", "path": "/v1/route", "scheme": "http", "client": ("127.0.0.1", 1),
        "headers": [(b"host", b"desk"), (b"content-type", b"application/json"), *headers],
    }  # fmt: skip

    async def receive() -> Any:
        return {"type": "http.request", "body": _BODY, "more_body": False}

    async def send(message: Any) -> None:
        assert message.get("status", 200) == 200

    await application(scope, receive, send)


async def _microseconds(ways: dict[str, tuple[Any, list[tuple[bytes, bytes]]]]) -> dict[str, float]:
    """Time each way in turn, a hundred requests at a time, and take the median of a request.

    In time of the processor, so that whatever else the machine does isn't counted.
    """
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(_ROUNDS):
        for name, (application, headers) in ways.items():
            began = time.thread_time()
            for _ in range(_AT_ONCE):
                await _ask(application, headers)
            taken[name].append((time.thread_time() - began) / _AT_ONCE * 1e6)
            # What a gate's counting leaves to the loop is its cost, too, but not that of the next.
            await asyncio.sleep(0)
    return {name: round(median(each), 1) for name, each in taken.items()}


def measured(folder: Path) -> dict[str, float]:
    """Measure an application alone, open behind the gate, and behind it with a key."""
    with closing(History(f"sqlite:///{folder / 'history.db'}")) as history:
        opened, closed = Keyring(), Keyring()
        opened.follow(history.keys)
        _, text = made(history, "benchmark", "analyst", 10**9, live())
        closed.follow(history.keys)
        key = [(b"authorization", f"Bearer {text}".encode())]
        ways = {
            "no gate": (nothing, []),
            "open": (Gate(nothing, opened), []),
            "with a key": (Gate(nothing, closed), key),
        }
        return asyncio.run(_microseconds(ways))


def main() -> None:
    """Print the medians of a request in microseconds, and what the gate adds."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON for machines")
    as_json = parser.parse_args().json
    with TemporaryDirectory() as folder:
        told = measured(Path(folder))
    adds = {name: round(value - told["no gate"], 1) for name, value in told.items() if name != "no gate"}
    if as_json:
        print(json.dumps({"microseconds": told, "gate_adds": adds}))
        return
    for name, value in told.items():
        print(f"{name:12}{value:8.1f} µs" + (f"   the gate adds {adds[name]:.1f}" if name in adds else ""))


if __name__ == "__main__":
    main()
