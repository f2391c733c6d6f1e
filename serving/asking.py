"""Who asks: what the gate found out about a request, for whoever answers it and whoever logs."""

from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Asking:
    """A request: its id, its route's name, and its key's id and role, both "" where none is needed."""

    request: str
    route: str
    key: str = ""
    role: str = ""


# None outside of requests, as in a rehearsal.
ASKING: ContextVar[Asking | None] = ContextVar("asking", default=None)
