"""What can be told of where a request comes from: loopback is this machine, and a proxy on it is not."""

from collections.abc import Mapping
from functools import lru_cache
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import psutil  # type: ignore[import-untyped]

# Whoever sends one of these speaks for somebody else.
_FORWARDED = (b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-real-ip", b"via")


def only_here() -> bool:
    """Tell whether every address that this process listens on is loopback; False where that can't be told.

    A process that listens nowhere, as in a test, can only be asked from within.
    """
    try:
        found = psutil.Process().net_connections("tcp")
    except psutil.Error:
        return False
    return all(is_loopback(one.laddr.ip) for one in found if one.status == psutil.CONN_LISTEN)


def is_near(client: Any, headers: Mapping[bytes, bytes]) -> bool:
    """Tell whether a request comes from this machine, not through a proxy that says so, and not from somebody's page.

    A page that a browser on this machine shows could ask, too; its browser then says of where it is from.
    """
    if client is None or not is_loopback(client[0]) or any(name in headers for name in _FORWARDED):
        return False
    origin = headers.get(b"origin")
    return origin is None or _is_ours(origin)


@lru_cache(maxsize=1_024)
def is_loopback(host: str) -> bool:
    """Tell whether an address is loopback; False for any name but `localhost`.

    >>> is_loopback("127.0.0.1"), is_loopback("::1"), is_loopback("0.0.0.0"), is_loopback("example.org")
    (True, True, False, False)
    """
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _is_ours(origin: bytes) -> bool:
    try:
        return is_loopback(urlsplit(origin.decode("latin-1")).hostname or "")
    except ValueError:
        return False
