"""Consistency in life: the rows that decisions rested on, against what batch makes of the same moments today."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from typing import Literal

import numpy as np
import polars as pl

from features.contract import CONTRACT, row_of, rows_of
from features.definitions import BY_NAME
from features.feature import Array
from features.history import History
from features.known import Known
from features.packed import pack

Cause = Literal["executors", "history"]
# What is known of their customers is read for so many decisions at once: a read brings the catalogue along.
_READ_TOGETHER = 100
_EXAMPLES = 3
_CLOSE = np.array([0.0 if BY_NAME[name].unit == "count" else 1e-9 for name in CONTRACT.names])


@dataclass(frozen=True)
class Differing:
    """One decision whose row isn't what batch computes.

    The cause is "executors" when batch and online disagree today, too; it is "history" when they agree, so that the
    decision rested on other events, links or products than are known of its moment today. `features` has each
    differing feature's difference relative to the larger of both, or None where one side alone is unknown.
    """

    decision: str
    cause: Cause
    features: dict[str, float | None]


@dataclass(frozen=True)
class Difference:
    """One feature that differs: in how many decisions, by how much at most, and in which, for example.

    `largest` is relative, and None when in each of them one side is unknown; `one_sided` counts those.
    """

    feature: str
    decisions: int
    largest: float | None
    one_sided: int
    examples: tuple[str, ...]


@dataclass(frozen=True)
class Consistency:
    """What became of a sample: decisions logged in all, compared, made under another contract, and differing."""

    logged: int
    compared: int
    other_contract: int
    differing: tuple[Differing, ...]

    def differences(self, cause: Cause) -> tuple[Difference, ...]:
        """Gather the differences of one cause by feature, those of most decisions first."""
        of_cause = [one for one in self.differing if one.cause == cause]
        names = dict.fromkeys(name for one in of_cause for name in one.features)
        found = (_gathered(name, [one for one in of_cause if name in one.features]) for name in names)
        return tuple(sorted(found, key=lambda one: (-one.decisions, one.feature)))


@dataclass(frozen=True)
class _Logged:
    id: str
    customer: str
    references: frozenset[str]
    as_of: datetime
    contract: str
    values: Array


def differences(logged: Array, recomputed: Array) -> dict[str, float | None]:
    """Name the features in which two rows differ, each with its difference relative to the larger of both.

    Counts must be equal and all else within 1e-9; unknown (NaN) equals unknown, and against a number gives None.
    """
    size = np.maximum(np.abs(logged), np.abs(recomputed))
    relative = np.divide(np.abs(logged - recomputed), size, out=np.zeros_like(size), where=size > 0)
    one_sided = np.isnan(logged) != np.isnan(recomputed)
    places = np.flatnonzero(one_sided | (relative > _CLOSE))
    return {CONTRACT.names[place]: None if one_sided[place] else float(relative[place]) for place in places}


def check(
    history: History, sample: int, seed: int, since: datetime | None, on_progress: Callable[[int, int], None]
) -> Consistency:
    """Recompute in batch the rows of logged decisions, drawn at random by a seed, as was known at their moments.

    `since` leaves out decisions of earlier moments; `on_progress` is told how many are done, and of how many.
    """
    ids = history.decisions.ids()
    chosen = islice(_logged(history, random.Random(seed).sample(ids, len(ids)), since), sample)
    seen, compared, differing = 0, 0, list[Differing]()
    while together := list(islice(chosen, _READ_TOGETHER)):
        comparable = [one for one in together if one.contract == CONTRACT.definitions]
        differing += _differing(history, comparable)
        seen, compared = seen + len(together), compared + len(comparable)
        on_progress(seen, min(sample, len(ids)))
    on_progress(seen, seen)
    return Consistency(len(ids), compared, seen - compared, tuple(differing))


def _logged(history: History, ids: list[str], since: datetime | None) -> Iterator[_Logged]:
    for decision_id in ids:
        body = history.decisions.get(decision_id)
        as_of = datetime.fromisoformat(body["as_of"]) if body else None
        if body and as_of and (since is None or as_of >= since):
            values = np.array(body["row"]["values"], dtype=np.float64)
            references = frozenset(history.references_of(body["reference"], as_of))
            yield _Logged(decision_id, body["customer"], references, as_of, body["row"]["contract"], values)


def _differing(history: History, decisions: list[_Logged]) -> Iterator[Differing]:
    if not decisions:
        return
    known = history.known_by(
        max(one.as_of for one in decisions), set[str]().union(*(one.references for one in decisions))
    )
    for one in decisions:
        batch = _batch_row(known, one)
        if found := differences(one.values, batch):
            online = row_of(pack(history.of_customer(one.references, one.as_of), one.as_of), one.as_of).values
            yield Differing(one.id, "executors" if differences(online, batch) else "history", found)


def _batch_row(known: Known, one: _Logged) -> Array:
    then = known.at(one.as_of)
    rows = rows_of(replace(then, records=then.records.filter(pl.col("reference").is_in(one.references))))
    # Batch has no row for somebody without events; online has that of no events.
    values: Array = rows.values[0] if rows.customers else row_of(pack([], one.as_of), one.as_of).values
    return values


def _gathered(feature: str, differing: list[Differing]) -> Difference:
    relative = [one.features[feature] for one in differing]
    sizes = [size for size in relative if size is not None]
    examples = tuple(one.decision for one in differing[:_EXAMPLES])
    return Difference(feature, len(differing), max(sizes, default=None), len(relative) - len(sizes), examples)
