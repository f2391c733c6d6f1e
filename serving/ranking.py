"""What a customer is likely to buy next, in the middle of a call."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast

import numpy as np
import numpy.typing as npt

from features.affinity import PAIR_FEATURES, pairs_of_customer
from features.clock import microseconds
from features.feature import Array
from features.packed import CustomerEvents
from features.segments import attributes_of_customer
from models.next_purchase import NextPurchaseModel
from serving.scores import NextPurchase

NEXT_PURCHASES, NEW_PURCHASES = 10, 5
KEPT = timedelta(hours=1)
DAYS = PAIR_FEATURES.index("item_days")
Names = npt.NDArray[np.object_]
Places = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Ranked:
    """A customer's likeliest next purchases at a moment, and the likeliest of items not bought before.

    `chances` holds the probability of every candidate.
    """

    as_of: datetime
    likely: tuple[NextPurchase, ...]
    new: tuple[NextPurchase, ...]
    chances: Mapping[str, float]


class Ranker:
    """Ranks what customers may buy next; a ranking is kept with the packed events that it was made of.

    Events that change are packed anew, so a kept ranking never outlives them; none is used for longer than an hour.
    """

    def __init__(self, model: NextPurchaseModel) -> None:
        self._model = model
        # Whose a kept ranking is; kept with this object itself, it would keep the models of every bundle that served.
        self._mark = object()

    def rank(self, events: CustomerEvents, as_of: datetime) -> Ranked:
        """Rank one customer's candidates; for one who hasn't bought anything, what is popular among people alike."""
        mark, kept = events.derived.get(Ranker, (None, None))
        if mark is self._mark and timedelta(0) <= as_of - kept.as_of < KEPT:
            return cast("Ranked", kept)
        ranked = self._ranked(events, as_of)
        events.derived[Ranker] = self._mark, ranked
        return ranked

    def popular(self, attributes: Mapping[str, int], as_of: datetime) -> Ranked:
        """Rank what is popular among people with some attributes; with everyone where they belong to no segment."""
        return popular(self._model, attributes, as_of)

    def _ranked(self, events: CustomerEvents, as_of: datetime) -> Ranked:
        items, values = pairs_of_customer(events, self._model.table, microseconds(as_of))
        if not (values[:, DAYS] > 0).any():
            return self.popular(attributes_of_customer(events), as_of)
        scores = self._model.rank(values)
        probability = self._model.probabilities(values, scores)
        return ranked(self._model, np.array(items, dtype=object), values, scores, probability, as_of)


def popular(model: NextPurchaseModel, attributes: Mapping[str, int], as_of: datetime) -> Ranked:
    """Rank what is popular among people with some attributes; with everyone where they belong to no segment."""
    shares = model.segments.popular(attributes)
    items = np.array(model.table.items[: len(shares)], dtype=object)
    places = _best(items, shares, NEXT_PURCHASES)
    best = tuple(_listed(model, places, items, shares, np.zeros(len(items))))
    return Ranked(as_of, best, best[:NEW_PURCHASES], {})


def ranked(
    model: NextPurchaseModel, items: Names, values: Array, scores: Array, probability: Array, as_of: datetime
) -> Ranked:  # fmt: skip
    """Rank one customer's candidates, `values` of shape (candidates, `PAIR_FEATURES`), by their scores."""
    days = values[:, DAYS]
    fresh = np.flatnonzero(days == 0)
    new = fresh[_best(items[fresh], scores[fresh], NEW_PURCHASES)]
    likely = tuple(_listed(model, _best(items, scores, NEXT_PURCHASES), items, probability, days))
    chances = dict(zip(items.tolist(), probability.tolist(), strict=True))
    return Ranked(as_of, likely, tuple(_listed(model, new, items, probability, days)), chances)


def _listed(
    model: NextPurchaseModel, places: Places, items: Names, probability: Array, days: Array
) -> Iterator[NextPurchase]:
    for place in places.tolist():
        yield NextPurchase(str(items[place]), model.table.level, float(probability[place]), bool(days[place] > 0))


def _best(items: Names, scores: Array, most: int) -> Places:
    """Find the places of the highest scores; equal ones go by the item's name."""
    return np.lexsort((items.astype(str), -scores))[:most]
