"""What every shape of an answer on the wire has in common."""

from pydantic import BaseModel, ConfigDict


class Shape(BaseModel):
    """An answer: nothing but its fields, each documented beside it."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)
