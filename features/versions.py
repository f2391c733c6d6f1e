"""The versions of one event: all that was told of it, and between which moments each was what is known."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

# A row in the shape of `store.events`.
Row = dict[str, Any]

CONTENT = (
    "reference", "kind", "channel", "product", "place", "quantity", "amount", "margin", "discount", "occurred_at",
    "utc_offset", "body",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Written:
    """What became of the rows offered: `new` ones, those that `corrected` what was known, and those `known` already.

    Those of `erased` customers weren't taken.
    """

    new: int
    corrected: int
    known: int
    erased: int = 0

    def __add__(self, more: "Written") -> "Written":
        """Count what was written after this, too."""
        counted = (self.new + more.new, self.corrected + more.corrected, self.known + more.known)
        return Written(*counted, self.erased + more.erased)


class Versions:
    """The versions of one event, in the order in which they became known; each is known until the next.

    A version that is superseded at the moment it was recorded is never known. Moments are microseconds.
    """

    def __init__(self, stored: Sequence[Row]) -> None:
        self._stored = {row["version"]: row["superseded_at"] for row in stored}
        self._rows = sorted(stored, key=_order)

    def tell(self, row: Row, corrections_from: int | None) -> bool:
        """Take in what is told of the event, and say whether something else is known at its moment from now on.

        A correction counts as known from `corrections_from` on, after every version before it; where that is None,
        from its own `recorded_at` on, wherever that falls among the others.
        """
        if any(_says(row, other, corrections_from) for other in self._rows):
            return False
        moment = row["recorded_at"]
        if corrections_from is not None:
            moment = max(moment, corrections_from, self._rows[-1]["recorded_at"] + 1)
        # Of an event that was told of somebody who is erased, versions are missing.
        told = {**row, "recorded_at": moment, "version": 1 + max(other["version"] for other in self._rows)}
        before = [other for other in self._rows if _order(other) < _order(told)]
        # What only confirms the version before it is kept: another may turn up that was recorded between the two.
        added = [told, *_moved(before[-1], told)] if before else [told]
        self._rows = _laid([*self._rows, *added])
        beaten = any(other["recorded_at"] == moment and _order(other) > _order(told) for other in self._rows)
        return not beaten and (not before or any(before[-1][name] != told[name] for name in CONTENT))

    def added(self) -> Iterator[Row]:
        """Go through the versions that aren't stored yet."""
        return (row for row in self._rows if row["version"] not in self._stored)

    def ended(self) -> Iterator[Row]:
        """Go through the stored versions whose end has moved."""
        return (
            row for row in self._rows if self._stored.get(row["version"], row["superseded_at"]) != row["superseded_at"]
        )


def _says(row: Row, other: Row, corrections_from: int | None) -> bool:
    """Whether a version says what a row tells; where rows date themselves, at the same moment."""
    names = CONTENT if corrections_from is not None else (*CONTENT, "recorded_at")
    return all(row[name] == other[name] for name in names)


def _order(row: Row) -> tuple[int, int, str]:
    """Order versions by their moments; of several at one moment, a withdrawal wins, then the content decides."""
    rank = 0 if row["body"].startswith('"') else 2 if row["kind"] == "void" else 1
    return row["recorded_at"], rank, repr([row[name] for name in CONTENT])


def _laid(versions: Sequence[Row]) -> list[Row]:
    rows = sorted(versions, key=_order)
    ends = [following["recorded_at"] for _, following in pairwise(rows)]
    return [{**row, "superseded_at": end} for row, end in zip(rows, [*ends, None], strict=True)]


def _moved(before: Row, told: Row) -> Iterator[Row]:
    """Leave word under the reference that an event leaves, for whoever follows only that reference's rows.

    The row is superseded at its own moment, so it is never known. Its body is a JSON text, which no source can tell.
    """
    if before["reference"] != told["reference"]:
        word = json.dumps(f"moved to {told['reference']}", ensure_ascii=False)
        left = {"reference": before["reference"], "kind": "void", "body": word, "version": told["version"] + 1}
        yield {**told, **left}
