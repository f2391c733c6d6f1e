"""The keys of whoever may ask: made once, kept as hashes, and revoked for good."""

import hashlib
import hmac
from dataclasses import dataclass, replace
from datetime import datetime

import sqlalchemy as sa

from features import store
from features.clock import microseconds
from features.errors import InputError
from features.store import Store

_PREFIX = "hf"


@dataclass(frozen=True, slots=True)
class Key:
    """Who may ask, and as what; `rate` is in requests a second, None for the default, and moments in microseconds."""

    id: str
    name: str
    role: str
    hash: str
    rate: int | None
    made_at: int
    revoked_at: int | None = None

    @property
    def valid(self) -> bool:
        """Whether it hasn't been revoked."""
        return self.revoked_at is None

    def opens(self, secret: str) -> bool:
        """Tell whether a secret is this key's, in a time that says nothing of how much of it is right."""
        return hmac.compare_digest(self.hash, hashed(secret)) and self.valid


class Keys:
    """All keys of a store, those that were revoked included."""

    def __init__(self, opened: Store) -> None:
        self._store = opened

    def make(self, key_id: str, secret: str, name: str, role: str, rate: int | None, now: datetime) -> Key:
        """Keep a new key; of its secret, which has to be random in 256 bits, only a hash."""
        made = Key(key_id, name, role, hashed(secret), rate, microseconds(now))
        row = {"key": made.id, "revoked_at": None} | {
            column: getattr(made, column) for column in ("name", "role", "hash", "rate", "made_at")
        }
        with self._store.writing() as connection:
            connection.execute(sa.insert(store.keys).values(row))
        return made

    def all(self) -> list[Key]:
        """Read every key, the earliest first."""
        with self._store.reading() as connection:
            return [Key(*row) for row in _ALL.fetch(connection)]

    def revoke(self, key_id: str, now: datetime) -> Key:
        """Revoke a key for good; again, it changes nothing.

        Raises InputError when there is none by that id.
        """
        table, found = store.keys, next((key for key in self.all() if key.id == key_id), None)
        if found is None:
            raise InputError(f"expected the id of a key, found {key_id!r}; see them: holdfast keys list")
        if not found.valid:
            return found
        revoked = replace(found, revoked_at=microseconds(now))
        mine = (table.c.key == key_id) & table.c.revoked_at.is_(None)
        with self._store.writing() as connection:
            connection.execute(sa.update(table).where(mine).values(revoked_at=revoked.revoked_at))
        return revoked


def hashed(secret: str) -> str:
    """Hash a secret; it is random in 256 bits, so nobody can try them all, however fast the hash is.

    >>> hashed("abc")[:16]
    'ba7816bf8f01cfea'
    """
    return hashlib.sha256(secret.encode()).hexdigest()


def written(key_id: str, secret: str) -> str:
    """Write a key as its holder sends it.

    >>> written("0a1b2c3d", "secret")
    'hf_0a1b2c3d_secret'
    """
    return f"{_PREFIX}_{key_id}_{secret}"


def parted(key: str) -> tuple[str, str] | None:
    """Part a key into its id and its secret; None where it isn't written as one.

    >>> parted("hf_0a1b2c3d_sec_ret"), parted("secret")
    (('0a1b2c3d', 'sec_ret'), None)
    """
    prefix, _, rest = key.partition("_")
    key_id, _, secret = rest.partition("_")
    return (key_id, secret) if prefix == _PREFIX and key_id and secret else None


_ALL = store.Prepared(
    sa.select(
        *(store.keys.c[name] for name in ("key", "name", "role", "hash", "rate", "made_at", "revoked_at"))
    ).order_by(store.keys.c.made_at, store.keys.c.key)
)
