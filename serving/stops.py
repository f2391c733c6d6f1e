"""Why an offer isn't made, and the smallest change that would let it through."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple


class Change(NamedTuple):
    """One word of a situation as it is, and as it would have to be."""

    word: str
    now: Any
    needed: Any


class Flip(NamedTuple):
    """The smallest change that would let an offer through, word by word; `say` says it in a language."""

    say: Callable[[str], str]
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True, eq=False)
class Stop:
    """What stops an offer: the layer, why, what was unknown, and what would flip it; many offers may share one.

    `rule` is what stops it as the playbook writes it: a rule's text, or the name of whatever else decided. `find` finds
    the flip once somebody asks for it. `kept` is for a writer to keep what it has written of it.
    """

    layer: str
    sentence: Mapping[str, str]
    rule: str
    unknown: tuple[str, ...] = ()
    find: Callable[[], Flip | None] = lambda: None
    kept: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def flip(self) -> Flip | None:
        """The smallest change that would let the offer through; None where none is known."""
        return self.find()
