"""What is needed to go on with an erasure that breaks off, kept from right before its commit until its proof is there.

After the commit the store doesn't know any more what the person was called, and files are still to be cleared of it. So
the names lie in a file meanwhile: its owner's alone, on the disk before the commit, and gone once all is done.
"""

import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from features.clock import moment
from features.durable import remove, write_whole
from features.erasing import Erased
from features.errors import InputError
from features.proofs import Request, read_proof

ENDING = ".unfinished"


@dataclass(frozen=True, slots=True)
class Intent:
    """What an erasure is to do besides: where its proof belongs, which further folders are cleared, and the rest.

    `again` says that the proof is there already, since this erases again what it tells of.
    """

    request: Request
    proof: Path
    folders: tuple[Path, ...] = ()
    rewrite: bool = True
    again: bool = False


@dataclass(frozen=True, slots=True)
class Unfinished:
    """An erasure that was about to be committed when its file was written.

    `store` is the store's address, and `secret` the fingerprint of the secret of its marks.
    """

    store: str
    secret: str
    intent: Intent
    erased: Erased

    def file_in(self, folder: Path) -> Path:
        """Name its file."""
        return folder / f"{self.intent.request.at:%Y-%m-%dT%H%M%S.%f}{ENDING}"

    def keep(self, folder: Path) -> None:
        """Write its file, which names the person, for its owner alone."""
        write_whole(self.file_in(folder), json.dumps(asdict(self), indent=2, ensure_ascii=False, default=_plain))

    def remove(self, folder: Path) -> None:
        """Remove its file, once all is done."""
        remove(self.file_in(folder))

    def proven(self) -> bool:
        """Tell whether its proof is there, so that no more is left to do.

        Raises InputError when something else is where it belongs.
        """
        if self.intent.again or not self.intent.proof.exists():
            return False
        if read_proof(self.intent.proof)["erased_at"] != self.intent.request.at.isoformat():
            raise InputError(
                f"expected {self.intent.proof} to be free for the proof of the erasure of"
                f" {self.intent.request.at.isoformat()}, found another's; move it elsewhere"
            )
        return True


def begun(folder: Path) -> list[datetime]:
    """Tell when the erasures were begun that aren't finished."""
    return [one.intent.request.at for one in unfinished(folder)]


def unfinished(folder: Path) -> list[Unfinished]:
    """Read the erasures that aren't finished, the oldest first.

    Raises InputError when one can't be read.
    """
    found = list[Unfinished]()
    for path in sorted(folder.glob(f"*{ENDING}")):
        # One that is under way may be finished by now.
        with suppress(FileNotFoundError):
            found.append(_read(path))
    return found


def discard_halves(folder: Path) -> None:
    """Remove what was half written when it broke off: names, whose erasure was never committed, or a proof."""
    for path in [*folder.glob(f".*{ENDING}-*"), *folder.glob(".*.json-*")]:
        remove(path)


def _read(path: Path) -> Unfinished:
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        intent, request = told["intent"], told["intent"]["request"]
        folders = tuple(Path(folder) for folder in intent["folders"])
        asked = Request(request["why"], request["by"], moment(request["at"]))
        rest = {"folders": folders, "request": asked, "proof": Path(intent["proof"])}
        return Unfinished(told["store"], told["secret"], Intent(**intent | rest), Erased(**told["erased"]))
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"expected an erasure that isn't finished in {path}, found: {error}; bring the file back as it was"
        ) from error


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
