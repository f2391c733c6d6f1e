"""Make a logged decision again from what was known then: the same answer bit for bit, or which input is gone."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from features.contract import CONTRACT
from features.errors import InputError
from features.history import History, State
from features.identity import canonical
from features.packed import pack
from features.responses import Responses
from serving.body import as_text
from serving.callers import Caller
from serving.decision import FORMAT, Bundle, Decider, Known, unscored
from serving.degradation import Degraded
from serving.requests import Ask
from serving.scorer import Scorer
from serving.situation import known_events

# The form before this one, of which every decision had all that it needed.
_WITHOUT_DEGRADED = 3


@dataclass(frozen=True)
class Replayed:
    """What became of a decision that was made again.

    `gone` names the inputs that aren't there any more, and then nothing was made; else `body` is the decision as it
    comes out now, `same` tells whether it is the logged one to the last letter, and `differences` where not, each as
    (place, then, now).
    """

    decision: str
    logged: Mapping[str, Any]
    gone: tuple[str, ...] = ()
    body: Mapping[str, Any] | None = None
    same: bool = False
    differences: tuple[tuple[str, Any, Any], ...] = ()


class Replayer:
    """Replays decisions of one history.

    `scorer_of` finds a bundle by its hash and `decider_of` a playbook by its, None when it is gone. Where `scorer` or
    `decider` is given, past decisions are made by it instead: what would have been decided under another bundle or
    another playbook.
    """

    def __init__(
        self,
        history: History,
        scorer_of: Callable[[str], Scorer | None],
        decider_of: Callable[[str], Decider | None],
        scorer: Scorer | None = None,
        decider: Decider | None = None,
    ) -> None:
        self._history = history
        self._scorer_of, self._decider_of = scorer_of, decider_of
        self._scorer, self._decider = scorer, decider
        self._counted = Responses()

    def replay(self, decision_id: str) -> Replayed:
        """Make a decision again.

        Raises InputError when nobody made it.
        """
        text = self._history.decisions.body(decision_id)
        if text is None and (at := self._history.decisions.erased_at(decision_id)):
            return Replayed(decision_id, {}, (f"the customer: everything of them was erased on {at:%Y-%m-%d}",))
        if text is None:
            raise InputError(f"expected the id of a decision, found {decision_id!r}, which nobody made")
        logged = orjson.loads(text)
        if gone := tuple(self._outdated(logged)):
            return Replayed(decision_id, logged, gone)
        scorer = self._scorer or self._scorer_of(logged["bundle"]["hash"])
        decider = self._decider or self._decider_of(logged["playbook"]["hash"])
        if gone := tuple(_missing(logged, scorer, decider)):
            return Replayed(decision_id, logged, gone)
        assert scorer is not None and decider is not None  # noqa: PT018 - for the type checker
        body = self._made(logged, scorer, decider)
        again = as_text(body)
        differences = () if again == text else tuple(_differences("", logged, orjson.loads(again)))
        return Replayed(decision_id, logged, (), body, again == text, differences)

    def _outdated(self, logged: Mapping[str, Any]) -> Iterator[str]:
        """Name what of a decision this Holdfast, or this history, can't go back to."""
        inputs = logged.get("inputs", {})
        if inputs.get("format") not in (_WITHOUT_DEGRADED, FORMAT):
            yield f"the program: it was written in form {inputs.get('format', 1)}, and this one writes form {FORMAT}"
            return
        if logged["row"]["contract"] != CONTRACT.definitions and self._scorer is None:
            found = logged["row"]["contract"][:12]
            yield f"the features: they were defined as contract {found}, now it is {CONTRACT.definitions[:12]}"
        references = self._history.references_of(logged["reference"], datetime.fromisoformat(logged["as_of"]))
        catalogue = self._history.state_of(references).catalogue
        yield from self._taken_out(logged, references)
        if logged["found"] and inputs["catalogue"] != catalogue:
            yield f"the catalogue: it was revision {inputs['catalogue']}, now it is {catalogue}, and keeps no past"

    def _taken_out(self, logged: Mapping[str, Any], references: set[str]) -> Iterator[str]:
        """Say how many of the events that a decision rested on aren't kept any more."""
        as_of, inputs = datetime.fromisoformat(logged["as_of"]), logged["inputs"]
        if not logged["found"] or not self._history.expiry.told_since(as_of):
            return
        events = pack(self._history.of_customer(references, as_of, inputs["events"]), as_of)
        before, now = logged["ages"]["events"], known_events(events)
        if now < before:
            yield f"what was known: of {before:,} events {before - now:,} aren't kept any more"

    def _made(self, logged: Mapping[str, Any], scorer: Scorer, decider: Decider) -> dict[str, Any]:
        as_of, inputs = datetime.fromisoformat(logged["as_of"]), logged["inputs"]
        caller = self._caller(logged, as_of)
        rows = self._history.of_customer(caller.references, as_of, inputs["events"]) if caller.known else []
        events = pack(rows, as_of)
        if inputs["ranked_as_of"] is not None:
            scorer.recall(events, datetime.fromisoformat(inputs["ranked_as_of"]))
        state, degraded = State(inputs["catalogue"], inputs["events"]), Degraded.read(logged.get("degraded"))
        if degraded:
            decider, known = decider.of_owed, unscored(scorer.default, caller, events, state, as_of, degraded)
        else:
            scores, row = scorer.score(events, as_of)
            known = Known(caller, events, row, scores, state)
        window = decider.policy.approach.window(as_of, known.scores.tier)
        ledger = self._history.decisions.ledger_then(caller.references, window, inputs["ledger"])
        ask = Ask(
            customer=logged["reference"], channel=logged["channel"], context=logged["context"],
            offers=logged["requested_offers"], language=logged["language"], outbound=logged["outbound"],
        )  # fmt: skip
        bundle = Bundle(scorer.bundle_version, scorer.bundle_hash, scorer.bundle.basis)
        learned = decider.learned(scorer.bundle.effects, self._responses(inputs["responses"]))
        body = decider.decide(logged["decision_id"], ask, logged["language"], known, bundle, ledger, learned).body
        return _without_degraded(body) if inputs["format"] == _WITHOUT_DEGRADED else body

    def _responses(self, seq: int) -> Responses:
        """Count what had come of offers by a row; mostly decisions are replayed in order, and the last count serves."""
        held = self._counted if self._counted.seq <= seq else Responses()
        self._counted = self._history.decisions.responses(held, seq)
        return self._counted

    def _caller(self, logged: Mapping[str, Any], as_of: datetime) -> Caller:
        reference = str(logged["reference"])
        if not logged["found"]:
            return Caller(reference, reference, False, (reference,))
        references = self._history.references_of(reference, as_of)
        return Caller(reference, canonical(references), True, tuple(sorted(references)))


def _without_degraded(body: dict[str, Any]) -> dict[str, Any]:
    inputs = body["inputs"] | {"format": _WITHOUT_DEGRADED}
    return {name: inputs if name == "inputs" else value for name, value in body.items() if name != "degraded"}


def _missing(logged: Mapping[str, Any], scorer: Scorer | None, decider: Decider | None) -> Iterator[str]:
    if scorer is None:
        bundle = logged["bundle"]
        yield f"the bundle: version {bundle['version']} with hash {bundle['hash'][:12]} isn't in the registry"
    if decider is None:
        yield f"the playbook: none with hash {logged['playbook']['hash'][:12]} is kept in the store"


def _differences(place: str, then: Any, now: Any) -> Iterator[tuple[str, Any, Any]]:
    """Go through the places where two JSON values differ, the deepest that can be named."""
    if isinstance(then, dict) and isinstance(now, dict):
        for name in dict.fromkeys([*then, *now]):
            yield from _differences(f"{place}.{name}".removeprefix("."), then.get(name), now.get(name))
    elif isinstance(then, list) and isinstance(now, list) and len(then) == len(now):
        for number, (one, other) in enumerate(zip(then, now, strict=True)):
            yield from _differences(f"{place}[{number}]", one, other)
    elif then != now:
        yield place, then, now
