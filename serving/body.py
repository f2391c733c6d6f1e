"""An answer, and the one form of its text that is both kept and sent."""

from typing import Any

import orjson


class Kept(dict[str, Any]):
    """An answer with the text in which it is kept, so that it is written once; it isn't changed any more."""

    def __init__(self, body: dict[str, Any]) -> None:
        super().__init__(body)
        self.text = as_text(body)


def as_text(body: dict[str, Any]) -> str:
    """Write an answer as JSON, in the one form that is both kept and sent."""
    return body.text if isinstance(body, Kept) else orjson.dumps(body).decode()
