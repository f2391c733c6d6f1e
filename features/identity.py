"""Who is who: references such as a phone number, and the dated links that join them into one customer."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import phonenumbers

from features.errors import InputError

CONTACT_TYPES = ("phone", "email")
ACTIONS = ("link", "unlink")


@dataclass(frozen=True, slots=True, order=True)
class Reference:
    """One name that a system calls a customer by; written `type:value`, as in `household:1228`."""

    type: str
    value: str

    def __str__(self) -> str:
        return f"{self.type}:{self.value}"

    @classmethod
    def of(cls, text: str) -> "Reference":
        """Take a reference as it is kept at its word.

        >>> Reference.of("household:1228").value
        '1228'
        """
        kind, _, value = text.partition(":")
        return cls(kind, value)


@dataclass(frozen=True, slots=True)
class IdentityLink:
    """Two references are found to be one customer, or no longer; an event as any other.

    The newest action on a pair that was recorded by `as_of` holds; of two at one moment, unlinking does.
    """

    left: Reference
    right: Reference
    recorded_at: datetime
    action: str = "link"

    def __post_init__(self) -> None:
        if self.action not in ACTIONS:
            raise InputError(f"expected action to be link or unlink, found {self.action!r}")
        if self.left == self.right:
            raise InputError(f"expected two different references, found {self.left} twice")

    def pair(self) -> tuple[str, str]:
        """The two references as text, in one order whichever way they came."""
        first, second = sorted((str(self.left), str(self.right)))
        return first, second


def reference(text: str, region: str | None = None) -> Reference:
    """Read a reference from `type:value`, with phone numbers and addresses in their standard form.

    A phone number becomes E.164; `region` (ISO 3166, as in "KR") is needed when it lacks its country code.

    >>> str(reference("phone: 02-312-3456", region="KR"))
    'phone:+8223123456'
    >>> str(reference("email:Someone@Example.com "))
    'email:someone@example.com'
    """
    kind, colon, value = text.partition(":")
    kind, value = kind.strip().lower(), value.strip()
    if not colon or not kind or not value:
        raise InputError(f"expected a reference as type:value, such as phone:+8223123456; found {text!r}")
    return Reference(kind, _standard(kind, value, region))


def _standard(kind: str, value: str, region: str | None) -> str:
    if kind == "email":
        return value.lower()
    if kind != "phone":
        return value
    try:
        number = phonenumbers.parse(value, region)
    except phonenumbers.NumberParseException as error:
        message = f"expected a phone number with its country code, such as +8223123456; found {value!r}"
        raise InputError(message) from error
    if not phonenumbers.is_possible_number(number):
        raise InputError(f"expected a phone number that can be dialled, such as +8223123456; found {value!r}")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def canonical(references: Iterable[str]) -> str:
    """Choose the one reference that names a customer: the smallest, contact details last.

    >>> canonical(["email:a@b.c", "household:7", "phone:+82231"])
    'household:7'
    """
    return min(references, key=lambda text: (text.partition(":")[0] in CONTACT_TYPES, text))


def standing(actions: Sequence[tuple[str, str, int, str]]) -> set[tuple[str, str]]:
    """Keep the pairs that are linked after all `(first, second, recorded_at, action)` given, in any order.

    >>> standing([("a:1", "b:1", 5, "link"), ("a:1", "b:1", 9, "unlink"), ("a:1", "c:1", 5, "link")])
    {('a:1', 'c:1')}
    """
    newest: dict[tuple[str, str], tuple[int, str]] = {}
    for first, second, recorded_at, action in actions:
        pair = (first, second)
        newest[pair] = max(newest.get(pair, (recorded_at, action)), (recorded_at, action))
    return {pair for pair, (_, action) in newest.items() if action == "link"}


def components(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Map every linked reference to the canonical reference of its customer.

    >>> components([("household:7", "phone:+1"), ("email:a@b.c", "phone:+1")])["email:a@b.c"]
    'household:7'
    """
    neighbours: dict[str, set[str]] = {}
    for first, second in pairs:
        neighbours.setdefault(first, set()).add(second)
        neighbours.setdefault(second, set()).add(first)
    named: dict[str, str] = {}
    for start in neighbours:
        if start not in named:
            members = reachable(start, lambda at: neighbours[at])
            named |= dict.fromkeys(members, canonical(members))
    return named


def reachable(start: str, neighbours: Callable[[str], Iterable[str]]) -> set[str]:
    """Collect all references joined to one, itself included; `neighbours` returns a reference's direct links."""
    seen, waiting = {start}, [start]
    while waiting:
        for other in neighbours(waiting.pop()):
            if other not in seen:
                seen.add(other)
                waiting.append(other)
    return seen
