"""Who has objected to being profiled: a wish like any other, told as an event of the kind `consent`.

An objection needs no reason and no setting; a later yes takes it back.
"""

import numpy as np
import polars as pl

from features.clock import microseconds
from features.events import KINDS
from features.known import Known
from features.packed import CustomerEvents

PROFILING = "profiling"
_CONSENT = list(KINDS).index("consent")
_READ = "features.consent"


def objects(events: CustomerEvents) -> bool:
    """Tell whether a customer's newest wish about being profiled is a no; of a yes and a no at one moment, the no."""
    if _READ not in events.derived:
        told = [
            (int(events.occurred_at[place]), not events.whole["quantity"][place] > 0)
            for place in np.flatnonzero(events.kind == _CONSENT).tolist()
            if events.product[place] == PROFILING
        ]
        events.derived[_READ] = max(told)[1] if told else False
    return bool(events.derived[_READ])


def objectors(known: Known) -> frozenset[str]:
    """Name the customers who object to being profiled, as `objects` tells it of one."""
    told = known.events.filter(
        (pl.col("kind") == "consent")
        & (pl.col("product") == PROFILING)
        & (pl.col("occurred_at") < microseconds(known.as_of))
    )
    newest = told.select("customer", "occurred_at", no=~(pl.col("quantity") > 0)).sort("occurred_at", "no")
    last = newest.unique("customer", keep="last", maintain_order=True)
    return frozenset(last.filter("no")["customer"].to_list())


def profiled(known: Known) -> Known:
    """Leave out the customers who object: nothing is learned from them."""
    some = objectors(known)
    return known.without(some) if some else known
