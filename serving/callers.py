"""Who is meant: from a customer's id, or any reference such as a phone number, to one customer."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

import phonenumbers

from features.errors import InputError
from features.history import History, one_of
from features.identity import Reference, canonical, reference

_Find = Callable[[str], str | None]
_Joined = Callable[[str], set[str]]


@dataclass(frozen=True, slots=True)
class Caller:
    """One customer as asked for: by which reference, whether anybody is known by it, and all that are joined to it."""

    reference: str
    customer: str
    known: bool
    references: tuple[str, ...]


def find_caller(history: History, text: str, as_of: datetime, region: str) -> Caller:
    """Find the customer that a text names.

    Raises InputError when the text can't name anybody, and AmbiguousCustomer when it names several.
    """
    standard = str(reference_of(text, region))
    return _caller(text, standard, history.find, lambda found: history.references_of(found, as_of))


def find_callers(
    history: History, texts: Iterable[str], as_of: datetime, region: str
) -> dict[str, Caller | InputError]:  # fmt: skip
    """Find the customers that many texts name, in a few looks; whoever can't be found has the error in their place."""
    standards = {text: _standard(text, region) for text in texts}
    read = {text: standard for text, standard in standards.items() if isinstance(standard, str)}
    named = history.named({*map(str.strip, read), *read.values()})
    linked = history.linked(reference for found in named.values() for reference in found)
    find = lambda text: one_of(text, named.get(text, ()))  # noqa: E731
    joined = lambda found: history.references_of(found, as_of) if found in linked else {found}  # noqa: E731
    return {text: _found(text, standard, find, joined) for text, standard in standards.items()}


def _standard(text: str, region: str) -> str | InputError:
    try:
        return str(reference_of(text, region))
    except InputError as error:
        return error


def _found(text: str, standard: str | InputError, find: _Find, joined: _Joined) -> Caller | InputError:
    if isinstance(standard, InputError):
        return standard
    try:
        return _caller(text, standard, find, joined)
    except InputError as error:
        return error


def _caller(text: str, standard: str, find: _Find, joined: _Joined) -> Caller:
    found = find(text.strip()) or find(standard)
    if found is None:
        return Caller(standard, standard, False, (standard,))
    references = joined(found)
    return Caller(found, canonical(references), True, tuple(sorted(references)))


def find_reference(history: History, text: str, region: str) -> Reference:
    """Find the reference that a text names; one with its type is taken at its word, known or not.

    Raises InputError when the text can't name anybody, AmbiguousCustomer when it names several, and ErasedCustomer when
    it was, without its type, what somebody was called who was erased.
    """
    text = text.strip()
    standard = reference_of(text, region)
    if ":" in text:
        return standard
    found = history.find(text) or history.find(str(standard))
    if found is None:
        history.check_erased(text)
        return standard
    return Reference.of(found)


def reference_of(text: str, region: str) -> Reference:
    """Read a text as a reference; without a type it is an e-mail address, a valid phone number, or a customer's id.

    >>> str(reference_of("(202) 456-1111", "US")), str(reference_of("1228", "US"))
    ('phone:+12024561111', 'customer:1228')
    """
    text = text.strip()
    if not text:
        raise InputError("expected a customer's id or reference, such as household:1228 or +8223123456; found nothing")
    if "\0" in text:
        raise InputError(f"expected a customer's id or reference without the character NUL, found {text!r}")
    if ":" in text:
        return reference(text, region)
    if "@" in text:
        return reference(f"email:{text}")
    return reference(f"phone:{text}", region) if _is_phone_number(text, region) else Reference("customer", text)


def _is_phone_number(text: str, region: str) -> bool:
    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(text, region))
    except phonenumbers.NumberParseException:
        return False
