"""Bodies that are too large, too deep, or hold numbers and texts that are none."""

from collections.abc import Iterator
from typing import Any

from benchmarks.faults.asked import REFUSALS, Asker, written
from benchmarks.faults.found import Found
from benchmarks.faults.questions import QUESTIONS, holding, places, replaced

MB = 2**20
_DEEP = 100_000
NUMBERS = ("NaN", "Infinity", "-Infinity", "1e400", "-1e400", "1" * 5_000, "-" + "9" * 400)
# Some may be taken, being finite; the service has to go on either way.
ODD_NUMBERS = ("1e308", "-1e308", "1e-400", "-0.0", "0." + "3" * 400, str(2**63), str(-(2**63)), str(2**64), "1E+2")
TEXTS = (
    r'"\ud800"', r'"\udfff tail"', r'"\u0000"', r'"a\u0000b"', r'"\u0007"', '"\ud800"', r'"\ud83d"',
)  # fmt: skip
ODD_TEXTS = (r'"\ufeff"', r'"\u202e gnitirw"', r'"\uffff"', r'"\ud83d\ude00"', '"' + "x" * MB + '"', r'"\/\b"', r'"ı"')


def bodies(url: str, megabytes: tuple[int, ...] = (10, 17, 40)) -> list[Found]:
    """Send all of them to every endpoint."""
    return [large(url, megabytes), deep(url), numbers(url), texts(url)]


def large(url: str, megabytes: tuple[int, ...]) -> Found:
    """Send large bodies with and without their length, and texts and lists that are large."""
    with Asker(url) as asker:
        for size in megabytes:
            only = (200, *REFUSALS) if size <= 16 else REFUSALS
            for route, question in QUESTIONS.items():
                body = written(question) + b" " * (size * MB)
                asker.ask(route, body, what=f"{size} MB of space", only=only)
                asker.ask(route, _in_parts(body), what=f"{size} MB without its length", only=only)
            text = written(QUESTIONS["/v1/customers/lookup"] | {"customer": "x" * size * MB})
            asker.ask("/v1/customers/lookup", text, what=f"a name of {size} MB", only=REFUSALS)
            zeros = b"[" + b"0," * (size * MB // 2) + b"0]"
            asker.ask("/v1/interactions", zeros, what=f"{size} MB of zeros", only=REFUSALS)
        return told(f"bodies of {', '.join(map(str, megabytes))} MB", asker)


def deep(url: str, depth: int = _DEEP) -> Found:
    """Send lists in lists and objects in objects, as the body and at every place within it."""
    nested = ("[" * depth + "]" * depth, '{"a":' * depth + "1" + "}" * depth, "[" * depth, '[{"a":' * depth)
    with Asker(url) as asker:
        for literal in nested:
            for route in QUESTIONS:
                asker.ask(route, literal.encode(), what=f"depth {depth}", only=REFUSALS)
            for route, place in places((str, float, int)):
                asker.ask(route, holding(route, place, literal), what=f"depth {depth} at {place}", only=REFUSALS)
        return told(f"JSON {depth:,} deep", asker)


def numbers(url: str) -> Found:
    """Put what is no number, or no finite one, into every number of every endpoint."""
    with Asker(url) as asker:
        for route, place in places((int, float)):
            for literal in NUMBERS:
                asker.ask(route, holding(route, place, literal), what=f"{literal[:20]} at {place}", only=REFUSALS)
            for literal in ODD_NUMBERS:
                asker.ask(route, holding(route, place, literal), what=f"{literal[:20]} at {place}")
        return told("NaN, infinities, 1e400, whole numbers of 5,000 digits in every number", asker)


def texts(url: str) -> Found:
    """Put lone surrogates, NUL and other characters that can't be kept into every text of every endpoint."""
    with Asker(url) as asker:
        for route, place in places(str):
            for literal in TEXTS:
                asker.ask(route, holding(route, place, literal), what=f"{literal!r} at {place}", only=_may(place))
            for literal in ODD_TEXTS:
                asker.ask(route, holding(route, place, literal), what=f"{literal[:20]!r} at {place}")
        for route in QUESTIONS:
            asker.ask(route, b"\xff\xfe" + written(QUESTIONS[route]), what="no UTF-8", only=REFUSALS)
            asker.ask(
                route, written(replaced(route, _first(route), "\x80")).replace(b"\\u0080", b"\x80"), only=REFUSALS
            )
        return told("lone surrogates, NUL and bytes that are no UTF-8 in every text", asker)


def told(fault: str, asker: Asker) -> Found:
    """Tell how a batch went."""
    said = asker.said
    return Found(
        fault=fault, caused=said.asked, answered=said.answered, refused=said.refused, wrong=len(said.wrong),
        note=f"slowest answer {said.slowest:.2f} s" + "".join(f"; {one}" for one in said.wrong[:3]),
    )  # fmt: skip


def _may(place: tuple[Any, ...]) -> tuple[int, ...]:
    """What a context or a body says in free words may hold control characters: it is kept as JSON, which names them."""
    return (200, *REFUSALS) if place[0] in ("context", "body") else REFUSALS


def _first(route: str) -> tuple[str | int, ...]:
    return next(place for one, place in places(str) if one == route)


def _in_parts(body: bytes) -> Iterator[bytes]:
    for start in range(0, len(body), MB):
        yield body[start : start + MB]
