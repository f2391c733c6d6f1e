"""What many customers of the base are likely to buy next, scored no further than is asked for."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from features.affinity import CUSTOMERS_AT_ONCE, PlacedPairs, Purchases
from features.feature import Array
from features.known import Known
from features.segments import attributes_of
from models.next_purchase import NextPurchaseModel
from serving.ranking import Places, Ranked, popular, ranked


@dataclass(frozen=True, eq=False)
class Chances:
    """How likely customers are to buy some items, by item, NaN where one isn't a candidate or nothing was bought yet.

    `likeliest` names what each is likeliest to buy next, "" where nothing is named, with how likely; None unless it was
    asked for.
    """

    of: Mapping[str, Array]
    likeliest: tuple[list[str], Array] | None


@dataclass(frozen=True, eq=False)
class Rankings:
    """The candidates of some customers, to be ranked as one by one; a few are measured and scored at a time.

    The customers are those from `start` on of the ones whose purchases were laid out. `alike` are each one's
    attributes, by which those are ranked who haven't bought yet.
    """

    model: NextPurchaseModel
    purchases: Purchases
    start: int
    alike: Sequence[Mapping[str, int]]
    as_of: datetime

    def each(self) -> Iterator[Ranked]:
        """Rank all candidates of each customer."""
        for start, alike, pairs in self._few():
            scores = self.model.rank(pairs.values)
            chance = self.model.probabilities(pairs.values, scores)
            ends = np.searchsorted(pairs.owner, start + np.arange(len(alike)), side="right").tolist()
            for one, part in zip(alike, map(slice, [0, *ends[:-1]], ends), strict=True):
                if part.start == part.stop:
                    yield popular(self.model, one, self.as_of)
                else:
                    names = self.purchases.items[pairs.item[part]]
                    yield ranked(self.model, names, pairs.values[part], scores[part], chance[part], self.as_of)

    def chances(self, items: Collection[str], first: bool) -> Chances:
        """Tell the chances of some items, and with `first` what is likeliest, for which all candidates are scored."""
        size, known = len(self.alike), self.purchases.places
        of = {item: np.full(size, np.nan) for item in items}
        wanted = np.array([known[item] for item in items if item in known], dtype=np.int64)
        likeliest, chance = np.full(size, -1, dtype=np.int64), np.full(size, np.nan)
        for _, _, pairs in self._few():
            few = pairs if first else pairs.of(np.isin(pairs.item, wanted))
            scores, mine = self.model.rank(few.values), few.owner - self.start
            probable = self.model.probabilities(few.values, scores)
            for item, told in of.items():
                at = np.flatnonzero(few.item == known.get(item, -1))
                told[mine[at]] = probable[at]
            if first:
                best = self._best(few, scores)
                likeliest[mine[best]], chance[mine[best]] = few.item[best], probable[best]
        return Chances(of, (self._named(likeliest), chance) if first else None)

    def _few(self) -> Iterator[tuple[int, Sequence[Mapping[str, int]], PlacedPairs]]:
        for start in range(0, len(self.alike), CUSTOMERS_AT_ONCE):
            alike = self.alike[start : start + CUSTOMERS_AT_ONCE]
            first = self.start + start
            yield first, alike, self.purchases.pairs(first, first + len(alike))

    def _best(self, pairs: PlacedPairs, scores: Array) -> Places:
        """Find each buyer's highest score; equal ones go by the item's name."""
        starts = np.flatnonzero(np.diff(pairs.owner, prepend=-1))
        highest = np.repeat(np.maximum.reduceat(scores, starts), np.diff(starts, append=len(scores)))
        ties = np.flatnonzero(scores == highest)
        ordered: Places = ties[np.lexsort((self.purchases.order[pairs.item[ties]], pairs.owner[ties]))]
        return ordered[np.flatnonzero(np.diff(pairs.owner[ordered], prepend=-1))]

    def _named(self, items: Places) -> list[str]:
        """Name items by their places, and in place of -1 what is most popular among people alike."""
        names = [str(item) for item in self.purchases.items[items]]
        for at in np.flatnonzero(items < 0).tolist():
            likely = popular(self.model, self.alike[at], self.as_of).likely
            names[at] = likely[0].item if likely else ""
        return names


def rankings(model: NextPurchaseModel, known: Known, customers: Sequence[str], at_once: int) -> Iterator[Rankings]:
    """Go through many customers of what is known, so many at a time."""
    purchases, told = Purchases.of(known, model.table, customers), attributes_of(known)
    alike = [told.get(one, {}) for one in customers]
    for start in range(0, len(customers), at_once):
        yield Rankings(model, purchases, start, alike[start : start + at_once], known.as_of)
