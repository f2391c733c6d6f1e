"""The process in which a challenger decides beside the champion: after each answer, and never in its way.

It reads the decisions that were answered, makes each again by the challenger from the same customer, moment, row and
ledger, and tells what would have been offered. Nothing is held. Who falls too far behind leaves decisions out.
"""

import os
import sys
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

import orjson

from features.errors import HoldfastError, StoreError
from features.history import History
from features.home import home
from features.shadows import Shadow
from serving import logs
from serving.child import end_with_parent
from serving.cores import spread
from serving.fitness import checked
from serving.kept_playbooks import deciders
from serving.logs import log
from serving.replay import Replayer
from serving.scorer import Scorer
from serving.shelf import Pick, Shelf

EVERY_SECONDS = 1.0
MOST_BEHIND = 1_000
_AT_ONCE = 50
# Decisions may become visible, and shadows be written, a little out of their order.
_OVERLAP = 200
# Whoever answers goes first.
_NICE = 19
_SCORES = ("churn_risk", "churn_rank", "expected_value", "value_low", "value_high", "value_rank")


@dataclass(frozen=True, slots=True)
class Counts:
    """How many decisions were shadowed, left out for want of time, and couldn't be made again."""

    shadowed: int = 0
    left_out: int = 0
    failed: int = 0


class Shadowing:
    """Decides again what was decided, by a challenger; begins after the last that it did, or with the next."""

    def __init__(self, history: History, scorer: Scorer, most_behind: int = MOST_BEHIND) -> None:
        self._shadows, self._hash = history.shadows, scorer.bundle_hash
        self._replayer = Replayer(history, lambda _: scorer, deciders(history), scorer=scorer)
        self._most_behind = most_behind
        last = self._shadows.last(self._hash)
        self._start = self._reached = self._shadows.newest() if last is None else last
        self._seen: deque[str] = deque(maxlen=_OVERLAP)
        self.counts = Counts()

    def step(self) -> list[Shadow]:
        """Shadow the next decisions."""
        self._catch_up()
        after = max(self._start, self._reached - _OVERLAP)
        found = self._shadows.undone(self._hash, after, _OVERLAP + _AT_ONCE)
        waiting = [one for one in found if one[1] not in self._seen][:_AT_ONCE]
        made = [shadow for shadow in map(self._shadow, [decision for _, decision in waiting]) if shadow]
        self._seen.extend(decision for _, decision in waiting)
        self._reached = max([self._reached, *(seq for seq, _ in waiting)])
        self.counts = replace(self.counts, shadowed=self.counts.shadowed + len(made))
        return made

    def _catch_up(self) -> None:
        """Leave out what is too far behind."""
        behind = self._shadows.newest() - self._reached
        if behind > self._most_behind:
            self.counts = replace(self.counts, left_out=self.counts.left_out + behind)
            self._start = self._reached = self._reached + behind

    def _shadow(self, decision: str) -> Shadow | None:
        try:
            made = self._replayer.replay(decision)
            if made.body is not None:
                return Shadow(decision, self._hash, datetime.fromisoformat(made.body["as_of"]), _told(made.body))
            fault: Exception | None = None
        except Exception as error:
            # It is the first after each start, so one that ended this process would end all that follow.
            fault = error
        if not self.counts.failed:
            log("shadow_failed", "warning", fault)
        self.counts = replace(self.counts, failed=self.counts.failed + 1)
        return None


def _told(body: Mapping[str, Any]) -> dict[str, Any]:
    """Keep of a decision what is compared; nothing of it names the customer."""
    return {
        "version": body["bundle"]["version"],
        "scores": {name: body["scores"][name] for name in _SCORES},
        "tier": body["tier"],
        "next_purchases": [{"item": one["item"]} for one in body["next_purchases"]],
        "offers": [{"offer": one["offer"]} for one in body["offers"]],
    }


def main() -> None:
    """Shadow decisions by the bundle that the arguments name, and tell them to the follower that started this.

    It is the follower that writes them down: who gives way to everybody must not hold the store meanwhile.
    """
    end_with_parent()
    spread()
    logs.begin()
    os.nice(_NICE)
    place, pick = home(), Pick(*sys.argv[1:])
    try:
        scorer = Scorer(checked(Shelf.of(place).bundle(pick), pick))
        shadowing = Shadowing(History(place.database_url), scorer)
    except HoldfastError as error:
        log("challenger_unfit", "warning", error, bundle=pick.version)
        sys.exit(1)
    while True:
        try:
            made = shadowing.step()
        except StoreError as error:
            log("challenger_waits", "warning", error, bundle=pick.version)
            made = []
        said = {"counts": asdict(shadowing.counts), "shadows": [asdict(one) for one in made]}
        sys.stdout.buffer.write(orjson.dumps(said) + b"\n")
        sys.stdout.buffer.flush()
        if len(made) < _AT_ONCE:
            time.sleep(EVERY_SECONDS)


if __name__ == "__main__":
    main()
