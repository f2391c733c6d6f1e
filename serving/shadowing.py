"""The process in which a challenger decides beside the champion: after each answer, and never in its way.

It reads the decisions that were answered, makes each again by the challenger from the same customer, moment, row and
ledger, and writes down what would have been offered. Nothing is held. Who falls too far behind leaves decisions out.
"""

import logging
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from features.errors import HoldfastError, StoreError
from features.history import History
from features.home import home
from features.shadows import Shadow
from serving.child import end_with_parent
from serving.fitness import checked
from serving.kept_playbooks import deciders
from serving.replay import Replayer
from serving.scorer import Scorer
from serving.shelf import Pick, Shelf

EVERY_SECONDS = 1.0
MOST_BEHIND = 1_000
_AT_ONCE = 200
# Decisions may become visible a little out of their order.
_OVERLAP = 100
_SAID = ("scores", "tier", "next_purchases")
_LOG = logging.getLogger("holdfast")


@dataclass(frozen=True, slots=True)
class Counts:
    """How many decisions were shadowed, left out for want of time, and couldn't be made again."""

    shadowed: int = 0
    left_out: int = 0
    failed: int = 0


class Shadowing:
    """Decides again what was decided, by a challenger; begins after the last that it did, or with the next."""

    def __init__(self, history: History, scorer: Scorer, most_behind: int = MOST_BEHIND) -> None:
        self._history, self._shadows, self._hash = history, history.shadows, scorer.bundle_hash
        self._replayer = Replayer(history, lambda _: scorer, deciders(history), scorer=scorer)
        self._most_behind = most_behind
        last = self._shadows.last(self._hash)
        self._start = self._reached = self._shadows.newest() if last is None else last
        self._failed: set[str] = set()
        self.counts = Counts()

    def step(self) -> int:
        """Shadow the next decisions, and return how many there were."""
        self._catch_up()
        after = max(self._start, self._reached - _OVERLAP)
        found = self._shadows.undone(self._hash, after, _AT_ONCE + _OVERLAP)
        waiting = [one for one in found if one[1] not in self._failed][:_AT_ONCE]
        made = [shadow for shadow in map(self._shadow, [decision for _, decision in waiting]) if shadow]
        written = self._shadows.write(made)
        self.counts = replace(self.counts, shadowed=self.counts.shadowed + written, failed=len(self._failed))
        self._reached = max([self._reached, *(seq for seq, _ in waiting)])
        return len(waiting)

    def _catch_up(self) -> None:
        """Leave out what is too far behind."""
        behind = self._shadows.newest() - self._reached
        if behind > self._most_behind:
            self.counts = replace(self.counts, left_out=self.counts.left_out + behind)
            self._start = self._reached = self._reached + behind

    def _shadow(self, decision: str) -> Shadow | None:
        try:
            made = self._replayer.replay(decision)
        except (HoldfastError, KeyError, ValueError, TypeError) as error:
            self._fail(decision, repr(error))
            return None
        if made.body is None:
            self._fail(decision, "; ".join(made.gone))
            return None
        return Shadow(decision, self._hash, datetime.fromisoformat(made.body["as_of"]), _told(made.body))

    def _fail(self, decision: str, why: str) -> None:
        if not self._failed:
            _LOG.warning("a challenger couldn't decide again, which is only counted from now on: %s", why)
        self._failed.add(decision)


def _told(body: Mapping[str, Any]) -> dict[str, Any]:
    """Keep of a decision what is compared; nothing of it names the customer."""
    offers = [one["offer"] for one in body["offers"]]
    return {name: body[name] for name in _SAID} | {"offers": offers, "version": body["bundle"]["version"]}


def main() -> None:
    """Shadow decisions by the bundle that the arguments name, for as long as the follower lives that started this."""
    end_with_parent()
    place, pick = home(), Pick(*sys.argv[1:])
    shelf = Shelf.of(place)
    try:
        scorer = Scorer(checked(shelf.bundle(pick), pick))
        shadowing = Shadowing(History(place.database_url), scorer)
    except HoldfastError as error:
        _LOG.warning("challenger %s can't decide: %s", pick.version, error)
        sys.exit(1)
    while True:
        try:
            done = shadowing.step()
        except StoreError as error:
            _LOG.warning("challenger %s waits for the store: %s", pick.version, error)
            done = 0
        shelf.count(pick, asdict(shadowing.counts))
        if done < _AT_ONCE:
            time.sleep(EVERY_SECONDS)


if __name__ == "__main__":
    main()
