"""What a customer is likely to buy next: one in the middle of a call, or the whole base at once."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt

from features.affinity import PAIR_FEATURES, pairs_of, pairs_of_customer
from features.clock import microseconds
from features.feature import Array
from features.history import Known
from features.packed import CustomerEvents
from features.segments import attributes_of, attributes_of_customer
from models.next_purchase import NextPurchaseModel
from serving.scores import NextPurchase

NEXT_PURCHASES, NEW_PURCHASES = 10, 5
KEPT = timedelta(hours=1)
_DAYS = PAIR_FEATURES.index("item_days")


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

    def rank(self, events: CustomerEvents, as_of: datetime) -> Ranked:
        """Rank one customer's candidates; for one who hasn't bought anything, what is popular among people alike."""
        kept = events.derived.get(self)
        if isinstance(kept, Ranked) and timedelta(0) <= as_of - kept.as_of < KEPT:
            return kept
        ranked = self._ranked(events, as_of)
        events.derived[self] = ranked
        return ranked

    def popular(self, attributes: Mapping[str, int], as_of: datetime) -> Ranked:
        """Rank what is popular among people with some attributes; with everyone where they belong to no segment."""
        shares = self._model.segments.popular(attributes)
        items = np.array(self._model.table.items[: len(shares)], dtype=object)
        best = tuple(self._listed(_best(items, shares, NEXT_PURCHASES), items, shares, np.zeros(len(items))))
        return Ranked(as_of, best, best[:NEW_PURCHASES], {})

    def base(self, known: Known, customers: Sequence[str]) -> dict[str, Ranked]:
        """Rank for many customers at once; the same numbers as one by one."""
        pairs = pairs_of(known, self._model.table, customers)
        scores = self._model.rank(pairs.values)
        starts = np.flatnonzero(pairs.customers[1:] != pairs.customers[:-1]) + 1
        found = {}
        for part in np.split(np.arange(len(scores)), starts):
            if len(part):
                owner = str(pairs.customers[part[0]])
                found[owner] = self._of(pairs.items[part].astype(object), pairs.values[part], scores[part], known.as_of)
        told = attributes_of(known)
        return {one: found.get(one) or self.popular(told.get(one, {}), known.as_of) for one in customers}

    def _ranked(self, events: CustomerEvents, as_of: datetime) -> Ranked:
        items, values = pairs_of_customer(events, self._model.table, microseconds(as_of))
        if not (values[:, _DAYS] > 0).any():
            return self.popular(attributes_of_customer(events), as_of)
        return self._of(np.array(items, dtype=object), values, self._model.rank(values), as_of)

    def _of(self, items: npt.NDArray[np.object_], values: Array, scores: Array, as_of: datetime) -> Ranked:
        probability, days = self._model.probabilities(values, scores), values[:, _DAYS]
        fresh = np.flatnonzero(days == 0)
        new = fresh[_best(items[fresh], scores[fresh], NEW_PURCHASES)]
        likely = self._listed(_best(items, scores, NEXT_PURCHASES), items, probability, days)
        chances = dict(zip(items.tolist(), probability.tolist(), strict=True))
        return Ranked(as_of, tuple(likely), tuple(self._listed(new, items, probability, days)), chances)

    def _listed(
        self, places: Iterable[int], items: npt.NDArray[np.object_], probability: Array, days: Array
    ) -> Iterable[NextPurchase]:
        level = self._model.table.level
        return (
            NextPurchase(str(items[place]), level, float(probability[place]), bool(days[place] > 0)) for place in places
        )


def _best(items: npt.NDArray[np.object_], scores: Array, most: int) -> npt.NDArray[np.int64]:
    """Find the places of the highest scores; equal ones go by the item's name."""
    return np.lexsort((items.astype(str), -scores))[:most]
