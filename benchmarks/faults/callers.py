"""Callers who ask a service without end, keep a journal of what they were answered, and tell again what wasn't."""

import random
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

CHANNELS = ("store", "web", "app", "phone", "chat", "field")
STATUSES = ("presented", "accepted", "declined", "interested", "not_presented")
# What may be said instead of an answer: come back later, you took too long, the store is away.
LATER = (408, 429, 503)
_AGAIN_SECONDS, _PATIENCE_SECONDS = 0.05, 30.0


@dataclass
class Journal:
    """What callers were answered, what they were told instead, and when each answer came (`time.monotonic`)."""

    decisions: dict[str, str] = field(default_factory=dict)
    outcomes: set[tuple[str, str, str]] = field(default_factory=set)
    interactions: set[str] = field(default_factory=set)
    degraded: int = 0
    refused: int = 0
    unreached: int = 0
    retold: int = 0
    wrong: list[str] = field(default_factory=list)
    moments: list[float] = field(default_factory=list)

    @property
    def answered(self) -> int:
        """How many requests were answered in full."""
        return len(self.decisions) + len(self.outcomes) + len(self.interactions)

    def next_after(self, moment: float) -> float:
        """Seconds from a moment to the next answer; infinite where none came."""
        return min((one for one in self.moments if one > moment), default=float("inf")) - moment


class Caller(threading.Thread):
    """One caller: asks, tells what came of what was offered, and tells of other things, over and over."""

    def __init__(
        self, url: str, customers: Sequence[str], journal: Journal, stopped: threading.Event, seed: int
    ) -> None:
        super().__init__(name=f"caller-{seed}")
        self._client = httpx.Client(base_url=url, trust_env=False, timeout=_PATIENCE_SECONDS)
        self._customers, self._journal, self._stopped = customers, journal, stopped
        self._dice = random.Random(seed)
        self._seed = seed

    def run(self) -> None:
        """Work until told to stop; what was begun is told to its end."""
        number = 0
        while not self._stopped.is_set():
            number += 1
            self._decide()
            if number % 3 == 0:
                self._happen(f"{self._seed}-{number}")
        self._client.close()

    def _decide(self) -> None:
        customer, channel = self._dice.choice(self._customers), self._dice.choice(CHANNELS)
        said = self._ask("/v1/decisions", {"customer": customer, "channel": channel, "offers": 3})
        if said is None:
            return
        body = said.json()
        if body.get("degraded"):
            self._journal.degraded += 1
            return
        self._journal.decisions[body["decision_id"]] = said.text
        for offer in body["offers"]:
            self._tell(body["decision_id"], offer["offer"], self._dice.choice(STATUSES))

    def _tell(self, decision: str, offer: str, status: str) -> None:
        report = {"decision_id": decision, "offer": offer, "status": status}
        if self._until_taken("/v1/outcomes", report):
            self._journal.outcomes.add((decision, offer, status))

    def _happen(self, name: str) -> None:
        told = {"event_id": name, "customer": self._dice.choice(self._customers), "kind": "inquiry"}
        told |= {"occurred_at": "2026-01-01T09:00:00+00:00", "source": "faults"}
        if self._until_taken("/v1/interactions", told):
            self._journal.interactions.add(name)

    def _until_taken(self, route: str, body: dict[str, Any]) -> bool:
        """Tell something until it is taken: telling it twice changes nothing."""
        until = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < until:
            if self._ask(route, body) is not None:
                return True
            self._journal.retold += 1
        return False

    def _ask(self, route: str, body: dict[str, Any]) -> httpx.Response | None:
        """Ask once; None where the answer is to come back later, or none."""
        try:
            said = self._client.post(route, json=body)
        except httpx.HTTPError:
            self._journal.unreached += 1
            time.sleep(_AGAIN_SECONDS)
            return None
        if said.status_code == 200:
            self._journal.moments.append(time.monotonic())
            return said
        if said.status_code in LATER:
            self._journal.refused += 1
        else:
            self._journal.wrong.append(f"{route} {said.status_code}: {said.text[:200]}")
        time.sleep(_AGAIN_SECONDS)
        return None


@contextmanager
def calling(url: str, customers: Sequence[str], callers: int = 4, seed: int = 0) -> Iterator[Journal]:
    """Keep callers at a service for as long as the block, and until they have told what they had begun."""
    journal, stopped = Journal(), threading.Event()
    team = [Caller(url, customers, journal, stopped, 1_000 * seed + number) for number in range(callers)]
    for one in team:
        one.start()
    try:
        yield journal
    finally:
        stopped.set()
        for one in team:
            one.join()
