"""How the attributes of a customer were told last, in words: in batch and online alike."""

import numpy as np
import polars as pl

from features.bodies import wording_of
from features.clock import microseconds
from features.events import KINDS
from features.known import Known
from features.packed import CustomerEvents

_ATTRIBUTE = list(KINDS).index("attribute")


def wordings_of(known: Known) -> dict[str, dict[str, str]]:
    """List the latest wording of each attribute of every customer; one without wording is left out."""
    told = (pl.col("kind") == "attribute") & (pl.col("wording") != "")
    past = known.events.filter(told & (pl.col("occurred_at") < microseconds(known.as_of)))
    ordered = past.sort("occurred_at", "recorded_at", "wording")
    newest = ordered.group_by("customer", "product", maintain_order=True).agg(pl.col("wording").last())
    found: dict[str, dict[str, str]] = {}
    for customer, name, wording in newest.sort("customer", "product").iter_rows():
        found.setdefault(customer, {})[name] = wording
    return found


def wordings_of_customer(events: CustomerEvents) -> dict[str, str]:
    """List the latest wording of each attribute of one customer, online; the same as in batch."""
    told: dict[str, tuple[int, int, str]] = {}
    for place in np.flatnonzero(events.kind == _ATTRIBUTE).tolist():
        wording, name = wording_of(events.body[place]), events.product[place]
        if wording:
            newer = int(events.occurred_at[place]), int(events.recorded_at[place]), wording
            told[name] = max(told.get(name, newer), newer)
    return {name: told[name][2] for name in sorted(told)}
