"""The headers that go out with every answer, so that no browser does with it what nobody meant."""

Headers = list[tuple[bytes, bytes]]

_EVERY: Headers = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-resource-policy", b"same-origin"),
]
# A year, once a browser has seen TLS.
_STRICT: Headers = [(b"strict-transport-security", b"max-age=31536000")]
_ANSWER: Headers = [
    *_EVERY,
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
]
# What BentoML's page of documentation needs, and not the visitor counter that it would load from elsewhere.
_PAGE: Headers = [
    *_EVERY,
    (
        b"content-security-policy",
        b"default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:;"
        b" connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
]


def shields(page: bool, scheme: str) -> Headers:
    """List the headers of an answer, or of a page for people."""
    kept = _PAGE if page else _ANSWER
    return [*kept, *_STRICT] if scheme == "https" else kept
