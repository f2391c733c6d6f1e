"""A real service under mixed load for a while: memory flat, nothing refused, no slower: `python -m benchmarks.soak`.

Two workers on SQLite, the home of some real households and of copies of them, more than a worker keeps; known and new
customers, decisions with their outcomes, interactions, look-ups, routes and visits. Everybody is asked about before,
and then, in a burst, all of the mixture as fast as it is answered, so that what is kept is full and the heap as large
as it gets; after the soak comes a second burst. The memory of each worker is told as the slope of the soak's last two
thirds, and, since what is free in the heap may hide what leaks, as what it grew by from burst to burst.
"""

import random
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import numpy as np
import psutil  # type: ignore[import-untyped]

from benchmarks.faults.served import Place, Running, aside, customers_of, running, trained
from benchmarks.report import Row, options, say
from benchmarks.timing import against, none, quantile
from features.cache import MOST_EVENTS
from features.clock import live

# A worker of 300 MB would take more than a day to double.
_MOST_MB_A_MINUTE = 0.2
_MOST_DRIFT, _CALLERS, _SAMPLE_SECONDS, _BLOCKS = 1.5, 4, 5.0, 20
_MB = 2**20
_CONNECTIONS, _A_CONNECTION = 8, 50


@dataclass
class Watched:
    """What was seen of a service: the moment (s) and milliseconds of each answer by route, statuses, and memory.

    Memory is in MB, at minutes, by worker.
    """

    answers: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    statuses: Counter[str] = field(default_factory=Counter)
    memory: dict[int, list[tuple[float, float]]] = field(default_factory=dict)
    log_bytes: int = 0


def main() -> None:
    """Run the soak, and print its rows."""
    parser = options(__doc__ or "")
    parser.add_argument("--minutes", type=float, default=30.0, help="how long")
    parser.add_argument("--rate", type=float, default=20.0, help="requests a second")
    parser.add_argument("--burst", type=float, default=5.0, help="minutes before and after, as fast as it is answered")
    parser.add_argument("--households", type=int, default=120, help="real households in the store")
    told = parser.parse_args()
    with TemporaryDirectory() as folder, ExitStack() as stack, aside():
        place = trained(Path(folder), told.households)
        multiply(place)
        service = stack.enter_context(running(place))
        customers = customers_of(place)
        fill(service, customers)
        first = soak(service, customers, told.burst * 60, inf, 0)
        watched = soak(service, customers, told.minutes * 60, told.rate, 1)
        second = soak(service, customers, told.burst * 60, inf, 2)
    watched.statuses += first.statuses + second.statuses
    found = [*rows(watched), *peaks(first, second, told.minutes + told.burst)]
    say(f"A soak of {told.minutes:g} minutes at {told.rate:g} requests a second", found, told.json)


def multiply(place: Place, most: int = MOST_EVENTS) -> None:
    """Copy everybody's events to others, until there are more than a worker keeps."""
    with closing(sqlite3.connect(place.home.database_url.removeprefix("sqlite:///"))) as store:
        named = [row[1] for row in store.execute("PRAGMA table_info(events)")]
        same = ", ".join(f'"{name}"' for name in named if name not in ("seq", "id", "reference"))
        (count,) = store.execute("SELECT count(*) FROM events").fetchone()
        for copy in range(1, most // count + 2):
            suffix = {"suffix": f".{copy}"}
            store.execute(_COPIED_EVENTS.format(same=same), suffix)
            store.execute(_COPIED_REFERENCES, suffix)
        store.commit()


_COPIED_EVENTS = """
    INSERT INTO events (id, reference, {same}) SELECT id || :suffix, reference || :suffix, {same} FROM events
    WHERE reference NOT LIKE '%.%'
"""
_COPIED_REFERENCES = """
    INSERT INTO "references" (reference, value) SELECT reference || :suffix, value || :suffix FROM "references"
    WHERE reference NOT LIKE '%.%'
"""


def fill(service: Running, customers: Sequence[str]) -> None:
    """Have every worker keep as many customers as it may: over connections, each of which stays with one of them."""

    def ask(_: int) -> None:
        with httpx.Client(base_url=service.url, trust_env=False, timeout=30.0) as client:
            for customer in customers:
                client.post("/v1/route", json={"customer": customer, "channel": "phone"}).raise_for_status()

    with ThreadPoolExecutor(_CONNECTIONS) as at_once:
        list(at_once.map(ask, range(_CONNECTIONS)))


def soak(service: Running, customers: Sequence[str], seconds: float, rate: float, phase: int) -> Watched:
    """Ask a service for some seconds at some rate, or at none in particular, and watch its workers.

    In another phase other things are asked.
    """
    watched, ended = Watched(), threading.Event()
    began = time.monotonic()
    team = [
        threading.Thread(target=_ask, args=(service.url, customers, watched, ended, began, rate / _CALLERS, seed))
        for seed in range(phase * _CALLERS, (phase + 1) * _CALLERS)
    ]
    for one in team:
        one.start()
    workers = service.processes()
    log = Path(service.place.home.database_url.removeprefix("sqlite:///") + "-wal")
    while (passed := time.monotonic() - began) < seconds:
        for worker in workers:
            watched.memory.setdefault(worker.pid, []).append((passed / 60, _held(worker)))
        watched.log_bytes = max(watched.log_bytes, log.stat().st_size if log.exists() else 0)
        time.sleep(min(_SAMPLE_SECONDS, seconds - passed))
    ended.set()
    for one in team:
        one.join()
    watched.statuses["worker ended"] = sum(not one.is_running() for one in workers)
    return watched


def rows(watched: Watched) -> list[Row]:
    """Tell of memory, of errors, of time taken, and of the store's log."""
    found = [_flat(place, samples) for place, samples in enumerate(watched.memory.values(), start=1)]
    held = [samples[-1][1] for samples in watched.memory.values()]
    found += [against("memory of the largest worker at the end, MB", max(held), 350, None)]
    total, well = sum(watched.statuses.values()), watched.statuses["200"]
    found += [none(f"requests not answered with 200, of {total:,}", total - well)]
    for route, answers in watched.answers.items():
        early, late = (_third(answers, part) for part in (0, 2))
        what = f"{route}: median of the last third against the first, ms ({len(answers):,} asked;"
        what += f" 99th percentile {quantile((one for _, one in answers), 0.99):.0f})"
        found += [against(what, median(late), median(early), _MOST_DRIFT)]
    return [*found, against("the log before the file, at its largest, MB", watched.log_bytes / _MB, 32, 2)]


def slope(samples: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Fit a line to the means of blocks of samples; the slope, and half of its 95 % interval.

    Means of blocks, since what a worker holds now is much like what it held a moment before.
    """
    blocks = [np.mean(part, axis=0) for part in np.array_split(np.asarray(samples), min(_BLOCKS, len(samples)))]
    at, held = np.array(blocks).T
    fitted, covariance = np.polyfit(at, held, 1, cov=True)
    return float(fitted[0]), float(1.96 * np.sqrt(covariance[0, 0]))


def peaks(first: Watched, second: Watched, minutes: float) -> list[Row]:
    """Tell by how much each worker grew from the end of one burst to that of another, so many minutes later."""
    found = []
    for place, (worker, samples) in enumerate(first.memory.items(), start=1):
        fresh, one, two = samples[0][1], _end(samples), _end(second.memory[worker])
        grown = (two - one) / minutes
        what = f"memory of worker {place}, MB a minute from burst to burst ({fresh:.0f} MB once everybody was asked"
        what += f" about, {one:.0f} after the first, {two:.0f} after the second)"
        found.append(Row(what, grown, 0.0, grown, f"<= {_MOST_MB_A_MINUTE}", grown <= _MOST_MB_A_MINUTE))
    return found


def _end(samples: Sequence[tuple[float, float]]) -> float:
    return float(np.mean([held for _, held in samples[-3:]]))


def _flat(place: int, samples: Sequence[tuple[float, float]]) -> Row:
    last = samples[len(samples) // 3 :]
    grown, wide = slope(last)
    what = f"memory of worker {place}, MB a minute over the last two thirds, upper end"
    what += f" ({grown:+.3f} ± {wide:.3f}; {last[0][1]:.0f} MB then, {last[-1][1]:.0f} at the end)"
    return Row(what, grown + wide, 0.0, grown + wide, f"<= {_MOST_MB_A_MINUTE}", grown + wide <= _MOST_MB_A_MINUTE)


def _third(answers: Sequence[tuple[float, float]], part: int) -> list[float]:
    size = max(1, len(answers) // 3)
    return [taken for _, taken in sorted(answers)[part * size : (part + 1) * size]]


def _held(worker: psutil.Process) -> float:
    """Tell what a worker alone holds, in MB: what it shares with its like doesn't grow."""
    return float(worker.memory_full_info().uss) / _MB


def _ask(
    url: str, customers: Sequence[str], watched: Watched, ended: threading.Event, began: float, rate: float, seed: int
) -> None:
    """Ask at a pace until told to stop; a request that comes late isn't made up for.

    Over a new connection now and then: each stays with one worker, and all are to work.
    """
    dice, number = random.Random(seed), 0
    while not ended.is_set():
        with httpx.Client(base_url=url, trust_env=False, timeout=30.0) as client:
            for _ in range(_A_CONNECTION):
                if ended.wait(dice.expovariate(rate)):
                    return
                number += 1
                _exchange(client, watched, began, dice, _question(dice, customers, f"{seed}-{number}"))


def _exchange(
    client: httpx.Client, watched: Watched, began: float, dice: random.Random, question: tuple[str, dict[str, Any]]
) -> None:
    """Ask, and tell what came of what was offered."""
    route, body = question
    said = _asked(client, watched, began, route, body)
    if said is not None and route == "/v1/decisions":
        for offer in said["offers"][:1]:
            report = {"decision_id": said["decision_id"], "offer": offer["offer"]}
            _asked(client, watched, began, "/v1/outcomes", report | {"status": dice.choice(_STATUSES)})


def _asked(client: httpx.Client, watched: Watched, began: float, route: str, body: dict[str, Any]) -> Any:
    start = time.monotonic()
    try:
        said = client.post(route, json=body)
    except httpx.HTTPError as error:
        watched.statuses[type(error).__name__] += 1
        return None
    taken = 1000 * (time.monotonic() - start)
    watched.answers.setdefault(route, []).append((start - began, taken))
    good = said.status_code == 200 and not said.json().get("degraded")
    watched.statuses["200" if good else f"{said.status_code} {said.text[:100]}"] += 1
    return said.json() if good else None


_STATUSES = ("presented", "accepted", "declined", "not_presented")
_CHANNELS = ("phone", "web", "store", "app")
# So many that what is kept of them is full within the first third.
_TOPICS = 1_000


def _question(dice: random.Random, customers: Sequence[str], name: str) -> tuple[str, dict[str, Any]]:
    """Choose what to ask: half of it decisions, a tenth of it about somebody who was never heard of."""
    customer = dice.choice(customers) if dice.random() < 0.9 else f"household:new-{name}"
    channel, topic = dice.choice(_CHANNELS), f"topic {dice.randrange(_TOPICS)}"
    makes: list[Callable[[], tuple[str, dict[str, Any]]]] = [
        lambda: ("/v1/decisions", {"customer": customer, "channel": channel, "context": {"topic": topic}}),
        lambda: ("/v1/interactions", _happened(dice, customer, channel, name)),
        lambda: ("/v1/customers/lookup", {"customer": customer}),
        lambda: ("/v1/route", {"customer": customer, "channel": channel, "intent": "cancel"}),
        lambda: ("/v1/visits/prioritise", _visits(dice, customers)),
    ]
    (make,) = dice.choices(makes, (5, 2, 1, 1.5, 0.5))
    return make()


def _happened(dice: random.Random, customer: str, channel: str, name: str) -> dict[str, Any]:
    told = {"event_id": name, "customer": customer, "channel": channel, "occurred_at": live().isoformat()}
    kind = dice.choice(("purchase", "inquiry", "complaint", "contact"))
    return told | {"kind": kind, "product": str(dice.randrange(10**6)), "amount": 1.5, "body": {"note": name}}


def _visits(dice: random.Random, customers: Sequence[str]) -> dict[str, Any]:
    return {"visits": [{"visit_id": str(n), "customer": dice.choice(customers)} for n in range(20)]}


if __name__ == "__main__":
    main()
