"""Whom a service would answer: nobody beyond its machine without a key, and what it says of itself at its start."""

import ssl
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from features.errors import InputError
from features.history import History
from features.keys import Key
from serving.listening import is_loopback


@dataclass(frozen=True, slots=True)
class Tls:
    """The files by which a service speaks TLS: its certificate with its chain, and the private key, both as PEM."""

    certificate: Path
    key: Path


def check_keys(keys: Iterable[Key], host: str) -> None:
    """Refuse an address that others reach while nobody has a key.

    Raises InputError.
    """
    if not is_loopback(host) and not any(key.valid for key in keys):
        raise InputError(
            f"expected a key before {host} is listened on, where others than this machine may ask, found none that"
            " holds; make one: holdfast keys make NAME --role agent. Or listen on 127.0.0.1"
        )


def check_tls(tls: Tls) -> None:
    """Refuse files that TLS can't be spoken by.

    Raises InputError.
    """
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(tls.certificate, tls.key, password=_no_password)
    except (OSError, ValueError) as error:
        found = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise InputError(
            f"expected a certificate at {tls.certificate} and its private key, without a password, at {tls.key}, both"
            f" as PEM; found: {found}"
        ) from error


def _no_password() -> str:
    raise ValueError("the key has a password")


def standing(database_url: str, host: str, tls: Tls | None) -> str:
    """Say in a sentence or two who may ask a service that starts."""
    with closing(History(database_url)) as history:
        keys = history.keys.all()
    if not keys:
        return "Open: whoever is on this machine may ask without a key, until one is made: holdfast keys make NAME"
    valid = sum(key.valid for key in keys)
    said = f"Closed: {valid:,} {'key opens' if valid == 1 else 'keys open'} it."
    if tls is not None or is_loopback(host):
        return said
    return f"{said} Without --certificate keys travel in the clear, unless a proxy in front of it speaks TLS."
