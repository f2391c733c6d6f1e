"""How a request is turned away at the gate: a status, a sentence for the caller, and a code for the log."""

import orjson

Headers = list[tuple[bytes, bytes]]


class Denied(Exception):  # noqa: N818 - it names the finding
    """A request that isn't let in; the sentence names nothing that came with it."""

    def __init__(self, status: int, reason: str, said: str, headers: Headers | None = None) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason
        self.body = orjson.dumps({"error": said})
        self.headers = headers or []


_BEARER: Headers = [(b"www-authenticate", b'Bearer realm="holdfast"')]
# What may still come of a body that isn't read to its end must not be taken for another request.
_CLOSE: Headers = [(b"connection", b"close")]


def no_key() -> Denied:
    """Nothing that could be a key came with the request."""
    return Denied(401, "no_key", "expected a key as the header Authorization: Bearer …, found none", _BEARER)


def unknown_key() -> Denied:
    """A key came that nobody has, or nobody has any more."""
    return Denied(401, "unknown_key", "expected a key that is known and not revoked, found another", _BEARER)


def keyless() -> Denied:
    """There is no key yet, and whoever asks may be anybody."""
    said = (
        "expected a key: without one, a service that listens on loopback alone answers its own machine and nobody else."
        " Found that none was made yet; make one: holdfast keys make NAME --role ROLE"
    )
    return Denied(401, "keyless", said, _BEARER)


def keys_unread() -> Denied:
    """The keys haven't been read for too long."""
    return Denied(503, "keys_unread", "expected the keys to be readable, found the store away for too long; ask again")


def wrong_role(role: str) -> Denied:
    """The key's role may not call this."""
    return Denied(403, "role", f"expected a key whose role may call this, found the role {role}")


def too_often(rate: int) -> Denied:
    """More came of one key than is answered."""
    said = f"expected at most {rate:,} requests a second, found more; ask again after a second"
    return Denied(429, "rate", said, [(b"retry-after", b"1")])


def too_large(largest: int) -> Denied:
    """The body is larger than is taken."""
    return Denied(413, "size", f"expected a body of at most {largest:,} bytes, found more", _CLOSE)


def too_slow(seconds: float) -> Denied:
    """The body didn't arrive in time."""
    return Denied(408, "slow", f"expected the whole body within {seconds:g} s, found it unfinished", _CLOSE)


def no_route() -> Denied:
    """There is nothing at that path."""
    return Denied(404, "path", "expected a path of this service, found another; they are listed at /docs.json")


def wrong_method(allowed: str) -> Denied:
    """There is something at that path, for another method."""
    return Denied(405, "method", f"expected the method {allowed}, found another", [(b"allow", allowed.encode())])


def broken() -> Denied:
    """Something went wrong that nobody foresaw."""
    return Denied(500, "failure", "expected an answer, found a failure of ours; its place is in the log")
