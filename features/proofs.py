"""The proof of an erasure: what was done, told without naming anybody, and checked again whenever somebody asks."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from features.clock import moment
from features.durable import write_whole
from features.erasing import Erased
from features.errors import InputError
from features.history import History
from features.naming import Names
from features.traces import Traces

FORMAT = "holdfast erasure 1"
_HASH = "sha256"


@dataclass(frozen=True, slots=True)
class Request:
    """Why somebody was erased, by whom, and when."""

    why: str
    by: str
    at: datetime


def proof_of(
    request: Request, erased: Erased, named: Mapping[str, int], traces: Traces, wiped: bool, secret: str,
    resumed: bool,
) -> dict[str, Any]:  # fmt: skip
    """Put an erasure into words that name nobody; `named` counts what still names the person, by table.

    Of one that broke off and was `resumed`, rows that it took out of files before that aren't counted.
    """
    names = Names(erased.references)
    proof = {
        "format": FORMAT,
        "erased_at": request.at.isoformat(),
        "why": names.without(request.why),
        "by": request.by,
        "secret": secret,
        "references": sorted(erased.references.values()),
        "values": sorted(erased.values.values()),
        "decisions": sorted(erased.decisions.values()),
        "deleted": dict(erased.deleted),
        "left_nameless": dict(erased.nameless),
        "names_taken_out_of_others_rows": dict(erased.unnamed),
        "still_named_after": dict(named),
        "free_space_rewritten": wiped,
        "resumed": resumed,
        "files": {names.without(file): rows for file, rows in traces.cleared.items()},
        "files_that_still_name": [names.without(file) for file in traces.left],
    }
    return proof | {_HASH: _hash(proof)}


def write_proof(proof: Mapping[str, Any], path: Path) -> None:
    """Write a proof as a file, whole or not at all."""
    write_whole(path, json.dumps(proof, indent=2, ensure_ascii=False))


def read_proof(path: Path) -> dict[str, Any]:
    """Read a proof, and check that it is as it was written.

    Raises InputError when it isn't.
    """
    try:
        proof = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"expected a proof, as holdfast erase writes it, at {path}; found: {error}") from error
    if not isinstance(proof, dict) or proof.get("format") != FORMAT:
        raise InputError(f"expected a proof, as holdfast erase writes it, at {path}; found something else")
    rest = {name: value for name, value in proof.items() if name != _HASH}
    if proof.get(_HASH) != _hash(rest):
        raise InputError(f"expected the proof {path} as it was written, found that somebody has changed it")
    moment(proof["erased_at"])
    return proof


def marks_of(proof: Mapping[str, Any]) -> list[str]:
    """List the digests of all that a proof tells of."""
    return [*proof["references"], *proof["values"], *proof["decisions"]]


def doubts(proof: Mapping[str, Any], history: History) -> list[str]:
    """Say what of a proof doesn't hold in a store: somebody came back, or a mark is missing; nothing where all holds.

    Raises StoreError when the secret isn't the one that the proof was made with.
    """
    history.tombstones.same(proof["secret"])
    marks = marks_of(proof)
    marked = history.erasures.holding(marks)
    back = history.erasures.known(proof["references"]).references
    missing = len(set(marks)) - len(marked)
    said = [f"{missing:,} of its marks don't hold in the store"] if missing else []
    said += [f"{len(back):,} of its references are known in the store again"] if back else []
    still = sum(proof["still_named_after"].values())
    return said + ([f"{still:,} texts still named the person when it was written"] if still else [])


def _hash(proof: Mapping[str, Any]) -> str:
    text = json.dumps(proof, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
