"""Who was erased: a keyed hash of each reference, by which it is known again and which names nobody.

The secret lies in a file beside the store and never in it: whoever has a store, or a backup of one, can't find out by
trying phone numbers who was erased. BLAKE2b with a key (RFC 7693) is such a hash by itself.
"""

import hashlib
import os
import secrets
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import sqlalchemy as sa

from features import store
from features.clock import microseconds
from features.durable import flush
from features.errors import ErasedCustomer, StoreError
from features.naming import Names, likely_in, texts_of
from features.versions import Row

ERASED, LIFTED, TAKEN_OUT = "erased", "lifted", "taken out"
_BYTES = 32
# The texts of an event that may name somebody whom it isn't about.
_TOLD_IN = [name for name in texts_of(store.events) if name != "reference"]
_REFUSED = (
    "expected a customer of whom something may be kept, found one who was erased; offer them nothing, and where they"
    " become a customer again: holdfast erase REFERENCE --lift"
)


class Mark(NamedTuple):
    """What holds of a digest: that it was erased or lifted, and when, in microseconds."""

    action: str
    at: int


class Tombstones:
    """The marks of the erased in one store, by the secret in a file, which is made when somebody is first erased."""

    def __init__(self, file: Path | None) -> None:
        self.file = file

    def erased(self, connection: sa.Connection, names: Collection[str]) -> dict[str, int]:
        """Tell which of some names were erased and aren't lifted, and when, in microseconds.

        Raises StoreError when somebody was erased, and the secret that tells whom isn't here.
        """
        if not names or not (rows := _ANY.fetch(connection)):
            return {}
        secret = self._secret(rows[0][0])
        digests = {digest_of(secret, name): name for name in names}
        marks = standing(connection, digests)
        return {digests[digest]: mark.at for digest, mark in marks.items() if mark.action == ERASED}

    def taken(self, connection: sa.Connection, rows: Sequence[Row]) -> Sequence[Row]:
        """Keep the rows of events that aren't of the erased, without the names of the erased in their texts.

        Raises StoreError as `erased` does.
        """
        if not _ANY.fetch(connection):
            return rows
        spoken = {text: likely_in(text) for row in rows for text in map(row.get, _TOLD_IN) if text}
        names = {row["reference"] for row in rows}.union(*spoken.values())
        gone = Names(self.erased(connection, names))
        told = {text: gone.without(text) for text, likely in spoken.items() if not gone.references.isdisjoint(likely)}
        kept = [row for row in rows if row["reference"] not in gone.references]
        return [row | {name: told[row[name]] for name in _TOLD_IN if row.get(name) in told} for row in kept]

    def check(self, connection: sa.Connection, names: Collection[str]) -> None:
        """Refuse names that were erased.

        Raises ErasedCustomer when one was, and StoreError as `erased` does.
        """
        if self.erased(connection, names):
            raise ErasedCustomer(_REFUSED)

    def mark(self, connection: sa.Connection, names: Iterable[str], action: str, at: datetime) -> dict[str, str]:
        """Write down that names were erased, or are lifted; returns their digests.

        Raises StoreError when the secret isn't the one that others were erased with.
        """
        digests = self.digests(connection, names)
        self.mark_digests(connection, digests.values(), action, at)
        return digests

    def mark_digests(self, connection: sa.Connection, digests: Iterable[str], action: str, at: datetime) -> None:
        """Write down what holds of digests, once the secret that they need is on the disk."""
        same = {"secret": fingerprint(self.secret(flushed=True)), "action": action, "erased_at": microseconds(at)}
        store.insert_new(connection, store.erasures, [{"digest": one, **same} for one in sorted(set(digests))])

    def digests(self, connection: sa.Connection, names: Iterable[str]) -> dict[str, str]:
        """Hash names with the secret, which is made if nobody was erased so far; by name.

        Raises StoreError when the secret isn't the one that others were erased with.
        """
        rows = _ANY.fetch(connection)
        secret = self._secret(rows[0][0]) if rows else self.secret()
        return {name: digest_of(secret, name) for name in names}

    def same(self, known: str) -> None:
        """Refuse to go on by another secret than the one of a fingerprint.

        Raises StoreError.
        """
        self._secret(known)

    def secret(self, flushed: bool = False) -> bytes:
        """Read the secret, or make it, for its owner alone; `flushed` waits until it is on the disk.

        Raises StoreError when no file is named, or it can't be read or written.
        """
        if self.file is None:
            raise StoreError("expected a file for the secret of erasures, found none named; set HOLDFAST_ERASURE_KEY")
        try:
            if not self.file.exists():
                self.file.parent.mkdir(parents=True, exist_ok=True)
                made = self.file.with_name(f".{self.file.name}-{secrets.token_hex(8)}")
                made.touch(mode=0o600)
                made.write_text(secrets.token_hex(_BYTES) + "\n", encoding="ascii")
                _settle(made, self.file)
            if flushed:
                flush(self.file)
                # Where a folder can't be listed, the file was brought.
                with suppress(PermissionError):
                    flush(self.file.parent)
            return _whole(bytes.fromhex(self.file.read_text(encoding="ascii")))
        except (OSError, ValueError) as error:
            raise StoreError(
                f"expected the secret of erasures in {self.file}, found: {error}; bring the file back, or set"
                " HOLDFAST_ERASURE_KEY"
            ) from error

    def _secret(self, known: str) -> bytes:
        """Read the secret that others were erased with."""
        found = self.secret() if self.file is not None and self.file.exists() else b""
        if fingerprint(found) != known:
            raise StoreError(
                "expected the secret that customers were erased with, found"
                f" {'another' if found else 'none'} at {self.file}; bring the file back, or set HOLDFAST_ERASURE_KEY to"
                " where it is: without it, whoever was erased can't be told from others"
            )
        return found


def _whole(secret: bytes) -> bytes:
    """Refuse a secret that is cut off: with an empty one, anybody can make the hashes.

    Raises ValueError.
    """
    if len(secret) != _BYTES:
        raise ValueError(f"{len(secret)} bytes rather than {_BYTES}")
    return secret


def values_of(references: Iterable[str]) -> set[str]:
    """Name what references are called without their type, as an id alone may come in again."""
    return {valued(reference.partition(":")[2]) for reference in references}


def valued(text: str) -> str:
    """Name an id that came without its type; no reference has such a name."""
    return f"the id {text}"


def digest_of(secret: bytes, name: str) -> str:
    """Hash a name with a secret: 256 bits of keyed BLAKE2b, as hexadecimal digits."""
    return hashlib.blake2b(name.encode(), digest_size=_BYTES, key=secret).hexdigest()


def fingerprint(secret: bytes) -> str:
    """Name a secret without telling it; "" where there is none."""
    return digest_of(secret, "which secret this is")[:16] if secret else ""


def standing(connection: sa.Connection, digests: Iterable[str]) -> Mapping[str, Mark]:
    """Tell of each digest what holds now, if anything was ever said of it."""
    found: dict[str, Mark] = {}
    for part in store.parts(digests):
        # To the next power of two, so that there are few texts of the statement.
        asked = part + part[-1:] * ((1 << (len(part) - 1).bit_length()) - len(part))
        found |= {digest: Mark(action, at) for digest, action, at in _MARKS.fetch(connection, digests=asked)}
    return found


def tell_taken_out(connection: sa.Connection, at: datetime) -> None:
    """Say that rows were taken out of the store."""
    row = {"digest": "", "secret": "", "action": TAKEN_OUT, "erased_at": microseconds(at)}
    store.insert_new(connection, store.erasures, [row])


def _settle(made: Path, file: Path) -> None:
    """Give a file its name once it is on the disk, unless another process was faster."""
    flush(made)
    with suppress(FileExistsError):
        os.link(made, file)
    made.unlink()


_ANY = store.Prepared(
    sa.select(store.erasures.c.secret).where(store.erasures.c.digest != "").order_by(store.erasures.c.seq.desc())
    .limit(sa.literal_column("1"))
)  # fmt: skip
_MARKS = store.Prepared(
    sa.select(store.erasures.c.digest, store.erasures.c.action, store.erasures.c.erased_at)
    .where(store.erasures.c.digest.in_(sa.bindparam("digests", expanding=True)))
    .order_by(store.erasures.c.seq)
)
